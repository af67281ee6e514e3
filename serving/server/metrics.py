"""Prometheus metrics under TensorFlow Serving's names.

`prometheus_client` appends `_total` to counters and cannot write these names, and the text format
is a page of code: hence our own.
"""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections.abc import Iterator

DEFAULT_PATH = "/monitoring/prometheus/metrics"

# 33 exponential buckets from 10 µs, each 1.8 times the one before: up to about 20 minutes.
_LATENCY_BUCKETS = tuple(10 * 1.8**i for i in range(33))
_COUNT_BUCKETS = tuple(float(2**i) for i in range(15))


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    escaped = (v.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") for v in values)
    return ",".join(f'{name}="{value}"' for name, value in zip(names, escaped, strict=True))


class Counter:
    """A number that only grows, per combination of label values."""

    def __init__(self, name: str, *labels: str) -> None:
        self._name = name
        self._label_names = labels
        self._cells: dict[tuple[str, ...], int] = {}
        self._lock = threading.Lock()

    def add(self, amount: int, *labels: str) -> None:
        """Add `amount` to the cell of these label values."""
        with self._lock:
            self._cells[labels] = self._cells.get(labels, 0) + amount

    def lines(self) -> Iterator[str]:
        """Yield the metric in Prometheus' text format."""
        with self._lock:
            cells = list(self._cells.items())
        yield f"# TYPE {self._name} counter"
        for values, count in cells:
            yield f"{self._name}{{{_labels(self._label_names, values)}}} {count}"


class Histogram:
    """Counts of observations by bucket, per combination of label values."""

    def __init__(self, name: str, bounds: tuple[float, ...], *labels: str) -> None:
        self._name = name
        self._bounds = bounds
        self._label_names = labels
        self._cells: dict[tuple[str, ...], tuple[list[int], list[float]]] = {}
        self._lock = threading.Lock()

    def observe(self, value: float, *labels: str) -> None:
        """Count `value` in its bucket."""
        with self._lock:
            cell = self._cells.get(labels)
            if cell is None:
                cell = self._cells[labels] = ([0] * (len(self._bounds) + 1), [0.0])
            buckets, total = cell
            buckets[bisect_left(self._bounds, value)] += 1
            total[0] += value

    def lines(self) -> Iterator[str]:
        """Yield the metric in Prometheus' text format, buckets cumulated."""
        with self._lock:
            cells = [
                (key, list(buckets), total[0]) for key, (buckets, total) in self._cells.items()
            ]
        yield f"# TYPE {self._name} histogram"
        for values, buckets, total in cells:
            labels, count = _labels(self._label_names, values), 0
            for bound, n in zip((*map("{:g}".format, self._bounds), "+Inf"), buckets, strict=True):
                count += n
                yield f'{self._name}_bucket{{{labels},le="{bound}"}} {count}'
            yield f"{self._name}_sum{{{labels}}} {total:g}"
            yield f"{self._name}_count{{{labels}}} {count}"


_PREFIX = ":tensorflow:serving:"
REQUEST_COUNT = Counter(f"{_PREFIX}request_count", "model_name", "status")
REQUEST_LATENCY = Histogram(
    f"{_PREFIX}request_latency", _LATENCY_BUCKETS, "model_name", "API", "entrypoint"
)
RUNTIME_LATENCY = Histogram(
    f"{_PREFIX}runtime_latency", _LATENCY_BUCKETS, "model_name", "API", "runtime"
)
EXAMPLE_COUNTS = Histogram(f"{_PREFIX}request_example_counts", _COUNT_BUCKETS, "model")
EXAMPLE_COUNT_TOTAL = Counter(f"{_PREFIX}request_example_count_total", "model")
WARMUP_LATENCY = Histogram(
    f"{_PREFIX}model_warmup_latency", _LATENCY_BUCKETS, "model_path", "status"
)
_ALL = (
    REQUEST_COUNT,
    REQUEST_LATENCY,
    RUNTIME_LATENCY,
    EXAMPLE_COUNTS,
    EXAMPLE_COUNT_TOTAL,
    WARMUP_LATENCY,
)


def page() -> str:
    """Return all metrics in Prometheus' text format."""
    return "\n".join(line for metric in _ALL for line in metric.lines()) + "\n"
