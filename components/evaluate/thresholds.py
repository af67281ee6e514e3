"""The model gate's questions: every bound of the spec, on every slice that it speaks of.

A question is put before any metric is known. Where a slice is too small, or lacks what the metric
lives on, the question says so and has no answer.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from components import metrics
from components.evaluate.needs import lacking, tally
from components.evaluate.slices import OVERALL, Slice, Slicing
from components.metrics import Metric, Task
from components.spec import Threshold
from components.verdict import Check, Status

FIRST = "no baseline yet: the first model"


@dataclass(frozen=True)
class Question:
    """Is this metric of this slice within bounds, or no worse than the baseline's?

    `kind`: what the spec calls the bound; `expected`: the bound in words; `lower` and `upper` hold the
    candidate's figure; `tolerated`: how much worse it may be, for the question against the baseline;
    `notice`: the regression beyond that which must not go unnoticed; `min_examples`: below which a
    slice is not judged; `unjudged`: the status and the reason of one that has no answer, WARNED for a
    slice too small to tell.
    """

    metric: Metric
    slice: Slice
    examples: int
    kind: str
    expected: str
    lower: float | None = None
    upper: float | None = None
    tolerated: float | None = None
    notice: float | None = None
    min_examples: int = 1
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
        for part in slicing:
            n, lacked = int(examples[part.code]), lacks[part.code]
            found.extend(_ask(threshold, metric, part, n, lacked, first=baseline is None))
    return found


def unaskable(thresholds: Sequence[Threshold], slicings: Sequence[Slicing]) -> list[Check]:
    """Return an error for each threshold that no row can answer, since its column holds nothing."""
    empty = {slicing.columns for slicing in slicings if not len(slicing.values)}
    return [
        Check(
            name=threshold.metric,
            status=Status.ERROR,
            subject="×".join(threshold.slice),
            message=f"no row that judges has a value of {' and '.join(threshold.slice)}, so that nothing "
            f"can be said of {threshold.metric} by it; mend ingest.sql, or take the threshold out",
        )
        for threshold in thresholds
        if threshold.slice in empty
    ]


def _ask(
    threshold: Threshold, metric: Metric, part: Slice, examples: int, lacks: str, first: bool
) -> Iterator[Question]:
    """Yield the absolute question and the one against the baseline, as far as the spec asks them.

    `lacks`: why the slice has no such figure; `first`: there is no baseline.
    """
    unjudged = _unjudged(threshold, part, examples, lacks)
    least, most, worse = threshold.at_least, threshold.at_most, threshold.worse_by_at_most
    if least is not None or most is not None:
        bounds = {"at least": least, "at most": most}
        expected = " and ".join(f"{word} {b:g}" for word, b in bounds.items() if b is not None)
        yield Question(metric, part, examples, "absolute", expected, least, most, unjudged=unjudged)
    if worse is not None:
        side = {1: "below", -1: "above"}.get(
            metric.better or 0, f"further from {metric.ideal:g} than"
        )
        yield Question(
            metric,
            part,
            examples,
            "worse_by_at_most",
            f"at most {worse:g} {side} the baseline",
            tolerated=worse,
            notice=threshold.notice,
            min_examples=threshold.min_examples,
            unjudged=(Status.SKIPPED, FIRST) if first else unjudged,
        )


def _unjudged(
    threshold: Threshold, part: Slice, examples: int, lacks: str
) -> tuple[Status, str] | None:
    """Return why a slice cannot be judged by its rows alone, or None when it can."""
    if examples < threshold.min_examples:
        lacks = f"{examples} examples of {threshold.min_examples}"
    if not lacks:
        return None
    status = Status.ERROR if part.name == OVERALL else Status.WARNED
    return status, f"underpowered: {lacks}"
