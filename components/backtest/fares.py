"""How the served model would have fared: each day's labels, against the scores of who served then.

A candidate of span S can serve from the day after S; the labels of that day were in no window yet.
Three policies are held side by side: `gated` releases what passes the gates, `always` every candidate
that could be trained, `never` only the first.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from components import metrics, scoring, store
from components.backtest.measure import Days, Of, each_day, followed, interval, measure
from components.backtest.report import (
    ALWAYS,
    GATED,
    NEVER,
    POLICIES,
    Day,
    Fares,
    Figure,
    Policy,
    Tried,
)
from components.ingest import arrival
from components.labels import encode
from components.spec import Spec
from components.store import Artifact

Served = Mapping[Policy, str]  # policy → model, relative to the pipeline's store


def fares(
    what: Spec,
    tried: Sequence[Tried],
    examples: Mapping[str, Artifact],
    tell: Callable[[int, int], None] = lambda done, of: None,
) -> Fares:
    """Return how the policies would have fared on every day that each of them has a model for.

    `examples`: span → its examples; `tell`: called with the models that have answered, and how many
    there are.
    """
    task, metric = what.task, followed(what)
    about = metrics.of(task)[metric]
    serving = {
        span: served
        for span, served in served_on(tried).items()
        if span in examples and len(served) == len(POLICIES)
    }
    labels = {span: _labels(what, examples[span]) for span in serving}
    scores = _scores(what, serving, examples, tell)
    sound = {one.span: one.sound for one in tried}
    counted = [span for span in serving if sound[span] and len(labels[span])]

    def of(policy: Policy, spans: Sequence[str]) -> tuple[Days, Days]:
        return [labels[s] for s in spans], [scores[serving[s][policy], s] for s in spans]

    alone = {policy: each_day(task, metric, *of(policy, list(serving))) for policy in POLICIES}
    pooled = {policy: measure(task, metric, *of(policy, counted)) for policy in POLICIES}

    days = [
        Day(
            span=span,
            examples=len(labels[span]),
            served={policy: model.split("/")[1] for policy, model in serving[span].items()},
            metric={policy: _finite(alone[policy][n]) for policy in POLICIES},
            counts=span in counted,
        )
        for n, span in enumerate(serving)
    ]
    others: tuple[Policy, ...] = (ALWAYS, NEVER)
    return Fares(
        metric=metric,
        better=about.better or 0,
        ideal=about.ideal,
        days=days,
        pooled={policy: _figure(pooled[policy], len(counted)) for policy in POLICIES},
        differences={
            other: _figure(less(about, pooled[GATED], pooled[other]), len(counted))
            for other in others
        },
    )


def less(metric: metrics.Metric, one: Of, other: Of) -> Of:
    """Return one less the other, so that its sign says which is better.

    Where nearer to an ideal is better, of the distance from it: a bias of -500 is not less than one of 3.
    """
    if metric.better:
        return lambda weights: one(weights) - other(weights)
    return lambda weights: (
        np.abs(one(weights) - metric.ideal) - np.abs(other(weights) - metric.ideal)
    )


def served_on(tried: Sequence[Tried]) -> dict[str, Served]:
    """Return for each span which model would have answered on that day, by policy, where one would."""
    serves: dict[Policy, str] = {}
    found: dict[str, Served] = {}
    for one in tried:
        found[one.span] = dict(serves)
        if one.model:
            serves[ALWAYS] = one.model
            serves.setdefault(NEVER, one.model)
            if one.outcome == "released":
                serves[GATED] = one.model
    return found


def _scores(
    what: Spec,
    serving: Mapping[str, Served],
    examples: Mapping[str, Artifact],
    tell: Callable[[int, int], None],
) -> dict[tuple[str, str], np.ndarray]:
    """Return (model, span) → the scores of the span's labelled rows; each model is loaded once."""
    asked: dict[str, set[str]] = defaultdict(set)
    for span, served in serving.items():
        for model in served.values():
            asked[model].add(span)
    found = {}
    for number, (model, spans) in enumerate(asked.items(), 1):
        scorer = scoring.load(store.load(store.root(what.name) / model))
        for span, rows in _labelled(what, {s: examples[s] for s in spans}):
            found[model, span] = scorer.scores(rows)
        tell(number, len(asked))
    return found


def _labelled(what: Spec, examples: Mapping[str, Artifact]) -> Iterator[tuple[str, pd.DataFrame]]:
    for span, of_span in examples.items():
        rows = pd.read_parquet(of_span.file(arrival.FILE))
        yield span, rows[rows[what.label].notna()].reset_index(drop=True)


def _labels(what: Spec, examples: Artifact) -> np.ndarray:
    """Return the labels that there are, float64 [rows]."""
    held = pd.read_parquet(examples.file(arrival.FILE), columns=[what.label])[what.label]
    return encode(what, held.dropna())


def _figure(of: Of, days: int) -> Figure:
    if not days:
        return Figure(value=None)
    low, high = interval(days, of) or (None, None)
    return Figure(value=_finite(of(np.ones((1, days)))[0]), low=low, high=high)


def _finite(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None
