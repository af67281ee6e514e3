"""A slice's metrics in MLflow are its own: no two slices share a name there."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.utils.validation import _validate_metric_name

from components.tracking.to_mlflow import _word


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("origin=EWR", "origin EWR"),
        ("origin=EWR, carrier=9E", "origin EWR carrier 9E"),
        ("hour=-5", "hour -5"),
    ],
)
def test_a_plain_name_is_its_words(name, word):
    assert _word(name) == word


@pytest.mark.parametrize(
    "names",
    [
        ("o=é", "o=ü", "o=东京", "o=Ω"),
        ("o=a/b", "o=a b", "o=a=b", "o=a  b", "o=a,b"),
        ("o=a b c", "o=a, b=c"),
        ("o=", "o= ", "o=/"),
        ("o=" + "x" * 300, "o=" + "x" * 299 + "y"),
    ],
)
def test_where_letters_are_lost_slices_are_still_told_apart(names):
    """MLflow kept one figure of all of them: the last that was told."""
    assert len({_word(name) for name in names}) == len(names)
    assert all(
        re.fullmatch(r"o [\w.-]+( [\w.-]+)*|o [\da-f]{8}", _word(name), re.A) for name in names
    )


@given(st.text(), st.text())
def test_whatever_the_value_mlflow_takes_the_name_and_says_the_same_twice(one, other):
    word = f"baseline_expected_calibration_error by slice/{_word(f'o={one}')}"
    _validate_metric_name(word)
    assert (_word(f"o={one}") == _word(f"o={other}")) is (one == other)
