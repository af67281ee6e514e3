"""A change that a person let in does not alarm for ever: one admission, and its like passes."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from components import admissions, describe, gates, ingest, spans, spec
from components.profile import Profile, profile
from components.store import Artifact
from components.validate_data import validate_data
from components.validate_data.history import expect
from components.verdict import Status, Verdict
from demo import feed

DAYS = spans.between("2013-02-07", "2013-02-10")
CHANGES = {
    "twice the amounts": {"unit": 2.0},
    "a tenth missing": {"missing": 0.1},
    "a new kind in a fifth": {"new": 0.25},
    "twice the rows": {"rows": 600},
}


def day(
    number: int, unit: float = 1.0, missing: float = 0.0, new: float = 0.0, rows: int = 300
) -> Profile:
    draw = np.random.default_rng(number)
    count = int(rows * (0.5 if number % 7 >= 5 else 1) * draw.lognormal(0, 0.05))
    amount = draw.lognormal(3, 0.5, count) * unit
    shares = np.array([0.6, 0.3, 0.1, new]) / (1 + new)
    return profile(
        pa.table(
            {
                "amount": np.where(draw.random(count) < missing, np.nan, amount).round(2),
                "kind": draw.choice(["book", "game", "film", "toy"], count, p=shares),
            }
        )
    )


@pytest.mark.parametrize("change", CHANGES)
def test_history_alarms_at_a_change_that_lasts_until_it_is_admitted_once(change: str) -> None:
    past = [day(number) for number in range(60)]
    alarms = []
    for number in range(60, 75):
        now = day(number, **CHANGES[change])  # type: ignore[arg-type]
        if expect(past[-60:]).judge(now).score > 1:
            alarms.append(number - 60)
        past.append(now)  # admitted
    assert alarms[0] == 0
    assert len(alarms) <= 2


@pytest.fixture
def judged(
    flights: spec.Spec, week: list[Artifact], land: Callable[..., None]
) -> Callable[[str], Verdict]:
    """`judged(day)` is the verdict on a day without United, after the week and the days before it."""
    known = list(week)

    def verdict(key: str) -> Verdict:
        land(key)
        path = feed.upstream() / key / "flights.parquet"
        aside = path.with_suffix(".changed")
        duckdb.execute(f"COPY (FROM '{path}' WHERE carrier <> 'UA') TO '{aside}' (FORMAT parquet)")
        aside.rename(path)
        examples = ingest.ingest(flights, key)
        described = describe.describe(flights, examples)
        said = gates.read(validate_data(flights, examples, described, known))
        known.append(described)
        return said

    return verdict


def test_what_drifts_as_an_admitted_span_did_warns_and_no_longer_halts(
    judged: Callable[[str], Verdict], flights: spec.Spec
) -> None:
    first = judged(DAYS[0])
    assert ("drift", "carrier") in {(c.name, c.subject) for c in first.offences}
    admissions.admit("flights", DAYS[0], first.speaks_of["examples"], "United is on strike")
    drifted = {c.subject: c for c in judged(DAYS[1]).checks if c.name == "drift"}
    assert drifted["carrier"].status is Status.WARNED
    assert drifted["carrier"].message.endswith(f"; as was admitted: {DAYS[0]}")


def test_what_nobody_admitted_goes_on_halting(judged: Callable[[str], Verdict]) -> None:
    judged(DAYS[0])
    drifted = {c.subject: c for c in judged(DAYS[1]).checks if c.name == "drift"}
    assert drifted["carrier"].status is Status.FAILED
