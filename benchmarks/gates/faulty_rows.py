"""Faults of a whole span: rows lost, repeated or stale, columns swapped or missing.

Every function takes the intensity first, then what `faults.apply` is given; `column` is None.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from benchmarks.gates.faulty_columns import some


def duplicated(
    share: float,
    table: pa.Table,
    column: None,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Append a share of the rows again."""
    again = some(np.arange(len(table)), share, rng)
    return pa.concat_tables([table, table.take(pa.array(again, pa.int64()))])


def lost(
    share: float,
    table: pa.Table,
    column: None,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Lose a share of the rows, by chance."""
    return table.take(pa.array(some(np.arange(len(table)), 1 - share, rng), pa.int64()))


def truncated(
    share: float,
    table: pa.Table,
    column: None,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Lose the last share of the rows."""
    return table.slice(0, round(len(table) * (1 - share)))


def without_value(
    rank: float,
    table: pa.Table,
    column: None,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Lose all rows of the most frequent (1) or second (2) value of a column of 2 to 30 strings."""
    counts = {
        field.name: Counter(v for v in table[field.name].to_pylist() if v is not None)
        for field in table.schema
        if pa.types.is_string(field.type)
    }
    parted = [
        name for name, seen in counts.items() if rank + 1 <= len(seen) <= min(30, len(table) / 2)
    ]
    if not parted:
        return None
    name = parted[int(rng.integers(len(parted)))]
    value = counts[name].most_common(int(rank))[-1][0]
    keep = [i for i, v in enumerate(table[name].to_pylist()) if v != value]
    return table.take(pa.array(keep, pa.int64()))


def stale(
    age: float,
    table: pa.Table,
    column: None,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Deliver the file of so many spans ago again."""
    return previous[-int(age)] if len(previous) >= age else None


def with_yesterday(
    share: float,
    table: pa.Table,
    column: None,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Put rows of the span before in place of a share of today's."""
    if not previous or not len(previous[-1]):
        return None
    ours = some(np.arange(len(table)), 1 - share, rng)
    theirs = rng.choice(len(previous[-1]), len(table) - len(ours))
    return pa.concat_tables(
        [table.take(pa.array(ours)), previous[-1].take(pa.array(np.sort(theirs)))]
    )


def appended(
    share: float,
    table: pa.Table,
    column: None,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Deliver the file of the span before along with today's."""
    return pa.concat_tables([previous[-1], table]) if previous else None


def swapped(
    share: float,
    table: pa.Table,
    column: None,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Swap the values of two columns of one type, in a share of the rows."""
    pairs = [
        (i, j)
        for i, a in enumerate(table.schema)
        for j, b in enumerate(table.schema)
        if i < j and a.type == b.type
    ]
    if not pairs:
        return None
    i, j = pairs[int(rng.integers(len(pairs)))]
    rows = np.arange(len(table))
    chosen = np.isin(rows, some(rows, share, rng))
    a, b = table.column(i).to_pylist(), table.column(j).to_pylist()
    kind = table.schema.field(i).type
    first = [y if hit else x for x, y, hit in zip(a, b, chosen, strict=True)]
    second = [x if hit else y for x, y, hit in zip(a, b, chosen, strict=True)]
    table = table.set_column(i, table.schema.field(i), pa.array(first, kind))
    return table.set_column(j, table.schema.field(j), pa.array(second, kind))


def blank(
    share: float,
    table: pa.Table,
    column: None,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Lose every value of a share of the rows."""
    rows = np.arange(len(table))
    gone = np.isin(rows, some(rows, share, rng))
    taken = pa.array(np.where(gone, 0, rows), mask=gone)
    return table.take(taken)


# kind: intensities, what it does
KINDS: dict[str, tuple[tuple[float, ...], Callable]] = {
    "rows duplicated": ((0.1, 0.5, 1.0), duplicated),
    "rows lost": ((0.1, 0.3, 0.5, 0.9), lost),
    "file truncated": ((0.1, 0.3, 0.5, 0.9), truncated),
    "partition lost": ((1, 2), without_value),
    "stale file": ((1, 7), stale),
    "rows of yesterday": ((0.1, 0.5), with_yesterday),
    "yesterday appended": ((1,), appended),
    "columns swapped": ((0.1, 1.0), swapped),
    "rows blank": ((0.02, 0.1, 0.5), blank),
}
