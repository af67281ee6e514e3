"""What a series is expected to be next, and how far off that is wont to be.

Of several simple forecasts each series gets the one that was least wrong over the spans before, by
the 90th percentile of its errors: the median of four weeks, an exponentially weighted mean, the last
value, or the median of the same weekdays.
"""

from __future__ import annotations

import numpy as np

MEDIAN_OF = 28
WEEK, WEEKS = 7, 4
WEIGHT = 0.2  # of the newest span in the weighted mean
FIRST = 7  # spans before an error is counted


def forecasts(past: np.ndarray, days: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return what comes next, [J], and the errors that its forecast made before, [T - FIRST, J].

    `past`: [T, J], oldest first, nan where a span has no answer; `days`: [T + 1], the number of each
    span's day, that of the next one last.
    """
    made = np.array([_median(past), _weighted(past), _previous(past), _weekday(past, days)])
    made = np.where(np.isfinite(made), made, made[2])  # [way, T + 1, J]
    errors = past[None, FIRST:] - made[:, FIRST:-1]
    with np.errstate(all="ignore"):
        off = _quantile(np.abs(errors), 0.9)
    best = np.argmin(np.where(np.isfinite(off), off, np.inf), 0)
    series = np.arange(past.shape[1])
    return made[best, -1, series], errors[best, :, series].T


def _quantile(values: np.ndarray, level: float) -> np.ndarray:
    """Return a quantile over the middle axis, of what is known."""
    ordered = np.sort(values, axis=1)  # nan come last
    known = np.isfinite(values).sum(1)
    place = np.clip(np.ceil(level * known).astype(int) - 1, 0, values.shape[1] - 1)
    return np.take_along_axis(ordered, place[:, None], 1)[:, 0]


def _median(past: np.ndarray) -> np.ndarray:
    """Return for every span, and the next, the median of those before it."""
    made = np.full((len(past) + 1, past.shape[1]), np.nan)
    for t in range(1, len(past) + 1):
        made[t] = _middle(past[max(0, t - MEDIAN_OF) : t])
    return made


def _middle(values: np.ndarray) -> np.ndarray:
    if not np.isnan(values).any():
        return np.median(values, axis=0)
    ordered = np.sort(values, axis=0)  # nan come last
    known = np.isfinite(values).sum(0)
    low, high = np.maximum(0, (known - 1) // 2), np.maximum(0, known // 2)
    high = np.minimum(high, len(values) - 1)
    picked = np.take_along_axis(ordered, np.array([low, high]), 0)
    return picked.mean(0)


def _weighted(past: np.ndarray) -> np.ndarray:
    made = np.full((len(past) + 1, past.shape[1]), np.nan)
    state = np.full(past.shape[1], np.nan)
    for t, row in enumerate(past):
        began = np.where(np.isfinite(state), state, row)
        state = np.where(np.isfinite(row), began + WEIGHT * (row - began), state)
        made[t + 1] = state
    return made


def _previous(past: np.ndarray) -> np.ndarray:
    made = np.full((len(past) + 1, past.shape[1]), np.nan)
    last = np.full(past.shape[1], np.nan)
    for t, row in enumerate(past):
        last = np.where(np.isfinite(row), row, last)
        made[t + 1] = last
    return made


def _weekday(past: np.ndarray, days: np.ndarray) -> np.ndarray:
    same = (days[:, None] - days[None, :-1]) % WEEK == 0
    nothing = len(past)  # the row that stands in where a weekday was not there often enough
    picked = np.full((len(past) + 1, WEEKS), nothing)
    for t in range(1, len(past) + 1):
        found = np.flatnonzero(same[t, :t])[-WEEKS:]
        picked[t, : len(found)] = found
    held = np.concatenate([past, np.full((1, past.shape[1]), np.nan)])[picked]
    return _middle(held.transpose(1, 0, 2))
