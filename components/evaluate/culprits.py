"""Which of the slices that block is named first: the widest one that accounts for the harm.

A candidate that is broken at one airport is worse overall, too, and for every carrier that flies
there, and most of all, by chance, at some pair of the two. Who is on call needs the airport.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations

from components.evaluate.answers import Answer
from components.evaluate.slices import Value
from components.verdict import Status

BAD = (Status.ERROR, Status.FAILED)
SURELY = 3.0  # standard errors: of some hundred slices, one in ten has such luck

Key = tuple[tuple[str, Value], ...]


def culprits_first(found: Sequence[Answer]) -> list[Answer]:
    """Return all answers, what blocks at the head: first what could not be measured, then by harm.

    Harm is by how many standard errors a slice breaks its bound; the metric that shows most is told
    first. A slice follows all others if a wider one accounts for it, or a narrower one for most of it,
    and if the baseline breaks the same bound. One that is only too small comes last.
    """
    shut = [answer for answer in found if answer.check.status in BAD]
    broken = [a for a in shut if a.check.status is Status.FAILED and not a.underpowered]
    surest: dict[str, float] = defaultdict(lambda: -math.inf)
    for answer in broken:
        name = answer.question.metric.name
        surest[name] = max(surest[name], _harm(answer))
    following = _following(broken)

    def rank(answer: Answer) -> tuple[bool, float, float]:
        follows = id(answer) in following or answer.baseline_breaks
        return (follows, -surest[answer.question.metric.name], -_harm(answer))

    return [
        *(a for a in shut if a.check.status is Status.ERROR),
        *sorted(broken, key=rank),
        *(a for a in shut if a.check.status is Status.FAILED and a.underpowered),
        *(a for a in found if a.check.status not in BAD),
    ]


def _following(broken: Sequence[Answer]) -> set[int]:
    """Return the ids of the answers whose harm follows from that of another.

    A wider slice accounts for one that is not surely worse than it. A narrower one accounts for one
    than which it is surely worse, when it holds most of the harm: that of the mean row times the rows.
    """
    known = {_of(answer, answer.question.slice.key): answer for answer in broken}
    following: set[int] = set()
    for narrow in broken:
        for key in _wider(narrow.question.slice.key):
            wide = known.get(_of(narrow, key))
            if wide is None:
                continue
            if _surely_beyond(narrow) <= wide.beyond:
                following.add(id(narrow))
            elif 2 * _held(narrow) > _held(wide):
                following.add(id(wide))
    return following


def _of(answer: Answer, key: Key) -> tuple[str, str, Key]:
    """Return what names the same question of the slice of a key."""
    return answer.question.metric.name, answer.question.kind, key


def _wider(key: Key) -> Iterator[Key]:
    """Yield the keys of all slices that hold every row of this one, and more."""
    for size in range(len(key)):
        yield from combinations(key, size)


def _held(answer: Answer) -> float:
    return answer.beyond * answer.question.examples


def _harm(answer: Answer) -> float:
    """Return the harm; 0 for a slice of which not even an error is known."""
    return 0.0 if math.isnan(answer.measured.harm) else answer.measured.harm


def _surely_beyond(answer: Answer) -> float:
    """Return by how much a bound is broken, less what luck may have added."""
    return answer.beyond * (1 - SURELY / harm) if (harm := _harm(answer)) else 0.0
