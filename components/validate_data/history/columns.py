"""What is followed of one column: every statistic as a number a span, and a distance to spans before.

A share becomes its arc sine (Anscombe 1948), whose noise does not depend on it; an amount becomes
its inverse hyperbolic sine in units of the column's own spread, so that ten times as much is as far
away for small and for large amounts. How far a distribution is from the usual one is told in distances.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal

import numpy as np

from components.profile import Column, numbers
from components.validate_data.history.distances import Distribution, Mix
from components.validate_data.history.spellings import Spellings

# Each statistic, and the kind whose tail it has (limits.py).
SHARES = {
    "number": {
        "missing": "missing", "zero": "sign", "negative": "sign", "whole": "whole", "top": "top",
    },
    "text": {
        "missing": "missing", "top": "top", "once": "top", "upper": "marks", "lower": "marks",
        "digit": "marks", "space": "marks", "mark": "marks", "foreign": "marks",
        "all upper": "marks", "all lower": "marks", "edge space": "marks", "nothing said": "nothing",
    },
}  # fmt: skip
QUANTILES = {
    0.0: ("min", "extreme"), 0.005: ("0.5 % quantile", "tail"), 0.05: ("5 % quantile", "quantile"),
    0.25: ("25 % quantile", "quantile"), 0.5: ("median", "quantile"),
    0.75: ("75 % quantile", "quantile"), 0.95: ("95 % quantile", "quantile"),
    0.995: ("99.5 % quantile", "tail"), 1.0: ("max", "extreme"),
}  # fmt: skip
PLACES = [int(np.argmin(np.abs(numbers.LEVELS - level))) for level in QUANTILES]
EMPTY = np.full(len(numbers.LEVELS), np.nan)
FEW = 24  # distinct numbers of which one is as good as a name
LENGTHS = {
    "length": "length", "length spread": "length",
    "shortest": "extreme length", "longest": "extreme length",
}  # fmt: skip


Measure = Literal["share", "amount", "spread", "count", "root", "plain"]


@dataclass(frozen=True)
class Statistic:
    """One question to a column.

    `kind`: whose tail it has; `floor`: the spread of its sampling alone; `measure`: how it is scaled,
    in units of `unit` (words.py turns it back).
    """

    column: str
    name: str
    kind: str
    floor: float
    measure: Measure
    unit: float = 1.0
    one_sided: bool = False


class Followed:
    """A column over the spans before: the questions, their answers then, and the answer of a new span.

    `statistics`: the questions, J of them; `past`: [spans, J], nan where a span lacks the column.
    """

    def __init__(self, name: str, held: Sequence[Column | None]) -> None:
        """`held`: the column span by span, oldest first; None where a span lacks it."""
        self.name = name
        self.kind = next(c.kind for c in reversed(held) if c is not None)
        spans = [t for t, c in enumerate(held) if c is not None and c.kind == self.kind]
        past = [c for c in held if c is not None and c.kind == self.kind]
        self.n = max(1.0, float(np.median([c.present for c in past])))
        self.unit = _unit(past)
        self.growth = _growth(past)
        self.few = max(c.figures.get("distinct", 0.0) * c.present for c in past) <= FEW
        self.values = Mix([c.values for c in past], past)
        if self.kind == "number":
            self.numbers = Distribution([c.quantiles for c in past])
        else:
            self.shapes = Mix([c.shapes or {} for c in past], past)
            self.spellings = Spellings(self.values)
        distinct = float(np.median([c.figures.get("distinct", 0.0) * c.present for c in past]))
        self.statistics = _statistics(name, self.kind, self.n, self.unit, distinct)
        self.past = np.full((len(held), len(self.statistics)), np.nan)
        self.past[spans] = self._answers(past, slice(0, len(past)))

    def now(self, column: Column) -> np.ndarray:
        """Return the answers of a new span, [J]; all infinite when the column became another kind."""
        if column.kind != self.kind:
            return np.full(len(self.statistics), np.inf)
        return self._answers([column], slice(-1, None))[0]

    def _answers(self, columns: Sequence[Column], at: slice) -> np.ndarray:
        """Return [columns, J]: what each column, a span, answers, held against what was usual `at` it."""
        present = np.array([c.present for c in columns])
        shares = _figures(columns, SHARES[self.kind], 0.0)
        distinct = _figures(columns, ("distinct",), 0.0)[:, 0] * present
        answers = [_turned(shares), np.log1p(distinct) - self.growth * np.log1p(present)]
        mix = self.values.against([c.values for c in columns], present, at)
        if self.kind == "number":
            answers += self._of_numbers(columns, at)
            answers.append(_turned(mix.rise))
        else:
            answers.append(np.log1p(_figures(columns, LENGTHS)))
            shapes = self.shapes.against([c.shapes or {} for c in columns], present, at)
            for held in (mix, shapes):
                answers += [held.most, held.total, _turned(held.new)]
            answers.append(np.sqrt(mix.lost))
            answers.append(np.sqrt(self.spellings.rows([c.values for c in columns], at)))
            answers.append(np.sqrt(_figures(columns, ("misread",), 0.0)[:, 0] * present))
        stacked = np.column_stack(answers)
        stacked[present == 0, len(SHARES[self.kind]) + 1 :] = np.nan  # nothing there to be told of
        return stacked

    def _of_numbers(self, columns: Sequence[Column], at: slice) -> list[np.ndarray]:
        quantiles = [np.array(c.quantiles) if c.quantiles else EMPTY for c in columns]
        figures = _figures(columns, ("mean", "spread"))
        picked = np.array([q[PLACES] for q in quantiles])
        if self.few:  # a median that is 0 or 1 says less than how often each is
            picked[:, 1:-1] = np.nan
        apart, beyond = self.numbers.against(quantiles, at)
        return [
            np.arcsinh(figures[:, :1] / self.unit),
            np.log(figures[:, 1:] + 1e-3 * self.unit),
            np.arcsinh(picked / self.unit),
            apart,
            _turned(beyond),
        ]


def _unit(past: Sequence[Column]) -> float:
    """Return the usual spread of a number, so that amounts of any size are told in the same measure."""
    figures = _figures([c for c in past if c.present], ("mean", "spread"))
    if not len(figures) or np.isnan(figures).any():
        return 1.0
    mean, spread = figures.mean(0)
    return float(spread) or max(1e-9, 0.01 * abs(float(mean)))


def _growth(past: Sequence[Column]) -> float:
    """Return how the number of distinct values grows with rows: 0 not at all, 1 as fast.

    Good's estimate (1953): of the next rows, as many have a new value as have one that came once.
    """
    once, distinct = _figures([c for c in past if c.present], ("once", "distinct"), 0.0).T
    return float(np.median(once / np.maximum(distinct, 1e-9))) if len(once) else 0.0


def _figures(
    columns: Sequence[Column], names: Iterable[str], missing: float = np.nan
) -> np.ndarray:
    """Return [columns, names]; a column without a value has no figure but how many are missing."""
    names = ("missing", *names)
    pick, held = itemgetter(*names), []
    for column in columns:
        try:
            held.append(pick(column.figures))
        except KeyError:
            held.append(tuple(column.figures.get(name, missing) for name in names))
    return np.array(held, float).reshape(len(columns), len(names))[:, 1:]


def _turned(share: np.ndarray) -> np.ndarray:
    return np.arcsin(np.sqrt(np.clip(share, 0, 1)))


def _statistics(column: str, kind: str, n: float, unit: float, distinct: float) -> list[Statistic]:
    """Return the questions to a column with n values a span, in the order of the answers."""
    binomial, noise = 0.5 / np.sqrt(n), float(np.hypot(1 / np.sqrt(n), 0.06))
    asked = [
        Statistic(column, name, tail, binomial, "share") for name, tail in SHARES[kind].items()
    ]
    one_more = float(np.hypot(binomial, 1 / (1 + distinct)))  # a rare value comes and goes
    asked.append(Statistic(column, "distinct", "distinct", one_more, "count"))

    def distance(name: str, tail: str, floor: float = binomial, measure: Measure = "plain") -> None:
        asked.append(Statistic(column, name, tail, floor, measure, one_sided=True))

    if kind == "number":
        asked.append(Statistic(column, "mean", "mean", noise, "amount", unit))
        asked.append(Statistic(column, "spread", "spread", 1.5 * noise, "spread", unit))
        for name, tail in QUANTILES.values():
            asked.append(Statistic(column, name, tail, 1.5 * noise, "amount", unit))
        distance("distribution", "distribution")
        distance("beyond", "beyond", measure="share")
        distance("one value", "rise", measure="share")
        return asked
    floor = float(np.hypot(binomial, 0.02))
    asked += [Statistic(column, name, tail, floor, "count") for name, tail in LENGTHS.items()]
    for what in ("value", "shape"):
        distance(f"{what} mix", f"{what} mix")
        distance(f"{what} total", f"{what} mix")
        distance(f"new {what}", f"new {what}", measure="share")
    distance("lost value", "lost", 0.5, "root")
    distance("respelt", "respelt", 0.4, "root")  # one row is a slip of the hand
    distance("misread", "respelt", 0.4, "root")
    return asked
