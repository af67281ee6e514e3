"""Pictures of evidence as SVG: no script, no network, colours by the page's own variables.

A picture that goes with a line of text is as wide as its cell: its lengths are in percent, so that
it is as legible on a phone. One that stands alone has its size in pixels. What leaves the picture's
range ends in a chevron at its edge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from components.charts.changes import moved, window
from components.charts.squares import calibration, roc, scores
from components.charts.svg import signed
from components.charts.whiskers import axis, scale, whisker

PICTURES: dict[str, Callable[..., Any]] = {
    picture.__name__: picture
    for picture in (axis, calibration, moved, roc, scale, scores, signed, whisker, window)
}
