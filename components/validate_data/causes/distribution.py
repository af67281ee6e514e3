"""What must have befallen a column of numbers for it to look as it does?

A change explains a column when now is an ordinary span among the recent ones had all of them been
changed so, and is none among them as they are. Distances are told in units of the recent spans' own:
1 is as far as nine in ten of them stray.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from components.profile import numbers

Change = Callable[[np.ndarray], np.ndarray]
POINTS = 200
MIDDLES = (np.arange(POINTS) + 0.5) / POINTS
ORDINARY = 1.2  # at most so far an ordinary span strays
ODD = 2.0  # at least so far, and something befell it
SHARES = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.6)  # of a column, as a part of it


class Distribution:
    """A column of numbers now and in the recent spans, each as 200 points of equal weight."""

    def __init__(self, now: Sequence[float], before: Sequence[Sequence[float]]) -> None:
        """`now`, `before`: a profile's quantiles, now and in the recent spans."""
        self.now = points(now)
        self.before = np.array([points(q) for q in before])
        self.usual = _middle(self.before)
        low, high = np.quantile(self.usual, [0.25, 0.75])
        # Amounts differ by factors where they are large, and by differences near zero.
        self.unit = float(high - low) or float(np.abs(self.usual).max()) or 1.0
        self.as_it_is = self.off(lambda x: x)

    def off(self, change: Change, share: float = 1.0, before: np.ndarray | None = None) -> float:
        """Return how far now is from the usual, had a change befallen a share of all values before.

        It is told over all values, and over those in which the change shows; the worse counts.
        """
        spans = self.before if before is None else before
        changed = self._turned(befallen(spans, change, share))
        usual = _middle(changed)
        strayed, away = np.abs(changed - usual), np.abs(self._turned(self.now) - usual)
        shows = np.abs(usual - self._turned(_middle(spans)))
        weights = np.array([np.ones(POINTS), shows if shows.max() > 1e-6 else np.ones(POINTS)])
        nine_in_ten = np.sort(strayed @ weights.T, 0)[int(0.9 * len(spans))]
        return float((weights @ away / np.maximum(nine_in_ten, 1e-4 * weights.sum(1))).max())

    def _turned(self, values: np.ndarray) -> np.ndarray:
        return np.arcsinh(values / self.unit)

    @property
    def odd(self) -> bool:
        """Say whether now is none of the ordinary spans as they are."""
        return self.as_it_is > ODD

    def explains(self, off: float) -> bool:
        """Say whether a change that leaves now so far off makes an ordinary span of an odd one."""
        return self.odd and off < min(ORDINARY, self.as_it_is / 3)

    def as_ever(self, count: int) -> bool:
        """Say whether now strays no farther than a sample of so many values of a recent span may.

        By the Kolmogorov–Smirnov distance, whose limit at one in twenty is 1.36 / √n.
        """
        farthest = max(_apart(row, self.usual) for row in self.before)
        return _apart(self.now, self.usual) < farthest + 1.36 / np.sqrt(max(1, count))

    def share_of(self, change: Change) -> tuple[float, float]:
        """Return in which share of the values a change fits best, and how far off it leaves now."""
        now = self._turned(self.now)
        gaps = [np.abs(now - self._turned(befallen(self.usual, change, s))).mean() for s in SHARES]
        share = SHARES[int(np.argmin(gaps))]
        return share, self.off(change, share)


def _apart(points: np.ndarray, usual: np.ndarray) -> float:
    """Return the largest distance between two distributions, as shares of the values."""
    low = np.searchsorted(usual, points, "left") / POINTS
    high = np.searchsorted(usual, points, "right") / POINTS
    return float(np.maximum(low - MIDDLES, MIDDLES - high).max())


def _middle(spans: np.ndarray) -> np.ndarray:
    return np.sort(spans, 0)[len(spans) // 2]


def points(quantiles: Sequence[float]) -> np.ndarray:
    """Return 200 values of equal weight, in order, from a profile's quantiles."""
    return np.interp(MIDDLES, numbers.LEVELS, quantiles)


def befallen(values: np.ndarray, change: Change, share: float = 1.0) -> np.ndarray:
    """Return points, [..., 200] in order, a share of which a change befell, evenly among them."""
    if share >= 1:
        return np.sort(change(values), -1)
    count = max(1, round(share * POINTS))
    at = ((np.arange(count) + 0.5) * POINTS / count).astype(int)
    mixed = values.copy()
    mixed[..., at] = change(values[..., at])
    return np.sort(mixed, -1)
