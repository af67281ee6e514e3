"""How far the values of a column are from what is usual: the mean of the `TRAILING` spans before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from components.profile import Column, numbers

TRAILING = 28  # spans that are usual
VOCABULARY = 2000  # values of a column that are followed, the most frequent first
GRID = 64  # numbers at which two distributions are held against each other


@dataclass(frozen=True)
class Mixed:
    """Of each span: the largest difference of a value's share, half of all of them, the largest rise,
    the share of values never seen before, and how many rows of a value were expected where none is.
    """

    most: np.ndarray
    total: np.ndarray
    rise: np.ndarray
    new: np.ndarray
    lost: np.ndarray


class _Places(dict[str, int]):
    """Value → its place, or -1: looked up a hundred thousand times a judgement."""

    def __missing__(self, value: str) -> int:
        return -1


class Mix:
    """The shares of a column's frequent values, span by span, and what is usual before each."""

    def __init__(self, held: Sequence[Mapping[str, int]], past: Sequence[Column]) -> None:
        kept = list(dict.fromkeys(chain.from_iterable(held)))
        if len(kept) > VOCABULARY:
            kept = _most_frequent(kept, held)
        self.place = _Places(zip(kept, range(len(kept)), strict=True))
        self.present = np.array([c.present for c in past])
        self.shares, self.strange = self._shares(held, self.present)
        self.usual = trailing_mean(self.shares)
        there = self.shares > 0
        self.first = np.where(there.any(0), np.argmax(there, 0), len(there))  # span that had it
        self.seen = self.first[None, :] < np.arange(len(there) + 1)[:, None]  # before each span

    def _shares(
        self, held: Sequence[Mapping[str, int]], present: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return [spans, values] of shares, and [spans, 2] of those of other values: all, the largest."""
        shares, strange = np.zeros((len(held), len(self.place))), np.zeros((len(held), 2))
        lengths = [len(values) for values in held]
        span, n = np.repeat(np.arange(len(held)), lengths), sum(lengths)
        where = np.fromiter(map(self.place.__getitem__, chain.from_iterable(held)), int, n)
        counts = np.fromiter(chain.from_iterable(v.values() for v in held), float, n)
        known = where >= 0
        shares[span[known], where[known]] = counts[known]
        np.add.at(strange[:, 0], span[~known], counts[~known])
        np.maximum.at(strange[:, 1], span[~known], counts[~known])
        rows = np.maximum(1, present)[:, None]
        return shares / rows, strange / rows

    def against(self, held: Sequence[Mapping[str, int]], present: np.ndarray, at: slice) -> Mixed:
        """Return how far spans are from the usual `at` their places: all the past ones, or the next."""
        usual, seen = self.usual[:-1][at], self.seen[:-1][at]
        shares, strange = self.shares, self.strange
        if at.start == -1:
            usual, seen = self.usual[at], self.seen[at]
            shares, strange = self._shares(held, present)
        apart = shares - usual
        unknown, largest = strange.T
        return Mixed(
            most=np.maximum(np.abs(apart).max(1, initial=0), largest),
            total=(np.abs(apart).sum(1) + unknown) / 2,
            rise=np.maximum(apart.max(1, initial=0), largest),
            new=np.where(seen, 0, shares).sum(1) + unknown + 0 * usual.sum(1),
            lost=np.where(shares == 0, usual, 0).max(1, initial=0) * present,
        )


def _most_frequent(kept: Sequence[str], held: Sequence[Mapping[str, int]]) -> list[str]:
    place = dict(zip(kept, range(len(kept)), strict=True))
    where = np.fromiter(map(place.__getitem__, chain.from_iterable(held)), int)
    counts = np.fromiter(chain.from_iterable(values.values() for values in held), float)
    ranked = np.argsort(-np.bincount(where, counts), kind="stable")
    return [kept[i] for i in ranked[:VOCABULARY]]


class Distribution:
    """The distribution of a column's numbers, span by span, and what is usual before each."""

    def __init__(self, held: Sequence[Sequence[float]]) -> None:
        known = [np.array(q) for q in held if q]
        pooled = np.concatenate(known) if known else np.zeros(1)
        self.grid = np.unique(np.quantile(pooled, np.linspace(0, 1, GRID)))
        ends = [(q[0], q[-1]) if q else (np.nan, np.nan) for q in held]
        empty = np.full(len(self.grid), np.nan)
        self.below = np.array([self._below(q) if q else empty for q in held])
        self.usual = trailing_mean(self.below)
        low, high = np.array([(np.nan, np.nan), *ends]).T
        self.least, self.most = np.fmin.accumulate(low), np.fmax.accumulate(high)

    def _below(self, quantiles: Sequence[float] | np.ndarray) -> np.ndarray:
        return np.interp(self.grid, quantiles, numbers.LEVELS, left=0, right=1)

    def against(self, quantiles: Sequence[np.ndarray], at: slice) -> tuple[np.ndarray, np.ndarray]:
        """Return the Kolmogorov–Smirnov distance of each span, and its share outside of all before."""
        new = at.start == -1
        below = np.array([self._below(q) for q in quantiles]) if new else self.below
        usual = self.usual[at] if new else self.usual[:-1][at]
        least = self.least[at] if new else self.least[:-1][at]
        most = self.most[at] if new else self.most[:-1][at]
        apart = np.abs(below - usual).max(1)
        beyond = [
            _outside(q, low, high) for q, low, high in zip(quantiles, least, most, strict=True)
        ]
        first = np.array([q[0] for q in quantiles])
        return np.where(first > self.grid[-1], 1.0, apart), np.array(beyond)


def _outside(quantiles: np.ndarray, least: float, most: float) -> float:
    """Return the share of a span's values below the least or above the most, whichever is larger."""
    if quantiles[0] >= least and quantiles[-1] <= most:
        return 0.0
    low = np.interp(least, quantiles, numbers.LEVELS) if quantiles[0] < least else 0.0
    high = 1 - np.interp(most, quantiles, numbers.LEVELS) if quantiles[-1] > most else 0.0
    share = float(np.fmax(low, high))
    return share if np.isfinite(least) else np.nan


def trailing_mean(values: np.ndarray) -> np.ndarray:
    """Return for every row, and for one after the last, the mean of the `TRAILING` known ones before."""
    known = np.isfinite(values).all(1)
    filled = np.where(known[:, None], values, 0)
    sums = np.concatenate([np.zeros((1, values.shape[1])), np.cumsum(filled, 0)])
    counts = np.concatenate([[0], np.cumsum(known)])
    here = np.arange(len(values) + 1)
    start = np.maximum(0, here - TRAILING)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (sums[here] - sums[start]) / (counts[here] - counts[start])[:, None]
