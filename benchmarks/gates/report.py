"""The report: what the figures say, as Markdown for docs/ and as a short table for the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.gates.faults import FAULTS
from benchmarks.gates.figures import BAD_DAYS, EQUAL, PRICES, Figures
from benchmarks.gates.protocol import OURS
from benchmarks.gates.run import Tried
from benchmarks.gates.tables import TUNED_ON, names

SEEN = 0.5  # a kind caught less often than this is told as hard to see
MARGINS = "every column's values are those of a good day; only what belongs to what has changed"
TOO_FEW = "too few values differ, against what days differ by themselves"
HIDDEN = {  # why a kind is hard to see, where the general reason is not the whole one
    "shuffled column": MARGINS,
    "off by one row": MARGINS,
    "stale column": "yesterday's values are what a good day looks like",
    "rows of yesterday": "yesterday's rows are what a good day looks like",
    "stale file": "yesterday's file is what a good day looks like: only its digest gives it away",
    "columns swapped": "two columns of one range swap places unseen; a rule between them would see it",
    "rows lost": "fewer rows are a quiet day, until far fewer than any",
    "file truncated": "fewer rows are a quiet day, until far fewer than any",
    "fewer rows": "fewer rows are a quiet day, until far fewer than any",
    "partition lost": "a partition is missing as on a quiet day; where it is a key, declare it",
    "rows duplicated": "some more rows are a busy day; where a key is declared, it sees each of them",
    "rounded to whole": "most of the values were whole before",
    "capped": "the tail is gone, and the rest stands",
    "noise 0.1 sd": "a tenth of the spread moves no figure",
}


def markdown(told: Mapping[str, Figures], held: Sequence[Tried]) -> str:
    """Return the report; `CURVES` stands for the picture's file name."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"share": _share, "percent": _percent}
    return environment.get_template("report.md.jinja").render(
        told=told,
        tables=held,
        tuned_on=sorted(TUNED_ON),
        tuned=names("tune"),
        kinds=_kinds(told),
        hidden=_hidden(told),
        bad_days=BAD_DAYS,
        prices=PRICES,
        equal=EQUAL,
        faults=FAULTS,
    )


def screen(told: Mapping[str, Figures]) -> str:
    """Return the figures that count, a line a method."""
    lines = [
        f"{'':<24}{'numbers alone':>16}{'strings alone':>16}{'false halts a day':>26}{'recall':>26}",
        f"{'':<24}{'prec.  recall':>16}{'prec.  recall':>16}{'mean     95 %      worst':>26}"
        f"{'all   num.  str.  table':>26}",
    ]
    for name, figures in told.items():
        line = f"{name:<24}"
        for family in ("numeric", "string"):
            one = figures["columns"].get(family)
            line += f"{_share(one['precision']):>9}{_share(one['recall']):>7}" if one else " " * 16
        if whole := figures["tables"]:
            low, high = whole["interval"]
            line += f"{_percent(whole['false_halts']):>9}  {_percent(low)}–{_percent(high)}"
            line += f"{_percent(whole['worst'][0]['rate']):>7}  "
            line += "".join(
                f"{_share(whole['recall'].get(f, float('nan'))):>6}"
                for f in ("all", "numeric", "string", "table")
            )
        lines.append(line)
    return "\n".join(lines)


def _kinds(told: Mapping[str, Figures]) -> dict[str, dict[str, list[float | None]]]:
    """Return by family and kind the recall of every method on whole tables."""
    kinds: dict[str, dict[str, list[float | None]]] = {}
    for fault in FAULTS:
        row = [
            (figures["tables"] or {"by_kind": {}})["by_kind"].get(fault.family, {}).get(fault.kind)
            for figures in told.values()
        ]
        if any(value is not None for value in row):
            kinds.setdefault(fault.family, {})[fault.kind] = row
    return kinds


def _hidden(told: Mapping[str, Figures]) -> list[dict[str, Any]]:
    """Return the faults that our gate sees less than half of the time, and why."""
    whole = told.get(OURS, {}).get("tables")
    return [
        {"name": f.name, "recall": seen, "why": HIDDEN.get(f.kind, TOO_FEW)}
        for f in FAULTS
        if whole and (seen := whole["by_fault"].get(f.name, 1.0)) < SEEN
    ]


def _share(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.3f}".replace("0.", ".", 1)


def _percent(value: float) -> str:
    return f"{100 * value:.1f} %"
