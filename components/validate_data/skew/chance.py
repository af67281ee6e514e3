"""What chance does between two samples of one population, so that only what lies beyond it is told."""

from __future__ import annotations

from math import log, sqrt
from statistics import NormalDist

# Of sound rows, one answer in so many is wrong. A day asks a few dozen questions.
SURE = 1 / 10_000


def unlike(some: float, of: float, others: float, of_others: float, questions: int = 1) -> bool:
    """Say whether two shares, `some` of `of` and `others` of `of_others`, are further apart than chance.

    Agresti & Caffo (2000): the normal approximation, with a yes and a no added to each sample, which
    holds for shares of 0 and 1 too. `questions`: of how many shares this is the most unlike.
    """
    one, other = (some + 1) / (of + 2), (others + 1) / (of_others + 2)
    spread = sqrt(one * (1 - one) / (of + 2) + other * (1 - other) / (of_others + 2))
    return abs(one - other) > NormalDist().inv_cdf(1 - SURE / 2 / questions) * spread


def apart(rows: float, others: float) -> float:
    """Return how far two samples' cumulative distributions lie apart at most (Wei & Dudley 2012)."""
    return sqrt(-log(SURE / 2) / 2 * (1 / rows + 1 / others))
