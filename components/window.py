"""The window: which spans train, which judge, and which stay out because the data gate refused them.

var/store/<pipeline>/validate_data/<span>/of-<digest>   names the latest verdict on examples

A run apart, such as one of a backtest, reads these and writes its own: what it finds accepts and
refuses nothing for the pipeline.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from components import admissions, gates, store
from components.errors import Halted
from components.runs import Run
from components.spec import Spec
from components.store import Artifact
from components.verdict import Check, Status, Verdict

# As many spans as the data gate learns from: two months, and eight of every weekday.
HISTORY = 60


@dataclass(frozen=True)
class Window:
    """The examples that a run uses, oldest first; `refused` spans were in reach and stay out."""

    train: Sequence[Artifact]
    evaluate: Sequence[Artifact]
    refused: Sequence[str]


def choose(what: Spec, run: Run) -> Window:
    """Return the run's window: accepted spans only, the latest of them to judge, earlier to train.

    Raises Halted when less than half of the spans that should train are there and accepted.
    """
    reach = what.window_of(run.span)
    judging = set(reach[-what.window.evaluate :])
    train: list[Artifact] = []
    evaluate: list[Artifact] = []
    refused: list[str] = []
    for examples in examples_of(run):
        span = examples.manifest.span
        if not accepted(what, run, examples):
            refused.append(span)
        else:
            (evaluate if span in judging else train).append(examples)
    least = (what.window.train + 1) // 2
    if len(train) < least or not evaluate:
        raise Halted(_too_short(what, run, len(train), len(evaluate), refused))
    return Window(train, evaluate, refused)


def examples_of(run: Run) -> list[Artifact]:
    """Return the examples in reach of the run, whole, oldest first, its own span last."""
    ordered = sorted(run.examples.items())
    return [store.find("examples", run.pipeline, span, digest) for span, digest in ordered]


def accepted_before(what: Spec, run: Run, examples: Artifact) -> list[Artifact]:
    """Return the latest `HISTORY` accepted examples that are older than these, oldest first.

    Those in the run's reach are the ones it opened with; beyond it, what the store last took in.
    """
    reach = {e.manifest.span: e for e in examples_of(run)}
    known = {path.name for path in (store.root(what.name) / "validate_data").glob("*")}
    older = [span for span in known | set(reach) if span < examples.manifest.span]
    found: list[Artifact] = []
    for span in sorted(older, reverse=True):
        one = reach.get(span) or _let_in(what, span, run)
        if one and (span not in reach or accepted(what, run, one)):
            found.append(one)
        if len(found) == HISTORY:
            break
    return found[::-1]


def _let_in(what: Spec, span: str, run: Run) -> Artifact | None:
    """Return the latest examples of a span that no run holds, if the data gate or a person let them in."""
    examples = store.pointed(what.name, store.root(what.name) / "examples" / span / "current")
    verdict = judged(what, examples, run) if examples else None
    if examples is None or verdict is None:
        return None
    admitted = (span, examples.digest) in admissions.admissions(what.name)
    return examples if admitted or gates.read(verdict).passed else None


def accepted(what: Spec, run: Run, examples: Artifact) -> bool:
    """Say whether these examples may be in a run's window: the data gate passed them, or a person did.

    An admission counts for runs that open after it: one that is under way keeps its window.
    """
    verdict = judged(what, examples, run)
    if verdict is None:
        return False
    admitted = run.admitted.get(examples.manifest.span) == examples.digest
    return admitted or gates.read(verdict).passed


def judged(what: Spec, examples: Artifact, run: Run | None = None) -> Artifact | None:
    """Return the data gate's latest verdict on exactly these examples, or None before the first.

    For `run`, one that it reached itself, if it is apart, comes before the pipeline's.
    """
    own = [run.apart] if run and run.apart else []
    for folder in (*own, store.root(what.name)):
        verdict = store.pointed(what.name, _pointer(folder, examples))
        if verdict and gates.read(verdict).speaks_of.get("examples") == examples.digest:
            return verdict
    return None


def remember(examples: Artifact, verdict: Artifact, run: Run | None = None) -> None:
    """Make this the latest verdict on these examples: for all, or for `run` alone if it is apart."""
    apart = run.apart if run else None
    store.point(_pointer(apart or store.root(examples.manifest.pipeline), examples), verdict)


def _pointer(folder: Path, examples: Artifact) -> Path:
    return folder / "validate_data" / examples.manifest.span / f"of-{examples.digest[:16]}"


def _too_short(what: Spec, run: Run, train: int, evaluate: int, refused: list[str]) -> Verdict:
    told = (
        f"the window has {train} accepted spans to train on and {evaluate} to judge on, of "
        f"{what.window.train} and {what.window.evaluate}; {len(refused)} were refused"
    )
    check = Check(name="window", status=Status.FAILED, subject=run.span, message=told)
    return Verdict(
        gate="data",
        pipeline=run.pipeline,
        span=run.span,
        speaks_of={"examples": run.examples.get(run.span, "")},
        checks=(check,),
    )
