"""Two models over all examples: ROC, calibration, and how their scores lie."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

from markupsafe import Markup

from components.evidence import Curves

SIDE, LEFT, TOP, BOTTOM = 220, 34, 8, 30  # pixels: the square, and its margins


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


def _round_up(value: float) -> float:
    """Return the next tenth of a share, or the next hundredth of a small one."""
    step = 0.1 if value > 0.1 else 0.01
    return min(math.ceil(value / step - 1e-9) * step, 1.0) or 1.0
