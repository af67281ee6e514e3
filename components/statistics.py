"""Statistics of several spans as if they had been one, without reading a row again.

What adds up is exact: rows, missing values, minima, maxima, means, standard deviations (parallel
variance: Chan, Golub & LeVeque 1979) and the counts of every listed value. Histograms are
approximate: counts are taken to lie evenly within a bucket.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from google.protobuf.message import DecodeError
from tensorflow_metadata.proto.v0 import statistics_pb2

from components.errors import SluiceError
from components.store import Artifact

FILE = "statistics.binpb"
Features = list[Any]  # statistics_pb2.FeatureNameStatistics of one column, a span each
Histogram = statistics_pb2.Histogram


def read(artifact: Artifact) -> Any:
    """Return the `DatasetFeatureStatistics` of a span; it is shared, so copy it before changing it.

    Raises SluiceError when it does not read.
    """
    return _parsed(artifact.file(FILE), artifact.digest)


@lru_cache(maxsize=128)
def _parsed(path: Path, digest: str) -> Any:
    message = statistics_pb2.DatasetFeatureStatisticsList()
    try:
        message.ParseFromString(path.read_bytes())
        if len(message.datasets) != 1:
            raise ValueError(f"it is of {len(message.datasets)} datasets, not of 1")
    except (OSError, DecodeError, ValueError) as error:
        raise SluiceError(
            f"{path} cannot be read as statistics: {error}; remove its folder and run again, "
            "which makes it anew"
        ) from error
    return message.datasets[0]


def name_of(feature: Any) -> str:
    """Return the column that a `FeatureNameStatistics` describes."""
    return feature.path.step[0] if feature.path.step else feature.name


def by_column(statistics: Any) -> dict[str, Any]:
    """Return the `FeatureNameStatistics` of each column."""
    return {name_of(feature): feature for feature in statistics.features}


def common(feature: Any) -> Any:
    """Return a column's `CommonStatistics`: how many values there are, and how many lack."""
    return getattr(feature, feature.WhichOneof("stats")).common_stats


def shares(feature: Any) -> dict[str, float]:
    """Return the share of each listed value of a categorical column among all its values."""
    values = feature.string_stats.common_stats.tot_num_values or 1
    return {b.label: b.sample_count / values for b in feature.string_stats.rank_histogram.buckets}


def complete_vocabulary(feature: Any) -> bool:
    """Say whether a categorical column's `rank_histogram` lists every value there was."""
    return feature.string_stats.unique <= len(feature.string_stats.rank_histogram.buckets)


def merge(several: Sequence[Any]) -> Any:
    """Return the `DatasetFeatureStatistics` of the rows of all given ones together.

    A column that some spans do not have is missing in all of their rows. Raises SluiceError when
    there is none to merge, or when a column is a number in one span and a category in another.
    """
    if not several:
        raise SluiceError("there are no statistics to merge: the window holds no span")
    merged = statistics_pb2.DatasetFeatureStatistics()
    merged.num_examples = sum(s.num_examples for s in several)
    columns: dict[str, Features] = {}
    for statistics in several:
        for feature in statistics.features:
            columns.setdefault(name_of(feature), []).append(feature)
    for name, features in columns.items():
        kinds = {(f.WhichOneof("stats"), f.type) for f in features}
        if len(kinds) > 1:
            raise SluiceError(
                f"column {name!r} is not of one type in all spans; give it one in the schema, "
                "and the spans are taken in again"
            )
        _merge_column(merged.features.add(), features, merged.num_examples)
    return merged


def _merge_column(into: Any, features: Features, rows: int) -> None:
    into.path.CopyFrom(features[0].path)
    into.type = features[0].type
    kind = features[0].WhichOneof("stats")
    _merge_common(getattr(into, kind).common_stats, [common(f) for f in features], rows)
    if kind == "num_stats":
        _merge_numbers(into.num_stats, [f.num_stats for f in features])
    elif kind == "string_stats":
        _merge_categories(into.string_stats, [f.string_stats for f in features])


def _merge_common(into: Any, parts: Sequence[Any], rows: int) -> None:
    into.num_non_missing = sum(p.num_non_missing for p in parts)
    into.num_missing = rows - into.num_non_missing
    into.tot_num_values = sum(p.tot_num_values for p in parts)
    present = [p for p in parts if p.num_non_missing]
    if present:
        into.min_num_values = min(p.min_num_values for p in present)
        into.max_num_values = max(p.max_num_values for p in present)
        into.avg_num_values = into.tot_num_values / into.num_non_missing


def _merge_numbers(into: Any, parts: Sequence[Any]) -> None:
    into.num_zeros = sum(p.num_zeros for p in parts)
    present = [p for p in parts if p.common_stats.tot_num_values]
    if not present:
        return
    counts = np.array([p.common_stats.tot_num_values for p in present], float)
    means = np.array([p.mean for p in present])
    squares = counts @ np.array([p.std_dev**2 for p in present])
    into.mean = counts @ means / counts.sum()
    into.std_dev = math.sqrt((squares + counts @ (means - into.mean) ** 2) / counts.sum())
    into.min = min(p.min for p in present)
    into.max = max(p.max for p in present)
    for kind in (Histogram.STANDARD, Histogram.QUANTILES):
        histograms = [h for p in present for h in p.histograms if h.type == kind and h.buckets]
        if not histograms:
            continue
        below = _Cumulative(histograms)
        buckets = max(len(h.buckets) for h in histograms)
        if kind == Histogram.STANDARD:
            edges = np.linspace(into.min, into.max, buckets + 1)
            counts = np.diff(below.counts_at(edges))
            counts[0] += below.counts_at(edges)[0]  # those at the minimum itself
        else:
            edges = below.values_at(np.linspace(0, 1, buckets + 1))
            edges[0], edges[-1] = into.min, into.max
            counts = np.full(buckets, below.counts[-1] / buckets)
            into.median = float(below.values_at(np.array([0.5]))[0])
        histogram = into.histograms.add(type=kind, num_nan=sum(h.num_nan for h in histograms))
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True):
            histogram.buckets.add(low_value=low, high_value=high, sample_count=count)


class _Cumulative:
    """How many values lie at or below a number: a line that rises through the histograms' edges."""

    def __init__(self, histograms: Sequence[Any]) -> None:
        low, high, count = (
            np.array([getattr(b, field) for h in histograms for b in h.buckets], float)
            for field in ("low_value", "high_value", "sample_count")
        )
        edges = np.unique(np.concatenate([low, high]))
        start, end = np.searchsorted(edges, low), np.searchsorted(edges, high)
        spread = start < end
        slope, jumps = np.zeros(len(edges)), np.zeros(len(edges))
        density = count[spread] / (high - low)[spread]
        np.add.at(slope, start[spread], density)
        np.subtract.at(slope, end[spread], density)
        np.add.at(jumps, start[~spread], count[~spread])  # no width: one value, many times
        rises = np.maximum(np.cumsum(slope)[:-1] * np.diff(edges), 0)
        after = np.concatenate([[0], np.cumsum(rises)]) + np.cumsum(jumps)
        self.edges = np.repeat(edges, 2)
        self.counts = np.column_stack([after - jumps, after]).ravel()

    def counts_at(self, values: np.ndarray) -> np.ndarray:
        return np.interp(values, self.edges, self.counts)

    def values_at(self, fractions: np.ndarray) -> np.ndarray:
        return np.interp(fractions * self.counts[-1], self.counts, self.edges)


def _merge_categories(into: Any, parts: Sequence[Any]) -> None:
    counts: Counter[str] = Counter()
    for part in parts:
        counts.update({b.label: b.sample_count for b in part.rank_histogram.buckets})
    ranked = sorted(counts.items(), key=lambda kv: (-kv[1], kv[0]))
    for rank, (label, count) in enumerate(ranked):
        into.rank_histogram.buckets.add(
            low_rank=rank, high_rank=rank, label=label, sample_count=count
        )
    top = max((len(p.top_values) for p in parts), default=0)
    for label, count in ranked[:top]:
        into.top_values.add(value=label, frequency=count)
    whole = all(p.unique <= len(p.rank_histogram.buckets) for p in parts)
    # Where a list was cut, nobody knows how many there are: more than are listed.
    into.unique = len(ranked) if whole else max(len(ranked) + 1, *(p.unique for p in parts))
    values = sum(p.common_stats.tot_num_values for p in parts)
    if values:
        into.avg_length = sum(p.avg_length * p.common_stats.tot_num_values for p in parts) / values
