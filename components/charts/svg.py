"""What pictures share: how a line's picture is framed, and how a difference is written."""

from __future__ import annotations

from markupsafe import Markup

ROW = 24  # pixels, of a picture in a line


def in_line(inside: Markup, label: str, height: int, kind: str = "axis") -> Markup:
    """Return a picture as wide as its cell."""
    shape = '<svg class="{}" width="100%" height="{}" role="img" aria-label="{}">{}</svg>'
    return Markup(shape).format(kind, height, label, inside)


def signed(value: float) -> str:
    """Return a difference as a person reads it, with its sign."""
    told = f"{value:+.3f}" if 0.0005 <= abs(value) < 100 else f"{value:+.2g}"
    return "0" if value == 0 else told.replace("-", "−")
