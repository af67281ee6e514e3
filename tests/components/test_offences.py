"""Since when: an offence goes back as far as every run of an earlier span had it too."""

from __future__ import annotations

from contextlib import suppress

import pytest
from tiny_house import House

from components import gates, offences, plan, runs
from components.errors import Halted
from components.verdict import Status


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Judge a span after another; return since when the last one's offences are there."""
    house = House(tmp_path, monkeypatch)

    def judge(*statuses: tuple[str, Status]) -> dict[tuple[str, str], str]:
        for span, status in statuses:
            house.decide = lambda *_, status=status: status
            run = house.open(span)
            for step in ("describe", "validate_data"):
                with suppress(Halted):
                    plan.perform(plan.STEPS[step], run.pipeline, run.id)
        verdict = gates.read(runs.artifact(run, "validate_data"))
        return offences.since(run, "validate_data", verdict)

    return judge


GOOD, BAD = Status.PASSED, Status.FAILED
DECIDED = ("decided", "")  # the check of the tiny house


def test_offence_of_the_first_run_is_new(told):
    assert told(("2013-01-03", BAD)) == {DECIDED: "2013-01-03"}


def test_offence_goes_back_through_every_run_that_had_it(told):
    days = [("2013-01-03", GOOD), ("2013-01-04", BAD), ("2013-01-05", BAD), ("2013-01-07", BAD)]
    assert told(*days) == {DECIDED: "2013-01-04"}


def test_offence_that_was_away_for_a_span_is_new(told):
    days = [("2013-01-03", BAD), ("2013-01-04", GOOD), ("2013-01-05", BAD)]
    assert told(*days) == {DECIDED: "2013-01-05"}


def test_later_spans_say_nothing_of_an_earlier_one(told):
    assert told(("2013-01-05", BAD), ("2013-01-04", BAD)) == {DECIDED: "2013-01-04"}


def test_passed_gate_has_no_offence(told):
    assert told(("2013-01-03", BAD), ("2013-01-04", GOOD)) == {}
