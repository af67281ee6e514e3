"""The curves as an SVG picture, drawn by hand: two panels for columns alone, one for whole tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from html import escape

from benchmarks.gates.figures import Figures

INK, PALE, PAPER = "#1f2430", "#c9cfd8", "#ffffff"
COLOURS = ["#0b6e4f", "#c2571a", "#7a4fb5", "#3f78c2", "#9c2f4f"]
PUBLISHED = {  # precision and recall, as the AVH paper's figures have them
    "numeric": {"AVH": (0.98, 0.78), "TFDV": (0.94, 0.26), "KS": (0.87, 0.585)},
    "string": {"AVH": (0.985, 0.825), "TFDV": (0.93, 0.43)},
}
SIDE, LEFT, TOP, GAP = 250, 56, 56, 74
Curve = Sequence[tuple[float, float]]
Scale = Callable[[float], float]


def draw(told: Mapping[str, Figures]) -> str:
    """Return the picture of all methods' curves."""
    width, height = LEFT + 3 * SIDE + 2 * GAP + 20, TOP + SIDE + 60 + 18 * len(told)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}">',
        f'<rect width="{width}" height="{height}" fill="{PAPER}"/>',
    ]
    for at, family in enumerate(("numeric", "string")):
        curves = {
            name: [(r, p) for p, r in figures["columns"][family]["curve"]]
            for name, figures in told.items()
            if family in figures["columns"]
        }
        marks = {name: (r, p) for name, (p, r) in PUBLISHED[family].items()}
        title = f"Columns of {'numbers' if family == 'numeric' else 'strings'} alone"
        parts += _panel(at, title, ("recall", "precision"), curves, marks, (0.5, 1.0), (0, 1))
    halts = {
        name: sorted(figures["tables"]["curve"])
        for name, figures in told.items()
        if figures["tables"]
    }
    parts += _panel(
        2, "Whole tables", ("false halts a day", "recall over kinds"), halts, {}, (0, 1), (0, 0.1)
    )
    for row, name in enumerate(told):
        y = TOP + SIDE + 58 + 18 * row
        parts.append(
            f'<rect x="{LEFT}" y="{y - 9}" width="22" height="4" fill="{COLOURS[row]}"/>'
            f'<text x="{LEFT + 30}" y="{y - 3}">{escape(name)}</text>'
        )
    parts.append(
        f'<text x="{LEFT + SIDE + GAP}" y="{TOP + SIDE + 55}" fill="#666">'
        "◇ as published in the AVH paper, on tables of its own</text></svg>"
    )
    return "\n".join(parts) + "\n"


def _panel(
    at: int,
    title: str,
    axes: tuple[str, str],
    curves: Mapping[str, Curve],
    marks: Mapping[str, tuple[float, float]],
    tall: tuple[float, float],
    wide: tuple[float, float],
) -> list[str]:
    x0 = LEFT + at * (SIDE + GAP)
    across = lambda v: x0 + SIDE * (v - wide[0]) / (wide[1] - wide[0])  # noqa: E731
    up = lambda v: TOP + SIDE * (1 - (v - tall[0]) / (tall[1] - tall[0]))  # noqa: E731
    parts = [f'<text x="{x0}" y="{TOP - 16}" font-weight="600">{escape(title)}</text>']
    for k in range(6):
        x, y = wide[0] + (wide[1] - wide[0]) * k / 5, tall[0] + (tall[1] - tall[0]) * k / 5
        parts.append(
            f'<path d="M{across(x):.1f} {TOP}V{TOP + SIDE}M{x0} {up(y):.1f}H{x0 + SIDE}" '
            f'stroke="{PALE}" stroke-width="0.5"/>'
            f'<text x="{across(x):.1f}" y="{TOP + SIDE + 15}" text-anchor="middle">{x:.2g}</text>'
            f'<text x="{x0 - 6}" y="{up(y) + 4:.1f}" text-anchor="end">{y:.2g}</text>'
        )
    parts.append(
        f'<text x="{x0 + SIDE / 2}" y="{TOP + SIDE + 32}" text-anchor="middle">{axes[0]}</text>'
        f'<text x="{x0 - 40}" y="{TOP + SIDE / 2}" text-anchor="middle" '
        f'transform="rotate(-90 {x0 - 40} {TOP + SIDE / 2})">{axes[1]}</text>'
        f'<clipPath id="panel{at}"><rect x="{x0}" y="{TOP}" width="{SIDE}" height="{SIDE}"/>'
        f'</clipPath><g clip-path="url(#panel{at})" fill="none" stroke-width="2">'
    )
    for colour, curve in zip(COLOURS, curves.values(), strict=False):
        path = "L".join(f"{across(x):.1f} {up(y):.1f}" for x, y in curve)
        parts.append(f'<path d="M{path}" stroke="{colour}"/>')
    parts.append("</g>")
    for name, (x, y) in marks.items():
        parts.append(
            f'<text x="{across(x):.1f}" y="{up(y) + 4:.1f}" text-anchor="middle">◇</text>'
            f'<text x="{across(x) - 9:.1f}" y="{up(y) + 4:.1f}" text-anchor="end" fill="#666">'
            f"{escape(name)}</text>"
        )
    return parts
