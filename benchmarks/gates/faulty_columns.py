"""Faults of one column, of numbers or strings alike, and how single values are replaced.

Every function takes the intensity first, then what `faults.apply` is given.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

LARGEST = 2**62  # what is left of a whole number that a fault blew up beyond 64 bits
Numbers = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
Strings = Callable[[list[str], list[str], np.random.Generator], list]


def numbers(
    change: Numbers,
    share: float,
    table: pa.Table,
    column: str,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Replace a share of the numbers; `change` sees those chosen, and all of the column."""
    values, missing = plain(table[column])
    chosen = some(np.flatnonzero(~missing), share, rng)
    if not len(chosen):
        return None
    with np.errstate(over="ignore"):
        changed = change(values[chosen].astype("float64"), values[~missing].astype("float64"), rng)
    return with_numbers(table, column, values, missing, chosen, changed)


def strings(
    change: Strings,
    share: float,
    table: pa.Table,
    column: str,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Replace a share of the strings; `change` sees those chosen, and all of today and before."""
    values = table[column].to_pylist()
    present = np.array([i for i, value in enumerate(values) if value is not None])
    chosen = some(present, share, rng)
    if not len(chosen):
        return None
    known = [
        v for part in (*previous[-7:], table) for v in part[column].to_pylist() if v is not None
    ]
    for i, new in zip(chosen, change([values[i] for i in chosen], known, rng), strict=True):
        values[i] = new
    return put(table, column, pa.array(values, pa.string()))


def nulls(
    share: float,
    table: pa.Table,
    column: str,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Lose a share of the values."""
    present = np.flatnonzero(table[column].is_valid().to_numpy())
    lost = np.zeros(len(table), bool)
    lost[some(present, share, rng)] = True
    kept = pa.array(~lost)
    return put(table, column, _where(kept, table[column]))


def neighbour(
    share: float,
    table: pa.Table,
    column: str,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Put values of the next column of the same type in place of a share: a schema change."""
    other = next_of_type(table, column)
    if other is None:
        return None
    rows = np.arange(len(table))
    from_other = np.isin(rows, some(rows, share, rng))
    here, there = table[column].to_pylist(), table[other].to_pylist()
    mixed = [b if take else a for a, b, take in zip(here, there, from_other, strict=True)]
    return put(table, column, pa.array(mixed, table[column].type))


def constant(
    share: float,
    table: pa.Table,
    column: str,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Repeat the most frequent value."""
    values = [v for v in table[column].to_pylist() if v is not None]
    top = Counter(values).most_common(1)[0][0]
    return put(table, column, pa.array([top] * len(table), table[column].type))


def stale(
    share: float,
    table: pa.Table,
    column: str,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Deliver the values of the span before again, repeated or cut to today's rows."""
    if not previous or not len(previous[-1]):
        return None
    before = previous[-1][column].to_pylist()
    again = [before[i % len(before)] for i in range(len(table))]
    return put(table, column, pa.array(again, table[column].type))


def shuffled(
    share: float,
    table: pa.Table,
    column: str,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Deal the values out to other rows: nothing changes but what belongs to what."""
    if table.num_columns < 2:
        return None
    return put(table, column, _flat(table[column]).take(pa.array(rng.permutation(len(table)))))


def off_by_rows(
    share: float,
    table: pa.Table,
    column: str,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Move the values down by a row, the last one to the top."""
    if table.num_columns < 2:
        return None
    return put(
        table, column, _flat(table[column]).take(pa.array(np.roll(np.arange(len(table)), 1)))
    )


def biased(
    first: bool,
    share: float,
    table: pa.Table,
    column: str,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Keep the rows of the first or last share by the frequency of the value, then the value."""
    values = table[column].to_pylist()
    often = Counter(values)
    rows = [i for i, value in enumerate(values) if value is not None]
    rows.sort(key=lambda i: (-often[values[i]], values[i], i))
    count = int(len(rows) * share)
    kept = rows[:count] if first else rows[len(rows) - count :]
    return table.take(pa.array(sorted(kept), pa.int64())) if kept else None


def more_rows(
    factor: float,
    table: pa.Table,
    column: str,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Deliver every row `factor` times."""
    return pa.concat_tables([table] * round(factor))


def fewer_rows(
    share: float,
    table: pa.Table,
    column: str,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Keep a share of the rows, drawn by chance."""
    kept = some(np.arange(len(table)), share, rng)
    return table.take(pa.array(kept)) if len(kept) else None


def first_share(share: float, *span: object) -> pa.Table | None:
    """Keep the most frequent values, and of those the smallest."""
    return biased(True, share, *span)  # type: ignore[arg-type]


def last_share(share: float, *span: object) -> pa.Table | None:
    """Keep the rarest values, and of those the largest."""
    return biased(False, share, *span)  # type: ignore[arg-type]


# kind: intensities, those of AVH among them, what it does
KINDS: dict[str, tuple[tuple[float, ...], tuple[float, ...], Callable]] = {
    "nulls": ((0.02, 0.1, 0.5, 1.0), (0.1, 0.5, 1.0), nulls),
    "values of another column": ((0.1, 0.5, 1.0), (0.1, 0.5, 1.0), neighbour),
    "more rows": ((2, 10), (2, 10), more_rows),
    "fewer rows": ((0.5, 0.1), (0.5, 0.1), fewer_rows),
    "first values only": ((0.1, 0.5), (0.1, 0.5), first_share),
    "last values only": ((0.1, 0.5), (0.1, 0.5), last_share),
    "constant": ((1.0,), (), constant),
    "stale column": ((1.0,), (), stale),
    "shuffled column": ((1.0,), (), shuffled),
    "off by one row": ((1.0,), (), off_by_rows),
}


def next_of_type(table: pa.Table, column: str) -> str | None:
    """Return the next column of a column's type, the one before where it is the last."""
    alike = [field.name for field in table.schema if field.type == table[column].type]
    at = alike.index(column)
    if len(alike) < 2:
        return None
    return alike[at + 1] if at + 1 < len(alike) else alike[at - 1]


def some(rows: np.ndarray, share: float, rng: np.random.Generator) -> np.ndarray:
    """Return a share of the rows in order, drawn by chance, to the nearest whole number."""
    count = len(rows) if share >= 1 else round(len(rows) * share)
    return np.sort(rng.choice(rows, count, replace=False)) if count else rows[:0]


def plain(column: pa.ChunkedArray) -> tuple[np.ndarray, np.ndarray]:
    """Return a column's numbers, 0 where missing, and where they are missing."""
    return column.fill_null(0).to_numpy(), column.is_null().to_numpy()


def with_numbers(
    table: pa.Table,
    column: str,
    values: np.ndarray,
    missing: np.ndarray,
    chosen: np.ndarray,
    changed: np.ndarray,
) -> pa.Table:
    """Return the table with the chosen numbers changed; a column of integers stays one."""
    new = values.copy()
    if np.issubdtype(new.dtype, np.integer):
        changed = np.clip(np.nan_to_num(np.round(changed)), -LARGEST, LARGEST)
    new[chosen] = changed.astype(new.dtype)
    return put(table, column, pa.array(new, table[column].type, mask=missing))


def put(table: pa.Table, column: str, values: pa.Array) -> pa.Table:
    """Return the table with a column's values in its place."""
    at = table.schema.get_field_index(column)
    return table.set_column(at, table.schema.field(at), values)


def _flat(column: pa.ChunkedArray) -> pa.Array:
    return column.combine_chunks() if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _where(kept: pa.Array, column: pa.ChunkedArray) -> pa.Array:
    import pyarrow.compute as pc

    return pc.if_else(kept, _flat(column), pa.scalar(None, column.type))
