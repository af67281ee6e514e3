"""Pages for people: a gate's verdict as one self-contained HTML file, without script.

Rendering reads and never computes: every figure on the page stands in the verdict; only the lengths
of bars are worked out here. Every value is escaped, since columns, slices and values are data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from pydantic import TypeAdapter, ValidationError

from components.evidence import Changes, Curves, Difference, Number, Search
from components.ledger import Release
from components.runs import Run, StepRecord
from components.store import Artifact
from components.verdict import Check, Status, Verdict

if TYPE_CHECKING:
    from jinja2 import Environment

    from components.backtest.picture import Picture
    from components.backtest.report import Report
    from components.tune import Best

# For an HTTP header; the pages carry the same in a <meta>, but for `frame-ancestors`.
POLICY = "default-src 'none'; style-src 'unsafe-inline'"
# How a verdict is told, and the order in which the checks that did not shut the gate are listed.
WORDS = {Status.PASSED: "passed", Status.FAILED: "halted", Status.ERROR: "could not judge"}
OTHERS = (Status.WARNED, Status.SKIPPED, Status.PASSED)
AT_ONCE = 3  # of what shut the gate; the rest unfolds
OVERALL = "overall"  # the slice of all examples
Figures: TypeAdapter[Any] = TypeAdapter(dict[str, Number | None])
SHAPES: dict[str, TypeAdapter[Any]] = {
    "metrics": Figures,
    "baseline_metrics": Figures,
    "differences": TypeAdapter(list[Difference]),
    "curves": TypeAdapter(Curves),
    "weak_slices": TypeAdapter(list[Search]),
    "changes": TypeAdapter(Changes),
}


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
    drawn = Drawing.of(verdict.evidence)
    left = {name: value for name, value in verdict.evidence.items() if name not in drawn.names}
    pieces = [(name, value, _picture(name, value)) for name, value in left.items()]
    return _render(
        "verdict.html",
        verdict=verdict,
        word=WORDS[verdict.status],
        groups=[(status, checks) for status, checks in groups if checks],
        plain={name: value for name, value, picture in pieces if picture == "value"},
        pieces=[piece for piece in pieces if piece[2] not in ("value", "elsewhere")],
        judged={check.name for check in verdict.checks},
        drawn=drawn,
        at_once=AT_ONCE,
        serving=serving,
        since=since or {},
    )


@dataclass(frozen=True)
class Drawing:
    """The evidence that has pictures, as far as it is there and of the shape for them.

    `names`: the pieces that are in it; `overall`: by metric; `slices`: metric → rows, the metric of
    the most harmed slice first.
    """

    names: frozenset[str] = frozenset()
    metrics: Mapping[str, Any] = field(default_factory=dict)
    baseline_metrics: Mapping[str, Any] = field(default_factory=dict)
    overall: Mapping[str, Difference] = field(default_factory=dict)
    slices: Mapping[str, Sequence[Difference]] = field(default_factory=dict)
    curves: Curves | None = None
    weak_slices: Sequence[Search] = ()
    changes: Changes | None = None

    @classmethod
    def of(cls, evidence: Mapping[str, Any]) -> Drawing:
        """Return what can be drawn of a verdict's evidence."""
        held: dict[str, Any] = {}
        for name, shape in SHAPES.items():
            with suppress(ValidationError, KeyError):
                held[name] = shape.validate_python(evidence[name], strict=False)
        names = frozenset(held)
        rows: list[Difference] = held.pop("differences", [])
        slices: dict[str, list[Difference]] = {}
        for row in rows:
            if row.slice != OVERALL:
                slices.setdefault(row.metric, []).append(row)
        overall = {row.metric: row for row in rows if row.slice == OVERALL}
        metrics = held.get("metrics", {})
        held["metrics"] = {n: metrics[n] for n in sorted(metrics, key=lambda n: n not in overall)}
        return cls(names=names, overall=overall, slices=slices, **held)

    def of_check(self, check: Check) -> Difference | None:
        """Return the difference that a check against the baseline judged, if it is drawn."""
        if check.values.get("bound") != "worse_by_at_most":
            return None
        rows = [*self.overall.values(), *(row for rows in self.slices.values() for row in rows)]
        judged = (check.name, check.subject)
        return next((row for row in rows if (row.metric, row.slice) == judged), None)


def step_page(run: Run, step: StepRecord, made: Artifact | None) -> str:
    """Return the HTML page of a step that has no verdict to show: what it came to, at what cost."""
    return _render("step.html", run=run, step=step, made=made)


def backtest_page(report: Report, picture: Picture | None, store: str) -> str:
    """Return the HTML page of a backtest; `store`: the way from it to the pipeline's store."""
    return _render("backtest.html", report=report, picture=picture, store=store)


def tune_page(pipeline: str, span: str, best: Best) -> str:
    """Return the HTML page of a search for hyperparameters: its trials, the best first."""
    ranked = sorted(best.trials, key=lambda t: (t.loss is None, t.loss or 0, t.number))
    worst = max((loss for trial in best.trials for loss in trial.losses), default=0)
    return _render("tune.html", pipeline=pipeline, span=span, best=best, ranked=ranked, worst=worst)


def message_page(title: str, message: str) -> str:
    """Return an HTML page with one message."""
    return _render("message.html", title=title, message=message)


def _render(template: str, **about: Any) -> str:
    return _templates().get_template(template).render(policy=POLICY, **about)


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    from components import charts

    templates = Environment(
        loader=PackageLoader("components"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters.update(
        charts.PICTURES,
        brief=_brief,
        columns=_columns,
        figure=_figure,
        metric=_metric,
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


def _metric(value: Any) -> str:
    """Return a metric's value with three decimals, so that many stand well below each other."""
    plain = not isinstance(value, float) or value == 0 or not 0.01 <= abs(value) < 100
    return _figure(value) if plain else f"{value:.3f}"


def _brief(value: Any) -> str:
    """Return a value, or the first digits of a digest."""
    told = _figure(value)
    return told[:12] if re.fullmatch(r"[0-9a-f]{64}", told) else told


def _picture(name: str, value: Any) -> str:
    """Return the picture that evidence of this name gets where it has the shape for it, else its shape."""
    shape = _shape(value)
    if name in ("summary", "likely"):
        return "elsewhere"
    if name == "slices" and shape == "rows":
        models = [row.get(model, {}) for row in value for model in ("candidate", "baseline")]
        return "slices" if all(_flat(model) for model in models) else shape
    if name == "memory" and shape == "parts":
        return "memory" if _over_time(value) else shape
    if name.endswith("histogram") and shape == "rows":
        counted = set(_columns(value)) - {"within budget"}
        return "histogram" if all(_flat(row) for row in value) and counted else shape
    return shape


def _over_time(value: Mapping[str, Any]) -> bool:
    """Say whether a mapping holds all that the picture of memory is drawn from."""
    samples = value.get("over time")
    whole = isinstance(samples, list) and all(
        isinstance(one, Mapping) and _numbers(one, "s", "MB") for one in samples
    )
    return whole and bool(samples) and _numbers(value, "budget MB", "peak MB")


def _numbers(value: Mapping[str, Any], *names: str) -> bool:
    return all(isinstance(value.get(name), int | float) for name in names)


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
