"""What a person does about a refused span: see it, let it in, or have it delivered again."""

from __future__ import annotations

import json
from collections.abc import Callable

import duckdb
import pytest
import yaml
from click.testing import Result
from typer.testing import CliRunner

from components import pipelines, plan, spec
from components.errors import Halted, UsageError
from demo import feed
from sluice import cli

DAYS = ("2013-01-01", "2013-01-02")


def call(*words: str) -> Result:
    return CliRunner().invoke(cli.app, words)


def deliver(sql: str) -> None:
    """Deliver the last day again, its flights changed by SQL over the `rows` that are there."""
    path = feed.upstream() / DAYS[-1] / "flights.parquet"
    aside = path.with_suffix(".changed")
    duckdb.execute(f"COPY (WITH rows AS (FROM '{path}') {sql}) TO '{aside}' (FORMAT parquet)")
    aside.rename(path)


@pytest.fixture
def refused(flights: spec.Spec, land: Callable[..., None]) -> plan.Run:
    """A run whose span the data gate refused: its labels are not what the clocks say."""
    path = flights.folder / "pipeline.yaml"
    written = yaml.safe_load(path.read_text()) | {"window": {"train": 1, "evaluate": 1}}
    path.write_text(yaml.safe_dump(written))
    land(*DAYS)
    deliver("SELECT * REPLACE (-arr_delay AS arr_delay) FROM rows")
    run = plan.ingest("flights", DAYS[-1]).run
    plan.perform(plan.STEPS["describe"], "flights", run.id)
    with pytest.raises(Halted):
        plan.perform(plan.STEPS["validate_data"], "flights", run.id)
    return run


def test_nothing_refused_is_said(flights: spec.Spec) -> None:
    assert "has refused nothing of flights" in call("quarantine", "flights").output
    assert json.loads(call("quarantine", "flights", "--json").output) == []


def test_a_refused_span_is_listed_with_its_reason_and_by_whom_it_was_let_in(
    refused: plan.Run,
) -> None:
    told = call("quarantine", "flights").output
    assert "2013-01-02" in told
    assert "refused" in told
    assert "rows break the rule: A flight is late when the clocks say so" in " ".join(told.split())
    assert "admitted" not in told
    assert call("admit", "flights", "2013-01-02", "--because", "the clocks err").exit_code == 0
    told = " ".join(call("quarantine", "flights").output.split())
    assert "admitted by " in told
    assert "admitted: the clocks err" in told
    (entry,) = json.loads(call("quarantine", "flights", "--json").output)
    assert (entry["span"], entry["state"]) == ("2013-01-02", "admitted")
    assert entry["examples"] == refused.examples["2013-01-02"]
    assert entry["admission"]["because"] == "the clocks err"


def test_a_corrected_delivery_is_taken_in_and_the_refused_one_is_listed_as_replaced(
    refused: plan.Run,
) -> None:
    assert "as they were before" in call("ingest", "flights", "2013-01-02").output
    deliver("SELECT * REPLACE (-arr_delay AS arr_delay) FROM rows")
    told = json.loads(call("ingest", "flights", "2013-01-02", "--json").output)
    assert told["new"]
    assert told["examples"] != refused.examples["2013-01-02"]
    (entry,) = json.loads(call("quarantine", "flights", "--json").output)
    assert entry["state"] == "replaced"


def test_a_span_that_is_not_fit_to_take_in_ends_with_3_and_one_that_is_no_day_is_wrong_use(
    flights: spec.Spec,
) -> None:
    assert call("ingest", "flights", "2013-01-05").exit_code == 3
    assert isinstance(call("ingest", "flights", "yesterday").exception, UsageError)
    assert pipelines.load("flights")
