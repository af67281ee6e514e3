"""Since when: how far back, span by span, a gate has refused for the same reason."""

from __future__ import annotations

from collections.abc import Iterator

from components import gates, runs
from components.runs import Run
from components.verdict import Verdict

Offence = tuple[str, str]  # a check's name and subject


def since(run: Run, step: str, verdict: Verdict) -> dict[Offence, str]:
    """Return for each offence of a run's verdict the span from which on every run has had it."""
    began = {(check.name, check.subject): run.span for check in verdict.offences}
    lasting = set(began)
    for span, earlier in _before(run, step):
        lasting &= {(check.name, check.subject) for check in earlier.offences}
        if not lasting:
            break
        began |= dict.fromkeys(lasting, span)
    return began


def _before(run: Run, step: str) -> Iterator[tuple[str, Verdict]]:
    """Yield the spans before the run's own that the gate judged, latest first, and its last verdict."""
    latest = {other.span: other for other in runs.all_runs(run.pipeline) if other.span < run.span}
    for span, other in sorted(latest.items(), reverse=True):
        done = runs.steps(other).get(step)
        if done and done.artifact:
            yield span, gates.read(runs.artifact(other, step))
