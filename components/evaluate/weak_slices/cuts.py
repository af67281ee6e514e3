"""Columns cut to a few values each, so that the rows of many slices can be counted at once."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from components.schema import Feature

BINS = 10  # of as many rows each
RARE = ""  # the name of what is too rare to be a slice


@dataclass(frozen=True)
class Coding:
    """A column as codes: int64 [rows], bins of a number first, one code for each other value after.

    `edges`: of the bins, from -inf to inf, none for a category; `names`: of the values after them,
    RARE where there are too few rows.
    """

    column: str
    codes: np.ndarray
    edges: tuple[float, ...]
    names: tuple[str, ...]

    @property
    def bins(self) -> int:
        """Return how many of the codes are bins, in order."""
        return max(len(self.edges) - 1, 0)

    @property
    def size(self) -> int:
        """Return how many codes there are."""
        return self.bins + len(self.names)

    def ranges(self) -> np.ndarray:
        """Return first and last code of every slice of this column [slices, 2]: runs of bins, values."""
        runs = [(i, j) for i in range(self.bins) for j in range(i, self.bins)]
        whole = (0, self.bins - 1)
        values = [(c, c) for c in range(self.bins, self.size) if self.names[c - self.bins] != RARE]
        found = [run for run in runs if run != whole or values] + values
        return np.array(found, dtype=np.int64).reshape(-1, 2)

    def told(self, first: int, last: int) -> str:
        """Return the slice of these codes in words."""
        if first >= self.bins:
            return self.names[first - self.bins]
        low, high = self.edges[first], self.edges[last + 1]
        if math.isinf(low) and math.isinf(high):
            return f"{self.column} is there"
        if math.isinf(low):
            return f"{self.column} < {high:g}"
        return (
            f"{self.column} ≥ {low:g}"
            if math.isinf(high)
            else f"{low:g} ≤ {self.column} < {high:g}"
        )


@dataclass(frozen=True)
class Cut:
    """One column, cut finely for slices of it alone, and coarsely for those of it and another."""

    fine: Coding
    coarse: Coding


def cut(rows: pd.DataFrame, feature: Feature, least: int) -> Cut:
    """Return a column cut for slices of at least so many rows; a missing value is a value too."""
    values = rows[feature.name]
    if feature.kind == "category":
        only = _category(values, feature.name, least)
        return Cut(only, only)
    held = values.to_numpy(dtype=np.float64, na_value=np.nan)
    there = held[np.isfinite(held)]
    inner = np.unique(np.quantile(there, np.arange(1, BINS) / BINS)) if len(there) else there
    inner = inner[inner > there.min()] if len(there) else inner  # nothing lies below the least
    return Cut(_number(held, feature.name, inner), _number(held, feature.name, inner[1::2]))


def _number(values: np.ndarray, column: str, inner: np.ndarray) -> Coding:
    edges = (-math.inf, *inner.tolist(), math.inf)
    lacks = ~np.isfinite(values)
    codes = np.searchsorted(inner, values, side="right").astype(np.int64)
    codes[lacks] = len(inner) + 1
    return Coding(column, codes, edges, (f"{column} is missing",) if lacks.any() else ())


def _category(values: Any, column: str, least: int) -> Coding:
    codes, known = pd.factorize(values, sort=False)
    counts = np.bincount(codes + 1, minlength=len(known) + 1)  # -1, for missing, comes first
    often = np.flatnonzero(counts >= least)
    new = np.full(len(counts), len(often), dtype=np.int64)
    new[often] = np.arange(len(often))
    names = [f"{column}={known[code - 1]}" if code else f"{column} is missing" for code in often]
    return Coding(column, new[codes + 1], (), (*names, RARE))
