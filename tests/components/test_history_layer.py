"""The layer that learns, on real flights: it says that it learns, passes the ordinary, names the odd."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from components import describe, ingest, profile, spans, spec
from components.store import Artifact
from components.validate_data.history.checks import checks
from components.validate_data.subject import Subject
from components.verdict import Check, Status
from demo import feed

BEFORE, DAY = spans.between("2013-02-12", "2013-02-25"), "2013-02-26"


@pytest.fixture
def days(flights: spec.Spec, land: Callable[..., None]) -> tuple[spec.Spec, list[Artifact]]:
    """The pipeline, set to learn from a fortnight, and the statistics of one."""
    land(BEFORE[0], DAY)
    gate = flights.data_gate.model_copy(update={"learning": len(BEFORE)})
    quick = flights.model_copy(update={"data_gate": gate})
    return quick, [describe.describe(quick, ingest.ingest(quick, day)) for day in BEFORE]


def asked(what: spec.Spec, history: list[Artifact]) -> list[Check]:
    examples = ingest.ingest(what, DAY)
    evidence: dict = {}
    return checks(Subject(what, examples, describe.describe(what, examples), history), evidence)


def change(sql: str) -> None:
    path = feed.upstream() / DAY / "flights.parquet"
    aside = path.with_suffix(".changed")
    duckdb.execute(f"COPY (WITH rows AS (FROM '{path}') {sql}) TO '{aside}' (FORMAT parquet)")
    aside.rename(path)


def test_an_ordinary_day_passes_and_a_faulty_one_is_told(
    days: tuple[spec.Spec, list[Artifact]],
) -> None:
    what, history = days
    found = asked(what, history)
    assert {c.status for c in found} == {Status.PASSED}, [c.message for c in found if c.message]
    assert {"rows", "distance", "carrier"} <= {c.subject for c in found}

    change("SELECT * REPLACE (distance * 1.609 AS distance) FROM rows")
    odd = [c for c in asked(what, history) if c.status is Status.FAILED]
    distance = next(c for c in odd if c.subject == "distance")
    assert "times as far off as a sound span goes" in distance.message

    warned = what.model_copy(
        update={"data_gate": what.data_gate.model_copy(update={"history": "warn"})}
    )
    statuses = {c.subject: c.status for c in asked(warned, history)}
    assert statuses["distance"] is Status.WARNED


def test_it_says_that_it_learns_and_does_not_pretend(
    days: tuple[spec.Spec, list[Artifact]],
) -> None:
    what, history = days
    [only] = asked(what, history[:9])
    assert only.status is Status.SKIPPED
    assert only.message == "learning: 9 of 14 spans that it takes to know what is usual"


def test_a_profile_that_does_not_read_is_no_pass(days: tuple[spec.Spec, list[Artifact]]) -> None:
    what, history = days
    torn: Path = history[3].file(profile.FILE)
    shutil.copy(torn, torn.with_suffix(".whole"))
    torn.write_text("{")
    with pytest.raises(Exception, match="cannot be read as a profile"):
        asked(what, history)
