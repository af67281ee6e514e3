"""Cutting a frame into spans: what the readers of tables share."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    import pandas as pd

SPAN = "span"
DAYS = {"day": 1, "2 days": 2, "3 days": 3, "week": 7, "2 weeks": 14}
MOST_SPANS = 400
MOST_ROWS = 2_000


@dataclass(frozen=True)
class Cut:
    """Rows in the order of their spans, with a column `span`: the first day of it."""

    rows: pa.Table
    unit: str
    categories: frozenset[str]
    changes: frozenset[str]


@dataclass(frozen=True)
class Reader:
    """Where a table comes from, and how it is read."""

    source: str
    read: Callable[[], Cut]
    there: Callable[[], bool]


def cut(
    frame: pd.DataFrame,
    when: pd.Series,
    unit: str,
    *,
    drop: Collection[str] = (),
    categories: Collection[str] = (),
    changes: Collection[str] = (),
    least: int = 8,
) -> Cut:
    """Return the frame in spans of a unit, at most the last 400, without the columns to drop.

    `when` is each row's time. Spans of fewer than `least` rows (the torn ends of a table) are left
    out, and of more than 2,000 rows every span keeps the same share, drawn with a fixed seed.
    """
    import numpy as np
    import pandas as pd

    when = pd.to_datetime(when, utc=True).dt.tz_localize(None)
    if unit == "month":
        first = when.dt.to_period("M").dt.start_time
    else:
        monday = pd.Timestamp("1900-01-01")
        first = monday + (when - monday).dt.days // DAYS[unit] * pd.Timedelta(days=DAYS[unit])
    span = first.dt.strftime("%Y-%m-%d")
    sizes = span.value_counts()
    kept = set(sorted(sizes[sizes >= least].index)[-MOST_SPANS:])
    chosen = span.map(lambda key: key in kept).astype(bool)
    share = min(1.0, MOST_ROWS / sizes[sizes >= least].median())
    if share < 1:
        chosen &= np.random.default_rng(0).random(len(frame)) < share
    order = np.flatnonzero(chosen)[np.argsort(span[chosen].to_numpy(), kind="stable")]
    frame, span = frame.iloc[order].drop(columns=list(drop)), span.iloc[order]
    columns = {str(name): _array(frame[name]) for name in frame}
    columns[SPAN] = pa.array(span.tolist(), pa.string())
    return Cut(pa.table(columns), unit, frozenset(categories), frozenset(changes) & kept)


def _array(column: pd.Series) -> pa.Array:
    """Return a column as a feed would carry it: whole numbers as such, text as text."""
    import numpy as np
    import pandas as pd

    missing = column.isna().to_numpy()
    if pd.api.types.is_bool_dtype(column):
        return pa.array(column.to_numpy(bool), pa.bool_())
    if pd.api.types.is_integer_dtype(column):
        return pa.array(column.to_numpy("int64"), pa.int64())
    if pd.api.types.is_float_dtype(column):
        values = column.to_numpy("float64")
        present = values[~missing]
        if len(present) and np.all(np.mod(present, 1) == 0) and np.all(np.abs(present) < 2**53):
            return pa.array(np.where(missing, 0, values).astype("int64"), pa.int64(), mask=missing)
        return pa.array(values, pa.float64(), mask=missing)
    texts = [None if gone else str(v) for v, gone in zip(column, missing, strict=True)]
    return pa.array(texts, pa.string())
