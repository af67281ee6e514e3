"""The model gate's questions: every bound of the spec, on every slice that it speaks of.

A question is put before any metric is known, so that TFMA is asked the same ones; its answer is a
check. A slice too small, or without what a metric needs, is told and not judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from components import metrics
from components.evaluate import ideals
from components.evaluate.needs import lacking, tally
from components.evaluate.slices import OVERALL, Slice, Slicing
from components.metrics import Metric, Task
from components.spec import Threshold
from components.verdict import Check, Status

FIRST = "no baseline yet: the first model"


@dataclass(frozen=True)
class Question:
    """Is this metric of this slice within bounds? `lower` and `upper` hold it, or its change.

    `kind`: what the spec calls the bound; `expected`: the bound in words; `change`: the bounds are of
    candidate less baseline; `unjudged`: the status and the reason of one that has no answer.
    """

    metric: str
    slice: Slice
    examples: int
    kind: str
    expected: str
    lower: float | None = None
    upper: float | None = None
    change: bool = False
    unjudged: tuple[Status, str] | None = None


def questions(
    thresholds: Sequence[Threshold],
    slicings: Sequence[Slicing],
    label: np.ndarray,
    baseline: np.ndarray | None,
    task: Task = "binary",
    classes: int = 2,
) -> list[Question]:
    """Return every question; `label` and the baseline's scores are as `Population` has them."""
    found: list[Question] = []
    tallied = {slicing.columns: tally(slicing, label, classes) for slicing in slicings}
    for threshold in thresholds:
        slicing = next(s for s in slicings if s.columns == threshold.slice)
        metric, examples = metrics.of(task)[threshold.metric], slicing.totals()
        lacks = lacking(metric, tallied[slicing.columns])
        had = (
            None if baseline is None else ideals.figures(threshold.metric, slicing, label, baseline)
        )
        for part in slicing:
            n, lacked = int(examples[part.code]), lacks[part.code]
            was = None if had is None else float(had[part.code])
            found.extend(_ask(threshold, metric, part, n, lacked, baseline is None, was))
    return found


def _ask(
    threshold: Threshold,
    metric: Metric,
    part: Slice,
    examples: int,
    lacks: str,
    first: bool,
    was: float | None,
) -> Iterator[Question]:
    """Yield the absolute question and the one against the baseline, as far as the spec asks them.

    `lacks`: why the slice has no such figure; `first`: there is no baseline; `was`: the baseline's
    figure of a metric that has an ideal.
    """
    unjudged = _unjudged(threshold, part, examples, lacks)
    least, most, worse = threshold.at_least, threshold.at_most, threshold.worse_by_at_most
    if least is not None or most is not None:
        bounds = {"at least": least, "at most": most}
        expected = " and ".join(f"{word} {b:g}" for word, b in bounds.items() if b is not None)
        yield Question(
            threshold.metric, part, examples, "absolute", expected, least, most, unjudged=unjudged
        )
    if worse is None:
        return
    if first:
        unjudged = (Status.SKIPPED, FIRST)
    better = metric.better
    if better:
        expected = f"at most {worse:g} {'below' if better > 0 else 'above'} the baseline"
        lower, upper = (-worse, None) if better > 0 else (None, worse)
    else:  # as far from the ideal as the baseline is, and a little
        expected = f"at most {worse:g} further from {metric.ideal:g} than the baseline"
        reach = (0.0 if was is None else metric.harm(was)) + worse
        lower, upper = metric.ideal - reach, metric.ideal + reach
    yield Question(
        threshold.metric,
        part,
        examples,
        "worse_by_at_most",
        expected,
        lower,
        upper,
        change=better != 0,
        unjudged=unjudged,
    )


def _unjudged(
    threshold: Threshold, part: Slice, examples: int, lacks: str
) -> tuple[Status, str] | None:
    """Return why a slice cannot be judged by its rows alone, or None when it can."""
    if examples < threshold.min_examples:
        return Status.SKIPPED, f"underpowered: {examples} examples of {threshold.min_examples}"
    if not lacks:
        return None
    status = Status.ERROR if part.name == OVERALL else Status.SKIPPED
    return status, f"undefined: {lacks}"


def answer(question: Question, figures: Mapping[str, Mapping[str, float]]) -> Check:
    """Return the check of a question, from model → metric → value of its slice."""
    metric, candidate = question.metric, figures["candidate"][question.metric]
    baseline = figures.get("baseline", {}).get(metric)
    compared = candidate if not question.change or baseline is None else candidate - baseline
    values = {"candidate": candidate, "baseline": baseline}
    values |= {"difference": None if baseline is None else candidate - baseline}
    values |= {"lower": question.lower, "upper": question.upper}
    seen = f"{candidate:.4f}"
    if baseline is not None:
        seen += f" (baseline {baseline:.4f}, {candidate - baseline:+.4f})"
    what = f"{metric} {'' if question.slice.name == OVERALL else 'of '}{question.slice.name}"
    if question.unjudged:
        status, why = question.unjudged
        told = f"{what} is not judged: {why}"
    elif not math.isfinite(compared):
        status = Status.ERROR
        told = f"{what} could not be measured: it is {seen} on {question.examples:,} examples"
    else:
        status = Status.PASSED if _within(compared, question) else Status.FAILED
        must = "as it must be:" if status is Status.PASSED else "but must be"
        told = f"{what} is {seen} on {question.examples:,} examples, {must} {question.expected}"
    return Check(
        name=metric,
        status=status,
        subject=question.slice.name,
        seen=seen,
        expected=question.expected,
        message=told,
        values={
            "bound": question.kind,
            "examples": question.examples,
            "slice": dict(question.slice.key),
            **{name: finite(value) for name, value in values.items()},
        },
    )


def _within(value: float, question: Question) -> bool:
    lower = -math.inf if question.lower is None else question.lower
    upper = math.inf if question.upper is None else question.upper
    return lower <= value <= upper


def finite(value: float | None) -> float | None:
    """Return the value where JSON can hold it, and None for one that is not a number."""
    return value if value is not None and math.isfinite(value) else None
