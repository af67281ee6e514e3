"""One metric over many days, for any choice of the days: its value, and how sure that is.

Rows of one day rise and fall together, so it is days that are drawn, with replacement, for the
interval (the cluster bootstrap: Davison & Hinkley, Bootstrap Methods and their Application, 1997,
3.8). Each metric is kept as what its days add up to, so that a draw costs no pass over the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from components.errors import UsageError

DRAWS = 2000
CONFIDENCE = 0.95
FEWEST = 5  # days, for an interval to mean anything
EDGE = 1e-7  # as in the model gate: a score of 0 or 1 would make the cross entropy infinite

Of = Callable[[np.ndarray], np.ndarray]
"""Weights of the days, float64 [draws, days] → the metric of each draw, float64 [draws]."""
Days = Sequence[np.ndarray]


def measure(metric: str, labels: Days, scores: Days) -> Of:
    """Return a metric of scores against labels, each a float array [rows] a day, by weights of days."""
    if metric == "auc":
        return _auc(labels, scores)
    if metric not in _RATIOS:
        known = ", ".join(sorted(["auc", *_RATIOS]))
        raise UsageError(f"a backtest cannot follow {metric!r}; it can: {known}")
    pairs = [_RATIOS[metric](y, s) for y, s in zip(labels, scores, strict=True)]
    over, under = np.array(pairs, float).reshape(-1, 2).T
    return lambda weights: _divided(weights @ over, weights @ under)


def each_day(metric: str, labels: Days, scores: Days) -> np.ndarray:
    """Return the metric of each day by itself, float64 [days]; nan where it is undefined."""
    return measure(metric, labels, scores)(np.eye(len(labels)))


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
        np.einsum("nd,de,ne->n", weights, ordered.reshape(len(above), -1), weights),
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


# Metric → what a day adds above and below the line.
_RATIOS: dict[str, Callable[[np.ndarray, np.ndarray], tuple[float, float]]] = {
    "accuracy": lambda y, s: (float(np.sum((s > 0.5) == y)), len(y)),
    "precision": lambda y, s: (float(np.sum((s > 0.5) & (y == 1))), float(np.sum(s > 0.5))),
    "recall": lambda y, s: (float(np.sum((s > 0.5) & (y == 1))), float(np.sum(y == 1))),
    "calibration": lambda y, s: (float(np.sum(s, dtype=float)), float(np.sum(y))),
    "loss": _loss,
}
