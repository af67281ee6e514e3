"""How columns hang together: what shows when rows are right one by one in every column, and wrong."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa

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
