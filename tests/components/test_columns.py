"""Rows become columns as a client sends them, with one value that stands for a missing one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from components.columns import MISSING, columns
from components.errors import SluiceError
from components.schema import Feature


def column(values, dtype):
    return columns(pd.DataFrame({"x": values}), [Feature("x", "number", dtype)])["x"]


@pytest.mark.parametrize(
    "values",
    [[3, None], pd.array([3, None], "Int64"), [3.0, np.nan], pd.Series([3, None], dtype=object)],
)
def test_missing_integers_survive_whatever_pandas_made_of_them(values):
    assert column(values, "int64").tolist() == [3, MISSING["int64"]]


@pytest.mark.parametrize("values", [[True, None], pd.array([True, None], "boolean")])
def test_booleans_are_integers(values):
    assert column(values, "int64").tolist() == [1, MISSING["int64"]]


@pytest.mark.parametrize("values", [["a", None], pd.Series(["a", None], dtype="category")])
def test_missing_texts_are_empty(values):
    assert column(values, "string").tolist() == ["a", ""]


def test_numbers_are_float32_and_missing_ones_nan():
    sent = column([0.1, None], "float32")
    assert sent.dtype == np.float32
    assert np.isnan(sent[1])
    assert column([1, 2], "float32").tolist() == [1, 2]


def test_a_column_without_any_value_is_all_missing():
    assert column([None, None], "string").tolist() == ["", ""]
    assert np.isnan(column([None, None], "float32")).all()
    assert column([None, None], "int64").tolist() == [MISSING["int64"]] * 2


@pytest.mark.parametrize("values", [[1.5, 2.0], [np.inf, 1.0], ["seven", "eight"]])
def test_error_rather_than_other_integers(values):
    with pytest.raises(SluiceError, match="'x' is not int64"):
        column(values, "int64")


def test_error_names_the_column_that_is_not_there():
    with pytest.raises(SluiceError, match="'y' is not among"):
        columns(pd.DataFrame({"x": [1]}), [Feature("y", "number", "float32")])
