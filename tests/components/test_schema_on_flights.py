"""The flights' schema accepts its own history, and one that is drafted accepts what comes after it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import build_house, land_days

from components import pipelines, schema, spans, statistics
from components.schema_life import infer
from components.schema_life.observed import Observed, observe
from components.validate_data import contract

DRAFTED, AFTER = 60, 60
# The blizzard, on which half of the flights never came in, and the day without any weather.
UNFIT = {"2013-02-08", "2013-02-09", "2013-12-31"}


@pytest.fixture(scope="module")
def year(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Observed]:
    """Real days: the first four months one by one, and every tenth one after, to the last of the year."""
    months = [d for d in spans.between("2013-01-01", "2013-05-02") if d not in UNFIT]
    rest = [*spans.between("2013-05-03", "2013-12-30")[::10], "2013-12-31", *sorted(UNFIT)[:2]]
    folder: Path = tmp_path_factory.mktemp("house")
    build_house(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLUICE_HOME", str(folder))
        for day in {*months, *rest}:
            land_days(day)
        yield observe(pipelines.outline("flights"), sorted({*months, *rest}))


def only(seen: Observed, keys: set[str]) -> Observed:
    kept = [(s, of) for s, of in zip(seen.spans, seen.statistics, strict=True) if s in keys]
    return dataclasses.replace(seen, spans=[s for s, _ in kept], statistics=[of for _, of in kept])


def said(reviewed: Any, seen: Observed, n: int, reach: int) -> list[str]:
    """What the contract has against a span, held against as many before it as follow on each other."""
    window = seen.statistics[max(0, n - reach) : n] if seen.spans[n] < "2013-05-03" else []
    before = statistics.merge(window) if len(window) >= 7 else None
    answers = [
        contract.trained(reviewed, seen.statistics[n], before, len(window)),
        contract.served(reviewed, seen.statistics[n]),
    ]
    told = [
        f"{column}: {reason.description}"
        for answer in answers
        for column, info in answer.anomaly_info.items()
        for reason in info.reason
    ]
    return told + [r.description for a in answers for r in a.dataset_anomaly_info.reason]


def test_the_flights_schema_accepts_its_own_history_but_for_the_days_that_are_unfit(
    year: Observed,
) -> None:
    text = (Path(__file__).resolve().parents[2] / "schemas" / "flights.pbtxt").read_text()
    reviewed = schema.parse(text, "flights")
    sound = only(year, set(year.spans) - UNFIT)
    assert len(sound.spans) >= 140
    refused = {}
    for n, span in enumerate(sound.spans):
        told = said(
            reviewed, sound, n, 34 if n % 3 == 0 else 0
        )  # drift on every third, for the time
        if told:
            refused[span] = told
    assert refused == {}
    bad = only(year, UNFIT)
    assert all(said(reviewed, bad, n, 0) for n in range(len(UNFIT)))


def test_a_draft_of_sixty_days_accepts_nearly_all_of_the_sixty_after_them(
    year: Observed,
) -> None:
    sound = only(year, {s for s in year.spans if s < "2013-05-03"} - UNFIT)
    first = set(sound.spans[:DRAFTED])
    text = infer.draft(pipelines.outline("flights"), only(sound, first))
    reviewed = schema.parse(text, "draft")
    judged = range(DRAFTED, DRAFTED + AFTER)
    halted = {sound.spans[n]: told for n in judged if (told := said(reviewed, sound, n, 34))}
    assert len(halted) <= 0.03 * AFTER, halted
    bounded = [f for f in reviewed.feature if f.HasField("drift_comparator")]
    assert {f.name for f in bounded} == {"carrier", "dest", "distance", "hour", "minute", "origin"}


def test_a_draft_of_one_day_closes_nothing(year: Observed) -> None:
    one = only(year, {"2013-02-20"})
    reviewed = schema.parse(infer.draft(pipelines.outline("flights"), one), "draft")
    assert len(reviewed.string_domain) == 0
    assert not any(f.HasField("bool_domain") or f.domain for f in reviewed.feature)
    assert not said(reviewed, one, 0, 0)
