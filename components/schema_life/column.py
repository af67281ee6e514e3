"""One column over many spans: what was missing, how far its numbers went, which values it held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from components import statistics
from components.schema import DType
from components.schema_life.observed import Observed
from components.validate_data import bounds


@dataclass(frozen=True)
class Column:
    """A column of `Observed`. `looked_up`: a text, or an integer whose values are names.

    `features`: its `FeatureNameStatistics` in each span, None where the span has no such column;
    `rows`: how many rows each span has, shape [spans].
    """

    name: str
    dtype: DType
    looked_up: bool
    spans: Sequence[str]
    rows: np.ndarray
    features: Sequence[Any]

    @cached_property
    def missing(self) -> np.ndarray:
        """Return the share of each span's rows that have no value, shape [spans]."""
        held = zip(self.features, self.rows, strict=True)
        return np.array([bounds.missing(f, rows) if f else 1.0 for f, rows in held])

    @property
    def filled(self) -> list[Any]:
        """Return its statistics in the spans where it has any value."""
        held = zip(self.features, self.missing, strict=True)
        return [feature for feature, missing in held if missing < 1]

    @cached_property
    def values(self) -> list[dict[str, float]]:
        """Return for each span with any value the share of each value; empty for an amount."""
        if not self.looked_up:
            return []
        return [statistics.shares(feature) for feature in self.filled]

    @cached_property
    def mean_shares(self) -> dict[str, float]:
        """Return the share of each value in an average span."""
        total: Counter[str] = Counter()
        for seen in self.values:
            total.update(seen)
        return {value: share / len(self.values) for value, share in total.items()}

    @cached_property
    def complete(self) -> bool:
        """Say whether every value of every span is known."""
        return all(statistics.complete_vocabulary(feature) for feature in self.filled)

    @cached_property
    def extremes(self) -> np.ndarray:
        """Return the least and the most number of each span with any value, shape [spans, 2]."""
        return np.array([bounds.extremes(f) for f in self.filled], float).reshape(-1, 2)

    @cached_property
    def fractions(self) -> bool:
        """Say whether some of its numbers are not whole: a measure, and no count."""
        edges = [
            bucket.high_value
            for feature in self.filled
            for histogram in feature.num_stats.histograms
            if histogram.type == statistics.Histogram.QUANTILES
            for bucket in histogram.buckets
        ]
        return any(not float(edge).is_integer() for edge in edges)


def columns(seen: Observed) -> list[Column]:
    """Return every column of the spans."""
    rows = np.array([s.num_examples for s in seen.statistics], float)
    by_column = [statistics.by_column(s) for s in seen.statistics]
    return [
        Column(
            name=name,
            dtype=dtype,
            looked_up=dtype == "string" or name in seen.categories,
            spans=seen.spans,
            rows=rows,
            features=[features.get(name) for features in by_column],
        )
        for name, dtype in seen.dtypes.items()
    ]
