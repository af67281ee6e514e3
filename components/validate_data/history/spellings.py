"""Values that are new and yet known: a known one in another case, with blanks, quotes or escapes.

A sound upstream hardly ever respells what it sent before, so that two rows of it say more than any
change of shares does.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import unquote

import numpy as np

from components.validate_data.history.distances import Mix

_PRINTED = re.compile(r"""b(['"])(.*)\1""", re.DOTALL)  # as Python prints bytes
_BYTE = re.compile(r"\\x[0-9a-f]{2}")
_AROUND = "\"' \t\r\n"


class Spellings:
    """The spellings of a text's frequent values, span by span."""

    def __init__(self, mix: Mix) -> None:
        values, spans = list(mix.place), len(mix.shares)
        codes: dict[str, int] = {"": 0}
        of = np.array([codes.setdefault(form(v), len(codes)) for v in values], int)
        first = np.full(len(codes), spans)
        np.minimum.at(first, of, mix.first)
        again = np.flatnonzero((of > 0) & (first[of] < mix.first) & (mix.first < spans))
        begun = mix.first[again]
        self._past = np.bincount(begun, mix.shares[begun, again] * mix.present[begun], spans)
        self._values, self._forms = mix.place, codes.keys() - {""}

    def rows(self, held: Sequence[Mapping[str, int]], at: slice) -> np.ndarray:
        """Return of each span the rows with a known value that was never spelt so `at` its place."""
        if at.start != -1:
            return self._past[at]
        return np.array([sum(self._respelt(values)) for values in held], float)

    def _respelt(self, values: Mapping[str, int]) -> list[int]:
        strange = values.keys() - self._values.keys()
        return [values[value] for value in strange if form(value) in self._forms]


@lru_cache(maxsize=65_536)
def form(value: str) -> str:
    """Return what all the spellings of a value have in common, "" where nothing is left.

    That is its ASCII letters and digits in small letters, without escapes and zeros that lead; of a
    text without letters, such as a date, everything but the zeros.
    """
    told = unquote(html.unescape(value)) if "&" in value or "%" in value else value
    if printed := _PRINTED.fullmatch(told):
        told = _BYTE.sub("", printed[2])
    told = told.casefold()
    if any("a" <= letter <= "z" for letter in told):
        told = "".join(c for c in told if c.isascii() and c.isalnum())
    return told.strip(_AROUND).lstrip("0")
