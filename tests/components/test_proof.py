"""What must never happen, searched for: any order of steps, retries, crashes and torn files.

`SLUICE_SCHEDULES=10000 .venv/bin/pytest -s tests/components/test_proof.py` searches in earnest.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test
from proof.schedules import EVENTS, Schedules

SCHEDULES = int(os.environ.get("SLUICE_SCHEDULES", "100"))


def search(schedules: int, **how: Any) -> Counter[Any]:
    """Try so many schedules, and return how often what happened; raise Violation at the first."""

    class Searched(Schedules):
        tally: ClassVar[Counter[Any]] = Counter()

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
    run_state_machine_as_test(Searched, settings=asked)
    return Searched.tally


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
