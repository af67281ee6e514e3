"""What the data gate cannot read, or that crashes or never ends, keeps it shut, and says what to do."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from components import (
    describe,
    gates,
    home,
    ingest,
    pipelines,
    profile,
    served,
    spec,
    statistics,
    store,
    validate_data,
)
from components.errors import SluiceError, UsageError
from components.ingest import source
from components.store import Artifact
from components.verdict import Check, Status, Verdict

DAY = "2013-02-07"
ENDLESS = "WITH RECURSIVE n(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) "
BARE = f'{{"version": {profile.VERSION}, "columns": {{}}}}'

Spoil = Callable[[Artifact, list[Artifact]], object]


@pytest.fixture
def told(
    flights: spec.Spec,
    week: list[Artifact],
    land: Callable[..., None],
    house: Path,
    shared_house: Path,
) -> Callable[..., Verdict]:
    """`told(spoil)` is the verdict on a sound day after `spoil` had the statistics of it and its week."""
    land(DAY)
    own = [store.load(house / one.folder.relative_to(shared_house)) for one in week]

    def verdict(spoil: Spoil = lambda described, week: None) -> Verdict:
        what = pipelines.load("flights")
        # A week that comes twice is as much as history needs; what is a little unlike it may pass.
        soon = what.data_gate.model_copy(update={"learning": 14, "history": "warn"})
        what = what.model_copy(update={"data_gate": soon})
        examples = ingest.ingest(what, DAY)
        described = describe.describe(what, examples)
        spoil(described, own)
        return gates.read(validate_data.validate_data(what, examples, described, 2 * own))

    return verdict


def of_this(file: str, text: str) -> Spoil:
    return lambda described, week: described.file(file).write_text(text)


def of_an_earlier_one(file: str, text: str) -> Spoil:
    return lambda described, week: week[2].file(file).write_text(text)


def errors(verdict: Verdict) -> dict[str, Check]:
    return {check.name: check for check in verdict.checks if check.status is Status.ERROR}


def test_the_sound_day_itself_passes(told: Callable[..., Verdict]) -> None:
    verdict = told()
    assert verdict.passed, verdict.reason
    assert Status.PASSED in {c.status for c in verdict.checks if c.name == "history"}


@pytest.mark.parametrize("text", ["", "no protobuf"])
@pytest.mark.parametrize("of", [of_this, of_an_earlier_one])
def test_statistics_that_do_not_read_keep_the_gate_shut(
    told: Callable[..., Verdict], of: Callable[[str, str], Spoil], text: str
) -> None:
    verdict = told(of(statistics.FILE, text))
    assert verdict.status is Status.ERROR
    message = errors(verdict)["contract"].message
    assert f"{statistics.FILE} cannot be read as statistics: " in message
    assert "remove its folder and run again" in message
    assert "\n" not in verdict.reason


@pytest.mark.parametrize("text", ["", "null", BARE])
@pytest.mark.parametrize("of", [of_this, of_an_earlier_one])
def test_a_profile_that_does_not_read_keeps_the_gate_shut(
    told: Callable[..., Verdict], of: Callable[[str, str], Spoil], text: str
) -> None:
    verdict = told(of(profile.FILE, text))
    assert verdict.status is Status.ERROR
    message = errors(verdict)["history"].message
    assert f"{profile.FILE} cannot be read as a profile: " in message
    assert "remove its folder and run again" in message


def test_a_profile_that_is_gone_keeps_the_gate_shut(told: Callable[..., Verdict]) -> None:
    verdict = told(lambda described, week: week[2].file(profile.FILE).unlink())
    assert verdict.status is Status.ERROR
    assert f"holds no '{profile.FILE}'" in errors(verdict)["history"].message


@pytest.mark.parametrize("layer", validate_data.LAYERS)
def test_a_layer_that_crashes_keeps_the_gate_shut_though_the_others_pass(
    told: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch, layer: str
) -> None:
    def crash(*asked: Any) -> None:
        raise ZeroDivisionError("a layer\ncrashed")

    monkeypatch.setitem(validate_data.LAYERS, layer, crash)
    verdict = told()
    assert verdict.status is Status.ERROR
    assert set(errors(verdict)) == {layer}
    assert Status.PASSED in {check.status for check in verdict.checks}
    assert verdict.reason.endswith(
        f": {layer} could not be measured: ZeroDivisionError: a layer crashed"
    )


def test_a_layer_that_crashes_is_not_silenced(
    flights: spec.Spec, told: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = flights.folder / "pipeline.yaml"
    silence = "data_gate:\n  silenced: [{check: leak, until: 2014-01-01, because: a test says so}]"
    path.write_text(path.read_text().replace("data_gate:", silence))

    def crash(subject: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("components.validate_data.integrity.leak.checks", crash)
    assert told().status is Status.ERROR


@pytest.mark.parametrize("text", ["", "feature [", "no schema at all"])
def test_a_schema_that_does_not_parse_is_no_pipeline(house: object, text: str) -> None:
    (home.schemas() / "flights.pbtxt").write_text(text)
    with pytest.raises(UsageError, match=r"schemas/flights\.pbtxt: "):
        pipelines.load("flights")


def test_a_log_of_what_was_served_that_does_not_read_keeps_the_gate_shut(
    told: Callable[..., Verdict],
) -> None:
    folder = home.var() / "served" / "flights" / DAY
    folder.mkdir(parents=True)
    (folder / "torn.parquet").write_text("PAR1")
    verdict = told()
    assert set(errors(verdict)) == {"skew"}
    assert "cannot be read as served rows" in verdict.reason
    assert served.find("flights", DAY)


def test_a_rule_that_never_ends_is_stopped_and_keeps_the_gate_shut(
    flights: spec.Spec, told: Callable[..., Verdict], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "PATIENCE", 2)
    (flights.folder / "rules" / "endless.sql").write_text(
        f"-- It ends.\n{ENDLESS}SELECT examples.* FROM examples JOIN n ON n.n = examples.hour"
    )
    verdict = told()
    rules = {check.subject: check for check in verdict.checks if check.name == "rule"}
    assert rules.pop("endless").message == (
        "the rule endless could not be asked: pipelines/flights/rules/endless.sql: had not ended "
        "after 2 s, and was stopped; see whether a join lacks a condition, or a recursion an end"
    )
    assert rules["weekday"].status is Status.PASSED  # asked after it, of the same database
    assert verdict.status is Status.ERROR


def test_an_ingest_that_never_ends_is_stopped(
    flights: spec.Spec, land: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    land(DAY)
    monkeypatch.setattr(source, "PATIENCE", 0.5)
    path = flights.folder / "ingest.sql"
    path.write_text(f"{ENDLESS}SELECT * FROM n")
    with pytest.raises(SluiceError, match=r"ingest\.sql: had not ended after 0\.5 s"):
        ingest.ingest(pipelines.load("flights"), DAY)
