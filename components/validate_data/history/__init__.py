"""What the next span should look like, learned from the profiles of the accepted ones before it.

Every column is asked some thirty questions (columns.py), the table some more (table.py). Each answer
is forecast from earlier ones (forecast.py) and held against how far off that forecast is wont to be,
in the unit of limits.py: 1 is as far as a sound span goes, whatever the question.

The protocol that it is tried by, and much of the thinking, are those of Auto-Validate-by-History (Tu
et al., KDD 2023); `make bench-gates` says how good it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from components.profile import Profile
from components.validate_data.history import forecast, limits, words
from components.validate_data.history.columns import Followed, Statistic
from components.validate_data.history.table import Table

Question = tuple[str, str]  # a column, `""` for the table, and the name of a statistic
FEWEST = forecast.FIRST + 1  # spans without which there is no error to learn from


@dataclass(frozen=True)
class Finding:
    """One answer that is further off than a sound span's, in words; `score`: in units of the limit."""

    column: str
    name: str
    seen: str
    expected: str
    score: float


@dataclass(frozen=True)
class Judgement:
    """How unlike a span is. `score`: of the most unlike answer, above 1 an alarm.

    `columns`: column → score of its own most unlike answer, `""` for the table as a whole;
    `findings`: what is above the limit, the most unlike of each column, worst first.
    """

    score: float
    columns: Mapping[str, float]
    findings: tuple[Finding, ...]


class Expectation:
    """What the next span should look like.

    `past`: profiles of accepted spans, oldest first, at least `FEWEST`; `false_halts`: the share of
    sound spans that may be called unlike; `days`: the number of each span's day and, last, of the
    next one's, for what goes by the weekday; they follow each other unless told; `settled`:
    questions that somebody has answered for good, and that are not asked.

    A span that was unlike and accepted all the same widens what is usual by itself, so that the like
    of it does not alarm again.
    """

    def __init__(
        self,
        past: Sequence[Profile],
        false_halts: float = 0.01,
        days: Sequence[int] | None = None,
        settled: Collection[Question] = (),
    ) -> None:
        self.columns = {
            name: Followed(name, [p.columns.get(name) for p in past]) for name in past[-1].columns
        }
        self.table = Table(past)
        parts: list[Followed | Table] = [*self.columns.values(), self.table]
        self.statistics: list[Statistic] = [s for part in parts for s in part.statistics]
        answers = np.concatenate([part.past for part in parts], 1)
        self.expected, errors = forecast.forecasts(
            answers, np.arange(len(past) + 1) if days is None else np.asarray(days)
        )
        self.one_sided = np.array([s.one_sided for s in self.statistics])
        self.scale = limits.scale(self.statistics, errors)
        for j, asked in enumerate(self.statistics):
            if (asked.column, asked.name) in settled:
                self.scale.reach[j] = np.inf
        self.limit = limits.limit(self._unlike(errors), false_halts)

    def judge(self, now: Profile) -> Judgement:
        """Return how unlike the expectation a span is."""
        answers = self._answers(now)
        unlike = self._unlike(answers - self.expected)
        scores = np.where(np.isposinf(answers), np.inf, unlike / self.limit)
        columns: dict[str, float] = {}
        worst: dict[str, int] = {}
        for j, statistic in enumerate(self.statistics):
            if scores[j] > columns.get(statistic.column, -1.0):
                columns[statistic.column] = float(scores[j])
                worst[statistic.column] = j
        found = sorted((j for j in worst.values() if scores[j] > 1), key=lambda j: -scores[j])
        return Judgement(
            score=float(scores.max()),
            columns=columns,
            findings=tuple(self._finding(j, answers[j], scores[j]) for j in found),
        )

    def _unlike(self, off: np.ndarray) -> np.ndarray:
        known = np.nan_to_num(off, nan=0.0, posinf=0.0, neginf=0.0)
        return self.scale.unlike(np.where(self.one_sided, known, np.abs(known)))

    def _answers(self, now: Profile) -> np.ndarray:
        answers = []
        for name, followed in self.columns.items():
            column = now.columns.get(name)
            gone = np.full(len(followed.statistics), np.inf)
            answers.append(gone if column is None else followed.now(column))
        return np.concatenate([*answers, self.table.now(now)])

    def _finding(self, j: int, seen: float, score: float) -> Finding:
        asked = self.statistics[j]
        reach = float(np.hypot(self.scale.reach[j] * self.limit, self.scale.forgiven[j]))
        return Finding(
            column=asked.column,
            name=words.name(asked),
            seen=words.plain(asked, seen),
            expected=words.expected(asked, float(self.expected[j]), reach),
            score=float(score),
        )


def expect(
    past: Sequence[Profile],
    false_halts: float = 0.01,
    days: Sequence[int] | None = None,
    settled: Collection[Question] = (),
) -> Expectation:
    """Return what the span after these should look like; see `Expectation`."""
    return Expectation(past, false_halts, days, settled)
