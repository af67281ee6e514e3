"""Slices: the subpopulations of which each one's rows are judged apart.

A slicing is the columns to slice by; each combination of their values is a slice. As in TFMA, a row
without a value in one of the columns is in no slice of that slicing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.errors import SluiceError, near_miss

OVERALL = "overall"
Value = str | int


@dataclass(frozen=True)
class Slicing:
    """The rows of one slicing, by slice.

    `columns`: what is sliced by, none for overall; `codes`: int64 [rows], the row's slice, or -1;
    `values`: of each slice, its value in each column.
    """

    columns: tuple[str, ...]
    codes: np.ndarray
    values: Sequence[tuple[Value, ...]]

    def __iter__(self) -> Iterator[Slice]:
        """Yield the slices, in the order of their codes."""
        for code, values in enumerate(self.values):
            yield Slice(self.columns, values, code)

    def totals(self, of: np.ndarray | None = None) -> np.ndarray:
        """Return the sum of `of` in each slice (float64 [slices]), or its number of rows."""
        inside = self.codes >= 0
        weights = None if of is None else of[inside]
        return np.bincount(self.codes[inside], weights, minlength=len(self.values))


@dataclass(frozen=True)
class Slice:
    """One subpopulation: its value in each column, and its code in its slicing."""

    columns: tuple[str, ...]
    values: tuple[Value, ...]
    code: int

    @property
    def name(self) -> str:
        """Return how people read it: `origin=EWR, carrier=UA`, or `overall`."""
        pairs = zip(self.columns, self.values, strict=True)
        return ", ".join(f"{column}={value}" for column, value in pairs) or OVERALL

    @property
    def key(self) -> tuple[tuple[str, Value], ...]:
        """Return TFMA's key of the slice: pairs of column and value, by column."""
        return tuple(sorted(zip(self.columns, self.values, strict=True)))


def partition(frame: pd.DataFrame, slicings: Sequence[Sequence[str]]) -> list[Slicing]:
    """Return overall and every slicing of the rows of `frame`; raise SluiceError for no column."""
    whole = Slicing((), np.zeros(len(frame), dtype=np.int64), ((),))
    return [whole, *(_sliced(frame, tuple(columns)) for columns in slicings)]


def _sliced(frame: pd.DataFrame, columns: tuple[str, ...]) -> Slicing:
    codes = np.zeros(len(frame), dtype=np.int64)
    inside = np.ones(len(frame), dtype=bool)
    known = []
    for column in columns:
        if column not in frame:
            raise SluiceError(
                f"the examples have no column {column!r} to slice by; "
                f"mend `slices`{near_miss(column, frame.columns)}"
            )
        own, values = pd.factorize(frame[column], sort=True)
        codes = codes * max(len(values), 1) + own
        inside &= own >= 0
        known.append([_plain(column, value) for value in values])
    present, ranks = np.unique(codes[inside], return_inverse=True)
    codes = np.full(len(frame), -1, dtype=np.int64)
    codes[inside] = ranks
    shape = [max(len(values), 1) for values in known]
    places = zip(*np.unravel_index(present, shape), strict=True)
    found = [tuple(v[i] for v, i in zip(known, place, strict=True)) for place in places]
    return Slicing(columns, codes, found)


def _plain(column: str, value: object) -> Value:
    """Return a value as TFMA's keys hold it; a whole float was an integer in a column with gaps."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float | np.floating):
        if not float(value).is_integer():
            raise SluiceError(
                f"column {column!r} holds fractions such as {value:g}, which make no slices; "
                "slice by a category, or by a number rounded in ingest.sql"
            )
        return int(value)
    return int(value) if isinstance(value, int | np.integer | np.bool_) else str(value)
