"""What the skew layer asks of a column: each answer knows how much of it may be chance.

Traffic is free to be of another mix than the rows that train, so a distance warns, and halts only
where the schema bounds it. What no mix explains halts: far more values missing on one side, values
that no row of the window had, numbers that lost their fraction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from components import statistics
from components.profile import Column
from components.profile.numbers import LEVELS
from components.validate_data import bounds
from components.validate_data.bounds import percent
from components.validate_data.skew.chance import apart, unlike
from components.verdict import Status

LITTLE, MUCH = 0.01, 0.05  # of the rows, and beyond chance: more than that is told, halts
MOST = 0.5  # of the values: a mix does not take their fraction from so many
FAR = 0.1  # between distributions that no skew_comparator bounds: told
MARGIN = 0.1  # beside what was trained on, in parts of its range: a forecast may be a little off
FEW = 3  # values that a message names


@dataclass(frozen=True)
class Side:
    """A column of the rows of one side."""

    rows: int
    profile: Column
    statistics: Any  # FeatureNameStatistics

    @property
    def present(self) -> int:
        """Return how many rows have a value; neither an empty text nor what is not finite is one."""
        return self.profile.present - self.profile.values.get("", 0)

    @property
    def missing(self) -> float:
        """Return the share of the rows that have none."""
        return 1 - self.present / self.rows

    @property
    def number(self) -> bool:
        """Say whether its values are amounts, not names."""
        return self.profile.kind == "number"


@dataclass(frozen=True)
class Answer:
    """`seen` and `expected` in short; `told`: the same for a sentence that begins with the column."""

    name: str
    status: Status
    value: float
    seen: str
    expected: str
    told: str


def missing(served: Side, trained: Side) -> Answer:
    """Ask whether as many rows lack a value; TFDV's comparators look only at those that have one.

    What is missing in part may be so at some hours or places, and follows the mix: it has more room.
    """
    lacking, lacked = served.rows - served.present, trained.rows - trained.present
    beyond = unlike(lacking, served.rows, lacked, trained.rows)
    now, then = percent(served.missing), percent(trained.missing)
    return Answer(
        "missing",
        _graded(
            abs(served.missing - trained.missing),
            beyond,
            MUCH + min(trained.missing, 1 - trained.missing) / 2,
        ),
        served.missing,
        f"{now} missing",
        f"{then} missing",
        f"is missing in {now} of the rows served, against {then} of those trained on",
    )


def unheard_of(served: Side, learned: Any) -> Answer:
    """Ask for values that the model cannot know, since no row of the window had them.

    `learned`: the window's statistics. Of a number such values lie beyond its range.
    """
    share, strange, known = (_beyond if served.number else _new)(served, learned)
    rows = statistics.common(learned).tot_num_values
    return Answer(
        "unheard of",
        _graded(share, unlike(share * served.present, served.present, 0, rows)),
        share,
        f"{percent(share)} unheard of",
        "known in the window",
        f"is served with {percent(share)} values that no row of the window had: {strange} "
        f"(known are {known})",
    )


def _beyond(served: Side, learned: Any) -> tuple[float, str, str]:
    """Return the least share beyond the range that the quantiles allow, and both ranges."""
    low, high = learned.num_stats.min, learned.num_stats.max
    reach = MARGIN * (high - low)
    quantiles = np.array(served.profile.quantiles)
    below, above = quantiles < low - reach, quantiles > high + reach
    share = LEVELS[below].max(initial=0) + 1 - LEVELS[above].min(initial=1)
    return float(share), f"{quantiles[0]:g} to {quantiles[-1]:g}", f"{low:g} to {high:g}"


def _new(served: Side, learned: Any) -> tuple[float, str, str]:
    """Return the share of names that are new, the first of them, and how many are not."""
    shares, usual = statistics.shares(served.statistics), statistics.shares(learned)
    new = {name: share for name, share in shares.items() if name not in usual}
    named = ", ".join(map(repr, list(new)[:FEW])) + (", …" if len(new) > FEW else "")
    return float(sum(new.values())), named, f"{len(usual)} values"


def fraction(served: Side, trained: Side) -> Answer:
    """Ask of a number without a fraction on one side whether most have one on the other."""
    now, then = (1 - side.profile.figures["whole"] for side in (served, trained))
    gap = abs(now - then) if min(now, then) == 0 else 0.0
    beyond = unlike(now * served.present, served.present, then * trained.present, trained.present)
    return Answer(
        "fraction",
        _graded(gap, beyond, MOST),
        now,
        f"{percent(now)} with a fraction",
        f"{percent(then)} with a fraction",
        f"has a fraction in {percent(now)} of its values served, against {percent(then)} trained on",
    )


def distance(served: Side, trained: Side) -> Answer:
    """Ask how far a column that no skew_comparator bounds is from what was trained on: L∞.

    Of names it is between the shares; of numbers between the cumulative distributions, the least
    that the quantiles allow, so that how they are kept never looks like skew.
    """
    if served.number:
        far = _distance(np.array(served.profile.quantiles), np.array(trained.profile.quantiles))
        beyond = far > apart(served.present, trained.present)
    else:
        far, beyond = _most_moved(served, trained)
    return Answer(
        "distance",
        Status.WARNED if beyond and far > FAR else Status.PASSED,
        far,
        f"L∞ {far:.3g}",
        f"at most {FAR:g} beyond chance",
        f"{moved(served, trained)}(L∞ {far:.3g}; no skew_comparator bounds it)",
    )


def moved(served: Side, trained: Side) -> str:
    """Return what moved most between training and serving, as the begin of what is told."""
    most = bounds.moved(served.statistics, trained.statistics)
    return f"moved between training and serving: {most}"


def _distance(some: np.ndarray, others: np.ndarray) -> float:
    """Return the least that two cumulative distributions can be apart, by their quantiles."""
    at = np.concatenate([some, others])
    least_some, most_some = _between(some, at)
    least_others, most_others = _between(others, at)
    return float(np.maximum(least_some - most_others, least_others - most_some).max(initial=0))


def _between(quantiles: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the most of the share of rows at or below each value."""
    reached = np.searchsorted(quantiles, values, "right")
    levels = np.concatenate([[0], LEVELS, [1]])
    return levels[reached], levels[reached + 1]


def _most_moved(served: Side, trained: Side) -> tuple[float, bool]:
    """Return how far the share of the name that moved most went, and whether that is beyond chance."""
    now, then = statistics.shares(served.statistics), statistics.shares(trained.statistics)
    names = now.keys() | then.keys()
    most = max(names, key=lambda name: abs(now.get(name, 0) - then.get(name, 0)))
    new, old = now.get(most, 0), then.get(most, 0)
    counts = (new * served.present, served.present, old * trained.present, trained.present)
    return abs(new - old), unlike(*counts, questions=len(names))


def _graded(gap: float, beyond: bool, much: float = MUCH) -> Status:
    if not beyond or gap <= LITTLE:
        return Status.PASSED
    return Status.FAILED if gap > much else Status.WARNED
