"""The area under the ROC curve of every slice at once, and each row's influence on it.

DeLong, DeLong and Clarke-Pearson, "Comparing the areas under two or more correlated receiver operating
characteristic curves: a nonparametric approach" (Biometrics, 1988): a positive's structural component
is the share of negatives that score below it, a negative's the share of positives above, ties half.
Sun and Xu, "Fast implementation of DeLong's algorithm" (IEEE Signal Processing Letters, 2014), read
them off one sorting of the scores; so does this, with the slices as the first key of the order.
"""

from __future__ import annotations

import numpy as np

from components.evaluate.paired.estimate import Estimate
from components.evaluate.slices import Slicing


class AUC:
    """The area under one model's curve; `label`: 0 or 1, `scores`: float64, both [rows]."""

    def __init__(self, label: np.ndarray, scores: np.ndarray) -> None:
        self._order = np.argsort(scores)  # O(rows × log rows), once for all slicings
        self._label, self._scores = label[self._order], scores[self._order]

    def on(self, slicing: Slicing) -> Estimate:
        """Return the area on each slice, NaN where one class is missing; O(rows)."""
        codes = slicing.codes[self._order]
        by_slice = np.argsort(_narrow(codes), kind="stable")
        if not slicing.whole:
            by_slice = by_slice[np.searchsorted(codes[by_slice], 0) :]
        codes, said, truth = codes[by_slice], self._scores[by_slice], self._label[by_slice]
        sizes, positives = slicing.totals(), np.bincount(codes, truth, len(slicing.values))
        negatives = sizes - positives

        fresh = np.ones(len(codes) + 1, dtype=bool)  # a place where another score or slice begins
        fresh[1:-1] = (codes[1:] != codes[:-1]) | (said[1:] != said[:-1])
        edges = np.flatnonzero(fresh)
        runs = edges[1:] - edges[:-1]  # rows of one slice and one score
        of = codes[edges[:-1]]
        before = np.concatenate([[0.0], np.cumsum(truth)])[edges]  # positives before each run
        firsts = np.cumsum(positives) - positives  # and before each slice
        below = (before[:-1] + before[1:]) / 2 - firsts[of]  # half of the tied count as below
        place = edges[:-1] + runs / 2 - (np.cumsum(sizes) - sizes)[of]
        with np.errstate(divide="ignore", invalid="ignore"):
            won = np.repeat((place - below) / negatives[of], runs)  # by a positive
            lost = np.repeat(1 - below / positives[of], runs)  # by a negative
            value = np.bincount(codes, won * truth, len(sizes)) / positives
            scale = [1 / np.sqrt(kind * (kind - 1)) for kind in (negatives, positives)]
            moved = np.where(truth == 1, won, lost) - value[codes]
            moved *= np.where(truth == 1, scale[1][codes], scale[0][codes])
        influence = np.zeros(len(slicing.codes))
        influence[self._order[by_slice]] = moved
        return Estimate(value, influence, np.minimum(positives, negatives))


class MacroAUC:
    """The mean over the classes of the area for each against the rest.

    `label`: the index of a class, [rows]; `scores`: [rows, classes].
    """

    def __init__(self, label: np.ndarray, scores: np.ndarray) -> None:
        classes = range(scores.shape[1])
        self._areas = [AUC((label == n).astype(np.float64), scores[:, n]) for n in classes]

    def on(self, slicing: Slicing) -> Estimate:
        """Return the mean on each slice, NaN where a class is missing."""
        found = [area.on(slicing) for area in self._areas]
        value = np.mean([one.value for one in found], axis=0)
        moved = np.mean([one.influence for one in found], axis=0)
        return Estimate(value, moved, np.min([one.support for one in found], axis=0))


def _narrow(codes: np.ndarray) -> np.ndarray:
    """Return the codes as integers so narrow that NumPy sorts them by radix, where they fit."""
    return codes.astype(np.int16) if codes.max(initial=0) < np.iinfo(np.int16).max else codes
