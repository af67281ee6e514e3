"""Differences between candidate and baseline: a dot, its interval, and what is not tolerated."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from components.charts.svg import ROW, in_line, signed
from components.evidence import Difference, Interval


@dataclass(frozen=True)
class Scale:
    """Where a difference is drawn: 0 in the middle, what is worse to the left of it.

    `reach`: the difference at either edge.
    """

    reach: float

    def at(self, better: float) -> float:
        """Return the place of a difference in percent; `better` is negative for what is worse."""
        return round(50 + 50 * max(-1.0, min(better / self.reach, 1.0)), 2)

    @property
    def ticks(self) -> list[float]:
        """Return the differences to be written at the axis, 0 among them."""
        far = 0.85 * self.reach  # what is written nearer to the edge would be cut off
        step = next(step for step in _round_steps(far / 2) if far / step < 3)
        steps = math.floor(far / step)
        return [n * step for n in range(-steps, steps + 1)]


def scale(rows: Sequence[Difference]) -> Scale:
    """Return the scale for rows of one metric: what failed or stands alone is on it whole.

    The intervals of small slices would make all others a dot; they are cut off.
    """
    told = sorted(abs(row.difference) for row in rows)
    usual = told[math.floor(0.9 * (len(told) - 1))] if told else 0.0
    failed = [
        abs(end)
        for row in rows
        if row.status == "failed" or len(rows) == 1
        for end in (row.difference, *(row.interval or ()))
    ]
    tolerated = [row.tolerated or 0.0 for row in rows]
    return Scale(1.1 * max([usual, *failed, *(1.2 * t for t in tolerated)]) or 1.0)


def axis(over: Scale, better: int) -> Markup:
    """Return the axis above such rows; `better` says which way the metric's own figures run."""
    marks = [
        Markup('<text x="{}%" y="14" text-anchor="middle">{}</text>').format(
            over.at(tick), signed(tick * better)
        )
        for tick in over.ticks
    ]
    return in_line(Markup("").join(marks), "the scale: worse than the baseline to the left", 20)


def whisker(row: Difference, over: Scale) -> Markup:
    """Return a difference as a dot and its interval as a line, 0 and what is not tolerated behind."""
    better, ends = row.difference * row.better, _turned(row.interval, row.better)
    pieces = list(_ground(over, row.tolerated))
    if ends:
        low, high = (over.at(end) for end in ends)
        pieces.append(_line("reach", low, high))
        pieces += [_chevron(edge) for edge, out in _beyond(ends, over.reach) if out]
    pieces.append(
        Markup('<circle class="dot" cx="{}%" cy="{}" r="4"/>').format(over.at(better), ROW / 2)
    )
    return in_line(Markup("").join(pieces), told(row), ROW, f"whisker {_tone(row, ends)}")


def told(row: Difference) -> str:
    """Return what the picture of a difference says, for who cannot see it."""
    said = f"{row.metric} of {row.slice}: {signed(row.difference)}"
    if row.interval:
        said += f", between {signed(row.interval[0])} and {signed(row.interval[1])}"
    if row.tolerated is not None:
        said += f"; tolerated is {row.tolerated:.3g} worse"
    return f"{said}; {row.status}"


def _tone(row: Difference, ends: Interval | None) -> str:
    if row.status in ("failed", "error"):
        return "bad"
    if row.status == "warned":
        return "warn"
    return "good" if ends and ends[0] > 0 else "plain"


def _turned(interval: Interval | None, better: int) -> Interval | None:
    """Return an interval of differences as one of how much better the candidate is."""
    if interval is None:
        return None
    low, high = sorted(better * end for end in interval)
    return low, high


def _beyond(ends: Interval, reach: float) -> tuple[tuple[int, bool], tuple[int, bool]]:
    return (0, ends[0] < -reach), (100, ends[1] > reach)


def _ground(over: Scale, tolerated: float | None) -> Iterator[Markup]:
    """Yield what lies behind a whisker: the part that is not tolerated, and the line of no change."""
    if tolerated is not None:
        edge = over.at(-tolerated)
        yield Markup('<rect class="beyond" width="{}%" height="100%"/>').format(edge)
        yield _upright("bound", edge)
    yield _upright("zero", 50)


def _upright(kind: str, at: float) -> Markup:
    return Markup('<line class="{0}" x1="{1}%" x2="{1}%" y1="0" y2="100%"/>').format(kind, at)


def _line(kind: str, low: float, high: float) -> Markup:
    shape = '<line class="{0}" x1="{1}%" x2="{2}%" y1="{3}" y2="{3}"/>'
    return Markup(shape).format(kind, low, high, ROW / 2)


def _chevron(edge: int) -> Markup:
    """Return the mark of a line that goes on beyond the picture."""
    inward = 5 if edge == 0 else -5
    path = f"M{inward},{ROW // 2 - 4} l{-inward},4 l{inward},4"
    shape = '<svg x="{}%" overflow="visible"><path class="on" d="{}"/></svg>'
    return Markup(shape).format(edge, path)


def _round_steps(value: float) -> Iterator[float]:
    """Yield 1, 2, 5 times powers of ten, ascending, from a little below a value above 0."""
    power = 10.0 ** math.floor(math.log10(value))
    yield from (step * power for step in (1, 2, 5, 10))
