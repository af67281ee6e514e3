"""The likeliest cause is told whichever layer halted, once in words, and beside it what leads out."""

from __future__ import annotations

import html
from collections.abc import Callable

import duckdb
import pytest

from components import describe, gates, home, ingest, pipelines, spec
from components.store import Artifact
from components.validate_data import likely, validate_data
from components.verdict import Status, Verdict
from demo import feed

DAY = "2013-02-07"


@pytest.fixture
def faulty(
    week: list[Artifact], flights: spec.Spec, land: Callable[..., None]
) -> Callable[..., Verdict]:
    """`faulty(table=sql)` is the verdict on a day whose landed table, `rows`, changed, after a week."""

    def verdict(**changes: str) -> Verdict:
        land(DAY)
        for table, sql in changes.items():
            path = feed.upstream() / DAY / f"{table}.parquet"
            aside = path.with_suffix(".changed")
            duckdb.execute(
                f"COPY (WITH rows AS (FROM '{path}') {sql}) TO '{aside}' (FORMAT parquet)"
            )
            aside.rename(path)
        what = pipelines.load("flights")
        examples = ingest.ingest(what, DAY)
        return gates.read(validate_data(what, examples, describe.describe(what, examples), week))

    return verdict


def test_a_unit_is_named_where_the_contract_halts_and_in_one_message_alone(
    faulty: Callable[..., Verdict],
) -> None:
    verdict = faulty(flights="SELECT * REPLACE (distance * 1.609344 AS distance) FROM rows")
    cause = "distance: miles given as kilometres: the values are 1.609 times the usual ones"
    assert verdict.evidence["likely"] == [cause]
    assert [c.name for c in verdict.offences if f"; likely {cause}" in c.message] == ["contract"]
    assert "float_domain { min: 10 max: 8" in verdict.evidence["schema change that would accept it"]
    (page,) = (home.var() / "store" / "flights" / "validate_data" / DAY).glob("*/verdict.html")
    told = html.unescape(page.read_text())
    assert f"<p>Likely {cause}.</p>" in told
    assert "sluice admit flights 2013-02-07 --because …" in told


def test_a_unit_is_named_where_only_a_rule_knows(faulty: Callable[..., Verdict]) -> None:
    verdict = faulty(weather="SELECT * REPLACE ((temp - 32) / 1.8 AS temp) FROM rows")
    assert {c.name for c in verdict.offences} == {"rule"}
    assert verdict.evidence["likely"] == ["temp: °F given as °C"]
    assert "schema change that would accept it" not in verdict.evidence


def test_columns_that_lack_alike_are_told_together(faulty: Callable[..., Verdict]) -> None:
    (cause,) = faulty(weather="FROM rows WHERE false").evidence["likely"]
    assert cause.endswith(": the column came empty: all 932 values are missing")
    assert len(cause.partition(":")[0].split(", ")) == 7


def test_a_search_for_causes_that_crashes_takes_nothing_from_the_verdict(
    faulty: Callable[..., Verdict],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    def crash(*asked: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(likely.causes, "find", crash)
    verdict = faulty(flights="SELECT * REPLACE (distance * 1.609344 AS distance) FROM rows")
    assert verdict.status is Status.FAILED
    assert "no cause could be looked for" in caplog.text


def test_a_sound_day_has_no_cause(faulty: Callable[..., Verdict]) -> None:
    assert faulty().evidence.keys().isdisjoint({"likely", "schema change that would accept it"})
