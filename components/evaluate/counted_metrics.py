"""TFMA's figures from counts: its accumulators filled with sums, not fed row by row.

`counts.py` adds up what each slice holds, `accumulators.py` fills TFMA's accumulators with it; TFMA's own
computations then make every figure (of the confusion matrices below an AUC, NumPy makes the same to
the bit: `matrices.py`), its validator the validation result (`validations.py`), its converters the files.
The figures are those of its row-by-row path, at a hundredth of the cost. Plots are made of all rows
together: one takes as long as all other figures of a slice, and nobody looks at a thousand.

This leans on names that TFMA does not promise to keep. Whatever is not as it was in TFMA 0.47 raises
NotCovered, and `components/evaluate/tfma_results.py` takes TFMA's public path.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from components.evaluate.accumulators import NotCovered, fill
from components.evaluate.counts import Counts, count, rows_of
from components.evaluate.matrices import knows, matrices, same
from components.evaluate.population import Population
from components.evaluate.validations import Sliced, validated

__all__ = ["NotCovered", "write"]

PLOTS = ("CalibrationPlot", "ConfusionMatrixPlot")
Counted = Mapping[tuple[str, int | None], Counts]  # of one slice, by model's name and class


def write(eval_config: Any, population: Population, folder: Path) -> None:
    """Write TFMA's result into `folder`: eval_config.json, metrics and validations as TFRecords.

    Raises NotCovered, and writes nothing, when TFMA is not as it was.
    """
    try:
        with _uncollected(), np.errstate(divide="ignore", invalid="ignore"):  # one-class slices
            sliced, plots = _sliced(eval_config, population)
            records = _records(eval_config, sliced, plots)
        run = _eval_run(eval_config, population)
    except (ImportError, AttributeError, TypeError, LookupError, ValueError) as problem:
        raise NotCovered(f"TFMA's internals are not as they were: {problem!r}") from problem
    import tensorflow as tf

    folder.mkdir(parents=True, exist_ok=True)
    (folder / "eval_config.json").write_text(run)
    for name, messages in records.items():
        with tf.io.TFRecordWriter(str(folder / name)) as writer:
            for message in messages:
                writer.write(message.SerializeToString())


@contextmanager
def _uncollected() -> Iterator[None]:
    """Hold the garbage collector off.

    TFMA makes 20,000 short-lived objects a slice; each few hundred of them would have the collector
    walk through all that TensorFlow keeps, at as much CPU again as the metrics cost.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _sliced(eval_config: Any, population: Population) -> tuple[list[Sliced], Sliced]:
    """Return the metrics of each slice, and the plots of all rows, as TFMA's evaluator makes them."""
    metrics = _Computations(eval_config, plots=False)
    plots = _Computations(eval_config, plots=True)
    baseline = next((spec.name for spec in eval_config.model_specs if spec.is_baseline), None)
    rows = {
        (name, of_class): of
        for model, name in population.names.items()
        for of_class, of in rows_of(population, model).items()
    }
    sliced: list[Sliced] = []
    for slicing in population.slicings:
        counted = {key: count(of, slicing) for key, of in rows.items()}
        for part in slicing:
            here = {key: counts[part.code] for key, counts in counted.items()}
            if not slicing.columns:
                drawn = (part.key, plots.of(here))
            figures = metrics.of(here)
            if baseline is not None:
                figures |= _differences(figures, baseline)
            sliced.append((part.key, figures))
    return sliced, drawn


class _Computations:
    """TFMA's computations of the metrics, or of the plots, that a config asks for."""

    def __init__(self, eval_config: Any, *, plots: bool) -> None:
        from tensorflow_model_analysis.metrics import metric_specs, metric_types

        specs = [_only(spec, plots=plots) for spec in eval_config.metrics_specs]
        asked = metric_specs.to_computations(
            [spec for spec in specs if spec.metrics], eval_config=eval_config
        )
        unique = dict.fromkeys(asked)
        self._direct = [c for c in unique if isinstance(c, metric_types.MetricComputation)]
        self._derived = [c for c in unique if type(c) is metric_types.DerivedMetricComputation]
        if len(self._direct) + len(self._derived) < len(unique):
            raise NotCovered("a metric is computed neither from rows nor from other metrics")
        self._swift = {id(c) for c in self._derived if knows(c)}
        self._agreed: set[Any] = set()  # keys whose matrices were TFMA's own, where both were made

    def of(self, counted: Counted) -> dict[Any, Any]:
        """Return TFMA's key → figure of one slice, but for what TFMA keeps to itself."""
        figures: dict[Any, Any] = {}
        for computation in self._direct:
            counts = counted[_of(computation.keys[0])]
            figures |= computation.combiner.extract_output(fill(computation.combiner, counts))
        for computation in self._derived:
            figures |= self._derive(computation, figures, counted)
        return {key: value for key, value in figures.items() if not key.name.startswith("_")}

    def _derive(self, of: Any, figures: Mapping[Any, Any], counted: Counted) -> Mapping[Any, Any]:
        """Return what TFMA derives from figures; its matrices by NumPy, once seen to be the same."""
        if id(of) not in self._swift:
            return of.result(figures)  # type: ignore[no-any-return]
        key = of.keys[0]
        ours = {key: matrices(counted[_of(key)].buckets)}
        if key not in self._agreed:
            if not same(ours[key], of.result(figures)[key]):
                raise NotCovered("TFMA makes other confusion matrices of the same rows")
            self._agreed.add(key)
        return ours


def _of(key: Any) -> tuple[str, int | None]:
    """Return the model and the class that a computation is about."""
    return key.model_name, key.sub_key.class_id if key.sub_key else None


def _only(spec: Any, *, plots: bool) -> Any:
    """Return the spec of a config with its plots alone, or without them."""
    kept = type(spec)()
    kept.CopyFrom(spec)
    del kept.metrics[:]
    kept.metrics.extend(m for m in spec.metrics if (m.class_name in PLOTS) == plots)
    return kept


def _differences(metrics: dict[Any, Any], baseline: str) -> dict[Any, Any]:
    """Return candidate less baseline, of every metric."""
    return {
        key.make_diff_key(): value - metrics[key.make_baseline_key(baseline)]
        for key, value in metrics.items()
        if key.model_name != baseline
    }


def _records(eval_config: Any, sliced: Sequence[Sliced], plots: Sliced) -> dict[str, list[Any]]:
    """Return file name → messages: each slice's metrics, the plots, the one validation result."""
    from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer

    return {
        "metrics-00000-of-00001.tfrecord": [
            writer.convert_slice_metrics_to_proto(metrics, None) for metrics in sliced
        ],
        "plots-00000-of-00001.tfrecord": [
            writer.convert_slice_plots_to_proto(plots, None) for plots in [plots] if plots[1]
        ],
        "validations.tfrecord": [validated(eval_config, sliced)],
    }


def _eval_run(eval_config: Any, population: Population) -> str:
    """Return the JSON that `tfma.load_eval_result` reads first."""
    from google.protobuf import json_format
    from tensorflow_model_analysis import version
    from tensorflow_model_analysis.proto import config_pb2

    return json_format.MessageToJson(
        config_pb2.EvalRun(
            eval_config=eval_config,
            version=version.VERSION,
            data_location="<rows counted>",
            model_locations={name: model for model, name in population.names.items()},
        )
    )
