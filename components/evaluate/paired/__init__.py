"""How far candidate and baseline are apart, how sure that is, and what could have been seen at all.

Both models judge the same rows, so a row that is hard for one is hard for the other, and the noise
that they share falls out of their difference: `Pair` works with the difference of the influences
of each row (`estimates.py`). Small slices are held to Student's t with as many degrees of freedom as
the scarcest kind of row allows (Hsu's rule), never to the normal tails, which promise p-values of 1e-5
from ten positives; and to what so many tosses of a coin could show, since ten rows that happen to
agree have a variance of 0 and prove little. `docs/benchmarks/judging.md` shows that the promise holds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import special

from components.evaluate.paired.estimate import Estimate
from components.evaluate.paired.estimates import ESTIMATORS
from components.evaluate.slices import Slicing
from components.metrics import Metric, Task

ARITHMETIC = 1e-6  # of the figure itself: what float32 can make of equal models


@dataclass(frozen=True)
class Comparison:
    """Candidate against baseline by one metric, on every slice of a slicing; arrays are [slices].

    `difference`: candidate less baseline, or for a metric with an ideal how much further from it the
    candidate is; `worse`: the same, so turned that more is worse; `error`: the standard error of
    either; `candidate_error`: that of the candidate's own figure; `support`: the rows of the scarcest
    kind; `tails`: 2 where noise on either side looks like harm; `grain`: of `Estimate`.
    """

    candidate: np.ndarray
    baseline: np.ndarray
    difference: np.ndarray
    worse: np.ndarray
    error: np.ndarray
    candidate_error: np.ndarray
    support: np.ndarray
    tails: int
    grain: float

    @property
    def least(self) -> np.ndarray:
        """Return the smallest p that a slice could have: all of its scarcest rows one way."""
        return np.minimum(self.tails * 0.5**self.support, 1.0)

    @property
    def share(self) -> np.ndarray:
        """Return what share of the scarcest rows of all slices each slice has."""
        return self.support / max(self.support.sum(), 1)

    def harm(self, tolerated: float) -> np.ndarray:
        """Return by how many standard errors the candidate is worse by more than is tolerated."""
        beyond = self.worse - tolerated - ARITHMETIC * np.abs(self.baseline)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(beyond == 0, 0.0, beyond / self.error)

    def p(self, tolerated: float) -> np.ndarray:
        """Return the p-value of each slice being worse by more than is tolerated, by chance alone."""
        tail = self.tails * special.stdtr(self._freedom, -self.harm(tolerated))
        return np.clip(tail, self.least, 1.0)

    def reach(self, level: float | np.ndarray) -> np.ndarray:
        """Return half the width of the interval whose ends are at p = `level`, float or [slices]."""
        return -special.stdtrit(self._freedom, level / self.tails) * self.error

    def own_reach(self, beyond: float) -> np.ndarray:
        """Return half the width of the candidate's own interval, wrong in a share `beyond` of cases."""
        return -special.stdtrit(self._freedom, beyond / 2) * self.candidate_error

    @property
    def _freedom(self) -> np.ndarray:
        return np.maximum(self.support - 1, 1)


class Pair:
    """Candidate and baseline by one metric; label and scores of the same rows, as `Population` has them.

    Without a baseline, only what concerns the candidate alone is a number.
    """

    def __init__(
        self,
        metric: Metric,
        label: np.ndarray,
        candidate: np.ndarray,
        baseline: np.ndarray | None,
        task: Task = "binary",
    ) -> None:
        estimate = ESTIMATORS[task][metric.name]
        self._metric = metric
        self._candidate = estimate(label, candidate)
        self._baseline = None if baseline is None else estimate(label, baseline)

    def on(self, slicing: Slicing) -> Comparison:
        """Return the comparison on each slice."""
        ours = self._candidate.on(slicing)
        theirs = self._baseline.on(slicing) if self._baseline else _nothing(ours)
        with np.errstate(invalid="ignore"):  # a slice without a figure has no difference
            worse, moved = _apart(self._metric, ours, theirs, slicing)
            variance = slicing.totals(np.square(moved))
            error = np.sqrt(variance + _elsewhere(slicing, ours, theirs, self._metric))
            own = slicing.totals(np.square(ours.influence))
            if ours.elsewhere is not None:
                own += np.maximum(_outside(slicing, ours.elsewhere, ours.elsewhere), 0)
        return Comparison(
            candidate=ours.value,
            baseline=theirs.value,
            difference=worse,
            worse=-self._metric.better * worse if self._metric.better else worse,
            error=error,
            candidate_error=np.sqrt(own),
            support=np.minimum(ours.support, theirs.support),
            tails=1 if self._metric.better else 2,
            grain=ours.grain,
        )


def _outside(slicing: Slicing, ours: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return, of each slice, the sum of ours × theirs over the rows that are not in it."""
    product = ours * theirs
    return product.sum() - slicing.totals(product)


def _elsewhere(slicing: Slicing, ours: Estimate, theirs: Estimate, metric: Metric) -> np.ndarray:
    """Return the variance of each slice's difference that rows of other slices bring about."""
    one, other = ours.elsewhere, theirs.elsewhere
    if one is None or other is None:
        return np.zeros(len(ours.value))
    way: np.ndarray | float = 1.0
    if metric.better == 0:  # of two on either side of the ideal, the distances go apart
        way = np.sign(ours.value - metric.ideal) * np.sign(theirs.value - metric.ideal)
    apart = _outside(slicing, one, one) + _outside(slicing, other, other)
    return np.maximum(apart - 2 * way * _outside(slicing, one, other), 0)


def _nothing(like: Estimate) -> Estimate:
    none = np.full_like(like.value, np.nan)
    return Estimate(none, np.zeros_like(like.influence), like.support)


def _apart(
    metric: Metric, ours: Estimate, theirs: Estimate, slicing: Slicing
) -> tuple[np.ndarray, np.ndarray]:
    """Return the difference ([slices]) and each row's influence on it ([rows])."""
    if metric.better != 0:
        return ours.value - theirs.value, ours.influence - theirs.influence
    far, further = theirs.value - metric.ideal, ours.value - metric.ideal
    moved = [
        np.sign(way)[slicing.codes] * e.influence for way, e in ((further, ours), (far, theirs))
    ]
    return np.abs(further) - np.abs(far), moved[0] - moved[1]
