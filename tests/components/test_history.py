"""What is learned from earlier spans: silent on the like of them, loud on the unlike."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from components.profile import Profile, profile
from components.validate_data.history import expect

DAYS, ROWS = 60, 300


def rows(day: int, seed: int = 0, **changed: object) -> pa.Table:
    """A shop's day: amounts, a category, a code and a number that hangs on the amount."""
    draw = np.random.default_rng([seed, day])
    count = int(ROWS * (0.5 if day % 7 >= 5 else 1) * draw.lognormal(0, 0.05))
    amount = draw.lognormal(3, 0.5, count).round(2)
    table = {
        "amount": amount,
        "tax": (amount * 0.19 + draw.normal(0, 0.2, count)).round(2),
        "kind": draw.choice(["book", "game", "film"], count, p=[0.6, 0.3, 0.1]),
        "code": [f"{chr(65 + k)}-{k:03d}" for k in draw.integers(0, 26, count)],
    }
    for column, change in changed.items():
        table[column] = change(table[column])  # type: ignore[operator]
    return pa.table(table)


@pytest.fixture(scope="module")
def past() -> list[Profile]:
    return [profile(rows(day)) for day in range(DAYS)]


def score(past: list[Profile], table: pa.Table) -> float:
    return expect(past).judge(profile(table)).score


def test_ordinary_days_pass_whatever_their_weekday(past: list[Profile]) -> None:
    followed = list(past)
    alarms = 0
    for day in range(DAYS, DAYS + 60):
        now = profile(rows(day))
        alarms += expect(followed[-60:]).judge(now).score > 1
        followed.append(now)
    assert alarms <= 2  # one in a hundred is allowed


FAULTS = {
    "miles for kilometres": {"amount": lambda v: v * 1.609},
    "one in twenty missing": {"amount": lambda v: np.where(np.arange(len(v)) % 20, v, np.nan)},
    "a sentinel": {"tax": lambda v: np.where(np.arange(len(v)) % 10, v, -1)},
    "capitals": {"kind": lambda v: np.char.upper(v)},
    "a blank before": {"code": lambda v: [" " + x for x in v]},
    "a new category": {"kind": lambda v: np.where(np.arange(len(v)) % 15, v, "toy")},
    "a constant": {"kind": lambda v: np.full(len(v), "book")},
    "rounded": {"tax": lambda v: np.rint(v)},
    "shuffled": {"tax": lambda v: np.random.default_rng(3).permutation(v)},
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_faulty_column_is_named(past: list[Profile], fault: str) -> None:
    judged = expect(past).judge(profile(rows(DAYS, **FAULTS[fault])))
    assert judged.score > 1
    assert judged.findings[0].column in {*FAULTS[fault]}, judged.findings


def test_half_a_file_and_a_file_twice_are_unlike(past: list[Profile]) -> None:
    table = rows(DAYS)
    assert score(past, table.slice(0, len(table) // 4)) > 1
    judged = expect(past).judge(profile(pa.concat_tables([table, table])))
    assert judged.score > 1
    assert judged.findings[0].column == ""


def test_rows_of_an_earlier_day_among_todays_are_unlike(past: list[Profile]) -> None:
    table, before = rows(DAYS), rows(DAYS - 9).slice(20, 40)
    held = pa.concat_tables([table.slice(0, len(table) - 40), before])
    judged = expect(past).judge(profile(held))
    assert judged.score > 1
    assert "came before" in judged.findings[0].name


def test_a_weekend_on_a_weekday_is_unlike_and_on_a_weekend_is_not(past: list[Profile]) -> None:
    weekend = rows(5, seed=9)  # half as many rows
    assert DAYS % 7 == 4
    assert score([*past, profile(rows(60))], weekend) < 1  # the 62nd day is a Saturday
    assert expect(past).judge(profile(weekend)).columns[""] > 1


def test_a_day_that_lacks_does_not_shift_the_week(past: list[Profile]) -> None:
    days = [*range(30), *range(33, DAYS), DAYS]
    held = [past[day] for day in days[:-1]]
    now = profile(rows(DAYS))
    assert expect(held, days=days).judge(now).columns[""] <= 1


def test_a_column_that_became_another_kind_is_unlike(past: list[Profile]) -> None:
    table = rows(DAYS)
    as_text = table.set_column(0, "amount", table["amount"].cast(pa.string()))
    judged = expect(past).judge(profile(as_text))
    assert judged.score == np.inf
    assert judged.findings[0].column == "amount"
    assert expect(past).judge(profile(table.drop(["kind"]))).score == np.inf


def test_a_change_that_was_accepted_does_not_alarm_for_ever(past: list[Profile]) -> None:
    def shifted(day: int) -> Profile:
        return profile(rows(day, amount=lambda v: v * 1.609))

    assert expect(past).judge(shifted(DAYS)).score > 1
    since = expect([*past, shifted(DAYS)])
    weeks = [shifted(DAYS + 1 + 7 * week) for week in range(4)]
    assert max(since.judge(now).score for now in weeks) <= 1
    other = profile(rows(DAYS + 1, kind=lambda v: np.char.upper(v)))
    assert since.judge(other).score > 1


def test_the_stricter_setting_alarms_less(past: list[Profile]) -> None:
    now = profile(rows(DAYS, amount=lambda v: v * 1.3))
    scores = [expect(past, rate).judge(now).score for rate in (0.001, 0.01, 0.05)]
    assert scores == sorted(scores)
    assert scores[0] < scores[2]


def test_a_short_or_empty_past_can_be_learned_from(past: list[Profile]) -> None:
    empty = profile(rows(0).slice(0, 0))
    expect([*past[:10], empty]).judge(past[11])
    assert expect(past[:28]).judge(empty).score > 1
