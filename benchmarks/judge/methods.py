"""Who says which slices are worse: the model gate, and what else could have said so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from scipy import special

from components import metrics
from components.evaluate.answers import answers
from components.evaluate.measured import measure
from components.evaluate.paired import Comparison, Pair, family
from components.evaluate.paired.delong import AUC
from components.evaluate.population import BASELINE, CANDIDATE, Population
from components.evaluate.thresholds import questions
from components.spec import ModelGate, Threshold
from components.verdict import Status

SURE = 0.05
GATE = ModelGate(false_blocks=SURE)
RESAMPLES = 40
METRICS = (
    "auc", "accuracy", "precision", "recall", "calibration", "loss",
    "false_positive_rate", "false_negative_rate",
)  # fmt: skip


def gate(judging: Population, of: Sequence[str]) -> set[tuple[str, str]]:
    """Return metric and slice of each check that blocks, where no regression is tolerated."""
    slicing = judging.slicings[1].columns
    thresholds = [
        Threshold(metric=m, slice=slicing, worse_by_at_most=0.0, min_examples=1) for m in of
    ]
    asked = questions(thresholds, judging.slicings, judging.label, judging.scores[BASELINE])
    found = answers(asked, measure(asked, judging, GATE), GATE)
    return {(a.check.name, a.check.subject) for a in found if a.check.status is Status.FAILED}


def compare(judging: Population, metric: str) -> Comparison:
    """Return the comparison by a metric, slice by slice."""
    scores = judging.scores[CANDIDATE], judging.scores[BASELINE]
    pair = Pair(metrics.of("binary")[metric], judging.label, *scores)
    return pair.on(judging.slicings[1])


def held_together(*of: Comparison) -> np.ndarray:
    """Return which slices block by which comparison, bool [comparisons, slices].

    By the functions that the gate decides by, without the checks and messages that it writes.
    """
    p = np.nan_to_num(np.concatenate([one.p(0.0) for one in of]), nan=1.0)
    least = np.concatenate([one.least for one in of])
    share = np.concatenate([one.share for one in of])
    return (family.together(p, least, share, SURE).p <= SURE).reshape(len(of), -1)


def _normal(of: Comparison) -> np.ndarray:
    p = special.ndtr(-of.harm(0.0))
    return np.where(np.isnan(p), 1.0, p)


def _benjamini_hochberg(of: Comparison) -> np.ndarray:
    p = np.nan_to_num(of.p(0.0), nan=1.0)
    ranked = np.sort(p) <= SURE * np.arange(1, len(p) + 1) / len(p)
    return p <= (np.sort(p)[np.flatnonzero(ranked)[-1]] if ranked.any() else -1)


# Comparison by AUC → which slices are called worse, bool [slices].
METHODS: Mapping[str, Callable[[Comparison], np.ndarray]] = {
    "Sluice": lambda of: held_together(of)[0],
    "TFMA: any regression": lambda of: of.worse > 0,
    "TFMA: more than .01": lambda of: of.worse > 0.01,
    "DeLong, p < .05 each": lambda of: _normal(of) < SURE,
    "DeLong, normal tails, Holm": lambda of: (
        family.together(_normal(of), 0 * of.worse, of.share, SURE).p <= SURE
    ),
    "Benjamini–Hochberg": _benjamini_hochberg,
}
BOOTSTRAP = f"bootstrap, {RESAMPLES} resamples, 95 % each"


def bootstrap(judging: Population, seed: int) -> np.ndarray:
    """Return which slices are worse in 95 % of resamples of their rows: bool [slices].

    Each row counts as often as Poisson says, which resamples every slice at once; the AUC of a
    resample is read off its structural components, as is exact for a mean and near for an area.
    """
    slicing, draw = judging.slicings[1], np.random.default_rng(seed)
    of = [AUC(judging.label, judging.scores[m]).on(slicing) for m in (CANDIDATE, BASELINE)]
    moved, worse = of[0].influence - of[1].influence, of[1].value - of[0].value
    counts = np.searchsorted(special.pdtr(np.arange(8), 1.0), np.arange(256) / 256, side="right")
    found = np.zeros(len(worse))
    for _ in range(RESAMPLES):
        weights = counts[draw.integers(0, 256, len(moved), dtype=np.uint8)] - 1
        found += worse - slicing.totals(weights * moved) > 0
    return found >= (1 - SURE) * RESAMPLES
