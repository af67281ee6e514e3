"""Candidate less baseline, metric by metric and slice by slice, as the page draws it: by harm.

What a threshold asks of is shown as its check found it, with the interval at the level to which all
tests of the run were held. The rest is there to be looked at: all metrics overall, and every slice by
the metrics that thresholds name, with intervals at 95 %.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from pydantic import JsonValue

from components import metrics
from components.evaluate.paired import Pair
from components.evaluate.paired.estimates import ESTIMATORS
from components.evaluate.population import BASELINE, CANDIDATE, Population
from components.evaluate.slices import Slicing
from components.evidence import Difference
from components.metrics import HEADLINE, Metric
from components.verdict import Check

UNASKED = "unasked"  # in place of a status, where no threshold asks
SURE = 0.95


def differences(judging: Population, checks: Sequence[Check]) -> list[JsonValue]:
    """Return `evidence.Difference`s, most harmed first; none without a baseline.

    Harm is how much worse than tolerated the candidate is at least: by the end of the interval that
    is kindest to it. A slice that is a little worse for sure comes before one that may be far worse
    by chance.
    """
    if BASELINE not in judging.scores:
        return []
    asked = {
        (check.name, check.subject): check
        for check in checks
        if check.values.get("bound") == "worse_by_at_most"
    }
    named = {name for name, _ in asked} or {HEADLINE[judging.task][0]}
    rows: list[Difference] = []
    for name, metric in metrics.of(judging.task).items():
        if metric.better is None or name not in ESTIMATORS[judging.task]:
            continue
        scores = judging.scores[CANDIDATE], judging.scores[BASELINE]
        pair = Pair(metric, judging.label, *scores, judging.task)
        for slicing in judging.slicings:
            if not slicing.columns or name in named:
                rows += _rows(metric, pair, slicing, asked)
    return [row.plain() for row in sorted(rows, key=lambda row: -row.harm)]


def _rows(
    metric: Metric,
    pair: Pair,
    slicing: Slicing,
    asked: Mapping[tuple[str, str], Check],
) -> Iterator[Difference]:
    of = pair.on(slicing)
    reach, better = of.reach((1 - SURE) / (3 - of.tails)), metric.better or -1
    for part, examples in zip(slicing, slicing.totals().tolist(), strict=True):
        at = part.code
        difference = float(of.difference[at])
        if not np.isfinite(difference):
            continue
        check = asked.get((metric.name, part.name))
        values: Mapping[str, Any] = check.values if check else {}
        interval = values.get("interval") or [difference - reach[at], difference + reach[at]]
        if not all(end is not None and np.isfinite(end) for end in interval):
            interval = None
        kindest = -better * (interval[better > 0] if interval else difference)
        yield Difference(
            slice=part.name,
            metric=metric.name,
            better=better,
            examples=int(examples),
            candidate=float(of.candidate[at]),
            baseline=float(of.baseline[at]),
            difference=difference,
            interval=interval,
            tolerated=values.get("tolerated"),
            status=str(check.status) if check else UNASKED,
            harm=kindest - (values.get("tolerated") or 0.0),
            underpowered=bool(values.get("underpowered")),
            needs=values.get("needs"),
        )
