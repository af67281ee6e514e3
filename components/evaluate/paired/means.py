"""Metrics that are smooth functions of means over rows, by the delta method, for all slices at once.

Hampel, "The influence curve and its role in robust estimation" (Journal of the American Statistical
Association, 1974).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from components.evaluate.paired.estimate import Estimate
from components.evaluate.slices import Slicing

Rows = Callable[[np.ndarray, np.ndarray], np.ndarray]  # label and scores → [rows]
STEP = 1e-30  # a derivative by a step along the imaginary axis is exact however small the step is


@dataclass(frozen=True)
class Smooth:
    """A metric that is a smooth function of means over rows.

    `of`: takes the mean of each of `columns`, as arrays [slices], complex ones too; `among`: the rows
    that the metric speaks of, such as the positives for recall; without it, all; `grain`: of `Estimate`.
    """

    of: Callable[..., np.ndarray]
    columns: tuple[Rows, ...]
    among: Rows | None = None
    grain: float = 0.0

    def __call__(self, label: np.ndarray, scores: np.ndarray) -> Means:
        """Return the metric of one model."""
        columns = tuple(column(label, scores) for column in self.columns)
        return Means(self, columns, None if self.among is None else self.among(label, scores))


@dataclass(frozen=True)
class Means:
    """A smooth metric of one model, whose columns are known; `among`: 0 or 1, [rows]."""

    metric: Smooth
    columns: tuple[np.ndarray, ...]
    among: np.ndarray | None

    def on(self, slicing: Slicing) -> Estimate:
        """Return the estimate on each slice; NaN where the metric has no value."""
        sizes = slicing.totals()
        support = sizes if self.among is None else slicing.totals(self.among)
        with np.errstate(divide="ignore", invalid="ignore"):
            means = [slicing.totals(column) / sizes for column in self.columns]
            scale = np.sqrt(support / (support - 1)) / sizes
            slopes = [self._slope(means, n) * scale for n in range(len(means))]
            centre = sum(slope * mean for slope, mean in zip(slopes, means, strict=True))
            value = np.asarray(self.metric.of(*means), dtype=np.float64)
            influence = -np.take(centre, slicing.codes)
            for slope, column in zip(slopes, self.columns, strict=True):
                influence += np.take(slope, slicing.codes) * column
        if not slicing.whole:
            influence[slicing.codes < 0] = 0
        return Estimate(value, influence, support, self.metric.grain)

    def _slope(self, means: list[np.ndarray], n: int) -> np.ndarray:
        """Return how the metric goes with the mean of one column, [slices]."""
        stepped = [mean + STEP * 1j if k == n else mean for k, mean in enumerate(means)]
        return np.imag(self.metric.of(*stepped)) / STEP
