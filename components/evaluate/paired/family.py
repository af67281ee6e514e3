"""One error rate over all the checks of a run together.

With 1,000 slices and a test at 5 % each, noise alone would stop every release, and a stop costs a day
of stale predictions and a person's morning. So the chance that noise stops a run at all is what is
held: the family-wise error rate, by Holm's method. Benjamini and Hochberg's would let through more
true finds by holding the share of false ones among them; but one false block is as costly as ten.

The rate is spent where rows are: a test's share of it is its weight, fixed before anything is found. A
slice of 50 rows shows nothing subtle at any level, and one of 3,000 does.

Holm, "A simple sequentially rejective multiple test procedure" (1979), with its weights; Tarone, "A
modified Bonferroni method for discrete data" (Biometrics, 1990).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Family:
    """The tests of a run, corrected for each other.

    `p`: float64 [tests], corrected, 1 for a test left out; `unit`: times a test's weight, it is the p
    before correction at which the test blocks, in the end: every one that blocks is at or below.
    """

    p: np.ndarray
    unit: float


def together(p: np.ndarray, least: np.ndarray, weight: np.ndarray, false_blocks: float) -> Family:
    """Return the corrected p-values, such that noise alone blocks in `false_blocks` of runs at most.

    `p`: [tests], each right for its test alone; `least`: [tests], the smallest that each could have
    been; `weight`: [tests], its share of the error rate, in any unit. The latter two are known before,
    from numbers of rows. A test which could not block whatever it found takes nothing from the others
    (Tarone).
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        hardness, relative = np.where(weight > 0, [least, p] / weight, np.inf)
    ascending = np.argsort(hardness, kind="stable")
    heaped = np.cumsum(weight[ascending])
    # Equals are in or out together: which of them is tested must not hang on the order of names.
    last = np.searchsorted(hardness[ascending], hardness[ascending], side="right") - 1
    inside = ascending[hardness[ascending] * heaped[last] <= false_blocks]
    order = inside[np.argsort(relative[inside], kind="stable")]
    left = np.cumsum(weight[order][::-1])[::-1]  # the weight of tests not behind yet
    corrected = np.ones(len(p))
    corrected[order] = np.minimum(np.maximum.accumulate(relative[order] * left), 1)
    blocked = int(np.sum(corrected[order] <= false_blocks))
    heavy = left[min(blocked, len(left) - 1)] if len(left) else weight.sum()
    return Family(corrected, false_blocks / heavy if heavy else false_blocks)
