"""Which of the slices that block is named first: the widest one that accounts for the harm.

A candidate that is broken at one airport is worse overall, too, and for every carrier that flies
there, and most of all, by chance, at some pair of the two. Who is on call needs the airport.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from components.evaluate.answers import Answer
from components.verdict import Status

BAD = (Status.ERROR, Status.FAILED)
SURELY = 3.0  # standard errors: of some hundred slices, one in ten has such luck


def culprits_first(found: Sequence[Answer]) -> list[Answer]:
    """Return all answers, what blocks at the head: first what could not be measured, then by harm.

    Harm is by how many standard errors a slice breaks its bound; the metric that shows most is told
    first. A slice follows all others if a wider one accounts for it, or a narrower one for most of it.
    One that is only too small comes last.
    """
    shut = [answer for answer in found if answer.check.status in BAD]
    broken = [a for a in shut if a.check.status is Status.FAILED and not a.underpowered]
    surest: dict[str, float] = {}
    for answer in broken:
        name = answer.question.metric.name
        surest[name] = max(surest.get(name, -math.inf), answer.measured.harm)

    def rank(answer: Answer) -> tuple[bool, float, float]:
        follows = any(_accounts(other, answer) for other in broken)
        return (follows, -surest[answer.question.metric.name], -answer.measured.harm)

    return [
        *(a for a in shut if a.check.status is Status.ERROR),
        *sorted(broken, key=rank),
        *(a for a in shut if a.check.status is Status.FAILED and a.underpowered),
        *(a for a in found if a.check.status not in BAD),
    ]


def _accounts(other: Answer, answer: Answer) -> bool:
    """Say whether the harm of a slice follows from that of another.

    A wider slice accounts for one that is not surely worse than it. A narrower one accounts for one
    than which it is surely worse, when it holds most of the harm: that of the mean row times the rows.
    """
    one, that = other.question, answer.question
    if (one.metric, one.kind) != (that.metric, that.kind):
        return False
    theirs, ours = set(one.slice.key), set(that.slice.key)
    if theirs < ours:
        return _surely_beyond(answer) <= other.beyond
    held = other.beyond * one.examples > answer.beyond * that.examples / 2
    return theirs > ours and _surely_beyond(other) > answer.beyond and held


def _surely_beyond(answer: Answer) -> float:
    """Return by how much a bound is broken, less what luck may have added."""
    return answer.beyond * (1 - SURELY / answer.measured.harm)
