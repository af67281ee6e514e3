"""What a slice could have shown at all: how many examples a regression needs to be found.

A test that finds nothing has proved something only where it would have found something. Here that is
asked beforehand, of the noise of the slice and not of its result (Hoenig and Heisey, "The abuse of
power", 2001).
"""

from __future__ import annotations

import numpy as np
from scipy import special

from components.evaluate.paired import Comparison

POWER = 0.8  # the chance at which a regression counts as one that would be found
PRIOR = 10.0  # rows' worth of the noise overall: a slice of few rows does not know its own
STEPS = 12


def needed(
    of: Comparison, overall: Comparison, sizes: np.ndarray, notice: float, level: np.ndarray
) -> np.ndarray:
    """Return how many examples each slice needs for a regression to be found at p = `level`, [slices].

    `notice`: the regression beyond the tolerated one; `sizes`: [slices], the examples that there are;
    `overall`: the same comparison over all rows, of one slice. A slice that has as many is powered.
    """
    scarce = of.support.astype(np.float64)
    own = np.where(scarce > 1, scarce**2 * of.error**2, 0.0)
    usual = float(overall.support[0] * overall.error[0] ** 2)
    variance = (own + PRIOR * usual) / (np.where(scarce > 1, scarce, 0) + PRIOR)  # of one row
    variance = variance + of.grain * notice  # a share falls by rows that differ, and so adds noise
    tail = level / of.tails
    rows = least = np.maximum(-np.log2(tail), 2.0)  # so many tosses of a coin show p = level
    for _ in range(STEPS):  # the fewer rows, the wider Student's t, the more rows
        width = -special.stdtrit(rows - 1, tail) - special.stdtrit(rows - 1, 1 - POWER)
        rows = np.maximum(np.sqrt(rows * variance) * width / notice, least)
    share = np.where(scarce > 0, scarce / np.maximum(sizes, 1), overall.support[0] / sizes.sum())
    return np.ceil(rows / share)
