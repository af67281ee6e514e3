"""What changed since the baseline: spans in and out of its windows, and statistics that moved."""

from __future__ import annotations

from markupsafe import Markup

from components.charts.svg import ROW, in_line
from components.evidence import Changes, Moved


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
    return in_line(Markup("").join(cells), f"{who}: {ends}", ROW, "spans")


def moved(one: Moved, most: float) -> Markup:
    """Return how far a statistic moved as a bar, of the longest's length at most."""
    shape = '<rect class="bar" y="8" width="{}%" height="8"/>'
    wide = round(100 * min(one.effect / most, 1.0), 1)
    return in_line(Markup(shape).format(wide), f"moved by {one.effect:.2f}", ROW, "spans")
