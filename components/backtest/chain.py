"""The chain of a backtest: spans in order, each judged against what the one before left serving."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from components import plan, runs
from components.backtest.ahead import Ahead
from components.backtest.rehearsal import Rehearsal, rehearsal
from components.backtest.report import Tried
from components.errors import Halted, SluiceError, UsageError
from components.plan import Outcome
from components.spec import Spec
from components.verdict import Status

DATA = ("describe", "validate_data")
MODEL = ("transform", "train", "evaluate")
INFRA = ("validate_infra",)


class Tell(Protocol):
    """Called after each piece of work, with how long what is left will take, in seconds."""

    def __call__(self, span: str, message: str, done: int, of: int, left_s: float) -> None:
        """Tell of a piece of work: `done` of `of` are done."""


@dataclass
class Chain:
    """What goes through the spans. `steps`: those of a retraining, in order.

    `digests`: span → digest of its examples; `holes`: span → why it has none; `serving`: the model
    that would be, relative to the pipeline's store.
    """

    what: Spec
    kept: Path
    digests: Mapping[str, str]
    holes: Mapping[str, str]
    steps: Sequence[str]
    training: Ahead
    tell: Tell
    serving: str | None = None
    _seconds: list[float] = field(default_factory=list)

    def data_pass(self, keys: Sequence[str], due: set[str]) -> dict[str, Tried | Rehearsal]:
        """Let the data gate judge every span; return what it halted, and the runs of the others.

        Candidates that are due begin to be trained as soon as their window is settled.
        """
        found: dict[str, Tried | Rehearsal] = {}
        began = time.monotonic()
        for n, span in enumerate(keys, 1):
            found[span] = self._data(span)
            passed = found[span]
            if isinstance(passed, Rehearsal) and span in due and "train" not in runs.steps(passed):
                self.training.begin(passed)
            told = passed.reason if isinstance(passed, Tried) else _said(passed)
            left = (time.monotonic() - began) / n * (len(keys) - n)
            self.tell(span, told, n, len(keys), left)
        return found

    def _data(self, span: str) -> Tried | Rehearsal:
        if span in self.holes:
            reason = self.holes[span]
            return Tried(span=span, outcome="halted", gate="arrival", reason=reason, sound=False)
        run = rehearsal(self.what, span, self.digests, self.kept)
        came_to = _carry_out(run, DATA)
        return _tried(run, came_to, sound=False) if isinstance(came_to, Halted) else run

    def model_pass(self, found: Mapping[str, Tried | Rehearsal], due: set[str]) -> list[Tried]:
        """Train, judge, and move on what would be serving, span by span; return what came of each."""
        tried: list[Tried] = []
        for span, one in found.items():
            if isinstance(one, Rehearsal) and span in due:
                began = time.monotonic()
                tried.append(self._model(one))
                self._seconds.append(time.monotonic() - began)
                left = sum(s in due for s in found) - len(self._seconds)
                pace = sum(self._seconds[-3:]) / len(self._seconds[-3:])
                self.tell(span, tried[-1].line, len(tried), len(found), pace * left)
            elif isinstance(one, Rehearsal):
                tried.append(Tried(span=span, outcome="kept"))
            else:
                tried.append(one)
        return tried

    def _model(self, run: Rehearsal) -> Tried:
        began = time.monotonic()
        run = run.model_copy(update={"serving": self.serving})
        self.training.wait(run)
        done = _tried(run, _carry_out(run, self.steps))
        if done.outcome == "released":
            self.serving = done.model
        return done.model_copy(update={"seconds": round(time.monotonic() - began, 1)})


def _said(run: Rehearsal) -> str:
    """Return what the data gate said of the span of a run, or who let it in."""
    return runs.steps(run)["validate_data"].message


def _carry_out(run: Rehearsal, steps: Sequence[str]) -> Outcome | Halted:
    """Do some steps of a run; return what the last came to, or the halt at which the run ended.

    Raises SluiceError with the step's name when one breaks.
    """
    for step in steps:
        try:
            outcome = plan.carry_out(plan.STEPS[step], run)
        except Halted as halt:
            return halt
        except UsageError:
            raise
        except Exception as error:
            told = (
                f"{error}" if isinstance(error, SluiceError) else f"{type(error).__name__}: {error}"
            )
            message = f"{run.span} {step}: {told}; the same command goes on from there"
            raise SluiceError(message) from error
    return outcome


def _tried(run: Rehearsal, came_to: Outcome | Halted, *, sound: bool = True) -> Tried:
    """Return what would have become of a span, from what its run came to and left on record."""
    done = runs.steps(run)
    model = done["train"].artifact if sound and "train" in done else None
    verdict = list(done.values())[-1].artifact
    if isinstance(came_to, Outcome):
        told = came_to.message
        return Tried(span=run.span, outcome="released", reason=told, model=model, verdict=verdict)
    return Tried(
        span=run.span,
        outcome="error" if came_to.verdict.status is Status.ERROR else "halted",
        gate=came_to.verdict.gate,
        reason=came_to.verdict.wrong(1) or came_to.verdict.reason,
        model=model,
        verdict=verdict,
        sound=sound,
    )
