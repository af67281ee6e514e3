"""A known value in a new spelling is told from a new value, row by row."""

from __future__ import annotations

import html
from urllib.parse import quote

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.profile import Profile, profile
from components.validate_data.history import expect
from components.validate_data.history.spellings import form

NAMES = ["Café Ö", "O'Hare", "Smith & Sons", "007", "New York", "plain", "B2 b"]
SPOILT = {
    "upper case": str.upper,
    "a blank after": lambda v: v + " ",
    "blanks lost": lambda v: v.replace(" ", ""),
    "quotes kept": lambda v: f'"{v}"',
    "escaped for HTML": html.escape,
    "escaped for URLs": quote,
    "bytes printed": lambda v: str(v.encode()),
    "read as Latin-1": lambda v: v.encode().decode("latin-1"),
    "question marks": lambda v: v.encode("ascii", "replace").decode(),
    "zeros lost": lambda v: v.lstrip("0"),
}


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=list(SPOILT))
def test_a_spoilt_value_has_the_form_of_the_sound_one(spoil) -> None:
    for name in NAMES:
        assert form(spoil(name)) == form(name)


@pytest.mark.parametrize(
    ("one", "other"), [("2013-01-02", "2013-10-2"), ("-1", "1"), ("1.5", "15"), ("A1", "A2")]
)
def test_different_values_have_different_forms(one: str, other: str) -> None:
    assert form(one) != form(other)


@given(st.text())
def test_any_text_has_a_form_and_the_form_of_a_form_is_itself(value: str) -> None:
    assert form(form(value)) == form(value)


def day(number: int, spoil=lambda v: v, rows: int = 0) -> Profile:
    draw = np.random.default_rng(number)
    names = [str(name) for name in draw.choice(NAMES, 200)]
    spoilt = [k for k, name in enumerate(names) if spoil(name) != name][:rows]
    for k in spoilt:
        names[k] = spoil(names[k])
    return profile(pa.table({"name": names}))


@pytest.fixture(scope="module")
def past() -> list[Profile]:
    return [day(number) for number in range(60)]


@pytest.mark.parametrize("spoil", SPOILT.values(), ids=list(SPOILT))
def test_four_rows_of_two_hundred_spelt_otherwise_are_seen(past: list[Profile], spoil) -> None:
    judged = expect(past).judge(day(99, spoil, rows=4))
    assert judged.score > 1, judged


def test_a_single_odd_spelling_is_a_persons_and_no_alarm(past: list[Profile]) -> None:
    found = expect(past).judge(day(99, str.upper, rows=1)).findings
    assert not [f for f in found if "spelling" in f.name]


def test_escapes_that_were_always_there_are_usual() -> None:
    escaped = [day(number, html.escape, rows=40) for number in range(60)]
    assert expect(escaped).judge(day(99, html.escape, rows=40)).score <= 1
