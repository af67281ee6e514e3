"""Slices: the subpopulations of which each one's rows are judged apart.

A slicing is the columns to slice by; each combination of their values is a slice. As in TFMA, a row
without a value in one of the columns is in no slice of that slicing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from components.errors import SluiceError, near_miss

OVERALL = "overall"
SHOWN = 60  # characters of a value, in a message
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
        if self.whole:
            return np.bincount(self.codes, of, minlength=len(self.values))
        inside = self.codes >= 0
        weights = None if of is None else of[inside]
        return np.bincount(self.codes[inside], weights, minlength=len(self.values))

    @cached_property
    def whole(self) -> bool:
        """Say whether every row is in a slice."""
        return bool((self.codes >= 0).all())


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
    """Return overall and every slicing of the rows of `frame`; raise SluiceError for a bad column."""
    found = {c: encode(frame, c) for c in sorted({c for columns in slicings for c in columns})}
    whole = Slicing((), np.zeros(len(frame), dtype=np.int64), ((),))
    return [whole, *(_sliced(tuple(columns), found, len(frame)) for columns in slicings)]


def encode(frame: pd.DataFrame, column: str) -> tuple[np.ndarray, list[Value]]:
    """Return each row's value as an index into the values that there are, -1 for none, and those."""
    if column not in frame:
        raise SluiceError(
            f"the examples have no column {column!r} to slice by; "
            f"mend `slices`{near_miss(column, frame.columns)}"
        )
    try:
        codes, values = pd.factorize(frame[column], sort=True)
    except TypeError:  # what cannot be hashed, or has no order
        raise _many(column, frame[column]) from None
    plain = [_plain(column, value) for value in values]
    twice = [said for said, times in Counter(map(str, plain)).items() if times > 1]
    if twice:
        raise SluiceError(
            f"column {column!r} holds two values that both read {twice[0]!r}, so that slices of the two "
            "could not be told apart; give it one type, text or numbers, in ingest.sql"
        )
    return codes, plain


def _sliced(
    columns: tuple[str, ...], found: dict[str, tuple[np.ndarray, list[Value]]], rows: int
) -> Slicing:
    shape = [max(len(found[column][1]), 1) for column in columns]
    inside = np.all([found[column][0] >= 0 for column in columns], axis=0)
    places = np.ravel_multi_index([found[column][0][inside] for column in columns], shape)
    present, ranks = np.unique(places, return_inverse=True)
    codes = np.full(rows, -1, dtype=np.int64)
    codes[inside] = ranks
    each = zip(*np.unravel_index(present, shape), strict=True)
    values = [tuple(found[c][1][i] for c, i in zip(columns, at, strict=True)) for at in each]
    return Slicing(columns, codes, values)


def _plain(column: str, value: object) -> Value:
    """Return a value as TFMA's keys hold it; a whole float was an integer in a column with gaps."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, float | np.floating):
        if math.isfinite(value) and not float(value).is_integer():
            raise SluiceError(
                f"column {column!r} holds fractions such as {value:g}, which make no slices; "
                "slice by a category, or by a number rounded in ingest.sql"
            )
        if not -(2.0**63) <= value < 2.0**63:
            raise _beyond(column, f"{value:g}")
        return int(value)
    if isinstance(value, int | np.integer | np.bool_):
        if not -(2**63) <= int(value) < 2**63:
            raise _beyond(column, str(value))
        return int(value)
    return str(value)


def _beyond(column: str, value: str) -> SluiceError:
    return SluiceError(
        f"column {column!r} holds {value}, beyond the 64 bits with a sign that a slice is named by; "
        f"make text of it in ingest.sql, such as CAST({column} AS VARCHAR), or slice by another column"
    )


def _many(column: str, values: pd.Series) -> SluiceError:
    """Return what is wrong with a column that pandas cannot make groups of."""
    odd = next((value for value in values if not isinstance(value, Hashable)), None)
    what = "values of types that have no order among them"
    if odd is not None:
        what = f"{str(odd)[:SHOWN]}, which is more than one value in a row"
    return SluiceError(
        f"column {column!r} holds {what}, and so makes no slices; give each row one value of one type "
        "in ingest.sql, or slice by another column"
    )
