"""The likeliest cause is named where the pattern names one, and no other where it does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest

from components.profile import Profile, profile
from components.validate_data.causes import affected, likely


def table(day: int) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(day)
    return {
        "id": 1000 * day + np.arange(400),
        "miles": draw.choice([184.0, 762.0, 1089.0, 2475.0, 733.0, 502.0], 400),
        "temp": (draw.normal(20, 4) + draw.gamma(2.5, 9, 400)).round(2),
        "carrier": draw.choice(["United", "Delta", "JetBlue"], 400, p=[0.5, 0.3, 0.2]),
    }


@pytest.fixture(scope="module")
def past() -> list[Profile]:
    return [profile(pa.table(table(day))) for day in range(30)]


CAUSES: dict[str, tuple[str, Callable, str]] = {
    "a unit": ("miles", lambda v: v * 1.609344, "1.609"),
    "degrees": ("temp", lambda v: ((v - 32) / 1.8).round(2), "°C"),
    "a sign": ("temp", lambda v: -v, "sign"),
    "a constant": ("temp", lambda v: np.full(len(v), 60.0), "60"),
    "a stand-in": ("temp", lambda v: np.where(np.arange(len(v)) % 5, v, -999.0), "-999"),
    "missing values": ("temp", lambda v: np.where(np.arange(len(v)) % 4, v, np.nan), "25 %"),
    "casing": ("carrier", lambda v: np.char.upper(v), "capitals|case"),
    "blanks": ("carrier", lambda v: np.char.add(v, " "), "space|blank"),
    "a new value": ("carrier", lambda v: np.where(np.arange(len(v)) % 4, v, "Spirit"), "Spirit"),
}


@pytest.mark.parametrize("what", CAUSES)
def test_the_cause_is_named(past: list[Profile], what: str) -> None:
    column, change, told = CAUSES[what]
    rows = table(31)
    now = profile(pa.table({**rows, column: change(rows[column])}))
    cause = likely(now, past, column)
    assert cause is not None
    assert any(word in cause for word in told.split("|")), cause


def test_a_file_twice_is_named_and_how_many_rows_it_affects(past: list[Profile]) -> None:
    one = pa.table(table(31))
    now = profile(pa.concat_tables([one, one]))
    cause = likely(now, past, None)
    assert cause is not None
    assert "twice" in cause or "repeat" in cause, cause
    assert affected(now, past, None) == 400


def test_an_ordinary_span_has_no_cause(past: list[Profile]) -> None:
    for day in range(40, 70):
        now = profile(pa.table(table(day)))
        assert [likely(now, past, column) for column in ("miles", "temp", "carrier", None)] == [
            None
        ] * 4


def test_shifted_hours_are_told_though_midnight_looks_like_a_stand_in() -> None:
    timetable = 9 * np.array([0] * 5 + [2, 8, 8, 9, 7, 6, 6, 6, 6, 6, 8, 6, 8, 7, 7, 6, 4, 1, 0])

    def hours(day: int, by: int = 0) -> Profile:
        draw = np.random.default_rng(day)
        flown = timetable + draw.integers(0, 4, 24) * (timetable > 0)
        held = (np.repeat(np.arange(24), flown) + by) % 24
        return profile(pa.table({"hour": held, "x": draw.normal(size=len(held))}), ["hour"])

    cause = likely(hours(31, by=5), [hours(day) for day in range(30)], "hour")
    assert cause is not None
    assert cause.startswith("hours are shifted by +5")
