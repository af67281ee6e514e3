"""How columns hang together: what shows when rows are right one by one in every column, and wrong."""

from __future__ import annotations

import zlib
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

SKETCH = 200  # rows that are remembered by a digest
MOST = 24  # columns whose pairs are looked at: 276 pairs
BETWEEN = " × "


def describe(bins: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the uncertainty coefficient of each pair of columns.

    `bins`: of each column the bin of each row. Theil's U (1970), symmetric: the mutual information
    over the mean of the two entropies; 0 where they are independent, 1 where one decides the other.
    """
    names = [name for name, held in bins.items() if len(held) and held.max() > held.min()][:MOST]
    if len(names) < 2:
        return {}
    rows = len(bins[names[0]])
    widths = [int(bins[name].max()) + 1 for name in names]
    starts = np.concatenate([[0], np.cumsum(widths)])
    hot = np.zeros((rows, starts[-1]), np.float32)
    for name, start in zip(names, starts[:-1], strict=True):
        hot[np.arange(rows), start + bins[name]] = 1
    counts = hot.T @ hot / rows
    information = _x_log_x(counts)
    pieces = np.add.reduceat(np.add.reduceat(information, starts[:-1], 0), starts[:-1], 1)
    entropy = -np.add.reduceat(_x_log_x(np.diag(counts)), starts[:-1])
    mutual = entropy[:, None] + entropy[None, :] + pieces
    shared = np.clip(2 * mutual / (entropy[:, None] + entropy[None, :]), 0, 1).round(5).tolist()
    return {
        f"{a}{BETWEEN}{b}": shared[i][j]
        for i, a in enumerate(names)
        for j, b in enumerate(names)
        if i < j
    }


def _x_log_x(shares: np.ndarray) -> np.ndarray:
    return np.where(shares > 0, shares * np.log(np.maximum(shares, 1e-12)), 0)


def repeated(table: pa.Table) -> float:
    """Return the share of the rows that repeat another row in every column."""
    if not table.num_rows or not table.num_columns:
        return 0.0
    distinct = table.group_by(table.column_names).aggregate([])
    return 1 - distinct.num_rows / table.num_rows


def sketch(table: pa.Table) -> list[int]:
    """Return the smallest `SKETCH` of the digests of the rows, ascending.

    Which rows two spans share shows in theirs, as in bottom-k sketches (Cohen and Kaplan 2007): a row
    that is among the smallest of one is so in the other, or the other has more rows.
    """
    digests = np.zeros(table.num_rows, np.uint64)
    for column in table.columns:
        digests = _mixed(digests * np.uint64(31) + _words(column.combine_chunks()))
    return np.unique(digests >> np.uint64(11))[:SKETCH].tolist()  # 53 bits are what JSON can hold


def _words(values: pa.Array) -> np.ndarray:
    """Return a number for each row that only equal values share, give or take a chance in 2³²."""
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        numbers = values.to_numpy(zero_copy_only=False).astype(float)
        words = np.where(np.isnan(numbers), 0.5, numbers + 0.0).view(np.uint64)  # no -0.0
        return _mixed(words)
    encoded = values.cast(pa.string()).dictionary_encode()
    labels = [zlib.crc32(label.encode()) for label in encoded.dictionary.to_pylist()]
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return np.array([*labels, 1 << 40], np.uint64)[codes]


def _mixed(words: np.ndarray) -> np.ndarray:
    """Return words each of whose bits hangs on all of the old ones (SplitMix64's, Steele et al. 2014)."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
