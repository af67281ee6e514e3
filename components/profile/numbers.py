"""A column of numbers in figures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

# Where the quantiles stand: every 2.5 %, and closer at both ends, where faults show first.
LEVELS = np.unique(np.concatenate([[0, 0.005, 0.01, 0.99, 0.995, 1], np.linspace(0, 1, 41)]))
LARGEST = 1e150  # amount that is told from larger ones: the squares of those would overflow
FREQUENT = 12  # values remembered
BINS = 10  # of equal counts, in which a number meets other columns


def describe(values: pa.Array) -> tuple[dict[str, Any], np.ndarray]:
    """Return what `Column` holds of a column, and the bin of each row, 0 where it has no value."""
    rows = len(values)
    every = values.to_numpy(zero_copy_only=False).astype(float)
    finite = np.isfinite(every)
    every = np.clip(every, -LARGEST, LARGEST)
    ordered = np.sort(every[finite])
    told: dict[str, Any] = {"kind": "number", "present": len(ordered), "values": {}}
    figures = {"missing": 1 - len(ordered) / rows if rows else 1.0}
    if not len(ordered):
        return told | {"figures": figures, "quantiles": ()}, np.zeros(rows, int)
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    counts = np.diff(np.append(starts, len(ordered)))
    figures |= _figures(ordered, starts, counts)
    told["figures"] = figures
    told["quantiles"] = tuple(_quantiles(ordered, LEVELS).tolist())
    frequent = np.argsort(-counts, kind="stable")[:FREQUENT]
    told["values"] = {
        f"{ordered[starts[i]]:.9g}": int(counts[i]) for i in frequent if counts[i] > 1
    }
    return told, _bins(every, finite, ordered, starts)


def _figures(ordered: np.ndarray, starts: np.ndarray, counts: np.ndarray) -> dict[str, float]:
    n = len(ordered)
    return {
        "zero": float(np.count_nonzero(ordered == 0)) / n,
        "negative": float(np.searchsorted(ordered, 0)) / n,
        "whole": float(np.count_nonzero(ordered == np.rint(ordered))) / n,
        "distinct": len(starts) / n,
        "once": float(np.count_nonzero(counts == 1)) / n,
        "top": float(counts.max()) / n,
        "mean": float(ordered.mean()),
        "spread": float(ordered.std()),
        "min": float(ordered[0]),
        "max": float(ordered[-1]),
    }


def _bins(
    every: np.ndarray, finite: np.ndarray, ordered: np.ndarray, starts: np.ndarray
) -> np.ndarray:
    """Return for every row its bin, from 1 on: of its value where there are few, else of its rank."""
    distinct = ordered[starts]
    edges = (
        distinct
        if len(distinct) <= BINS
        else np.unique(ordered[np.linspace(0, len(ordered), BINS + 1)[:-1].astype(int)])
    )
    return np.where(finite, np.searchsorted(edges, np.where(finite, every, edges[0]), "right"), 0)


def _quantiles(ordered: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Return quantiles of sorted values, as numpy's own `linear` method has them, ten times faster."""
    return np.interp(levels * (len(ordered) - 1), np.arange(len(ordered)), ordered)
