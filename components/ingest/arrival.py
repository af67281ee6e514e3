"""One span from its source to a checked Parquet file.

Whatever the source is, the file has the schema's columns in the schema's types, one row a key, in
the order of the keys: the same content has one digest, whoever wrote it, in whatever order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from components import schema
from components.errors import SluiceError, near_miss
from components.ingest import source
from components.ingest.source import Refused, name
from components.spec import Spec

FILE = "examples.parquet"
REJECTED = "rejected"  # a column of the SQL's result: why a row is no example, or NULL
SQL_TYPES = {"string": "VARCHAR", "int64": "BIGINT", "float32": "FLOAT"}
BATCH = 65_536  # rows in memory at a time while the digest is taken


@dataclass(frozen=True)
class Arrived:
    """A span's rows in one file.

    `digest`: of its content; `columns`: the same of each column; `rejected`: reason → rows.
    """

    path: Path
    digest: str
    columns: Mapping[str, str]
    rows: int
    rows_in: int
    rejected: Mapping[str, int]


def take_in(spec: Spec, span: str, folder: Path) -> Arrived:
    """Read a span from its source into a Parquet file in `folder`, which also takes what spills.

    Raises Refused when the span is not whole, not readable, not what the schema lists, or when rows
    were lost or doubled on the way; SluiceError when the source itself cannot be reached.
    """
    types = schema.dtypes(schema.load(spec.schema_path))
    path = folder / FILE
    try:
        with source.connected(spec, span, folder / "spill") as db:
            source.is_complete(db, spec, span)
            source.run_sql(db, spec, span, "arrived")
            _has_columns(db, spec, list(types))
            _has_types(db, spec, span, types)
            columns = ", ".join(f"{cast(c, t)} AS {name(c)}" for c, t in types.items())
            db.execute(
                f"CREATE TEMP VIEW examples AS SELECT {columns} FROM arrived "
                f"WHERE {REJECTED} IS NULL"
            )
            rows, rejected = _count(db, span)
            rows_in = _conserved(db, spec, span, rows, rejected)
            _has_unique_key(db, spec, span)
            order = ", ".join(name(column) for column in spec.key)
            db.execute(
                f"COPY (FROM examples ORDER BY {order}) "
                f"TO {source.text(str(path))} (FORMAT parquet, COMPRESSION zstd)"
            )
    except duckdb.Error as error:
        raise SluiceError(
            f"{spec.name} {span} cannot be taken in: {source.told_of_rows(error, spec)}"
        ) from error
    content, by_column = content_digests(path)
    return Arrived(path, content, by_column, rows, rows_in, rejected)


def cast(column: str, dtype: str) -> str:
    """Return a column as SQL, in the type that examples keep it in."""
    value = f"CAST({name(column)} AS {SQL_TYPES[dtype]})"
    # Not a number is no number: a missing value, which the schema bounds and a model can take.
    return f"CASE WHEN isnan({value}) THEN NULL ELSE {value} END" if dtype == "float32" else value


def content_digests(path: Path) -> tuple[str, dict[str, str]]:
    """Return the sha256 of a Parquet file's content, and of each of its columns by name.

    Of names, types, which values are null, and values; the writer's version, compression and row
    groups do not enter into it.
    """
    file = pq.ParquetFile(path)
    parts = {
        (field.name, part): hashlib.sha256(str(field.type).encode())
        for field in file.schema_arrow
        for part in ("valid", "lengths", "values")
    }
    for batch in file.iter_batches(batch_size=BATCH):
        for column, values in zip(batch.schema.names, batch.columns, strict=True):
            valid = values.is_valid().to_numpy(zero_copy_only=False)
            parts[column, "valid"].update(valid.tobytes())
            if pa.types.is_string(values.type):
                values = pc.fill_null(values, "")
                parts[column, "lengths"].update(pc.binary_length(values).to_numpy().tobytes())
                parts[column, "values"].update("".join(values.to_pylist()).encode())
            else:
                parts[column, "values"].update(pc.fill_null(values, 0).to_numpy().tobytes())
    told = [[*part, digest.hexdigest()] for part, digest in sorted(parts.items())]
    by_column: dict[str, list[str]] = {}
    for column, _, digest in told:
        by_column.setdefault(column, []).append(digest)
    return _digest(told), {column: _digest(parts) for column, parts in by_column.items()}


def _digest(told: object) -> str:
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()


def _has_columns(db: Any, spec: Spec, wanted: list[str]) -> None:
    found = [row[0] for row in db.execute("DESCRIBE arrived").fetchall()]
    contract = f"schemas/{spec.name}.pbtxt"
    for column in wanted:
        if column not in found:
            raise Refused(
                "columns",
                f"{_sql(spec)} gives no column {column!r}, which {contract} lists"
                f"{near_miss(column, set(found) - set(wanted))}",
                seen=", ".join(found),
                expected=column,
            )
    for column in found:
        if column not in wanted and column != REJECTED:
            raise Refused(
                "columns",
                f"{_sql(spec)} gives a column {column!r}, which {contract} does not list: "
                f"describe it there, or leave it out{near_miss(column, wanted)}",
                seen=column,
                expected=", ".join(wanted),
            )
    if REJECTED not in found:
        db.execute(f"ALTER TABLE arrived ADD COLUMN {REJECTED} VARCHAR")


def _has_types(db: Any, spec: Spec, span: str, types: Mapping[str, str]) -> None:
    """Check that every value fits its column's type: no text in a number, no fraction cut off."""
    unfit = {
        column: f"{name(column)} IS NOT NULL AND {_unfit(column, t)}" for column, t in types.items()
    }
    counts = db.execute(
        f"SELECT {', '.join(f'count(*) FILTER ({test})' for test in unfit.values())} "
        f"FROM arrived WHERE {REJECTED} IS NULL"
    ).fetchone()
    for (column, test), count in zip(unfit.items(), counts, strict=True):
        if count:
            such = db.execute(
                f"SELECT min({name(column)}::VARCHAR) FROM arrived WHERE {REJECTED} IS NULL AND {test}"
            ).fetchone()[0]
            seen = spec.data_gate.shown(column, repr(such))
            raise Refused(
                "types",
                f"{span}: column {column!r} holds {seen}, which is no {types[column]}, "
                f"in {count} rows",
                seen=seen,
                expected=types[column],
            )


def _unfit(column: str, dtype: str) -> str:
    value = name(column)
    lost = f"TRY_CAST({value} AS {SQL_TYPES[dtype]}) IS NULL"
    if dtype == "int64":  # a cast would round without a word
        return f"({lost} OR TRY_CAST({value} AS DOUBLE) <> TRY_CAST({value} AS BIGINT))"
    return lost


def _count(db: Any, span: str) -> tuple[int, dict[str, int]]:
    """Return how many rows are examples, and how many are not, by reason."""
    counts = db.execute(
        f"SELECT {REJECTED}::VARCHAR, count(*) FROM arrived GROUP BY 1 ORDER BY 1"
    ).fetchall()
    rejected = {why: n for why, n in counts if why is not None}
    rows = sum(n for why, n in counts if why is None)
    if not rows:
        told = f"empty: all {sum(rejected.values())} rows were rejected" + _reasons(rejected)
        raise Refused(
            "rows",
            f"{span} is {told if rejected else 'empty: no row came in'}",
            seen="0 examples",
            expected="at least 1 example",
        )
    return rows, rejected


def _conserved(db: Any, spec: Spec, span: str, rows: int, rejected: Mapping[str, int]) -> int:
    """Return the rows that came in; raise Refused unless each came out, or was rejected."""
    out = rows + sum(rejected.values())
    came_in = source.rows_in(db, spec, span)
    if came_in not in (None, out):
        raise Refused(
            "rows",
            f"{span}: {came_in} rows came in and {out} out ({rows} examples{_reasons(rejected)}): "
            f"{_sql(spec)} loses or doubles rows; one that is no example gets a reason in a column "
            f"`{REJECTED}`",
            seen=f"{out} rows out",
            expected=f"{came_in} rows in",
        )
    return out


def _reasons(rejected: Mapping[str, int]) -> str:
    return "".join(f", {n} {why!r}" for why, n in rejected.items())


def _has_unique_key(db: Any, spec: Spec, span: str) -> None:
    names = [name(column) for column in spec.key]
    key = " × ".join(spec.key)
    empty = " OR ".join(f"{name} IS NULL" for name in names)
    nulls = db.execute(f"SELECT count(*) FROM examples WHERE {empty}").fetchone()[0]
    if nulls:
        raise Refused(
            "key",
            f"{span}: the key {key} is empty in {nulls} rows; every example needs one",
            seen=f"{nulls} rows without a key",
            expected="0",
        )
    listed = ", ".join(names)
    doubles = db.execute(
        f"SELECT {listed}, count(*) FROM examples GROUP BY {listed} HAVING count(*) > 1 "
        f"ORDER BY {listed}"
    ).fetchall()
    if doubles:
        shown = "; ".join(f"{_told(spec, values)} in {n} rows" for *values, n in doubles[:3])
        raise Refused(
            "key",
            f"{span}: the key {key} is not unique: {len(doubles)} keys come more than once, "
            f"such as {shown}",
            seen=f"{len(doubles)} keys more than once",
            expected="0",
        )


def _told(spec: Spec, key: list[Any]) -> str:
    held = zip(spec.key, key, strict=True)
    return " ".join(spec.data_gate.shown(column, str(value)) for column, value in held)


def _sql(spec: Spec) -> str:
    return f"pipelines/{spec.name}/ingest.sql"
