"""Weak slices: where the candidate does worst, among slices that nobody named.

Looked at are the values of every column that the model is fed, runs of bins of its numbers, and the
cells of every two columns; numbers are cut at quantiles of the rows that judge. Two questions are asked:

- `elsewhere`: is the loss higher than elsewhere, among examples of the same label? Without that a
  slice would be called weak for having more positives.
- `baseline`: is the loss higher than the baseline's, row by row, and more so than overall?

The search takes the most significant slice that is bad enough, sets its rows aside, and goes on with
the others. So a parent is not found for what its worst part did; and a pair only where it is worse
than its parents say: where the rest of a parent is weak as well, the parent is told instead. All that
was looked at counts: p-values and intervals are Bonferroni's.

Chung et al., "Slice Finder: Automated Data Slicing for Model Validation" (ICDE 2019), whence the
effect size; Zhang and Neill, "Identifying Significant Predictive Bias in Classifiers" (2016), whence
the choice by significance; like both, and the error trees of Fairlearn's kin, it tells of rows that
have something in common and not why they fail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy import stats

from components.evaluate.curves import roc
from components.evaluate.population import BASELINE, CANDIDATE, Population
from components.evaluate.weak_slices.cuts import cut
from components.evaluate.weak_slices.grid import Grid, groups
from components.evidence import Search, Weak
from components.schema import Feature
from components.spec import WeakSlices
from components.verdict import Check, Status

ELSEWHERE = "elsewhere"
FALSE_FINDS = 0.05  # the share of searches that find a slice where there is none


@dataclass(frozen=True)
class Question:
    """What is looked for: rows of one stratum whose values are high against each other's.

    `values`: float64 [rows]; `strata`: int64 [rows]; `against`: ELSEWHERE or BASELINE.
    """

    against: str
    values: np.ndarray
    strata: np.ndarray

    def usual(self, counts: np.ndarray, totals: np.ndarray) -> np.ndarray:
        """Return what the values are usually, by stratum, from how many there are and their sums.

        A candidate better than the baseline overall must be so nowhere in particular.
        """
        means: np.ndarray = totals / np.maximum(counts, 1)
        return np.maximum(means, 0.0) if self.against == BASELINE else means


def search(
    judging: Population, rows: pd.DataFrame, features: Sequence[Feature], asked: WeakSlices
) -> list[Search]:
    """Return what was found for each question, the surest harm first; `rows` are the population's.

    Nothing where there is no column to search. The cost is that of counting: O(rows × columns²).
    """
    if not features:
        return []
    truth = judging.label == 1
    losses = {m: -np.log(np.where(truth, said, 1 - said)) for m, said in judging.scores.items()}
    whole = np.zeros(len(truth), dtype=np.int64)
    questions = [Question(ELSEWHERE, losses[CANDIDATE], truth.astype(np.int64))]
    if BASELINE in losses:
        questions.append(Question(BASELINE, losses[CANDIDATE] - losses[BASELINE], whole))
    parts = groups([cut(rows, feature, asked.min_examples) for feature in features])
    spread = float(_centred(questions[0]).std())
    told = []
    for question in questions:
        looked_at, found = _find(
            question, Grid(parts, question.values, question.strata), asked, spread
        )
        level = FALSE_FINDS / max(looked_at, 1)
        weak = [_told(question, *one, judging, losses, level, spread) for one in found]
        told.append(
            Search(
                against=question.against,
                looked_at=looked_at,
                min_examples=asked.min_examples,
                columns=[feature.name for feature in features],
                found=sorted(weak, key=lambda one: -one.interval[0]),
            )
        )
    return told


def gated(searches: Sequence[Search], asked: WeakSlices, false_blocks: float) -> list[Check]:
    """Return the checks that the spec asks for: none, or that no slice is worse than the baseline.

    `false_blocks`: the share of runs that noise alone may block by them. What is told beyond that is
    a hint.
    """
    if asked.gate == "none":
        return []
    name, must = "weak_slices", "no slice credibly worse than the baseline"
    against = next((one for one in searches if one.against == BASELINE), None)
    if against is None:
        why = "no baseline yet: the first model" if searches else "no column that may be shown"
        told = f"weak slices are not judged: {why}"
        return [Check(name=name, status=Status.SKIPPED, expected=must, message=told)]
    if not against.looked_at:
        told = f"no slice has {asked.min_examples:,} examples, and as many outside it: none was searched"
        return [Check(name=name, status=Status.WARNED, expected=must, message=told)]
    among = f"among {against.looked_at:,} slices looked at"
    if not (sure := [weak for weak in against.found if weak.p <= false_blocks]):
        seen = f"none {among}"
        return [Check(name=name, status=Status.PASSED, seen=seen, expected=must, message=seen)]
    return [
        Check(
            name=name,
            status=Status.FAILED,
            subject=weak.slice,
            seen=f"loss {weak.loss:.4f} (baseline {weak.expected:.4f}, {weak.difference:+.4f})",
            expected=must,
            message=f"{weak.slice} is worse than the baseline: its loss is {weak.loss:.4f} and was "
            f"{weak.expected:.4f} on {weak.examples:,} examples, found {among}, p = {weak.p:.2g}",
            values={**weak.plain(), "candidate": weak.loss, "baseline": weak.expected},
        )
        for weak in sure
    ]


def _centred(question: Question) -> np.ndarray:
    counts, totals = (np.bincount(question.strata, of) for of in (None, question.values))
    centred: np.ndarray = question.values - question.usual(counts, totals)[question.strata]
    return centred


def _find(
    question: Question, grid: Grid, asked: WeakSlices, spread: float
) -> tuple[int, list[tuple[str, np.ndarray, float]]]:
    """Return how many slices were looked at, and of each weak one its name, its rows, and p."""
    looked_at, found = 0, list[tuple[str, np.ndarray, float]]()
    skew, whole = float(stats.skew(_centred(question))), np.ones(len(grid.slices), dtype=bool)

    def weak(sizes: np.ndarray, mean: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        p = np.minimum(_tail(z, sizes, skew) * looked_at, 1)
        return p, (p <= FALSE_FINDS) & (mean >= asked.effect * spread)

    while len(found) < asked.most:
        measured = _measure(question, grid.total(), grid.sums())
        sizes, _, z = measured
        fit = (sizes >= asked.min_examples) & (sizes <= grid.left.sum() - asked.min_examples)
        looked_at = looked_at or int(fit.sum())
        p, bad = weak(*measured)
        whole &= bad if not found else True  # weak with all of its rows, and with those left
        at = np.flatnonzero(whole & fit & bad)
        if not len(at):
            break
        best = at[np.argmax(z[at])]
        group, first, last = grid.slices[best]
        name, chance = group.told(first, last), float(p[best])
        inside = (group.codes >= first) & (group.codes <= last)
        for parent, rows in group.parents(first):
            rest = _measure(question, grid.total(), grid.of(rows & ~inside))
            if rest[0][0] >= asked.min_examples and weak(*rest)[1][0]:
                name, inside = parent, rows  # weak throughout, and not in this part alone
                chance = float(weak(*_measure(question, grid.total(), grid.of(rows)))[0][0])
                break
        found.append((name, inside, chance))
        grid.take_out(inside)
    return looked_at, found


def _measure(
    question: Question, whole: np.ndarray, sums: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return of every slice its rows, its mean above what is usual, and that in standard errors.

    `whole`, `sums`: as of `Grid.total` and `Grid.sums`.

    The error is taken about what is usual, not about the slice's own mean: a sum normalised by its
    own squares has light tails (Efron, "Student's t-test under symmetry conditions", 1969).
    """
    usual = question.usual(*whole[:2])
    counts, totals, squares = sums
    sizes = counts.sum(axis=1)
    above = (totals - counts * usual).sum(axis=1)
    about = (squares - 2 * usual * totals + counts * usual**2).sum(axis=1)
    z = above / np.sqrt(np.maximum(about, np.finfo(float).tiny))
    return sizes, above / np.maximum(sizes, 1), z


def _tail(z: np.ndarray, sizes: np.ndarray, skew: float) -> np.ndarray:
    """Return the chance of as much or more, the skewness of the values seen to (Hall 1992).

    Values that lean to the right make the right tail lighter, of which no use is made.
    """
    lean = max(-skew, 0.0) * (2 * z**2 + 1) / (6 * np.sqrt(np.maximum(sizes, 1)))
    tail: np.ndarray = stats.norm.sf(z) + lean * stats.norm.pdf(z)
    return tail


def _told(
    question: Question,
    name: str,
    inside: np.ndarray,
    p: float,
    judging: Population,
    losses: Mapping[str, np.ndarray],
    level: float,
    spread: float,
) -> Weak:
    """Return a weak slice with its figures, over all of its rows and all others."""
    loss = float(losses[CANDIDATE][inside].mean())
    n, values = int(inside.sum()), question.values[inside]
    if question.against == ELSEWHERE:
        strata, rest = question.strata[inside], question.strata[~inside]
        outside = question.values[~inside]
        counts = np.maximum(np.bincount(rest, minlength=2), 1)
        usual = np.bincount(rest, outside, 2) / counts
        noise = (np.bincount(rest, outside**2, 2) / counts - usual**2) / counts
        values = values - usual[strata]
        others = float((np.bincount(strata, minlength=2) / n) ** 2 @ noise)
        aucs = [(CANDIDATE, inside), (CANDIDATE, ~inside)]
    else:
        others, aucs = 0.0, [(CANDIDATE, inside), (BASELINE, inside)]
    difference, error = float(values.mean()), float(np.sqrt(values.var() / n + others))
    reach = float(stats.norm.isf(level)) * error
    auc, auc_expected = (_auc(judging.label[of], judging.scores[m][of]) for m, of in aucs)
    return Weak(
        slice=name,
        examples=n,
        positives=float(judging.label[inside].mean()),
        loss=loss,
        expected=loss - difference,
        difference=difference,
        interval=(difference - reach, difference + reach),
        effect=difference / spread,
        p=p,
        auc=auc,
        auc_expected=auc_expected,
    )


def _auc(label: np.ndarray, scores: np.ndarray) -> float | None:
    truth = label == 1
    return roc(truth, scores).area if truth.any() and not truth.all() else None
