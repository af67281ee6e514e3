"""How far a span may move from those before it: in its columns' distributions, in its rows.

Distances are TensorFlow Data Validation's own, measured as the data gate measures them: each span
against as many before it as the gate's window holds.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from tensorflow_metadata.proto.v0 import schema_pb2

from components import spans, statistics
from components.schema import TRAINING, TYPES
from components.schema_life.column import Column
from components.schema_life.limits import MANY, WEEK, Limit, number, room, too_few, up
from components.schema_life.observed import Observed
from components.validate_data import contract

FAR = 0.2  # of 1: where ordinary spans are so far apart, a distance says nothing
# Below these lies what a route, a shift of the timetable or the cut of a histogram brings about.
LEAST = {"infinity_norm": 0.04, "jensen_shannon_divergence": 0.06}


def drift(
    seen: Observed, of: Sequence[Column], window: int, tell: Callable[[str], None]
) -> dict[str, Limit]:
    """Return the comparator of each column of `of`, or why it has none; nothing from a few spans.

    `window`: how many spans before it a span is held against.
    """
    if len(seen.spans) < MANY:
        return {}
    measured = _distances(seen, of, window, tell)
    return {column.name: _comparator(column, measured[column.name]) for column in of}


def _distances(
    seen: Observed, of: Sequence[Column], window: int, tell: Callable[[str], None]
) -> Mapping[str, Mapping[str, float]]:
    """Return for each column the distance of each span, after the first week's, to those before."""
    bare = schema_pb2.Schema(default_environment=[TRAINING])
    for column in of:
        feature = bare.feature.add(name=column.name, type=TYPES[column.dtype])
        if column.looked_up and column.dtype == "int64":
            feature.int_domain.is_categorical = True
        getattr(feature.drift_comparator, _measure(column)).threshold = 1
    found: dict[str, dict[str, float]] = defaultdict(dict)
    for n in range(WEEK, len(seen.spans)):
        tell(f"comparing {seen.spans[n]} with those before it, {n + 1} of {len(seen.spans)}")
        several = seen.statistics[max(0, n - window) : n]
        judged = contract.trained(bare, seen.statistics[n], statistics.merge(several), len(several))
        for info in judged.drift_skew_info:
            for measurement in info.drift_measurements:
                found[".".join(info.path.step)][seen.spans[n]] = measurement.value
    return found


def _measure(column: Column) -> str:
    return "infinity_norm" if column.looked_up else "jensen_shannon_divergence"


def _comparator(column: Column, distances: Mapping[str, float]) -> Limit:
    if len(distances) < len(column.spans) - WEEK:
        return Limit("", "no bound on its drift: some spans have nothing to compare")
    farthest = max(distances, key=lambda span: distances[span])
    far, usual = distances[farthest], float(np.median([*distances.values()]))
    seen = f"farthest {far:.2g} ({farthest}), usually {usual:.2g}"
    if far > FAR:
        return Limit("", f"no bound on its drift: {seen}, as spans go")
    threshold = number(max(up(far + room(len(distances)) * (far - usual)), LEAST[_measure(column)]))
    return Limit(f"drift_comparator {{ {_measure(column)} {{ threshold: {threshold} }} }}", seen)


def volume(seen: Observed, window: int) -> list[Limit]:
    """Return the lines of `dataset_constraints`: rows against the window's average, and the least.

    A weekday is held against its own spans, so that a quiet Sunday leaves no room on a busy Monday's
    behalf; the schema has one bound for all, that of the quietest and of the busiest.
    """
    rows = np.array([s.num_examples for s in seen.statistics], float)
    least = int(up(rows.min() / 2)) if rows.min() >= 2 else 1
    limits = [
        Limit(f"min_examples_count: {least}", f"half of the smallest span's {rows.min():.0f}")
    ]
    if len(rows) < 2 * WEEK:
        return [
            *limits,
            Limit("", f"no bound on how rows move: {too_few(len(rows))}"),
        ]
    ratios: dict[int, list[float]] = defaultdict(list)
    for n in range(WEEK, len(rows)):
        before = rows[max(0, n - window) : n].mean()
        ratios[spans.parse(seen.spans[n]).weekday()].append(rows[n] / round(before))
    every = [r for of_day in ratios.values() for r in of_day]
    # Twice as far, in proportion, from a weekday's own median as its farthest span went.
    low = min(min(of) ** 2 / float(np.median(of)) for of in ratios.values())
    high = max(max(of) ** 2 / float(np.median(of)) for of in ratios.values())
    low, high = min(low, 0.8 * min(every)), max(high, 1.25 * max(every))
    told = f"seen {min(every):.2g} to {max(every):.2g} times the rows of an average span before it"
    lines = (
        [f"  min_fraction_threshold: {number(math.floor(100 * low) / 100)}"] if low > 0.05 else []
    )
    lines += [f"  max_fraction_threshold: {number(up(high))}"] if high < 20 else []
    if not lines:
        return [*limits, Limit("", f"no bound on how rows move: {told}")]
    return [Limit("\n".join(["num_examples_drift_comparator {", *lines, "}"]), told), *limits]
