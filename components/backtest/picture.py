"""The picture of a backtest: a line a policy, a day a step; where each point lies, in SVG's units."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from components.backtest.report import POLICIES, Policy, Report

WIDTH, HEIGHT = 900, 280
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 44
MARKS = 4  # spaces between the marks of the upright axis
LABELS = 8  # dates along the lower axis, at most


@dataclass(frozen=True)
class Picture:
    """`lines`: policy → its unbroken stretches, each as SVG's points; `dots`: of what is alone.

    `marks`: (height, figure) on the upright axis; `dates`: (place, span) below; `halts`: (place, span,
    why) of the spans whose run a gate would have halted.
    """

    lines: Mapping[Policy, Sequence[str]]
    dots: Mapping[Policy, Sequence[tuple[float, float]]]
    marks: Sequence[tuple[float, str]]
    dates: Sequence[tuple[float, str]]
    halts: Sequence[tuple[float, str, str]]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    floor: int = HEIGHT - BOTTOM


def drawn(report: Report) -> Picture | None:
    """Return the picture of a report, or None when no day has a figure to show."""
    spans = [one.span for one in report.tried]
    values = [v for day in report.fares.days for v in day.metric.values() if v is not None]
    if not values:
        return None
    low, high = min(values), max(values)
    room = (high - low) * 0.05 or 0.01
    low, high = low - room, high + room

    def x(span: str) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * spans.index(span) / (len(spans) - 1), 1)

    def y(value: float) -> float:
        return round(TOP + (HEIGHT - TOP - BOTTOM) * (high - value) / (high - low), 1)

    stretches = {p: _stretches(report, p, spans) for p in POLICIES}
    points = {
        p: [[(x(span), y(value)) for span, value in part] for part in parts]
        for p, parts in stretches.items()
    }
    marks = [low + (high - low) * n / MARKS for n in range(MARKS + 1)]
    apart = -(-len(spans) // LABELS)
    return Picture(
        lines={
            p: [" ".join(f"{a},{b}" for a, b in part) for part in parts if len(part) > 1]
            for p, parts in points.items()
        },
        dots={p: [part[0] for part in parts if len(part) == 1] for p, parts in points.items()},
        marks=[(y(mark), f"{mark:.3f}") for mark in marks],
        dates=[(x(span), span) for span in spans[::apart]],
        halts=[(x(one.span), one.span, one.line) for one in report.halted],
    )


def _stretches(
    report: Report, policy: Policy, spans: Sequence[str]
) -> list[list[tuple[str, float]]]:
    """Return runs of consecutive days with a figure: a day without one breaks the line."""
    known = {day.span: day.metric[policy] for day in report.fares.days}
    parts: list[list[tuple[str, float]]] = [[]]
    for span in spans:
        value = known.get(span)
        if value is not None:
            parts[-1].append((span, value))
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]
