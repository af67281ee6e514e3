"""Columns: rows of a frame as a client would send them, one array a column, one value for missing."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np

from components.errors import SluiceError
from components.schema import Feature

if TYPE_CHECKING:
    import pandas as pd

# What a client sends where it has no value. There is no integer that says so: the least one does,
# as it does for pandas' own missing dates.
MISSING: dict[str, Any] = {"float32": np.nan, "int64": np.iinfo(np.int64).min, "string": ""}
NUMPY: dict[str, type] = {"float32": np.float32, "int64": np.int64, "string": object}


def columns(frame: pd.DataFrame, features: Iterable[Feature]) -> dict[str, np.ndarray]:
    """Return the named columns, each of shape [n], float32, int64 or texts, missing values filled.

    Raises SluiceError for a column that is not there, or that holds what is not of its type.
    """
    return {feature.name: _column(frame, feature) for feature in features}


def _column(frame: pd.DataFrame, feature: Feature) -> np.ndarray:
    if feature.name not in frame:
        raise SluiceError(f"column {feature.name!r} is not among the examples' columns")
    values = frame[feature.name]
    try:
        if feature.dtype == "string":
            texts = np.where(values.isna(), "", values.astype(object))
            return np.array([v if isinstance(v, str) else str(v) for v in texts], object)
        if values.isna().any():
            filled = values.to_numpy(na_value=MISSING[feature.dtype])
        else:
            filled = values.to_numpy()
        with np.errstate(invalid="ignore"):  # an infinite integer is told of below
            typed: np.ndarray = filled.astype(NUMPY[feature.dtype])
    except (TypeError, ValueError, OverflowError) as error:
        raise SluiceError(f"column {feature.name!r} is not {feature.dtype}: {error}") from None
    if feature.dtype == "int64" and not np.array_equal(typed, filled):
        raise SluiceError(f"column {feature.name!r} is not int64: it holds other numbers")
    return typed
