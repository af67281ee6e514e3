"""Rules: what the pipeline's owner knows of the rows, asked in SQL over the span's examples.

A rule's query sees, in DuckDB:

    examples            the rows of the span
    before              those of the accepted spans of the window before, with their `span`
    $span, $source      as in ingest.sql, with the same databases attached
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components import home, statistics, store
from components.errors import SluiceError
from components.ingest import FILE, source
from components.ingest.source import Refused, name, text
from components.rule import Rule
from components.store import Artifact
from components.validate_data import rows
from components.validate_data.subject import Subject
from components.verdict import Check, Status

COMMENTS = re.compile(r"--[^\n]*|/\*.*?\*/", re.DOTALL)
WORD = re.compile(r"\w+")


def checks(subject: Subject) -> list[Check]:
    """Return a check for every rule: that it holds, or how many rows break it, and a few of them.

    A rule that cannot be asked is an error, which keeps the gate shut.
    """
    rules = subject.spec.rules
    if not rules:
        return []
    with _database(subject) as db:
        return [_asked(db, subject, rule) for rule in rules]


def words(rule: Rule) -> set[str]:
    """Return the words of a rule's query, in small letters."""
    return set(WORD.findall(COMMENTS.sub("", rule.path.read_text()).lower()))


def _asked(db: Any, subject: Subject, rule: Rule) -> Check:
    spoken = words(rule)
    if "before" in spoken and subject.learning:
        return Check(
            name="rule", subject=rule.name, status=Status.SKIPPED, message=subject.learning
        )
    try:
        source.run_sql(db, subject.spec, subject.span, "broken", rule.path)
    except (Refused, SluiceError) as problem:
        told = f"the rule {rule.name} could not be asked: {problem}"
        return Check(name="rule", subject=rule.name, status=Status.ERROR, message=told)
    (broken,) = db.execute("SELECT count(*) FROM broken").fetchone()
    there = statistics.read(subject.described).num_examples
    holds = broken <= rule.share * there
    seen = f"{broken} of {there} rows"
    return Check(
        name="rule",
        status=Status.PASSED if holds else Status.FAILED,
        subject=rule.name,
        seen=seen,
        expected=f"at most {100 * rule.share:g} % of rows" if rule.share else "no row",
        message="" if holds else f"{seen} break the rule: {rule.sentence} ({rule.file})",
        values={} if holds else {"rows affected": broken, "examples": _few(db, subject, spoken)},
    )


def _few(db: Any, subject: Subject, spoken: Collection[str]) -> list[Any]:
    """Return a few of the rows that break a rule: the key, and the columns that the rule speaks of."""
    found = [row[0] for row in db.execute("DESCRIBE broken").fetchall()]
    known, key = subject.table.column_names, subject.spec.key
    columns = [c for c in found if c in key or c.lower() in spoken or c not in known] or found
    order = ", ".join(name(c) for c in key if c in found) or "ALL"
    told = db.execute(
        f"SELECT {', '.join(map(name, columns))} FROM broken ORDER BY {order} LIMIT {rows.FEW}"
    ).fetchall()
    return rows.shown(subject.spec, (dict(zip(columns, row, strict=True)) for row in told))


@contextmanager
def _database(subject: Subject) -> Iterator[Any]:
    aside = home.var() / "tmp"
    aside.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=aside, prefix=f"{subject.spec.name}-rules-") as spill,
        source.connected(subject.spec, subject.span, Path(spill)) as db,
    ):
        db.execute("SET parquet_metadata_cache = true")  # each rule reads the same files
        own = text(str(subject.examples.file(FILE)))
        db.execute(f"CREATE TEMP VIEW examples AS FROM read_parquet({own})")
        if earlier := _earlier(subject):
            files = ", ".join(text(str(examples.file(FILE))) for examples in earlier)
            # The store's folders are named for the spans: …/<span>/<key>/examples.parquet.
            db.execute(
                "CREATE TEMP VIEW before AS "
                "SELECT * EXCLUDE (filename), string_split(filename, '/')[-3] AS span "
                f"FROM read_parquet([{files}], filename = true)"
            )
        yield db


def _earlier(subject: Subject) -> Sequence[Artifact]:
    """Return the examples of the accepted spans of the window before, oldest first."""
    return [
        store.find(
            "examples",
            subject.spec.name,
            earlier.manifest.span,
            earlier.manifest.inputs["examples"],
        )
        for earlier in subject.window
    ]
