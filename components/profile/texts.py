"""A column of texts, or of integers that are names, in figures."""

from __future__ import annotations

import re
import string
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

FREQUENT = 200  # values remembered
SHAPES = 50  # shapes remembered
BINS = 10  # values in which a text meets other columns; the rest is one
MARKS = ("upper", "lower", "digit", "space", "mark", "foreign")  # classes of characters
# What a text looks like that was escaped, quoted or printed once too often, or read as Latin-1.
_MISREAD = re.compile(
    r"""[\u00c2\u00c3][\u0080-\u00bf]|\u00e2\u0080|\ufffd"""
    r"""|&(?:amp|lt|gt|quot|apos|nbsp|#x?[0-9a-fA-F]+);|%[0-9A-F]{2}"""
    r"""|^(?s:b?(["']).*\1)$"""
)
NOTHING = frozenset({"", "na", "n/a", "nan", "null", "none", "nil", "-", "?", "unknown", "missing"})


def describe(values: pa.Array) -> tuple[dict[str, Any], np.ndarray]:
    """Return what `Column` holds of a column, and the bin of each row, 0 where it has no value."""
    rows = len(values)
    encoded = values.cast(pa.string()).dictionary_encode()
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    labels = encoded.dictionary.to_pylist()
    present = int(np.count_nonzero(codes >= 0))
    told: dict[str, Any] = {"kind": "text", "present": present, "values": {}, "shapes": {}}
    figures = {"missing": 1 - present / rows if rows else 1.0}
    if not present:
        return told | {"figures": figures}, np.zeros(rows, int)
    counts = np.bincount(codes[codes >= 0], minlength=len(labels))
    ranked = sorted(range(len(labels)), key=lambda i: (-counts[i], labels[i]))
    told["values"] = {labels[i]: int(counts[i]) for i in ranked[:FREQUENT]}
    told["figures"] = figures | _figures(labels, counts)
    shapes: dict[str, int] = {}
    for label, count in zip(labels, counts.tolist(), strict=True):
        shape = _shape(label)
        shapes[shape] = shapes.get(shape, 0) + count
    common = sorted(shapes.items(), key=lambda held: (-held[1], held[0]))[:SHAPES]
    told["shapes"] = dict(common)
    bins = np.full(len(labels) + 1, BINS + 1)
    bins[ranked[:BINS]] = np.arange(1, min(BINS, len(ranked)) + 1)
    bins[-1] = 0  # where code -1 points
    return told, bins[codes]


def _figures(labels: list[str], counts: np.ndarray) -> dict[str, float]:
    n = int(counts.sum())
    looks = np.array([_look(label) for label in labels])
    share = counts / n
    lengths, marks = looks[:, 0], looks[:, 1:7]
    edges, nothing, misread = looks[:, 7:].T
    length = float(share @ lengths)
    return {
        "distinct": len(labels) / n,
        "once": float(np.count_nonzero(counts == 1)) / n,
        "top": float(counts.max()) / n,
        "length": length,
        "length spread": float(np.sqrt(share @ (lengths - length) ** 2)),
        "shortest": float(lengths.min()),
        "longest": float(lengths.max()),
        **{name: float(share @ marks[:, k]) for k, name in enumerate(MARKS)},
        "all upper": float(share @ ((marks[:, 0] > 0) & (marks[:, 1] == 0))),
        "all lower": float(share @ ((marks[:, 1] > 0) & (marks[:, 0] == 0))),
        "edge space": float(share @ edges),
        "nothing said": float(share @ nothing),
        "misread": float(share @ misread),
    }


_CLASSES = str.maketrans(
    dict.fromkeys(string.ascii_uppercase, "A")
    | dict.fromkeys(string.ascii_lowercase, "a")
    | dict.fromkeys(string.digits, "9")
    | dict.fromkeys(string.whitespace, " ")
)
_RUNS = re.compile(r"(.)\1+", re.DOTALL)


@lru_cache(maxsize=65_536)
def _shape(label: str) -> str:
    """Return a text's shape: each run of capitals as A, of small letters as a, of digits as 9."""
    return _RUNS.sub(r"\1", label.translate(_CLASSES))[:24]


@lru_cache(maxsize=65_536)
def _look(label: str) -> tuple[float, ...]:
    """Return length, share of each class of characters, and three times whether, as 0 or 1.

    Whether there is a space at an edge, whether it says nothing, and whether it was misread.
    """
    classes = label.translate(_CLASSES)
    n = len(label) or 1
    upper, lower, digit, space = (classes.count(mark) / n for mark in "Aa9 ")
    foreign = 0.0 if label.isascii() else sum(ord(c) > 127 for c in label) / n
    mark = max(0.0, 1 - upper - lower - digit - space - foreign) if label else 0.0
    edge = float(label != label.strip())
    nothing = float(label.strip().lower() in NOTHING)
    misread = float(_MISREAD.search(label) is not None)
    return (len(label), upper, lower, digit, space, mark, foreign, edge, nothing, misread)
