"""What must never happen, searched for: any order of steps, retries, crashes and torn files.

`SLUICE_SCHEDULES=10000 .venv/bin/pytest -s tests/components/test_proof.py` searches in earnest.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from proof.auditor import Violation
from proof.breakages import BREAKAGES
from proof.schedules import EVENTS, Schedules

SCHEDULES = int(os.environ.get("SLUICE_SCHEDULES", "100"))


def search(schedules: int, *rules: str, **how: Any) -> Counter[Any]:
    """Try so many schedules, and return how often what happened; raise Violation at the first."""
    some = Schedules.of(*rules)
    asked = settings(
        max_examples=schedules,
        stateful_step_count=12,
        deadline=None,
        database=None,
        phases=[Phase.generate],  # shrinking takes minutes
        suppress_health_check=list(HealthCheck),
        report_multiple_bugs=False,
        **how,
    )
    run_state_machine_as_test(some, settings=asked)
    return some.tally


@pytest.mark.timeout(6 * 3600)
def test_no_schedule_releases_what_was_not_approved() -> None:
    tally = search(SCHEDULES)
    print(f"\n{tally['schedules']} schedules, {tally['step']} steps, {tally['released']} releases")
    print(f"{'':40} {'times':>7} {'schedules':>10} {'before a release':>17}")
    for event in EVENTS:
        told = (tally[event], tally["in", event], tally["before a release", event])
        print(f"{event:40} {told[0]:7} {told[1]:10} {told[2]:17}")
    assert tally["schedules"] >= SCHEDULES
    if SCHEDULES >= 1000:  # few may miss one by chance
        rare = [event for event in EVENTS if tally["before a release", event] < SCHEDULES / 500]
        assert not rare, f"these say nothing: {rare}"


PATIENCE = 5  # times as many schedules: how soon one shows it goes with every digest
SHOWN = [breakage for breakage, (within, _) in BREAKAGES.items() if within <= SCHEDULES]


@pytest.mark.parametrize("breakage", SHOWN, ids=lambda breakage: breakage.__name__)
def test_the_search_finds_what_is_broken_on_purpose(breakage, monkeypatch):
    within, rules = BREAKAGES[breakage]
    breakage(monkeypatch)
    with pytest.raises(Violation) as found:
        search(PATIENCE * within, *rules, derandomize=True)
    print(f"\n{breakage.__name__:60} {found.value}")
