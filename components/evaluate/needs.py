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


def lacking(metric: Metric, slicing: Slicing, label: np.ndarray, classes: int) -> list[str]:
    """Return, of each slice in words, why the metric is undefined; "" where it is defined.

    `label`: float64 [rows], 0 or 1, or the index of one of `classes`.
    """
    examples = slicing.totals()
    told = [""] * len(examples)
    for need in metric.needs:
        wanted = {"positive": [1], "negative": [0], "of every class": range(classes)}[need]
        held = [slicing.totals((label == value).astype(float)) > 0 for value in wanted]
        for part in np.flatnonzero(~np.all(held, axis=0)).tolist():
            told[part] = told[part] or LACKING[need].format(int(examples[part]))
    return told
