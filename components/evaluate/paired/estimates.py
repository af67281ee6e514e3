"""Every metric of the catalogue with the influence of each row on it.

A row's influence is how much it moves its slice's figure away from what the figure would be over all
rows there could be. The influences of a slice add up to 0 and their squares to the figure's variance;
what two models' figures have in common, since the same rows made them, falls out of the difference of
their influences. To add a metric: a `Smooth`, or a class with `on`, and a line below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Protocol

import numpy as np

from components.evaluate.paired.delong import AUC, MacroAUC
from components.evaluate.paired.estimate import Estimate
from components.evaluate.paired.means import Rows, Smooth
from components.evaluate.population import EDGE
from components.evaluate.slices import Slicing
from components.metrics import CUT, Task

BINS = 10  # of the calibration error: as many as TFMA is asked for


class OneModel(Protocol):
    """A metric of one model, to be estimated on any slicing of its rows."""

    def on(self, slicing: Slicing) -> Estimate:
        """Return the estimate on each slice."""
        ...


Estimator = Callable[
    [np.ndarray, np.ndarray], OneModel
]  # label and scores, as `Population` has them


def true_positive_rate(label: np.ndarray, scores: np.ndarray) -> float:
    """Return the share of positives with a score above the cut, NaN where there are none."""
    return float(np.mean(scores[label == 1] > CUT)) if label.any() else float("nan")


class CalibrationError:
    """The expected calibration error of one model, in ten bins of the score.

    A bin counts for the distance between its scores and its labels, which goes with either according
    to the side that it is on.
    """

    def __init__(self, label: np.ndarray, scores: np.ndarray) -> None:
        self._apart = scores - label
        self._bin = np.minimum((scores * BINS).astype(np.int64), BINS - 1)

    def on(self, slicing: Slicing) -> Estimate:
        """Return the estimate on each slice."""
        slices, sizes = len(slicing.values), slicing.totals()
        cells = np.where(slicing.codes < 0, slices, slicing.codes) * BINS + self._bin
        sums = np.bincount(cells, self._apart, (slices + 1) * BINS)
        with np.errstate(divide="ignore", invalid="ignore"):
            value = np.abs(sums).reshape(-1, BINS)[:slices].sum(axis=1) / sizes
            scale = 1 / np.sqrt(sizes * (sizes - 1.0))
            moved = np.sign(np.round(sums, 9))[cells] * self._apart - value[slicing.codes]
            influence = np.where(slicing.codes < 0, 0.0, moved * scale[slicing.codes])
        return Estimate(value, influence, sizes)


class Opportunity:
    """The true-positive rate of one model less its own overall, which every positive has a part in."""

    def __init__(self, label: np.ndarray, scores: np.ndarray) -> None:
        overall = true_positive_rate(label, scores)
        self._overall = -label * ((scores > CUT) - overall) / max(label.sum(), 1)  # its influence
        of_slice = Smooth(lambda hit, whole: hit / whole - overall, (_hit, _label), _label, 1.0)
        self._of_slice = of_slice(label, scores)

    def on(self, slicing: Slicing) -> Estimate:
        """Return the estimate on each slice."""
        own = self._of_slice.on(slicing)
        inside = np.where(slicing.codes < 0, 0.0, own.influence + self._overall)
        return replace(own, influence=inside, elsewhere=self._overall)


def _label(label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return label


def _score(label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return scores


def _negative(label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return 1 - label


def _yes(label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return (scores > CUT).astype(np.float64)


def _right(label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return ((scores > CUT) == (label == 1)).astype(np.float64)


def _hit(label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return label * (scores > CUT)


def _false_alarm(label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return (1 - label) * (scores > CUT)


def _miss(label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return label * (scores <= CUT)


def _cross_entropy(label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return -np.log(np.where(label == 1, scores, 1 - scores))


def _likeliest(label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return (scores.argmax(axis=1) == label).astype(np.float64)


def _surprise(label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    said = scores[np.arange(len(label)), label.astype(np.int64)]
    return -np.log(np.clip(said, EDGE, 1 - EDGE))


def _off(label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return scores - label


def _absolute(label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return np.abs(scores - label)


def _squared(label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return np.square(scores - label)


def _mean(mean: np.ndarray) -> np.ndarray:
    return mean


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return part / whole


def _share(part: Rows, whole: Rows) -> Smooth:
    return Smooth(_ratio, (part, whole), among=whole, grain=1.0)


_MEANS: Mapping[str, Estimator] = {
    "mean_prediction": Smooth(_mean, (_score,)),
    "mean_label": Smooth(_mean, (_label,)),
}
ESTIMATORS: Mapping[Task, Mapping[str, Estimator]] = {
    "binary": {
        "auc": AUC,
        "accuracy": Smooth(_mean, (_right,), grain=1.0),
        "precision": _share(_hit, _yes),
        "recall": _share(_hit, _label),
        "calibration": Smooth(_ratio, (_score, _label), among=_label),
        "loss": Smooth(_mean, (_cross_entropy,)),
        "false_positive_rate": _share(_false_alarm, _negative),
        "false_negative_rate": _share(_miss, _label),
        "expected_calibration_error": CalibrationError,
        "equal_opportunity_difference": Opportunity,
        **_MEANS,
    },
    "multiclass": {
        "auc": MacroAUC,
        "accuracy": Smooth(_mean, (_likeliest,), grain=1.0),
        "loss": Smooth(_mean, (_surprise,)),
    },
    "regression": {
        "mae": Smooth(_mean, (_absolute,)),
        "mse": Smooth(_mean, (_squared,)),
        "rmse": Smooth(np.sqrt, (_squared,)),
        "bias": Smooth(_mean, (_off,)),
        "calibration": Smooth(_ratio, (_score, _label)),
        **_MEANS,
    },
}
