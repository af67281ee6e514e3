"""The report: which gate refused which, by what it named, and what escaped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from benchmarks.mutants.ground import EVALUATE, LAST, TRAIN
from benchmarks.mutants.mutant import HONEST, Outcome

TRAINING = "training"


def markdown(outcomes: Sequence[Outcome]) -> str:
    """Return the page for docs/."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"who": who, "named": named, "change": _change}
    broken, honest = _apart(outcomes)
    return environment.get_template("report.md.jinja").render(
        broken=broken,
        honest=honest,
        caught=[one for one in broken if one.caught],
        escaped=[one for one in broken if not one.caught and not one.mutant.harmless],
        harmless=[one for one in broken if not one.caught and one.mutant.harmless],
        refused=[one for one in honest if one.caught],
        kinds=list(dict.fromkeys(one.mutant.kind for one in broken)),
        window=(TRAIN, EVALUATE, LAST),
        cpu=sum(one.seconds for one in outcomes),
    )


def screen(outcomes: Sequence[Outcome]) -> str:
    """Return the counts."""
    broken, honest = _apart(outcomes)
    escaped = [o.mutant.name for o in broken if not o.caught and not o.mutant.harmless]
    refused = [o.mutant.name for o in honest if o.caught]
    return (
        f"{len(broken)} mutants, {sum(o.caught for o in broken)} caught; "
        f"escaped: {', '.join(escaped) or 'none'}; "
        f"{len(honest)} honest candidates, refused: {', '.join(refused) or 'none'}"
    )


def line(outcome: Outcome) -> str:
    """Return how one came out."""
    return f"{outcome.mutant.kind}: {outcome.mutant.name}: {who(outcome)} {named(outcome)[:150]}"


def who(outcome: Outcome) -> str:
    """Return who refused it first."""
    if outcome.crashed:
        return TRAINING
    return outcome.shut[0].gate if outcome.shut else "nobody"


def named(outcome: Outcome) -> str:
    """Return the check that refused it first, and its words; of a fault of serving, each gate's."""
    if outcome.crashed:
        return outcome.crashed
    told = []
    for verdict in outcome.shut[: 2 if outcome.mutant.serves else 1]:
        first = verdict.offences[0]
        what = f"`{first.name}{' ' if first.subject else ''}{first.subject}`"
        words = " ".join((first.message or verdict.reason).split()).replace("|", "\\|")
        also = f" (and {len(verdict.offences) - 1} more)" if len(verdict.offences) > 1 else ""
        gate = f"{verdict.gate}: " if outcome.mutant.serves else ""
        told.append(f"{gate}{what} {_short(words)}{also}")
    return "; ".join(told)


def _short(words: str, most: int = 170) -> str:
    return words if len(words) <= most else words[: most - 1].rsplit(" ", 1)[0] + " …"


def _change(outcome: Outcome, metric: str) -> str:
    value = outcome.figures.get(metric)
    return "–" if value is None or value != value else f"{value:+.3f}"


def _apart(outcomes: Sequence[Outcome]) -> tuple[list[Outcome], list[Outcome]]:
    broken = [one for one in outcomes if one.mutant.kind != HONEST]
    return broken, [one for one in outcomes if one.mutant.kind == HONEST]
