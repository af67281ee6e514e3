"""A few broken candidates, one of a kind, are refused by the model gate; make bench-mutants has all."""

from __future__ import annotations

import pytest

from benchmarks.mutants import nets
from benchmarks.mutants.ground import Ground
from components.verdict import Verdict

JUDGING = 4


@pytest.fixture
def ground(flights, monkeypatch):
    class Tried(Ground):
        """The model of the tests, that serves and is broken; the days that judge it."""

        sound = baseline = flights.model

        def window(self, back: int = 0):
            held = list(self.examples.values())
            return held[:-JUDGING], held[-JUDGING:]

    monkeypatch.setenv("SLUICE_HOME", str(flights.home))
    return Tried(flights.spec, flights.taken_in, {})


def judged(ground: Ground, name: str) -> Verdict:
    (mutant,) = (one for one in nets.MUTANTS if one.name == name)
    return ground.model_gate(mutant.make(ground))


@pytest.mark.parametrize(
    "name",
    [
        "NaN in the weights",
        "last bias + 1",
        "vocabulary shifted by one",
        "hour and weekday swapped when serving",
    ],
)
def test_a_broken_candidate_is_refused(ground, name):
    verdict = judged(ground, name)
    assert not verdict.passed, verdict.evidence.get("summary")


def test_one_that_is_bad_for_one_airport_is_refused_with_that_airport_first(ground):
    verdict = judged(ground, "scores turned around at one airport (JFK)")
    assert verdict.offences[0].subject == "origin=JFK", verdict.reason
    assert "origin=JFK" in verdict.reason


def test_one_that_is_no_worse_is_let_through(ground):
    assert judged(ground, "weights in float16").passed
