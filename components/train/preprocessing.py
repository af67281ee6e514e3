"""preprocessing: raw columns → what a net takes, as Keras layers that the served model carries.

The same layers run once over the window for training and inside the SavedModel for serving, so the
two cannot differ. A number is clipped to the range seen in training and standardised; a missing one
becomes 0, the mean. A category becomes its index; an unknown or missing one becomes 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.columns import MISSING
from components.transform import Category, Constants


class Preprocessing(tf.Module):
    """The layers for one set of constants.

    Called with raw columns by name, each of shape [n], it returns the numbers [n, numbers] float32
    and the indexes [n, categories] int32; `split` gives them the names that `model.py` sees.
    """

    def __init__(self, constants: Constants) -> None:
        super().__init__(name="preprocessing")
        self._numbers = [c.name for c in constants.numbers]
        self._categories = [c.name for c in constants.categories]
        low, high, mean, deviation = (
            np.array([getattr(c, figure) for c in constants.numbers], np.float64)
            for figure in ("min", "max", "mean", "std_dev")
        )
        self._low, self._high = low, high
        self.scale = keras.layers.Normalization(mean=mean, variance=deviation**2, dtype="float64")
        self.scale.build((None, len(self._numbers)))  # here, not while some graph is traced
        self.look_up = {c.name: _lookup(c) for c in constants.categories if c.vocabulary}

    def __call__(self, columns: Mapping[str, Any]) -> tuple[Any, Any]:
        """Return the matrices of numbers and of indexes."""
        rows = tf.shape(next(iter(columns.values())))[0]
        numbers, indexes = tf.zeros([rows, 0]), tf.zeros([rows, 0], tf.int32)
        if self._numbers:
            numbers = self._scaled(tf.stack([_float(columns[n]) for n in self._numbers], axis=1))
        if self._categories:
            looked_up = [self._index(name, columns[name]) for name in self._categories]
            indexes = tf.stack(looked_up, axis=1)
        return numbers, indexes

    def split(self, numbers: Any, indexes: Any) -> dict[str, Any]:
        """Return what the net is fed, by column, each of shape [n, 1]."""
        parts = {name: numbers[:, i : i + 1] for i, name in enumerate(self._numbers)}
        return parts | {name: indexes[:, i : i + 1] for i, name in enumerate(self._categories)}

    def _scaled(self, raw: Any) -> Any:
        missing = tf.math.is_nan(raw)
        scaled = tf.cast(self.scale(tf.clip_by_value(raw, self._low, self._high)), tf.float32)
        return tf.where(missing, 0.0, scaled)

    def _index(self, name: str, values: Any) -> Any:
        if name not in self.look_up:  # the window had no value of it at all
            return tf.zeros(tf.shape(values), tf.int32)
        return tf.cast(self.look_up[name](values), tf.int32)


def inputs(constants: Constants) -> dict[str, Any]:
    """Return the Keras inputs that `model.py` builds on: numbers float32, indexes int32, [batch, 1]."""
    numbers = {c.name: "float32" for c in constants.numbers}
    categories = {c.name: "int32" for c in constants.categories}
    return {
        name: keras.Input((1,), name=name, dtype=dtype)
        for name, dtype in (numbers | categories).items()
    }


def _float(values: Any) -> Any:
    """Return numbers as float64, so that large integers keep their differences."""
    numbers = tf.cast(values, tf.float64)
    if values.dtype != tf.int64:
        return numbers
    return tf.where(values == MISSING["int64"], tf.constant(np.nan, tf.float64), numbers)


def _lookup(column: Category) -> Any:
    """Return the layer from value to index; what stands for a missing value is never in it."""
    if column.dtype == "string":
        return keras.layers.StringLookup(vocabulary=list(column.vocabulary), oov_token="")
    return keras.layers.IntegerLookup(
        vocabulary=list(column.vocabulary), oov_token=MISSING["int64"]
    )
