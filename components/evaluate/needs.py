"""Which labels a slice must hold for a metric of it to be defined."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from components.evaluate.slices import Slicing
from components.metrics import Metric, Need

LACKING: Mapping[Need, str] = {
    "positive": "none of {} examples is positive",
    "negative": "none of {} examples is negative",
    "of every class": "not every class is among its {} examples",
}


def tally(slicing: Slicing, label: np.ndarray, classes: int) -> np.ndarray:
    """Return how many examples of each class are in each slice, int64 [slices, classes].

    `label`: float64 [rows], 0 or 1, or the index of one of `classes`; of 0 classes, any number.
    """
    if not classes:
        return slicing.totals().astype(np.int64)[:, None]
    inside = slicing.codes >= 0
    cells = slicing.codes[inside] * classes + label[inside].astype(np.int64)
    counts = np.bincount(cells, minlength=len(slicing.values) * classes)
    return counts.reshape(-1, classes)


def lacking(metric: Metric, tallied: np.ndarray) -> list[str]:
    """Return, of each slice in words, why the metric is undefined; "" where it is defined."""
    told = [""] * len(tallied)
    every = list(range(tallied.shape[1]))
    wanted: Mapping[Need, list[int]] = {"positive": [1], "negative": [0], "of every class": every}
    for need in metric.needs:
        held = np.take(tallied, wanted[need], axis=1) > 0
        for part in np.flatnonzero(~held.all(axis=1)).tolist():
            told[part] = told[part] or LACKING[need].format(int(tallied[part].sum()))
    return told
