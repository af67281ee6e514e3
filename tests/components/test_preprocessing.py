"""What the net is fed is finite and within bounds, whatever a client sends."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from hypothesis import given, settings
from hypothesis import strategies as some

from components.columns import MISSING
from components.train.preprocessing import Preprocessing, inputs
from components.transform import Category, Constants, Number

DISTANCE = Number(name="distance", dtype="float32", mean=500, std_dev=200, min=100, max=900)
MINUTE = Number(name="minute", dtype="int64", mean=600, std_dev=100, min=0, max=1439)
CARRIER = Category(
    name="carrier", dtype="string", vocabulary=("UA", "[UNK]"), complete=True, distinct=2
)
HOUR = Category(name="hour", dtype="int64", vocabulary=(7, -1), complete=True, distinct=2)
EMPTY = Category(name="empty", dtype="string", vocabulary=(), complete=True, distinct=0)


def fed(column: Number | Category, values: list) -> list:
    layers = Preprocessing(Constants(columns=(column,), rows=1))
    given = {column.name: tf.constant(values, column.dtype)}
    return layers.split(*layers(given))[column.name][:, 0].numpy().tolist()


def test_numbers_are_standardised_and_missing_ones_are_the_mean():
    assert fed(DISTANCE, [300.0, 700.0, np.nan]) == [-1, 1, 0]
    assert fed(MINUTE, [500, 800, MISSING["int64"]]) == [-1, 2, 0]


def test_numbers_beyond_the_range_of_training_stay_at_its_edge():
    assert fed(DISTANCE, [-1e30, 1e30, -np.inf, np.inf]) == [-2, 2, -2, 2]


@settings(deadline=None)
@given(some.floats(width=32))
def test_any_number_is_fed_as_a_finite_one(value):
    assert -2 <= SCALE({"distance": tf.constant([value], tf.float32)})[0][0, 0] <= 2


SCALE = Preprocessing(Constants(columns=(DISTANCE,), rows=1))


def test_categories_get_their_rank_and_unknown_or_missing_ones_0():
    assert fed(CARRIER, ["UA", "[UNK]", "ZZ", ""]) == [1, 2, 0, 0]
    assert fed(HOUR, [7, -1, 8, MISSING["int64"]]) == [1, 2, 0, 0]


def test_category_that_was_never_seen_is_always_unknown():
    assert fed(EMPTY, ["a", ""]) == [0, 0]


@pytest.mark.parametrize("columns", [(DISTANCE,), (CARRIER,), (CARRIER, DISTANCE, HOUR, MINUTE)])
def test_names_shapes_and_types_are_those_that_model_py_builds_on(columns):
    constants = Constants(columns=columns, rows=1)
    layers = Preprocessing(constants)
    raw = {c.name: tf.fill([3], tf.constant(MISSING[c.dtype], c.dtype)) for c in columns}
    split = layers.split(*layers(raw))
    described = inputs(constants)
    assert split.keys() == described.keys() == {c.name for c in columns}
    for name, tensor in split.items():
        assert tensor.shape == (3, 1)
        assert tensor.dtype.name == described[name].dtype


def test_indexes_stay_below_the_size_that_model_py_is_told():
    sizes = Constants(columns=(CARRIER, HOUR, EMPTY), rows=1).vocabulary_sizes
    assert sizes == {"carrier": 3, "hour": 3, "empty": 1}
    assert max(fed(CARRIER, ["UA", "[UNK]"])) == sizes["carrier"] - 1
