"""Pictures of evidence as SVG: no script, no network, colours by the page's own variables.

A picture that goes with a line of text is as wide as its cell: its lengths are in percent, so that
it is as legible on a phone. One that stands alone has its size in pixels. What leaves the picture's
range ends in a chevron at its edge.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from markupsafe import Markup

from components.evidence import Changes, Curves, Difference, Interval, Moved

ROW = 24  # pixels, of a picture in a line
SIDE, LEFT, TOP, BOTTOM = (
    220,
    34,
    8,
    30,
)  # pixels, of one that stands alone: its square, its margins


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
    return _svg(Markup("").join(marks), "the scale: worse than the baseline to the left", 20)


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
    return _svg(Markup("").join(pieces), told(row), ROW, f"whisker {_tone(row, ends)}")


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


def roc(curves: Curves) -> Markup:
    """Return the ROC curves of the models, above the diagonal of one that knows nothing."""
    lines = [
        _path(f"line {model}", curve.points)
        for model, curve in reversed(curves.roc.items())  # the candidate on top
    ]
    areas = ", ".join(f"{model} {curve.area:.3f}" for model, curve in curves.roc.items())
    framed = _frame(1.0, "false positive rate", "true positive rate", diagonal=True)
    return _square(framed + Markup("").join(lines), f"ROC curves; area: {areas}")


def calibration(curves: Curves) -> Markup:
    """Return the share of positives over the score; on the diagonal a model means what it says."""
    bins = [one for model in curves.calibration.values() for one in model]
    most = _round_up(max((max(b.score, b.interval[1]) for b in bins), default=1.0))
    dots = []
    for model, own in reversed(curves.calibration.items()):
        for one in own:
            x, low, high = one.score / most, *(end / most for end in one.interval)
            shape = '<line class="{0}" x1="{1}" x2="{1}" y1="{2}" y2="{3}"/>'
            dots.append(Markup(shape).format(f"line {model}", _x(x), _y(low), _y(high)))
            shape = '<circle class="{}" cx="{}" cy="{}" r="3.5"/>'
            dots.append(Markup(shape).format(f"dot {model}", _x(x), _y(one.positives / most)))
    framed = _frame(most, "mean score", "share of positives", diagonal=True)
    return _square(framed + Markup("").join(dots), "calibration: share of positives by score")


def scores(curves: Curves) -> Markup:
    """Return how the scores of positives lie, upwards, and those of negatives, downwards.

    Bars for the candidate, an outline for the baseline; each label's add up to the same.
    """
    low, high = curves.edges[0], curves.edges[-1]
    shares = {
        (model, up): _shares(held.positive if up else held.negative)
        for model, held in curves.scores.items()
        for up in (True, False)
    }
    most = max((max(bars, default=0.0) for bars in shares.values()), default=0.0) or 1.0
    steps: list[Markup] = []
    for (model, up), bars in reversed(shares.items()):
        heights = [0.5 + (0.48 if up else -0.48) * bar / most for bar in bars]
        places = [(edge - low) / ((high - low) or 1.0) for edge in curves.edges]
        points = [(places[0], 0.5)]
        for (start, end), height in zip(pairwise(places), heights, strict=False):
            points += [(start, height), (end, height)]
        steps.append(_path(f"area {model}", [*points, (places[-1], 0.5)]))
    framed = _frame(high, "score", "", low=low)
    sides = [("label 1", TOP + 12), ("label 0", TOP + SIDE - 6)]
    words = [
        Markup('<text x="{}" y="{}" text-anchor="end">{}</text>').format(LEFT + SIDE - 6, y, word)
        for word, y in sides
    ]
    middle = Markup('<line class="zero" x1="{}" x2="{}" y1="{}" y2="{}"/>').format(
        LEFT, LEFT + SIDE, _y(0.5), _y(0.5)
    )
    drawn = framed + Markup("").join([*steps, middle, *words])
    return _square(drawn, "histograms of the scores, of positives upwards and negatives downwards")


def _shares(counts: Sequence[int]) -> list[float]:
    whole = sum(counts) or 1
    return [count / whole for count in counts]


def _path(kind: str, points: Sequence[tuple[float, float]]) -> Markup:
    places = " ".join(f"{_x(x)},{_y(y)}" for x, y in points)
    return Markup('<polyline class="{}" points="{}"/>').format(kind, places)


def _frame(
    most: float, below: str, beside: str, *, low: float = 0.0, diagonal: bool = False
) -> Markup:
    """Return the square, its axes named, with the figures at both ends and in the middle."""
    pieces = [
        Markup('<rect class="frame" x="{}" y="{}" width="{}" height="{}"/>').format(
            LEFT, TOP, SIDE, SIDE
        )
    ]
    if diagonal:
        pieces.append(_path("zero", [(0, 0), (1, 1)]))
    for part, anchor in ((0.0, "start"), (0.5, "middle"), (1.0, "end")):
        figure = f"{low + part * (most - low):.2g}"
        shape = '<text x="{}" y="{}" text-anchor="{}">{}</text>'
        pieces.append(Markup(shape).format(_x(part), TOP + SIDE + 13, anchor, figure))
        if beside:
            pieces.append(Markup(shape).format(LEFT - 4, _y(part) + 4, "end", figure))
    named = '<text class="name" x="{}" y="{}" text-anchor="middle">{}</text>'
    pieces.append(Markup(named).format(_x(0.5), TOP + SIDE + 27, below))
    turned = (
        '<text class="name" transform="translate(9,{}) rotate(-90)" text-anchor="middle">{}</text>'
    )
    pieces.append(Markup(turned).format(_y(0.5), beside))
    return Markup("").join(pieces)


def _x(part: float) -> float:
    return round(LEFT + SIDE * part, 1)


def _y(part: float) -> float:
    return round(TOP + SIDE * (1 - part), 1)


def _square(inside: Markup, label: str) -> Markup:
    shape = '<svg class="square" viewBox="0 0 {} {}" role="img" aria-label="{}">{}</svg>'
    return Markup(shape).format(LEFT + SIDE + 8, TOP + SIDE + BOTTOM, label, inside)


def _svg(inside: Markup, label: str, height: int, kind: str = "axis") -> Markup:
    shape = '<svg class="{}" width="100%" height="{}" role="img" aria-label="{}">{}</svg>'
    return Markup(shape).format(kind, height, label, inside)


def window(changes: Changes, who: str) -> Markup:
    """Return which of the spans in sight are used: to train a model, or to judge."""
    every = sorted({span for spans in changes.windows.values() for span in spans})
    used = set(changes.windows[who])
    wide = 100 / max(len(every), 1)
    shape = '<rect class="{}" x="{}%" y="5" width="{}%" height="14"><title>{}</title></rect>'
    cells = [
        Markup(shape).format(f"span {who}", round(n * wide, 3), round(0.85 * wide, 3), span)
        for n, span in enumerate(every)
        if span in used
    ]
    ends = f"{min(used)} to {max(used)}" if used else "no span"
    return _svg(Markup("").join(cells), f"{who}: {ends}", ROW, "spans")


def moved(one: Moved, most: float) -> Markup:
    """Return how far a statistic moved as a bar, of the longest's length at most."""
    shape = '<rect class="bar" y="8" width="{}%" height="8"/>'
    wide = round(100 * min(one.effect / most, 1.0), 1)
    return _svg(Markup(shape).format(wide), f"moved by {one.effect:.2f}", ROW, "spans")


def signed(value: float) -> str:
    """Return a difference as a person reads it, with its sign."""
    told = f"{value:+.3f}" if 0.0005 <= abs(value) < 100 else f"{value:+.2g}"
    return "0" if value == 0 else told.replace("-", "−")


def _round_steps(value: float) -> Iterator[float]:
    """Yield 1, 2, 5 times powers of ten, ascending, from a little below a value above 0."""
    power = 10.0 ** math.floor(math.log10(value))
    yield from (step * power for step in (1, 2, 5, 10))


def _round_up(value: float) -> float:
    """Return the next tenth of a share, or the next hundredth of a small one."""
    step = 0.1 if value > 0.1 else 0.01
    return min(math.ceil(value / step - 1e-9) * step, 1.0) or 1.0


PICTURES: dict[str, Callable[..., Any]] = {
    picture.__name__: picture
    for picture in (axis, calibration, moved, roc, scale, scores, signed, whisker, window)
}
