"""A metric of one model on every slice, and what each row has to do with it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Estimate:
    """One model's figure of one metric, on every slice of a slicing.

    `value`: float64 [slices], NaN where there is none; `influence`: float64 [rows], each row's on its
    slice's value, so scaled that the squares add up to the unbiased variance, 0 outside the slices;
    `support`: [slices], how many rows there are of the scarcest kind that the figure lives on;
    `grain`: 1 for a share of rows, which moves by whole ones, else 0; `elsewhere`: float64 [rows], the
    influence of each row on the value of every slice that it is not in, None where it has none.
    """

    value: np.ndarray
    influence: np.ndarray
    support: np.ndarray
    grain: float = 0.0
    elsewhere: np.ndarray | None = None
