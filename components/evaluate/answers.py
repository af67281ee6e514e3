"""The answers to the model gate's questions, as checks: what was measured, and what follows.

A bound on a figure holds the figure itself. A regression blocks when it is credible that the candidate
is worse by more than is tolerated (`measured.py`). What a slice is too small to show is told.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from components.evaluate.measured import Measured
from components.evaluate.slices import OVERALL, Slice
from components.evaluate.thresholds import Question
from components.metrics import CUT
from components.spec import ModelGate
from components.verdict import Check, Status

BUCKETED = {"auc": 1e-3}  # how far TFMA's figure may be from the exact one; the others are equal
EQUAL = 1e-9


@dataclass(frozen=True)
class Bound:
    """A bound for TFMA's files: of the metric itself or, with `change`, of candidate less baseline."""

    metric: str
    slice: Slice
    lower: float | None
    upper: float | None
    change: bool = False

    def beyond(self, figure: float) -> float:
        """Return by how much a figure is out of bounds; negative for one within them."""
        below = -math.inf if self.lower is None else self.lower - figure
        above = -math.inf if self.upper is None else figure - self.upper
        return max(below, above)


@dataclass(frozen=True)
class Answer:
    """A question, what was measured for it, and its check."""

    question: Question
    measured: Measured
    check: Check

    @property
    def bound(self) -> Bound | None:
        """Return the owner's bound for TFMA to hold, None where TFMA would say otherwise than we.

        TFMA knows no noise: it calls every regression of the estimate a failure, and every slice that
        is too small. All that can be done for those slices is to keep the bound out of its config.
        """
        if self.question.unjudged or not math.isfinite(self.figure):
            return None
        bound = _bound(self.question, self.measured.baseline)
        near = BUCKETED.get(bound.metric, EQUAL)
        beyond = bound.beyond(self.figure)
        failed = self.check.status is Status.FAILED and not self.underpowered
        return bound if (beyond > near if failed else beyond < -near) else None

    @property
    def figure(self) -> float:
        """Return what the bound holds: the difference, or the candidate's own figure."""
        compared = self.question.tolerated is not None and self.question.metric.better
        return self.measured.difference if compared else self.measured.candidate

    @property
    def underpowered(self) -> bool:
        """Say whether the slice is too small to tell."""
        return bool(self.check.values["underpowered"])

    @property
    def baseline_breaks(self) -> bool:
        """Say whether the baseline breaks the same bound: no news of the candidate."""
        alone = self.question.tolerated is None
        bound = _bound(self.question, self.measured.baseline)
        return alone and bound.beyond(self.measured.baseline) > 0

    @property
    def beyond(self) -> float:
        """Return by how much the bound is broken, in the metric's unit; NaN where it cannot be told."""
        return _bound(self.question, self.measured.baseline).beyond(self.figure)


def answers(
    asked: Sequence[Question], measured: Sequence[Measured], gate: ModelGate
) -> list[Answer]:
    """Return the answer to each question, in their order."""
    return [Answer(q, of, _check(q, of, gate)) for q, of in zip(asked, measured, strict=True)]


def _bound(asks: Question, baseline: float) -> Bound:
    lower, upper, change = asks.lower, asks.upper, False
    if asks.tolerated is not None and asks.metric.better:
        change = True
        lower = -asks.tolerated if asks.metric.better > 0 else None
        upper = asks.tolerated if asks.metric.better < 0 else None
    elif asks.tolerated is not None:
        reach = asks.metric.harm(baseline) + asks.tolerated
        lower, upper = asks.metric.ideal - reach, asks.metric.ideal + reach
    return Bound(asks.metric.name, asks.slice, lower, upper, change)


def _check(asks: Question, of: Measured, gate: ModelGate) -> Check:
    what = f"{asks.metric.name} {'' if asks.slice.name == OVERALL else 'of '}{asks.slice.name}"
    seen = _figure(of.candidate)
    if math.isfinite(of.baseline):
        seen += f" (baseline {_figure(of.baseline)}, {_figure(of.difference, '+')})"
    status, why = _outcome(asks, of, gate.false_blocks)
    told = f"{what} is {seen} on {asks.examples:,} examples{why}"
    if asks.unjudged:
        told = f"{what} is not judged: {why}"
    unsure = asks.tolerated is not None and not of.needs <= asks.examples  # nor is NaN
    small = status is Status.WARNED or (status is Status.PASSED and unsure)
    if small:
        status = Status.FAILED if gate.underpowered == "halt" else Status.WARNED
        told += _wanting(asks, of)
    figures = {
        "candidate": of.candidate,
        "baseline": of.baseline,
        "difference": of.difference,
        "p": of.p,
        "tolerated": asks.tolerated,
        "notice": None if asks.tolerated is None else of.notice,
        "lower": asks.lower,
        "upper": asks.upper,
        "needs": of.needs,
    }
    return Check(
        name=asks.metric.name,
        status=status,
        subject=asks.slice.name,
        seen=seen,
        expected=asks.expected,
        message=told,
        values={
            "bound": asks.kind,
            "examples": asks.examples,
            "slice": dict(asks.slice.key),
            **{name: finite(value) for name, value in figures.items()},
            "interval": [finite(of.low), finite(of.high)],
            "underpowered": small,
        },
    )


def _outcome(asks: Question, of: Measured, false_blocks: float) -> tuple[Status, str]:
    """Return the status of a question, before its power is looked at, and why."""
    if asks.unjudged:
        return asks.unjudged
    compared = asks.tolerated is not None
    if asks.metric.name == "precision" and not math.isfinite(
        of.difference if compared else of.candidate
    ):
        status = Status.ERROR if asks.slice.name == OVERALL else Status.WARNED
        who = "the candidate" if not math.isfinite(of.candidate) else "the baseline"
        return status, f": no score of {who} is above {CUT:g}, so that there is none"
    between = f"between {_figure(of.low)} and {_figure(of.high)}"
    if asks.tolerated is None:
        if not math.isfinite(of.candidate):
            return Status.ERROR, ", which is no number: it could not be measured"
        within = _bound(asks, of.baseline).beyond(of.candidate) <= 0
        if within:
            return Status.PASSED, f", as it must be: {asks.expected}; it lies {between}"
        return Status.FAILED, f", but must be {asks.expected}; it lies {between}"
    if not math.isfinite(of.difference):
        return Status.ERROR, ", which is no difference: it could not be measured"
    lies = f"the difference lies {between}"
    if of.p <= false_blocks:
        told = f", but must be {asks.expected}; {lies}, and noise explains it with p = {_p(of.p)}"
        return Status.FAILED, told
    if of.harm > 0:
        told = f" and must be {asks.expected}, which noise explains (p = {_p(of.p)}); {lies}"
        return Status.PASSED, told
    return Status.PASSED, f", as it must be: {asks.expected}; {lies}"


def _wanting(asks: Question, of: Measured) -> str:
    """Return what it would take to judge a slice."""
    if not math.isfinite(of.needs):
        return ""
    sign = "; " if asks.unjudged else "; underpowered: "
    shown = f"to show that it is worse by {of.notice:.3g} more than that"
    return f"{sign}it needs about {of.needs:,.0f} examples {shown}"


def _figure(value: float, sign: str = "") -> str:
    return f"{value:{sign}.4f}" if abs(value) < 1e6 else f"{value:{sign}.6g}"


def _p(p: float) -> str:
    return f"{p:.2g}" if p >= 1e-4 else "0.0001 or less"


def finite(value: float | None) -> float | None:
    """Return the value where JSON can hold it, and None for one that is not a number."""
    return value if value is not None and math.isfinite(value) else None
