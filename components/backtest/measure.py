"""One metric over many days, for any choice of the days: its value, and how sure that is.

Rows of one day rise and fall together, so it is days that are drawn, with replacement, for the
interval (the cluster bootstrap: Davison & Hinkley, Bootstrap Methods and their Application, 1997,
3.8). Each metric is kept as what its days add up to, so that a draw costs no pass over the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from components.metrics import CUT, Task
from components.spec import Spec

DRAWS = 2000
CONFIDENCE = 0.95
FEWEST = 5  # days, for an interval to mean anything
EDGE = 1e-7  # as in the model gate: a score of 0 or 1 would make the cross entropy infinite

Of = Callable[[np.ndarray], np.ndarray]
"""Weights of the days, float64 [draws, days] → the metric of each draw, float64 [draws]."""
Days = Sequence[np.ndarray]


def followed(what: Spec) -> str:
    """Return the metric to follow: that of the first threshold that days add up to, or else the loss."""
    named = [bound.metric for bound in what.thresholds if not bound.slice]
    return next((m for m in named if m in _known(what.task)), _LOSS[what.task])


def measure(task: Task, metric: str, labels: Days, scores: Days) -> Of:
    """Return a metric of scores against labels by weights of days.

    `labels`: [rows] a day, as `labels.encode` has them; `scores`: [rows] or [rows, classes] a day.
    """
    if metric == "auc":
        return _auc(labels, scores)
    if metric == "rmse":
        squared = measure(task, "mse", labels, scores)
        return lambda weights: np.sqrt(squared(weights))
    pairs = [_RATIOS[task][metric](y, s) for y, s in zip(labels, scores, strict=True)]
    over, under = np.array(pairs, float).reshape(-1, 2).T
    return lambda weights: _divided(weights @ over, weights @ under)


def each_day(task: Task, metric: str, labels: Days, scores: Days) -> np.ndarray:
    """Return the metric of each day by itself, float64 [days]; nan where it is undefined."""
    return measure(task, metric, labels, scores)(np.eye(len(labels)))


def interval(days: int, of: Of) -> tuple[float, float] | None:
    """Return the percentile interval of a figure over redrawn days; None for too few days to say."""
    if days < FEWEST:
        return None
    drawn = np.random.default_rng(0).multinomial(days, np.full(days, 1 / days), DRAWS)
    values = of(drawn.astype(float))
    values = values[np.isfinite(values)]
    if not values.size:
        return None
    low, high = np.quantile(values, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return float(low), float(high)


def _auc(labels: Days, scores: Days) -> Of:
    """The area under the curve: of all pairs of a positive and a negative, the share in order.

    Pairs are counted from day to day, so that a draw weighs whole days against each other.
    """
    above = [np.sort(s[y == 1]) for y, s in zip(labels, scores, strict=True)]
    below = [np.sort(s[y == 0]) for y, s in zip(labels, scores, strict=True)]
    ordered = np.array([[_in_order(a, b) for b in below] for a in above], float)
    positives, negatives = (np.array([len(d) for d in days], float) for days in (above, below))
    return lambda weights: _divided(
        np.einsum("nd,de,ne->n", weights, ordered.reshape(len(above), len(below)), weights),
        (weights @ positives) * (weights @ negatives),
    )


def _in_order(above: np.ndarray, below: np.ndarray) -> float:
    """Return how many pairs have the positive above the negative; a tie is half a pair."""
    lower = np.searchsorted(below, above, "left").sum()
    return float(lower + np.searchsorted(below, above, "right").sum()) / 2


def _loss(label: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    p = np.clip(score.astype(float), EDGE, 1 - EDGE)
    return float(-np.sum(label * np.log(p) + (1 - label) * np.log1p(-p))), len(label)


def _divided(over: np.ndarray, under: np.ndarray) -> np.ndarray:
    return np.divide(over, under, out=np.full(over.shape, np.nan), where=under > 0)


def _likeliness(label: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    of_label = score.astype(float)[np.arange(len(label)), label.astype(int)]
    return float(-np.sum(np.log(np.clip(of_label, EDGE, 1)))), len(label)


def _share(of: np.ndarray, among: np.ndarray) -> tuple[float, float]:
    return float(np.sum(of & among)), float(np.sum(among))


def _totals(label: np.ndarray, score: np.ndarray) -> tuple[float, float]:
    return float(np.sum(score, dtype=float)), float(np.sum(label))


def _known(task: Task) -> set[str]:
    return {*_RATIOS[task], *{"binary": ["auc"], "regression": ["rmse"]}.get(task, [])}


# Metric → what a day adds above and below the line.
_Ratio = Callable[[np.ndarray, np.ndarray], tuple[float, float]]
_RATIOS: Mapping[Task, Mapping[str, _Ratio]] = {
    "binary": {
        "accuracy": lambda y, s: (float(np.sum((s > CUT) == (y == 1))), len(y)),
        "precision": lambda y, s: _share(y == 1, s > CUT),
        "recall": lambda y, s: _share(s > CUT, y == 1),
        "false_positive_rate": lambda y, s: _share(s > CUT, y == 0),
        "false_negative_rate": lambda y, s: _share(s <= CUT, y == 1),
        "calibration": _totals,
        "loss": _loss,
    },
    "multiclass": {
        "accuracy": lambda y, s: (float(np.sum(s.argmax(axis=1) == y)), len(y)),
        "loss": _likeliness,
    },
    "regression": {
        "mae": lambda y, s: (float(np.sum(np.abs(s - y))), len(y)),
        "mse": lambda y, s: (float(np.sum((s - y) ** 2)), len(y)),
        "bias": lambda y, s: (float(np.sum(s - y)), len(y)),
        "calibration": _totals,
    },
}
_LOSS: Mapping[Task, str] = {"binary": "loss", "multiclass": "loss", "regression": "rmse"}
