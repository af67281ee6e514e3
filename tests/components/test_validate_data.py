"""The data gate opens for ordinary days, halts faulty ones, and says why in words with figures."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components import describe, gates, ingest, pipelines, spans, spec
from components.store import Artifact
from components.validate_data import validate_data
from components.verdict import Status, Verdict
from demo import feed

DAY = "2013-02-07"
BEFORE = spans.between("2013-01-31", "2013-02-06")


@pytest.fixture
def history(in_shared_house: spec.Spec) -> list[Artifact]:
    """Statistics of the seven days before."""
    return [describe.describe(in_shared_house, taken_in(in_shared_house, d)) for d in BEFORE]


def taken_in(what: spec.Spec, day: str) -> Artifact:
    return ingest._taken_in(what, day) or ingest.ingest(what, day)


def judged(what: spec.Spec, history: list[Artifact], day: str = DAY) -> Verdict:
    examples = taken_in(what, day)
    return gates.read(validate_data(what, examples, describe.describe(what, examples), history))


@pytest.fixture
def faulty(
    week: list[Artifact], flights: spec.Spec, land: Callable[..., None]
) -> Callable[[str], Verdict]:
    """`faulty(sql)` gives the verdict on a day whose flights, `rows`, upstream changed by SQL."""

    def verdict(sql: str) -> Verdict:
        land(DAY)
        path = feed.upstream() / DAY / "flights.parquet"
        aside = path.with_suffix(".changed")
        duckdb.execute(f"COPY (WITH rows AS (FROM '{path}') {sql}) TO '{aside}' (FORMAT parquet)")
        aside.rename(path)
        return judged(flights, week)

    return verdict


def test_an_ordinary_day_passes_and_every_question_was_asked(
    in_shared_house: spec.Spec, history: list[Artifact]
) -> None:
    verdict = judged(in_shared_house, history)
    assert verdict.passed
    assert verdict.reason == f"data gate passed for flights {DAY}"
    asked = {(c.name, c.subject) for c in verdict.checks if c.status is Status.PASSED}
    assert {s for name, s in asked if name == "drift"} == {
        "carrier", "dest", "distance", "hour", "minute", "origin"
    }  # fmt: skip
    assert len([1 for name, _ in asked if name == "contract"]) == 16
    assert ("serving contract", "SERVING") in asked
    assert ("volume", "rows") in asked
    rest = [check for check in verdict.checks if (check.name, check.subject) not in asked]
    assert {check.status for check in rest} == {Status.SKIPPED}
    assert {check.name for check in rest} <= {"history", "skew"}  # of a week, and without a log


def test_the_verdict_speaks_of_the_examples_statistics_and_schema_it_looked_at(
    in_shared_house: spec.Spec, history: list[Artifact]
) -> None:
    examples = taken_in(in_shared_house, DAY)
    verdict = judged(in_shared_house, history)
    assert verdict.speaks_of == {
        "examples": examples.digest,
        "statistics": describe.describe(in_shared_house, examples).digest,
        "schema": in_shared_house.files["schemas/flights.pbtxt"],
    }


def test_the_blizzard_halts_and_the_reason_is_one_a_person_can_use(
    in_shared_house: spec.Spec, history: list[Artifact]
) -> None:
    verdict = judged(in_shared_house, history, "2013-02-08")
    assert verdict.status is Status.FAILED
    assert verdict.reason == (
        "data gate halted flights 2013-02-08: late is missing in 51.1 % of 930 rows; "
        "at most 30 % may be (schemas/flights.pbtxt)"
    )
    assert "dropped" not in verdict.reason  # as TFDV would tell it


def test_tfdvs_own_answer_lies_beside_the_verdict(
    in_shared_house: spec.Spec, history: list[Artifact]
) -> None:
    examples = taken_in(in_shared_house, "2013-02-08")
    described = describe.describe(in_shared_house, examples)
    artifact = validate_data(in_shared_house, examples, described, history)
    found = text_format.Parse(
        artifact.file("anomalies.pbtxt").read_text(), anomalies_pb2.Anomalies()
    )
    assert list(found.anomaly_info) == ["late"]


def test_the_page_has_the_figures_of_every_column_against_the_window(
    in_shared_house: spec.Spec, history: list[Artifact]
) -> None:
    evidence = judged(in_shared_house, history, "2013-02-08").evidence
    rows = {row["column"]: row for row in evidence["columns"]}
    assert len(rows) == 16
    assert (evidence["rows"], evidence["spans before"]) == (930, 7)
    assert rows["late"]["missing"] == "51.1 %"
    assert float(rows["late"]["missing before"].split()[0]) < 5
    assert rows["carrier"]["most frequent"].startswith("UA 17.1 % (before ")
    assert rows["temp"]["mean"] == pytest.approx(31.5, abs=3)


@pytest.mark.parametrize("spans_before", [0, 1, 6])
def test_drift_is_not_judged_before_a_week_is_known_and_says_so(
    in_shared_house: spec.Spec, history: list[Artifact], spans_before: int
) -> None:
    verdict = judged(in_shared_house, history[:spans_before])
    assert verdict.passed
    (drift,) = [check for check in verdict.checks if check.name == "drift"]
    assert drift.status is Status.SKIPPED
    assert drift.message.startswith(f"learning: {spans_before} of 7 spans")


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        (
            "SELECT * REPLACE (distance * 1.609 AS distance) FROM rows",
            ["distance drifted from the 7 spans before: its mean went from"],
        ),
        (
            "SELECT * REPLACE (CASE WHEN dest = 'LAX' THEN 9999 ELSE distance END AS distance) FROM rows",
            ["distance rises to 9999; 10 to 5200 is allowed (schemas/flights.pbtxt)"],
        ),
        (
            "SELECT * REPLACE (-distance AS distance) FROM rows",
            ["distance falls to -4983; 10 to 5200 is allowed"],
        ),
        ("SELECT * REPLACE (lower(carrier) AS carrier) FROM rows", ["carrier holds ", "ua (~17%)"]),
        (
            "SELECT * REPLACE (lower(dest) AS dest) FROM rows",
            ["dest drifted from the 7 spans before: 'ATL' went from", "to 0 % (L∞", "at most 0.04"],
        ),
        ("SELECT * REPLACE ('XYZ' AS origin) FROM rows", ["origin holds XYZ (~100%)"]),
        (
            "SELECT * REPLACE (CASE WHEN dest = 'ORD' THEN NULL ELSE dest END AS dest) FROM rows",
            ["dest is missing in ", " % of 932 rows; none may be (schemas/flights.pbtxt)"],
        ),
        (
            "FROM rows ORDER BY hash(flight) LIMIT 466",
            ["466 rows came; expected are 521 to 1216 rows, 868 being usual"],
        ),
        ("FROM rows WHERE origin <> 'EWR'", ["origin drifted", "'EWR' went from", "to 0 % "]),
        ("FROM rows WHERE carrier <> 'UA'", ["carrier drifted", "'UA' went from"]),
        (
            "SELECT * REPLACE ((hour + 5) % 24 AS hour) FROM rows",
            ["hour drifted from the 7 spans before"],
        ),
        (
            "SELECT * REPLACE (hour + 20 AS hour) FROM rows",
            ["hour rises to 43; 0 to 23 is allowed", "minute rises to"],
        ),
        (
            "SELECT * REPLACE (flight - 100000 AS flight) FROM rows",
            ["flight falls to", "1 to 9999 is allowed"],
        ),
        (
            "SELECT * REPLACE (time_hour - INTERVAL 30 DAY AS time_hour) FROM rows",
            ["temp is missing in 100 % of 932 rows; at most 25 % may be"],
        ),
    ],
)
def test_a_fault_halts_and_names_column_seen_and_allowed(
    faulty: Callable[[str], Verdict], sql: str, told: list[str]
) -> None:
    verdict = faulty(sql)
    assert verdict.status is Status.FAILED
    messages = "; ".join(check.message for check in verdict.offences)
    for part in told:
        assert part in messages
    for check in verdict.offences:
        assert check.subject
        assert check.seen
        assert check.expected


def test_a_drift_that_cannot_be_measured_is_not_a_pass(
    faulty: Callable[[str], Verdict],
) -> None:
    verdict = faulty("SELECT * REPLACE (NULL AS dest) FROM rows")
    (drift,) = [c for c in verdict.checks if (c.name, c.subject) == ("drift", "dest")]
    assert drift.status in (Status.ERROR, Status.FAILED)
    assert not verdict.passed


def test_a_schema_that_bounds_no_volume_has_it_skipped_and_says_so(
    week: list[Artifact], flights: spec.Spec, land: Callable[..., None]
) -> None:
    text = flights.schema_path.read_text()
    flights.schema_path.write_text(text[: text.index("dataset_constraints")])
    land(DAY)
    verdict = judged(pipelines.load("flights"), week)
    assert verdict.passed
    (volume,) = [check for check in verdict.checks if check.name == "volume"]
    assert volume.status is Status.SKIPPED
    assert "bounds no number of rows" in volume.message


def test_a_judgement_that_crashes_keeps_the_gate_shut_and_is_asked_again(
    flights: spec.Spec, land: Callable[..., None]
) -> None:
    land(DAY)
    examples = ingest.ingest(flights, DAY)
    described = describe.describe(flights, examples)
    text = flights.schema_path.read_text()
    flights.schema_path.write_text(text.replace("feature {", "feature [", 1))
    first = validate_data(flights, examples, described, [])
    verdict = gates.read(first)
    assert verdict.status is Status.ERROR
    assert "could not be measured" in verdict.reason
    assert "\n" not in verdict.reason
    flights.schema_path.write_text(text)
    assert gates.read(validate_data(flights, examples, described, [])).passed
