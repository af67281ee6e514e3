"""Every slice that is looked at, and what its rows add up to, counted once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from components.evaluate.weak_slices.cuts import RARE, Coding, Cut


@dataclass(frozen=True)
class Group:
    """The slices of one column, or of two: ranges of codes, their first and last [slices, 2]."""

    codings: tuple[Coding, ...]
    ranges: np.ndarray

    @property
    def codes(self) -> np.ndarray:
        """Return the code of each row, int64 [rows]."""
        one, *other = self.codings
        return one.codes * other[0].size + other[0].codes if other else one.codes

    @property
    def size(self) -> int:
        """Return how many codes there are."""
        return math.prod(coding.size for coding in self.codings)

    def told(self, first: int, last: int) -> str:
        """Return a slice in words."""
        one, *other = self.codings
        if not other:
            return one.told(first, last)
        here, there = divmod(first, other[0].size)
        return f"{one.told(here, here)}, {other[0].told(there, there)}"

    def parents(self, code: int) -> Iterator[tuple[str, np.ndarray]]:
        """Yield name and rows, bool [rows], of the slices of one column that hold a cell of two."""
        if len(self.codings) == 2:
            for coding, at in zip(self.codings, divmod(code, self.codings[1].size), strict=True):
                yield coding.told(at, at), coding.codes == at


def groups(cuts: Sequence[Cut]) -> list[Group]:
    """Return the slices of every column, and of every two."""
    singles = [Group((one.fine,), one.fine.ranges()) for one in cuts]
    two = [(a.coarse, b.coarse) for n, a in enumerate(cuts) for b in cuts[n + 1 :]]
    return singles + [Group(pair, _cells(*pair)) for pair in two]


def _cells(one: Coding, other: Coding) -> np.ndarray:
    asked = [np.array([c.told(n, n) != RARE for n in range(c.size)]) for c in (one, other)]
    codes = np.flatnonzero(asked[0][:, None] & asked[1])
    return np.column_stack([codes, codes])


class Grid:
    """The rows of every slice, the sum of their `values` and of the squares of those, by stratum.

    `values`: float64 [rows]; `strata`: int64 [rows]. Rows can be taken out again.
    """

    def __init__(self, of: Sequence[Group], values: np.ndarray, strata: np.ndarray) -> None:
        self.groups, self.values, self.strata = of, values, strata
        self.slices = [(group, *ends) for group in of for ends in group.ranges.tolist()]
        self.left = np.ones(len(values), dtype=bool)
        self._width = int(strata.max()) + 1
        self._tables = list(self._count(np.arange(len(values))))

    def take_out(self, rows: np.ndarray) -> None:
        """Take rows, bool [rows], out of all counts; it costs no more than counting those."""
        gone = np.flatnonzero(rows & self.left)
        for table, counted in zip(self._tables, self._count(gone), strict=True):
            table -= counted
        self.left &= ~rows

    def sums(self) -> np.ndarray:
        """Return rows, sum and sum of squares of every slice [3, slices, strata]."""
        each = []
        for group, table in zip(self.groups, self._tables, strict=True):
            below = np.pad(np.cumsum(table, axis=1), ((0, 0), (1, 0), (0, 0)))
            each.append(below[:, group.ranges[:, 1] + 1] - below[:, group.ranges[:, 0]])
        return np.concatenate(each, axis=1)

    def of(self, rows: np.ndarray) -> np.ndarray:
        """Return the same of those of some rows, bool [rows], that are left [3, 1, strata]."""
        some = rows & self.left
        values, strata = self.values[some], self.strata[some]
        sums = [np.bincount(strata, of, self._width) for of in (None, values, values**2)]
        return np.stack(sums).astype(np.float64)[:, None]

    def total(self) -> np.ndarray:
        """Return rows, sum and sum of squares of all rows that are left [3, strata]."""
        whole: np.ndarray = self._tables[0].sum(axis=1)
        return whole

    def _count(self, rows: np.ndarray) -> Iterator[np.ndarray]:
        """Yield rows, sum and sum of squares of each code of each group [3, codes, strata]."""
        values, strata = self.values[rows], self.strata[rows]
        squares, every = values**2, len(rows) == len(self.values)
        for group in self.groups:
            codes = group.codes if every else group.codes[rows]
            cells, many = codes * self._width + strata, group.size * self._width
            counts = [np.bincount(cells, of, many) for of in (None, values, squares)]
            yield np.stack(counts).reshape(3, group.size, self._width).astype(np.float64)
