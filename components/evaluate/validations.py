"""TFMA's validation result, from its own validator, asked of each slice about its own bounds alone.

Its `validate_metrics` reads every threshold of the config for every slice, and its merge of two results
walks through all that the longer one holds: with a bound a slice, both cost the square of the slices.
Here a slice is validated with a config that holds its own thresholds and no others, and results are
merged two by two; what comes out is what TFMA's pipeline comes to on the whole config.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Sliced = tuple[Any, Mapping[Any, Any]]  # slice key, and TFMA's key → figure
_Place = tuple[int, int]


def validated(eval_config: Any, sliced: Sequence[Sliced]) -> Any:
    """Return the ValidationResult of the figures of all slices."""
    from tensorflow_model_analysis.evaluators import metrics_validator
    from tensorflow_model_analysis.writers import metrics_plots_and_validations_writer as writer

    combine = writer.CombineValidations(eval_config)
    bounds = _Bounds(eval_config)
    results = [
        combine.add_input(
            combine.create_accumulator(),
            metrics_validator.validate_metrics((key, figures), bounds.of(key, figures)),
        )
        for key, figures in sliced
    ]
    while len(results) > 1:
        pairs = [results[n : n + 2] for n in range(0, len(results), 2)]
        results = [combine.merge_accumulators(pair) for pair in pairs]
    return combine.extract_output(results[0])


class _Bounds:
    """The thresholds of a config by the slice that each is for, as TFMA tells slices apart."""

    def __init__(self, eval_config: Any) -> None:
        from tensorflow_model_analysis.metrics import metric_specs
        from tensorflow_model_analysis.slicer import slicer_lib
        from tensorflow_model_analysis.utils import model_util

        self._whole = eval_config
        baseline = model_util.get_baseline_model_spec(eval_config)
        read = metric_specs.metric_thresholds_from_metrics_specs(
            eval_config.metrics_specs, eval_config=eval_config
        )
        self._needed = {k for k in read if not baseline or k.model_name != baseline.name}
        # Slice → place of the metric in the config → its thresholds there.
        self._of: dict[Any, dict[_Place, list[Any]]] = defaultdict(lambda: defaultdict(list))
        self._apart = True
        for place, metric in _metrics(eval_config):
            for bound in metric.per_slice_thresholds:
                for slicing in bound.slicing_specs:
                    alone = type(bound)(slicing_specs=[slicing], threshold=bound.threshold)
                    self._of[slicer_lib.SingleSliceSpec(spec=slicing)][place].append(alone)
                    self._apart &= not slicing.feature_keys
        self._bare = type(eval_config)()
        self._bare.CopyFrom(eval_config)
        for _, metric in _metrics(self._bare):
            del metric.per_slice_thresholds[:]

    def of(self, key: Any, figures: Mapping[Any, Any]) -> Any:
        """Return a config with the slice's own thresholds alone, or the whole where that says less.

        It says less where a threshold is for many slices, and where a figure is missing that any
        threshold is for: TFMA then fails every slice, whichever the threshold is for.
        """
        from tensorflow_model_analysis.slicer import slicer_lib

        if not (self._apart and self._needed <= figures.keys()):
            return self._whole
        here = self._of.get(slicer_lib.SingleSliceSpec(features=key), {})
        told = type(self._bare)()
        told.CopyFrom(self._bare)
        for place, metric in _metrics(told):
            metric.per_slice_thresholds.extend(here.get(place, ()))
        for spec in told.metrics_specs:  # TFMA makes an instance of each that is left
            bound = [
                metric
                for metric in spec.metrics
                if metric.per_slice_thresholds
                or metric.cross_slice_thresholds
                or metric.HasField("threshold")
            ]
            del spec.metrics[:]
            spec.metrics.extend(bound)
        return told


def _metrics(eval_config: Any) -> Iterator[tuple[_Place, Any]]:
    """Yield each metric of a config with its place: which metrics spec, and which metric of it."""
    for number, spec in enumerate(eval_config.metrics_specs):
        for n, metric in enumerate(spec.metrics):
            yield (number, n), metric
