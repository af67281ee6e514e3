"""What was measured for each of the model gate's questions, and how sure it is.

All tests of a run are corrected for each other here (`paired/family.py`), whatever they are of.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from components.evaluate.paired import Comparison, Pair, family, power
from components.evaluate.population import BASELINE, CANDIDATE, Population
from components.evaluate.thresholds import Question
from components.spec import ModelGate

SURE = 0.95  # of the interval around a figure that is not compared
NOTICE = 0.05  # of a share or a ratio: the regression that must not go unnoticed, unless told
RELATIVE = 0.1  # of the baseline's figure: the same, for one in the label's unit
TINY = 1e-15  # the level of a slice without a row that the metric lives on


@dataclass(frozen=True)
class Measured:
    """The figures of one question; NaN for what there is none of.

    `difference`, `harm` and `needs` are of `paired.Comparison` and `paired.power`; `low` and `high`
    are the ends of the interval: of the difference, at the level to which all tests of the run were
    held in the end, so that what blocks lies wholly beyond what is tolerated; or of the figure, at 95 %.
    `p`: corrected; `notice`: the regression that `needs` is about.
    """

    candidate: float
    baseline: float
    difference: float
    low: float
    high: float
    harm: float
    p: float
    needs: float
    notice: float


def measure(asked: Sequence[Question], judging: Population, gate: ModelGate) -> list[Measured]:
    """Return what was measured for each question, in their order."""
    compared = _compared(asked, judging)
    sizes = {slicing.columns: slicing.totals() for slicing in judging.slicings}

    def each(of: Callable[[Comparison, Question], np.ndarray]) -> np.ndarray:
        """Return what `of` tells of each question, made once for all slices of a threshold."""
        made: dict[tuple[object, ...], np.ndarray] = {}
        found = []
        for question in asked:
            where = question.metric.name, question.slice.columns
            key = (*where, question.tolerated, question.notice, question.lower, question.upper)
            if key not in made:
                made[key] = of(compared[where], question)
            found.append(made[key][question.slice.code])
        return np.array(found, dtype=np.float64)

    tested = np.array([q.tolerated is not None and q.unjudged is None for q in asked], dtype=bool)
    p = each(lambda of, q: of.p(q.tolerated or 0.0))
    least, share = each(lambda of, q: of.least), each(lambda of, q: of.share)
    tests = (np.nan_to_num(p[tested], nan=1.0), least[tested], share[tested])
    held = family.together(*tests, gate.false_blocks)
    p[~tested], p[tested] = np.nan, held.p

    def level(of: Comparison) -> np.ndarray:
        return np.clip(held.unit * of.share, TINY, gate.false_blocks)

    def needs(of: Comparison, question: Question) -> np.ndarray:
        if question.tolerated is None:
            return np.full(len(of.worse), np.nan)
        overall, examples = compared[question.metric.name, ()], sizes[question.slice.columns]
        notice = noticed(question, overall)
        found = power.needed(of, overall, examples, notice, level(of))
        return np.maximum(found, question.min_examples)

    def reach(of: Comparison, question: Question) -> np.ndarray:
        return of.own_reach(1 - SURE) if question.tolerated is None else of.reach(level(of))

    centre = each(lambda of, q: of.candidate if q.tolerated is None else of.difference)
    columns = (
        each(lambda of, q: of.candidate),
        each(lambda of, q: of.baseline),
        each(lambda of, q: of.difference),
        centre - (half := each(reach)),
        centre + half,
        each(_harm),
        p,
        each(needs),
        each(lambda of, q: np.full(len(of.worse), noticed(q, compared[q.metric.name, ()]))),
    )
    return [Measured(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def noticed(question: Question, overall: Comparison) -> float:
    """Return the regression that must not go unnoticed, where the owner does not say."""
    if question.notice is not None:
        return question.notice
    if not question.metric.scaled:
        return NOTICE
    return question.tolerated or RELATIVE * abs(float(overall.baseline[0])) or NOTICE


def _harm(of: Comparison, question: Question) -> np.ndarray:
    """Return by how many standard errors a slice breaks its bound."""
    if question.tolerated is not None:
        return of.harm(question.tolerated)
    lower = -np.inf if question.lower is None else question.lower
    upper = np.inf if question.upper is None else question.upper
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.maximum(lower - of.candidate, of.candidate - upper) / of.candidate_error


def _compared(
    asked: Sequence[Question], judging: Population
) -> Mapping[tuple[str, tuple[str, ...]], Comparison]:
    """Return metric and slicing → the comparison, of each metric asked for, overall included."""
    wanted: dict[str, set[tuple[str, ...]]] = {}
    for question in asked:
        wanted.setdefault(question.metric.name, {()}).add(question.slice.columns)
    of_name = {question.metric.name: question.metric for question in asked}
    scores = judging.scores[CANDIDATE], judging.scores.get(BASELINE)
    found = {}
    for name, slicings in wanted.items():
        pair = Pair(of_name[name], judging.label, *scores, judging.task)
        for slicing in judging.slicings:
            if slicing.columns in slicings:
                found[name, slicing.columns] = pair.on(slicing)
    return found
