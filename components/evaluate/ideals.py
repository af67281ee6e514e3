"""The baseline's figures of the metrics that have an ideal, slice by slice, before TFMA is asked.

Where nearer to an ideal is better, how far the baseline is from it says how far the candidate may be;
TFMA holds a figure against bounds that are known beforehand.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from components.evaluate.slices import Slicing
from components.metrics import CUT

Figures = Callable[[Slicing, np.ndarray, np.ndarray], np.ndarray]


def true_positive_rate(label: np.ndarray, scores: np.ndarray) -> float:
    """Return the share of positives with a score above the cut, NaN where there are none."""
    return float(np.mean(scores[label == 1] > CUT)) if label.any() else float("nan")


def _calibration(slicing: Slicing, label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return slicing.totals(scores) / slicing.totals(label)


def _equal_opportunity(slicing: Slicing, label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    found = slicing.totals(label * (scores > CUT)) / slicing.totals(label)
    return found - true_positive_rate(label, scores)


def _bias(slicing: Slicing, label: np.ndarray, scores: np.ndarray) -> np.ndarray:
    return slicing.totals(scores - label) / slicing.totals()


OF: Mapping[str, Figures] = {
    "calibration": _calibration,
    "equal_opportunity_difference": _equal_opportunity,
    "bias": _bias,
}


def figures(
    metric: str, slicing: Slicing, label: np.ndarray, scores: np.ndarray
) -> np.ndarray | None:
    """Return the metric's figure of each slice (float64 [slices]); None for one without an ideal."""
    if metric not in OF:
        return None
    with np.errstate(divide="ignore", invalid="ignore"):  # a slice without a positive has none
        return OF[metric](slicing, label, scores)
