"""TFMA's figures from counts: its accumulators filled with sums, not fed row by row.

TFMA's metrics need of each slice no more than how many examples of either label fell into each of
10,000 buckets of the score, and a few sums. NumPy counts those in milliseconds; TFMA's own
computations then make every figure, its validator the validation result, its converter the files.
The figures are those of its row-by-row path, at a hundredth of the cost.

This leans on names that TFMA does not promise to keep. Whatever is not as it was in TFMA 0.47 raises
NotCovered, and `components/evaluate/tfma_results.py` takes TFMA's public path.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from components.evaluate.population import Population
from components.evaluate.slices import Slicing
from components.metrics import CUT

BUCKETS = 10_000  # TFMA's own; two more hold what lies outside 0 and 1

Cell = tuple[int, float, float, float]


class NotCovered(Exception):
    """This TFMA, or this metric of it, is not one whose accumulators are known here."""


@dataclass(frozen=True)
class Counts:
    """What TFMA's accumulators want to know of one model on one slice.

    `outcomes`: how many true positives, false positives, false and true negatives; `buckets`: TFMA's
    buckets that are not empty, ascending: number, sum of labels, sum of scores, examples.
    """

    examples: float
    labels: float
    scores: float
    cross_entropy: float
    outcomes: list[float]
    buckets: list[Cell]


def count(label: np.ndarray, scores: np.ndarray, slicing: Slicing) -> list[Counts]:
    """Return the counts of each slice of one slicing; `label` and `scores` are float64 [rows]."""
    inside = slicing.codes >= 0
    label, scores, codes = label[inside], scores[inside], slicing.codes[inside]
    slices = len(slicing.values)
    ones = np.ones(len(label))
    entropy = -np.log(np.where(label == 1, scores, 1 - scores))
    totals = [np.bincount(codes, of, slices) for of in (ones, label, scores, entropy)]
    cases = codes * 4 + 2 * (scores <= CUT) + (label == 0)  # as Counts.outcomes has them
    outcomes = np.bincount(cases, minlength=4 * slices).reshape(slices, 4).astype(float)
    bucket = (scores * BUCKETS + 1).astype(np.int64)  # TFMA's arithmetic, to the bit
    cells, cell = np.unique(codes * (BUCKETS + 2) + bucket, return_inverse=True)
    sums = [np.bincount(cell, of, len(cells)).tolist() for of in (label, scores, ones)]
    buckets: list[list[Cell]] = [[] for _ in range(slices)]
    for place, labelled, scored, n in zip(cells.tolist(), *sums, strict=True):
        part, number = divmod(place, BUCKETS + 2)
        buckets[part].append((number, labelled, scored, n))
    summed = zip(*(total.tolist() for total in totals), strict=True)
    return [
        Counts(examples, labels, total, cross_entropy, outcome, filled)
        for (examples, labels, total, cross_entropy), outcome, filled in zip(
            summed, outcomes.tolist(), buckets, strict=True
        )
    ]


def write(eval_config: Any, population: Population, folder: Path) -> None:
    """Write TFMA's result into `folder`: eval_config.json, metrics and validations as TFRecords.

    Raises NotCovered, and writes nothing, when TFMA is not as it was.
    """
    try:
        with _uncollected(), np.errstate(divide="ignore", invalid="ignore"):  # one-class slices
            sliced = list(_sliced_metrics(eval_config, population))
        records = _records(eval_config, sliced)
        run = _eval_run(eval_config, population)
    except (ImportError, AttributeError, TypeError, KeyError, ValueError) as problem:
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


def _sliced_metrics(eval_config: Any, population: Population) -> Iterator[tuple[Any, Any]]:
    """Yield slice key and metrics of each slice, as TFMA's evaluator does."""
    from tensorflow_model_analysis.metrics import metric_specs, metric_types

    computations = dict.fromkeys(
        metric_specs.to_computations(list(eval_config.metrics_specs), eval_config=eval_config)
    )
    direct = [c for c in computations if isinstance(c, metric_types.MetricComputation)]
    derived = [c for c in computations if type(c) is metric_types.DerivedMetricComputation]
    if len(direct) + len(derived) < len(computations):
        raise NotCovered("a metric is computed neither from rows nor from other metrics")
    baseline = next((spec.name for spec in eval_config.model_specs if spec.is_baseline), None)
    for slicing in population.slicings:
        counted = {
            name: count(population.label, population.scores[model], slicing)
            for model, name in population.names.items()
        }
        for part in slicing:
            metrics: dict[Any, Any] = {}
            for computation in direct:
                combiner = computation.combiner
                counts = counted[computation.keys[0].model_name][part.code]
                metrics |= combiner.extract_output(_accumulator(combiner, counts))
            for computation in derived:
                metrics |= computation.result(metrics)
            public = {key: v for key, v in metrics.items() if not key.name.startswith("_")}
            if baseline is not None:
                public |= _differences(public, baseline)
            yield part.key, public


def _differences(metrics: dict[Any, Any], baseline: str) -> dict[Any, Any]:
    """Return candidate less baseline, of every metric."""
    return {
        key.make_diff_key(): value - metrics[key.make_baseline_key(baseline)]
        for key, value in metrics.items()
        if key.model_name != baseline
    }


def _accumulator(combiner: Any, counts: Counts) -> Any:
    """Return the combiner's accumulator as if it had been fed the rows that were counted."""
    kind = type(combiner).__name__
    if kind not in _FILL:
        raise NotCovered(f"TFMA's {kind} is not among those that can be filled from counts")
    return _FILL[kind](combiner, counts)


def _histogram(combiner: Any, counts: Counts) -> Any:
    from tensorflow_model_analysis.metrics.calibration_histogram import Bucket

    shape = (combiner._num_buckets, combiner._left, combiner._range)
    if shape != (BUCKETS, 0.0, 1.0) or not combiner._prediction_based_bucketing:
        raise NotCovered("a histogram of scores is not of TFMA's default buckets")
    return {bucket[0]: Bucket(*bucket) for bucket in counts.buckets}


def _outcomes(combiner: Any, counts: Counts) -> Any:
    matrices = combiner._binary_confusion_matrices
    if list(matrices._thresholds) != [CUT]:
        raise NotCovered(f"a score's threshold is not {CUT}")
    return matrices.add_input(
        combiner.create_accumulator(),
        labels=[1.0, 0.0, 1.0, 0.0],
        predictions=[1.0, 1.0, 0.0, 0.0],
        example_weights=counts.outcomes,
        example_id=None,
    )


def _sums(combiner: Any, counts: Counts) -> Any:
    accumulator = combiner.create_accumulator()
    accumulator.total_weighted_labels = counts.labels
    accumulator.total_weighted_predictions = counts.scores
    accumulator.total_weighted_examples = counts.examples
    return accumulator


def _cross_entropy(combiner: Any, counts: Counts) -> Any:
    if combiner._from_logits or combiner._label_smoothing:
        raise NotCovered("the cross entropy is smoothed, or of logits")
    accumulator = combiner.create_accumulator()
    accumulator.total_cross_entropy = counts.cross_entropy
    accumulator.total_example_weights = counts.examples
    return accumulator


_FILL: dict[str, Callable[[Any, Counts], Any]] = {
    "_CalibrationHistogramCombiner": _histogram,
    "_BinaryConfusionMatrixCombiner": _outcomes,
    "_WeightedLabelsPredictionsExamplesCombiner": _sums,
    "_BinaryCrossEntropyCombiner": _cross_entropy,
    "_ExampleCountCombiner": lambda combiner, counts: (
        combiner.create_accumulator() + counts.examples
    ),
}


def _records(eval_config: Any, sliced: list[tuple[Any, Any]]) -> dict[str, list[Any]]:
    """Return file name → messages: the metrics of each slice, and the one validation result."""
    from tensorflow_model_analysis.evaluators import metrics_validator
    from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer

    combine = writer.CombineValidations(eval_config)
    validation = combine.create_accumulator()
    for metrics in sliced:
        validation = combine.add_input(
            validation, metrics_validator.validate_metrics(metrics, eval_config)
        )
    return {
        "metrics-00000-of-00001.tfrecord": [
            writer.convert_slice_metrics_to_proto(metrics, None) for metrics in sliced
        ],
        "validations.tfrecord": [combine.extract_output(validation)],
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
