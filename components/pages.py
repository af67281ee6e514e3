"""Pages for people: a gate's verdict as one self-contained HTML file, without script.

Rendering reads and never computes: every figure on the page stands in the verdict; only the lengths
of bars are worked out here. Every value is escaped, since columns, slices and values are data.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from components.ledger import Release
from components.runs import Run, StepRecord
from components.store import Artifact
from components.verdict import Status, Verdict

if TYPE_CHECKING:
    from jinja2 import Environment

# For an HTTP header; the pages carry the same in a <meta>, but for `frame-ancestors`.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
# How a verdict is told, and the order in which the checks that did not shut the gate are listed.
WORDS = {Status.PASSED: "passed", Status.FAILED: "halted", Status.ERROR: "could not judge"}
OTHERS = (Status.WARNED, Status.SKIPPED, Status.PASSED)


def verdict_page(
    verdict: Verdict,
    serving: Release | None = None,
    since: Mapping[tuple[str, str], str] | None = None,
) -> str:
    """Return the HTML page of a verdict.

    Where it is known: `serving`: what serves meanwhile; `since`: an offence's check and subject →
    the span from which on it has been there.
    """
    groups = [(str(s), [check for check in verdict.checks if check.status is s]) for s in OTHERS]
    pieces = [(name, value, _picture(name, value)) for name, value in verdict.evidence.items()]
    return _render(
        "verdict.html",
        verdict=verdict,
        word=WORDS[verdict.status],
        groups=[(status, checks) for status, checks in groups if checks],
        plain={name: value for name, value, picture in pieces if picture == "value"},
        pieces=[piece for piece in pieces if piece[2] not in ("value", "elsewhere")],
        judged={check.name for check in verdict.checks},
        serving=serving,
        since=since or {},
    )


def step_page(run: Run, step: StepRecord, made: Artifact | None) -> str:
    """Return the HTML page of a step that has no verdict to show: what it came to, at what cost."""
    return _render("step.html", run=run, step=step, made=made)


def message_page(title: str, message: str) -> str:
    """Return an HTML page with one message."""
    return _render("message.html", title=title, message=message)


def _render(template: str, **about: Any) -> str:
    return _templates().get_template(template).render(policy=POLICY, **about)


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    templates = Environment(
        loader=PackageLoader("components"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        columns=_columns,
        figure=_figure,
        most=_most,
        shape=_shape,
        share=_share,
        spoken=_spoken,
    )
    return templates


def _figure(value: Any) -> str:
    """Return a value as a person reads it: 4 significant digits, thousands apart, None as a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 10_000 else f"{value:,.0f}"
    return str(value)


def _picture(name: str, value: Any) -> str:
    """Return the picture that evidence of this name gets where it has the shape for it, else its shape."""
    shape = _shape(value)
    if name in ("summary", "likely"):
        return "elsewhere"
    if name == "slices" and shape == "rows":
        models = [row.get(model, {}) for row in value for model in ("candidate", "baseline")]
        return "slices" if all(_flat(model) for model in models) else shape
    if name.endswith("histogram") and shape == "rows":
        return "histogram" if all(_flat(row) for row in value) and _columns(value) else shape
    return shape


def _shape(value: Any) -> str:
    """Return how a piece of evidence is best shown: value, text, pairs, rows, list or parts."""
    if isinstance(value, str) and "\n" in value:
        return "text"
    if isinstance(value, Mapping):
        return "pairs" if _flat(value) else "parts"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return "rows" if value and all(isinstance(row, Mapping) for row in value) else "list"
    return "value"


def _flat(value: Any) -> bool:
    """Say whether a value is a mapping to plain values."""
    return isinstance(value, Mapping) and not any(
        isinstance(held, Mapping | list | tuple) for held in value.values()
    )


def _spoken(name: Any) -> str:
    """Return a key as words."""
    return str(name).replace("_", " ")


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys of a table's rows, in the order in which they first appear."""
    return list(dict.fromkeys(key for row in rows for key in row))


def _share(value: Any, whole: Any) -> float:
    """Return the length of a bar in percent of the longest, 0 for what is no number."""
    try:
        return round(min(max(100 * float(value) / float(whole), 0.0), 100.0), 1)
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0


def _most(rows: Sequence[Mapping[str, Any]], name: str) -> float:
    """Return the largest number that a table has under `name`, 0 without any."""
    held = (row.get(name) for row in rows)
    return max((float(value) for value in held if isinstance(value, int | float)), default=0.0)
