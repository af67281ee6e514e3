"""TFMA's own result of an evaluation: its EvalConfig in, the files that its readers open out.

`write` counts the rows itself and lets TFMA make every figure out of the counts
(`components/evaluate/counted_metrics.py`); where the TFMA at hand is not the one that was written for, its
row-by-row path does the whole, at a hundred times the price, and the answer says so.
"""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components import metrics as catalogue
from components.evaluate.answers import Bound
from components.evaluate.needs import lacking, tally
from components.evaluate.paired.estimates import true_positive_rate
from components.evaluate.population import BASELINE, CANDIDATE, Population
from components.evaluate.slices import Value, encode

log = logging.getLogger(__name__)

LABEL = "__label__"
PLOTS: dict[catalogue.Task, tuple[str, ...]] = {
    "binary": ("CalibrationPlot", "ConfusionMatrixPlot"),
    "multiclass": (),
    "regression": (),
}
Key = tuple[tuple[str, Any], ...]  # of a slice: pairs of column and value
Figures = dict[str, dict[str, float]]  # model → metric → value


def config(population: Population, bounds: Sequence[Bound]) -> Any:
    """Return the EvalConfig: the models, the slicings, the metrics, and the bounds.

    A bound is written slice by slice: TFMA has no other way to leave one unjudged, and would call it
    failed where it is small, or where noise explains it (`answers.Answer.bound`).
    """
    from tensorflow_model_analysis.proto import config_pb2

    names = population.names
    asked = {
        metric: _metric(metric, population, bounds)
        for metric in catalogue.of(population.task).values()
    }
    direct = [made for metric, made in asked.items() if not metric.macro]
    direct += [config_pb2.MetricConfig(class_name=name) for name in PLOTS[population.task]]
    specs = [config_pb2.MetricsSpec(metrics=direct, model_names=list(names.values()))]
    averaged = [made for metric, made in asked.items() if metric.macro]
    if averaged:  # over the classes, each of which counts alike, however rare
        weights = dict.fromkeys(range(population.classes), 1.0)
        alike = config_pb2.AggregationOptions(macro_average=True, class_weights=weights)
        specs.append(
            config_pb2.MetricsSpec(
                metrics=averaged, model_names=list(names.values()), aggregate=alike
            )
        )
    return config_pb2.EvalConfig(
        model_specs=[
            config_pb2.ModelSpec(
                name=name, label_key=LABEL, prediction_key=model, is_baseline=model == BASELINE
            )
            for model, name in names.items()
        ],
        slicing_specs=[config_pb2.SlicingSpec(feature_keys=s.columns) for s in population.slicings],
        metrics_specs=specs,
    )


def _metric(metric: catalogue.Metric, population: Population, bounds: Sequence[Bound]) -> Any:
    from tensorflow_model_analysis.proto import config_pb2

    return config_pb2.MetricConfig(
        class_name=metric.tfma,
        module=metric.module,
        config=json.dumps(_settings(metric, population)),
        per_slice_thresholds=[
            _threshold(bound, config_pb2) for bound in bounds if bound.metric == metric.name
        ],
    )


def _settings(metric: catalogue.Metric, population: Population) -> dict[str, Any]:
    """Return what TFMA's class of a metric is told."""
    told: dict[str, Any] = {"name": metric.name}
    if metric.name == "equal_opportunity_difference":
        told["overall"] = {
            name: true_positive_rate(population.label, population.scores[model])
            for model, name in population.names.items()
        }
    return told


def _threshold(bound: Bound, config_pb2: Any) -> Any:
    kind: dict[str, Any] = {}
    if bound.change:
        better, worse = config_pb2.HIGHER_IS_BETTER, config_pb2.LOWER_IS_BETTER
        least = bound.lower is not None
        absolute = bound.lower if least else bound.upper
        kind["change_threshold"] = config_pb2.GenericChangeThreshold(
            absolute={"value": absolute}, direction=better if least else worse
        )
    else:
        ends = {"lower_bound": bound.lower, "upper_bound": bound.upper}
        kind["value_threshold"] = config_pb2.GenericValueThreshold(
            **{end: {"value": value} for end, value in ends.items() if value is not None}
        )
    values = {column: str(value) for column, value in bound.slice.key}
    return config_pb2.PerSliceMetricThreshold(
        slicing_specs=[config_pb2.SlicingSpec(feature_values=values)],
        threshold=config_pb2.MetricThreshold(**kind),
    )


def write(eval_config: Any, population: Population, folder: Path) -> str:
    """Write TFMA's result of the evaluation into `folder`; return in a few words how it was made."""
    from components.evaluate import counted_metrics

    try:
        counted_metrics.write(eval_config, population, folder)
    except counted_metrics.NotCovered as problem:
        log.warning("%s: TFMA goes row by row instead, which takes longer", problem)
        write_row_by_row(eval_config, population, folder)
        return f"TFMA row by row, because {problem}"
    return "TFMA on counts"


def write_row_by_row(eval_config: Any, population: Population, folder: Path) -> None:
    """Do what `write` does by TFMA's public path alone: about 0.4 ms a row and slice."""
    import apache_beam as beam
    import tensorflow_model_analysis as tfma

    columns = {c: _values(*encode(population.columns, str(c))) for c in population.columns}
    columns |= {LABEL: pa.array(population.label)}
    columns |= {model: pa.array(list(scores)) for model, scores in population.scores.items()}
    batch = pa.record_batch([_as_lists(c) for c in columns.values()], names=list(columns))
    shared = [
        tfma.EvalSharedModel(
            model_name=name,
            model_path=model,
            model_type="materialized_prediction",
            is_baseline=model == BASELINE,
        )
        for model, name in population.names.items()
    ]
    with beam.Pipeline() as pipeline:
        _ = (
            pipeline
            | beam.Create([batch.slice(n, 1000) for n in range(0, len(batch), 1000)])
            | tfma.ExtractEvaluateAndWriteResults(
                eval_shared_model=shared if len(shared) > 1 else shared[0],
                eval_config=eval_config,
                output_path=str(folder),
            )
        )


def _values(codes: np.ndarray, values: Sequence[Value]) -> pa.Array:
    return pa.array([values[code] if code >= 0 else None for code in codes.tolist()])


def _as_lists(column: pa.Array) -> pa.ListArray:
    """Return a column as TFMA reads one: a list of values a row, empty where there is none."""
    if pa.types.is_list(column.type):
        return column
    kind = pa.binary() if pa.types.is_string(column.type) else column.type
    ends = np.concatenate([[0], np.cumsum(column.is_valid().to_numpy(zero_copy_only=False))])
    return pa.ListArray.from_arrays(pa.array(ends, pa.int32()), column.drop_null().cast(kind))


def blank(figures: dict[Key, Figures], population: Population) -> None:
    """Put NaN for what is undefined; TFMA says 0 for the AUC of a class that a slice lacks."""
    for slicing in population.slicings:
        tallied = tally(slicing, population.label, population.classes)
        for metric in catalogue.of(population.task).values():
            lacks = lacking(metric, tallied)
            for part in slicing:
                for figures_of in figures[part.key].values() if lacks[part.code] else ():
                    figures_of[metric.name] = math.nan


def figures(folder: Path) -> dict[Key, Figures]:
    """Return slice key → model → metric → value, as TFMA's result in `folder` has them."""
    import tensorflow_model_analysis as tfma

    found = {}
    for entry in tfma.load_metrics(str(folder)):
        key = tuple((k.column, _value(k)) for k in entry.slice_key.single_slice_keys)
        models: Figures = {}
        for pair in entry.metric_keys_and_values:
            if not pair.key.is_diff and not pair.key.HasField("sub_key"):
                model = models.setdefault(pair.key.model_name or CANDIDATE, {})
                model[pair.key.name] = pair.value.double_value.value
        found[key] = models
    return found


def _value(key: Any) -> Any:
    value = getattr(key, key.WhichOneof("kind"))
    return value.decode() if isinstance(value, bytes) else value
