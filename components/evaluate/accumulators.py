"""TFMA's accumulators, filled from counts as if they had been fed the rows that were counted.

By the class of the combiner; one that is not known here, or is not set as is known here, raises
NotCovered.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from components.evaluate.counts import BUCKETS, Counts
from components.metrics import CUT


class NotCovered(Exception):
    """This TFMA, or this metric of it, is not one whose accumulators are known here."""


def fill(combiner: Any, counts: Counts) -> Any:
    """Return the combiner's accumulator of the rows that were counted."""
    kind = type(combiner).__name__
    if kind not in FILL:
        raise NotCovered(f"TFMA's {kind} is not among those that can be filled from counts")
    return FILL[kind](combiner, counts)


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
    accumulator.total_weighted_labels = counts.sums["labels"]
    accumulator.total_weighted_predictions = counts.sums["scores"]
    accumulator.total_weighted_examples = counts.sums["examples"]
    return accumulator


def _cross_entropy(combiner: Any, counts: Counts) -> Any:
    if combiner._from_logits or combiner._label_smoothing:
        raise NotCovered("the cross entropy is smoothed, or of logits")
    accumulator = combiner.create_accumulator()
    accumulator.total_cross_entropy = counts.sums["cross entropy"]
    accumulator.total_example_weights = counts.sums["examples"]
    return accumulator


def _error(of: str) -> Callable[[Any, Counts], Any]:
    def fill_error(combiner: Any, counts: Counts) -> Any:
        accumulator = combiner.create_accumulator()
        accumulator.total_regression_error = counts.sums[of]
        accumulator.total_example_weights = counts.sums["examples"]
        return accumulator

    return fill_error


# Keras' means: class → what is summed.
_MEANS = {"SparseCategoricalAccuracy": "right", "SparseCategoricalCrossentropy": "cross entropy"}


def _keras(combiner: Any, counts: Counts) -> Any:
    combiner.setup()
    accumulator = combiner.create_accumulator()
    for output, metrics in enumerate(combiner._metrics.values()):
        for place, metric in enumerate(metrics):
            kind = type(metric).__name__
            if kind not in _MEANS:
                raise NotCovered(f"Keras' {kind} is not among those that can be filled from counts")
            total = [counts.sums[_MEANS[kind]], counts.sums["examples"]]
            accumulator.add_weights(output, place, np.array(total, np.float32))
    return accumulator


FILL: dict[str, Callable[[Any, Counts], Any]] = {
    "_CalibrationHistogramCombiner": _histogram,
    "_BinaryConfusionMatrixCombiner": _outcomes,
    "_WeightedLabelsPredictionsExamplesCombiner": _sums,
    "_BinaryCrossEntropyCombiner": _cross_entropy,
    "_MeanAbsoluteErrorCombiner": _error("absolute error"),
    "_MeanSquaredErrorCombiner": _error("squared error"),
    "_CompilableMetricsCombiner": _keras,
    "_ExampleCountCombiner": lambda combiner, counts: (
        combiner.create_accumulator() + counts.sums["examples"]
    ),
}
