"""`sluice schema` on the command line: drafts that overwrite nothing, and changes a person can apply."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from components import home, ingest, pipelines, plan, runs, schema, spans
from components.errors import Halted, UsageError
from sluice import cli

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Call:
    """Call `sluice schema` as a person does; return (exit code, stdout, stderr)."""

    def call(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sluice", "schema", *words])
        with pytest.raises(SystemExit) as end:
            cli.main()
        told = capfd.readouterr()
        return end.value.code, told.out, told.err

    return call


def test_a_newcomer_without_a_schema_is_told_of_the_draft_and_gets_one(
    house: Path, land: Callable[..., None], call: Call
) -> None:
    land("2013-02-05", "2013-02-06")
    path = home.schemas() / "flights.pbtxt"
    path.unlink()
    (home.pipelines() / "flights" / "model.py").unlink()
    code, _, told = call(
        "infer", "flights", "--spans", "2013-02-05..2013-02-07", "--output", str(path)
    )
    assert code == 0
    assert "drafted from 2 spans" in told
    assert "2013-02-07 has not arrived" in told
    assert "late" in schema.columns(schema.load(path))
    code, _, told = call("infer", "flights", "--spans", "2013-02-05", "--output", str(path))
    assert code == 2
    assert "--force overwrites it" in told


def test_a_draft_on_stdout_is_a_schema_and_nothing_else(
    house: Path, land: Callable[..., None], call: Call
) -> None:
    land("2013-02-06")
    code, text, _ = call("infer", "flights", "--spans", "2013-02-06")
    assert code == 0
    assert schema.parse(text, "stdout").feature
    assert text.startswith("# The data contract of `flights`, drafted from 1 span,")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("2013-02-06..2013-02-01", "ends before it begins"),
        ("2013-02", "write it as YYYY-MM-DD"),
        ("..", "write it as YYYY-MM-DD"),
    ],
)
def test_spans_that_are_no_range_are_wrong_use(
    house: Path, call: Call, asked: str, told: str
) -> None:
    code, _, error = call("infer", "flights", "--spans", asked)
    assert code == 2
    assert told in error


def test_a_missing_schema_says_how_to_draft_one(house: Path) -> None:
    (home.schemas() / "flights.pbtxt").unlink()
    with pytest.raises(
        UsageError, match=r"`sluice schema infer flights --spans FIRST\.\.LAST` drafts it"
    ):
        pipelines.load("flights")


def test_a_diff_is_told_in_words_or_as_json(house: Path, call: Call, tmp_path: Path) -> None:
    path = home.schemas() / "flights.pbtxt"
    before = tmp_path / "before.pbtxt"
    before.write_text(path.read_text())
    code, told, _ = call("diff", "flights", "--against", str(before))
    assert code == 0
    assert "means what it meant" in told
    path.write_text(path.read_text().replace("min_fraction: 0.70", "min_fraction: 0.5"))
    code, told, _ = call("diff", "flights", "--against", str(before))
    assert told.split() == ["loosens", "late", "missing", "allowed:", "50", "%", "(was", "30", "%)"]
    code, told, _ = call("diff", "flights", "--against", str(before), "--json")
    assert json.loads(told) == [
        {"subject": "late", "told": "missing allowed: 50 % (was 30 %)", "effect": "loosens"}
    ]


def test_against_what_is_not_there_is_wrong_use(house: Path, call: Call) -> None:
    code, _, told = call("diff", "flights", "--against", "nowhere")
    assert code == 2
    assert "'nowhere' is no file, no run of flights, and no git revision" in told


def test_a_suggestion_is_shown_applied_and_then_no_longer_made(
    house: Path, land: Callable[..., None], call: Call
) -> None:
    land("2013-02-06", "2013-02-08")
    what = pipelines.load("flights")
    days = spans.between("2013-02-06", "2013-02-08")
    run = runs.open_run(what, days[-1], {day: ingest.ingest(what, day).digest for day in days})
    for step in plan.PLAN[:2]:
        with suppress(Halted):
            plan.perform(step, "flights", run.id)
    before = what.schema_path.read_text()
    code, told, hint = call("suggest", "2013-02-08")
    assert code == 0
    assert "loosens   late" in told
    assert "any may lack 52 % of it" in told
    assert "+  presence { min_fraction: 0.48 }" in told
    assert "sluice admit flights 2013-02-08 --because" in hint
    assert what.schema_path.read_text() == before
    code, _, hint = call("suggest", run.id, "--apply")
    assert code == 0
    assert "judge anew with: sluice run flights 2013-02-08" in hint
    assert what.schema_path.read_text() == before.replace("0.70", "0.48")
    code, told, _ = call("suggest", run.id, "--json")
    assert json.loads(told)["diff"] == ""


def test_a_suggestion_for_no_run_is_wrong_use(house: Path, call: Call) -> None:
    code, _, told = call("suggest", "2013-02-08")
    assert code == 2
    assert "no run" in told
