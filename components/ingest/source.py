"""Where a span's rows come from: DuckDB over files, URIs or attached databases, by the pipeline's SQL."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from glob import has_magic, iglob
from pathlib import Path
from typing import Any

import duckdb

from components import home
from components.errors import SluiceError, near_miss
from components.spec import Spec
from components.verdict import Check, Status

PATIENCE = 900  # seconds that a query may take: one that never ends would hold its run for ever
MEMORY = "1GB"  # what DuckDB may hold; above it, it spills into the folder it is given
FILES = {".parquet", ".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".gz", ".zst"}


class Refused(Exception):
    """The span cannot be taken in as it is; `check` says what was looked at and what was wrong."""

    def __init__(self, name: str, message: str, *, seen: str = "", expected: str = "") -> None:
        super().__init__(message)
        self.check = Check(
            name=name, status=Status.FAILED, seen=seen, expected=expected, message=message
        )


@contextmanager
def connected(spec: Spec, span: str, spill: Path) -> Iterator[Any]:
    """Give a DuckDB with the pipeline's databases attached, read-only; what spills goes to `spill`.

    Raises SluiceError when a database cannot be opened.
    """
    settings = {
        "threads": 2,
        "memory_limit": MEMORY,
        "temp_directory": str(spill),
        "preserve_insertion_order": False,  # the rows are put into the order of their keys
    }
    db = duckdb.connect(config=settings)
    try:
        db.execute("SET TimeZone = 'UTC'")
        for alias, place in spec.source.attach.items():
            where = place.replace("{span}", span)
            local = home.home() / where
            try:
                db.execute(
                    f"ATTACH {text(str(local) if local.exists() else where)} "
                    f"AS {name(alias)} (READ_ONLY)"
                )
            except duckdb.Error as error:
                raise SluiceError(
                    f"source.attach.{alias} of {spec.name} cannot be opened: {told(error)}"
                ) from error
        yield db
    finally:
        db.close()


def is_complete(db: Any, spec: Spec, span: str) -> None:
    """Raise Refused unless the upstream has delivered the span, and finished it."""
    path = spec.source.of(span)
    if path is None:
        return
    local = "://" not in path
    if local and next(iglob(path, recursive=True), None) is None:  # noqa: PTH207 - an absolute pattern
        raise Refused(
            "arrived",
            f"{span} has not arrived: there is no {path}; run again when the upstream has delivered",
            seen="nothing",
            expected=path,
        )
    if spec.source.complete is None:
        return
    mark = beside(path, spec.source.complete)
    if not (Path(mark).is_file() if local else _is_there(db, mark)):
        raise Refused(
            "complete",
            f"{span} is unfinished: there is no {mark}; run again when the upstream has written it",
            seen=f"no {spec.source.complete}",
            expected=mark,
        )


def run_sql(db: Any, spec: Spec, span: str, table: str, path: Path | None = None) -> None:
    """Run ingest.sql, or the SELECT in `path`, over the span's source into a temporary table.

    Raises Refused when the SQL or the source does not read, SluiceError when it cannot be reached, or
    when the query does not end.
    """
    path = path or spec.folder / "ingest.sql"
    sql, file = path.read_text(), home.short(path)
    bindings = {"span": span, "source": spec.source.of(span)}
    try:
        statements = db.extract_statements(sql)
        if len(statements) != 1:
            raise Refused("sql", f"{file}: holds {len(statements)} statements; leave one SELECT")
        wanted = statements[0].named_parameters
        for unbound in sorted(wanted - {k for k, v in bindings.items() if v is not None}):
            raise Refused(
                "sql",
                f"{file}: asks for ${unbound}; bound are $span, and $source where the pipeline "
                f"has a source.path{near_miss(unbound, bindings.keys() - {unbound})}",
            )
        # On the SQL's own first line, so that the line that DuckDB names is the file's.
        with _interrupted_after(db, PATIENCE):
            db.execute(
                f"CREATE OR REPLACE TEMP TABLE {name(table)} AS {sql}",
                {k: bindings[k] for k in wanted},
            )
    except duckdb.InterruptException as error:
        raise SluiceError(
            f"{file}: had not ended after {PATIENCE} s, and was stopped; see whether a join lacks a "
            "condition, or a recursion an end"
        ) from error
    except (duckdb.ParserException, duckdb.BinderException, duckdb.CatalogException) as error:
        raise Refused("sql", f"{file}{_line(error)}: {told(error)}") from error
    except (duckdb.OutOfMemoryException, duckdb.HTTPException) as error:
        raise SluiceError(f"{spec.name} {span}: {told(error)}") from error
    except duckdb.Error as error:
        source = bindings["source"] or "its database"
        why = told_of_rows(error, spec)
        raise Refused("readable", f"{span}: {source} cannot be read by {file}: {why}") from error


@contextmanager
def _interrupted_after(db: Any, seconds: float) -> Iterator[None]:
    timer = threading.Timer(seconds, db.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def rows_in(db: Any, spec: Spec, span: str) -> int | None:
    """Return the rows of the file that drives the span, or None where the pipeline names none."""
    path, driving = spec.source.of(span), spec.source.rows
    if path is None or driving is None:
        return None
    file = beside(path, driving)
    try:
        return int(db.execute(f"SELECT count(*) FROM {text(file)}").fetchone()[0])
    except duckdb.Error as error:
        raise Refused("readable", f"{span}: {file} cannot be read: {told(error)}") from error


def beside(path: str, file: str) -> str:
    """Return the path of a file in the folder of a span's data, whether `path` names it or files."""
    names_files = has_magic(path) or Path(path).suffix in FILES
    folder = re.split(r"[*?[]", path)[0].rpartition("/")[0] if names_files else path.rstrip("/")
    return f"{folder}/{file}"


def name(identifier: str) -> str:
    """Return an identifier as SQL."""
    return '"' + identifier.replace('"', '""') + '"'


def text(literal: str) -> str:
    """Return a string as SQL."""
    return "'" + literal.replace("'", "''") + "'"


def told(error: duckdb.Error) -> str:
    """Return DuckDB's own words on one line, without its drawing of the place."""
    return " ".join(re.split(r"\n+LINE \d+:", str(error))[0].split())


def told_of_rows(error: duckdb.Error, spec: Spec) -> str:
    """Return DuckDB's own words about rows; their kind alone where they may quote what is sensitive."""
    words = told(error)
    if not spec.data_gate.sensitive or isinstance(error, duckdb.IOException):
        return words
    return f"{words.partition(':')[0]}, whose words may quote a value that is sensitive"


def _line(error: duckdb.Error) -> str:
    found = re.search(r"^LINE (\d+):", str(error), re.MULTILINE)
    return f" line {found[1]}" if found else ""


def _is_there(db: Any, uri: str) -> bool:
    try:
        return bool(db.execute("SELECT size FROM read_blob($uri)", {"uri": uri}).fetchall())
    except duckdb.IOException:
        return False
    except duckdb.Error as error:
        raise SluiceError(f"{uri} cannot be looked for: {told(error)}") from error
