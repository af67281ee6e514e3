"""Whoever is on call sees a few of the rows that broke the contract; of what is sensitive, nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from components import describe, gates, home, ingest, pipelines, spec
from components.store import Artifact
from components.validate_data import validate_data
from components.verdict import Check, Status, Verdict

DAY = "2013-02-07"
KEY = ["carrier", "flight", "origin", "minute"]


@pytest.fixture
def changed(flights: spec.Spec, land: Callable[..., None]) -> Callable[..., Artifact]:
    """`changed(column=expression)` gives the verdict's artifact when ingest.sql changed so."""

    def judged(**columns: str) -> Artifact:
        land(DAY)
        path = flights.folder / "ingest.sql"
        said = ", ".join(f"{expression} AS {column}" for column, expression in columns.items())
        path.write_text(f"SELECT * REPLACE ({said}) FROM (\n{path.read_text()}\n)")
        what = pipelines.load("flights")
        examples = ingest.ingest(what, DAY)
        return validate_data(what, examples, describe.describe(what, examples), [])

    return judged


def of_contract(verdict: Verdict, column: str) -> Check:
    found = [c for c in verdict.checks if (c.name, c.subject) == ("contract", column)]
    (check,) = [c for c in found if c.status is not Status.PASSED]
    return check


@pytest.mark.parametrize(
    ("column", "expression", "rows", "held"),
    [
        ("dest", "CASE WHEN dest <> 'LAX' THEN dest END", 38, [None] * 5),
        ("distance", "CASE WHEN dest = 'LAX' THEN 6000 + hour ELSE distance END", 38, [6021] * 2),
        ("distance", "CASE WHEN dest = 'LAX' THEN -hour ELSE distance END", 38, [-21] * 2),
        ("hour", "CASE WHEN dest = 'LAX' THEN 24 + weekday ELSE hour END", 38, [28] * 5),
        ("origin", "CASE WHEN dest = 'LAX' THEN lower(origin) ELSE origin END", 38, ["jfk"] * 2),
    ],
)
def test_a_broken_contract_shows_the_rows_that_break_it_the_worst_first(
    changed: Callable[..., Artifact], column: str, expression: str, rows: int, held: list[object]
) -> None:
    values = of_contract(gates.read(changed(**{column: expression})), column).values
    assert values["rows affected"] == rows
    shown = values["examples"]
    assert len(shown) == 5
    assert {tuple(row) for row in shown} == {tuple(dict.fromkeys([*KEY, column]))}
    assert [row[column] for row in shown][: len(held)] == held


def test_a_bound_without_a_row_to_show_has_none(
    flights: spec.Spec, changed: Callable[..., Artifact]
) -> None:
    text = flights.schema_path.read_text()
    many = 'name: "dest"\n  unique_constraints { min: 500 }'
    flights.schema_path.write_text(text.replace('name: "dest"', many))
    checks = gates.read(changed(dest="dest")).checks
    broken = [c for c in checks if (c.name, c.subject, c.status) == ("contract", "dest", "failed")]
    assert broken
    assert [check.values for check in broken if check.values] == []


@pytest.mark.parametrize("column", ["carrier", "distance"])
def test_a_sensitive_value_stands_nowhere_in_the_verdict_nor_on_its_page(
    flights: spec.Spec, changed: Callable[..., Artifact], column: str
) -> None:
    path = flights.folder / "pipeline.yaml"
    written = yaml.safe_load(path.read_text()) | {"data_gate": {"sensitive": [column]}}
    path.write_text(yaml.safe_dump(written))
    secret = {"carrier": "'ZZTOP'", "distance": "7654321"}[column]
    artifact = changed(**{column: f"CASE WHEN dest < 'F' THEN {secret} ELSE {column} END"})
    verdict = gates.read(artifact)
    check = of_contract(verdict, column)
    assert check.status is Status.FAILED
    assert [row[column] for row in check.values["examples"]] == ["•••"] * 5
    assert check.seen == "•••"
    for part in (verdict.model_dump_json(), artifact.file("verdict.html").read_text()):
        assert secret.strip("'") not in part
        assert "7.65432e+06" not in part


def test_a_refusal_at_arrival_shows_no_sensitive_value(
    flights: spec.Spec, land: Callable[..., None]
) -> None:
    land(DAY)
    path = flights.folder / "pipeline.yaml"
    written = yaml.safe_load(path.read_text()) | {"data_gate": {"sensitive": ["dest", "flight"]}}
    path.write_text(yaml.safe_dump(written))
    sql = flights.folder / "ingest.sql"
    text = sql.read_text()
    sql.write_text(text.replace("f.distance,", "f.dest AS distance,"))
    refused = ingest.ingest_window(pipelines.load("flights"), DAY).artifact
    assert "column 'distance' holds 'ALB'" in gates.read(refused).reason
    written["data_gate"]["sensitive"].append("distance")
    path.write_text(yaml.safe_dump(written))
    refused = ingest.ingest_window(pipelines.load("flights"), DAY).artifact
    assert "column 'distance' holds •••, which is no float32" in gates.read(refused).reason
    sql.write_text(text + "\nUNION ALL BY NAME " + text)
    source = yaml.safe_load(path.read_text())
    source["source"].pop("rows")
    path.write_text(yaml.safe_dump(source))
    refused = ingest.ingest_window(pipelines.load("flights"), DAY).artifact
    assert "such as 9E ••• " in gates.read(refused).reason


def test_the_figures_of_the_page_leave_a_sensitive_column_out(
    flights: spec.Spec, changed: Callable[..., Artifact], house: Path
) -> None:
    path = flights.folder / "pipeline.yaml"
    written = yaml.safe_load(path.read_text()) | {"data_gate": {"sensitive": ["carrier"]}}
    path.write_text(yaml.safe_dump(written))
    verdict = gates.read(changed(distance="distance"))
    assert verdict.passed
    told = {row["column"] for row in verdict.evidence["columns"]}
    assert "carrier" not in told
    assert "dest" in told
    assert json.dumps(verdict.model_dump(mode="json")).count('"UA') == 0
    assert home.home() == house
