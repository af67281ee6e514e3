"""What many spans hold, in statistics: from the store, or read anew through `ingest.sql`.

Reading needs no schema, so that one can be drafted before there is any: DuckDB knows the types. Where
there is a schema, it says what its columns are, and the spans say what they hold.
"""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from components import describe, home, ingest, schema, statistics
from components.errors import SluiceError, UsageError
from components.files import sha256
from components.ingest import arrival, source
from components.ingest.source import Refused, name
from components.schema import DType
from components.spec import Spec

log = logging.getLogger(__name__)

# By strength: what is text in one span is text in all.
ARROW: dict[DType, Any] = {"int64": pa.int64(), "float32": pa.float32(), "string": pa.string()}
DTYPES: dict[str, DType] = {
    r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|BOOLEAN": "int64",
    r"FLOAT|DOUBLE|DECIMAL\(.*\)": "float32",
    r"VARCHAR|ENUM\(.*\)|DATE|TIME.*|UUID|INTERVAL|JSON|\"NULL\"": "string",
}
# Integers of no more values than a month has days are looked up and not scaled; two are a flag.
FEW = range(3, 32)


@dataclass(frozen=True)
class Observed:
    """What spans hold. `statistics`: a `DatasetFeatureStatistics` each, oldest first, as `spans`.

    `dtypes`: the columns' types, in the order of the SQL; `categories`: integers that are looked up;
    `absent`: spans that were asked for and could not be read → why.
    """

    spans: Sequence[str]
    statistics: Sequence[Any]
    dtypes: Mapping[str, DType]
    categories: frozenset[str]
    absent: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class _Rows:
    """A span's rows in a file. `empty`: columns without a value, whose type says nothing."""

    path: Path
    dtypes: Mapping[str, DType]
    empty: frozenset[str]


def observe(what: Spec, wanted: Sequence[str], tell: Callable[[str], None] = log.info) -> Observed:
    """Return what the wanted spans hold; `tell` hears of every span that is read.

    Raises UsageError when the SQL does not run or no span can be read, SluiceError when the source
    cannot be reached.
    """
    reviewed = schema.load(what.schema_path) if what.schema_path.is_file() else None
    known = schema.dtypes(reviewed) if reviewed else {}
    described: dict[str, Any] = {}
    rows: dict[str, _Rows] = {}
    absent: dict[str, str] = {}
    aside = home.var() / "tmp"
    aside.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=aside, prefix=f"{what.name}-observed-") as folder:
        for number, span in enumerate(wanted, 1):
            tell(f"reading {span}, {number} of {len(wanted)}")
            kept = _kept(what, span, known) if known else None
            if kept:
                described[span] = kept
                continue
            try:
                rows[span] = _read(what, span, known, Path(folder))
            except Refused as refused:
                if refused.check.name == "sql":
                    raise UsageError(str(refused)) from None
                absent[span] = str(refused)
        if not described and not rows:
            first = next(iter(absent.values()), "none was asked for")
            raise UsageError(f"{what.name}: no span can be read, of {len(wanted)}: {first}")
        dtypes = _agreed(rows.values(), known)
        categories = _categories(reviewed, rows.values(), dtypes, _never_looked_up(what))
        for number, (span, read) in enumerate(rows.items(), 1):
            tell(f"describing {span}, {number} of {len(rows)}")
            described[span] = _described(read, dtypes, categories)
    spans = sorted(described)
    return Observed(spans, [described[s] for s in spans], dtypes, categories, absent)


def _kept(what: Spec, span: str, known: Mapping[str, DType]) -> Any:
    """Return the store's statistics of a span, if made by the SQL and the columns of today."""
    try:
        examples = ingest.current(what, span)
    except SluiceError:  # never taken in, or torn
        return None
    if examples.manifest.inputs.get("ingest.sql") != sha256(what.folder / "ingest.sql"):
        return None
    held = pq.read_schema(examples.file(arrival.FILE))
    if {f.name: f.type for f in held} != {c: ARROW[t] for c, t in known.items()}:
        return None
    return statistics.read(describe.describe(what, examples))


def _read(what: Spec, span: str, known: Mapping[str, DType], folder: Path) -> _Rows:
    """Read a span's examples into a file; raise Refused when they are not there, or unreadable."""
    path = folder / f"{span}.parquet"
    with source.connected(what, span, folder / "spill") as db:
        source.is_complete(db, what, span)
        source.run_sql(db, what, span, "arrived")
        found = {column: dtype for column, dtype, *_ in db.execute("DESCRIBE arrived").fetchall()}
        counted = "true"
        if found.pop(arrival.REJECTED, None):
            counted = f"{arrival.REJECTED} IS NULL"
        dtypes = {c: known.get(c) or _dtype(c, t) for c, t in found.items()}
        columns = ", ".join(f"{arrival.cast(c, t)} AS {name(c)}" for c, t in dtypes.items())
        filled = ", ".join(f"count({name(c)})" for c in dtypes)
        try:
            db.execute(
                f"CREATE TEMP TABLE examples AS SELECT {columns} FROM arrived WHERE {counted}"
            )
            rows, *values = db.execute(f"SELECT count(*), {filled} FROM examples").fetchone()
            db.execute(f"COPY examples TO {source.text(str(path))} (FORMAT parquet)")
        except duckdb.Error as error:
            raise Refused("types", f"{span}: {source.told(error)}") from error
    if not rows:
        raise Refused("rows", f"{span} holds no examples")
    return _Rows(path, dtypes, frozenset(c for c, n in zip(dtypes, values, strict=True) if not n))


def _dtype(column: str, sql_type: str) -> DType:
    for pattern, dtype in DTYPES.items():
        if re.fullmatch(pattern, sql_type):
            return dtype
    raise UsageError(
        f"column {column!r} is a {sql_type}; make it a text or a number in ingest.sql, or leave it out"
    )


def _agreed(rows: Iterable[_Rows], known: Mapping[str, DType]) -> dict[str, DType]:
    """Return one type for each column: the schema's, or the widest of all spans that have values."""
    agreed: dict[str, DType] = {}
    said: set[str] = set()
    for read in rows:
        for column, dtype in read.dtypes.items():
            agreed.setdefault(column, dtype)
            if column in read.empty:
                continue
            wider = max(agreed[column], dtype, key=[*ARROW].index) if column in said else dtype
            agreed[column] = wider
            said.add(column)
    return agreed or dict(known)


def _categories(
    reviewed: Any, rows: Iterable[_Rows], dtypes: Mapping[str, DType], never: Collection[str]
) -> frozenset[str]:
    """Return the integers that are looked up: the schema's, and new ones of few values."""
    known = {f.name: f for f in reviewed.feature} if reviewed else {}
    chosen = {c for c, f in known.items() if f.int_domain.is_categorical and c in dtypes}
    values: dict[str, set[int]] = {
        c: set() for c, t in dtypes.items() if t == "int64" and c not in known and c not in never
    }
    for read in rows:
        for column in values.keys() & read.dtypes.keys():
            if len(values[column]) < FEW.stop:
                held = pq.read_table(read.path, columns=[column])[column]
                values[column].update(held.drop_null().unique().to_pylist())
    return frozenset(chosen | {column for column, seen in values.items() if len(seen) in FEW})


def _never_looked_up(what: Spec) -> set[str]:
    """Return the columns whose few integers mean no more than what they are: a row's name, the label."""
    return {what.label, *(what.key if len(what.key) == 1 else ())}


def _described(read: _Rows, dtypes: Mapping[str, DType], categories: frozenset[str]) -> Any:
    types = pa.schema([(column, ARROW[dtypes[column]]) for column in read.dtypes])
    table = pq.read_table(read.path).cast(types, safe=False)
    return describe.statistics_of(table, sorted(categories)).datasets[0]
