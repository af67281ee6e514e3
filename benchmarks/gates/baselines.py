"""What a team would put together in an afternoon: z-scores, and tests of the distributions."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.gates.methods import Judge

FAR = 1e6  # the score of what cannot be


class ZScores:
    """Mean ± 3 standard deviations of a column's figures over the last 60 spans."""

    def __init__(self, categories: Collection[str], warm_up: int) -> None:
        self.categories = categories

    def look(self, span: pa.Table) -> Mapping[str, float]:
        figures = {"rows": float(span.num_rows)}
        for name in span.column_names:
            told = _figures(span[name], name in self.categories)
            figures |= {f"{name}: {figure}": value for figure, value in told.items()}
        return figures

    def expect(self, past: Sequence[Mapping[str, float]]) -> Judge:
        names = list(past[-1])
        before = np.array([[look.get(name, np.nan) for name in names] for look in past[-60:]])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a column that was always empty
            mean, spread = np.nanmean(before, 0), np.nanstd(before, 0)

        def judge(now: Mapping[str, float]) -> float:
            off = np.abs(np.array([now.get(name, np.nan) for name in names]) - mean)
            with np.errstate(divide="ignore", invalid="ignore"):
                z = np.where(off <= 1e-12, 0.0, off / spread)
            return float(min(FAR, np.nanmax(z, initial=0) / 3))

        return judge


class Tests:
    """Kolmogorov–Smirnov for numbers, chi-square for strings, against the last 7 spans as one.

    At a level of 1 %, shared out among the columns (Bonferroni).
    """

    __test__ = False  # no test of ours, though its name begins like one

    def __init__(self, categories: Collection[str], warm_up: int) -> None:
        self.categories = categories

    def look(self, span: pa.Table) -> pa.Table:
        return span

    def expect(self, past: Sequence[pa.Table]) -> Judge:
        pool = pa.concat_tables(past[-7:])
        before = {name: self._values(pool, name) for name in pool.column_names}

        def judge(now: pa.Table) -> float:
            level = np.log(0.01 / len(before))
            scores = [
                _log_p(held, self._values(now, name)) / level for name, held in before.items()
            ]
            return float(max(scores))

        return judge

    def _values(self, span: pa.Table, name: str) -> Any:
        column = span[name]
        if name in self.categories or not _is_number(column.type):
            return Counter(column.to_pylist())
        return np.sort(column.drop_null().to_numpy().astype("float64"))


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind)


def _figures(column: pa.ChunkedArray, category: bool) -> dict[str, float]:
    held = column.drop_null()
    told = {
        "missing": column.null_count / max(1, len(column)),
        "distinct": float(len(held.unique())),
    }
    if not len(held):
        return told
    if _is_number(column.type) and not category:
        values = held.to_numpy().astype("float64")
        return told | {
            "mean": values.mean(),
            "sd": values.std(),
            "min": values.min(),
            "median": float(np.median(values)),
            "max": values.max(),
        }
    values = [str(value) for value in held.to_pylist()]
    return told | {
        "most frequent": Counter(values).most_common(1)[0][1] / len(values),
        "length": float(np.mean([len(value) for value in values])),
    }


def _log_p(before: Any, now: Any) -> float:
    """Return the logarithm of the chance that both came from one distribution, asymptotically."""
    from scipy import special

    if not len(before) or not len(now):
        return 0.0 if len(before) == len(now) else -FAR
    if isinstance(before, Counter):
        counts = _crossed(before, now)
        due = counts.sum(1)[:, None] * counts.sum(0) / counts.sum()
        p = special.chdtrc(counts.shape[1] - 1, ((counts - due) ** 2 / due).sum())
    else:
        everywhere = np.concatenate([before, now])
        below = [np.searchsorted(held, everywhere, "right") / len(held) for held in (before, now)]
        size = len(before) * len(now) / len(everywhere)
        p = special.kolmogorov(np.sqrt(size) * np.abs(below[0] - below[1]).max())
    return float(np.log(max(p, 1e-300)))


def _crossed(before: Counter, now: Counter) -> np.ndarray:
    """Return how often each of the 50 values most frequent before occurs, and all others, [2, K]."""
    often = [value for value, _ in before.most_common(50)]
    rows = [[seen[value] for value in often] for seen in (before, now)]
    counts = np.array(
        [[*row, seen.total() - sum(row)] for row, seen in zip(rows, (before, now), strict=True)]
    )
    return counts[:, counts.sum(0) > 0]
