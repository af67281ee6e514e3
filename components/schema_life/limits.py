"""How much may be missing, and which texts may come: drawn from what the spans showed, with reasons.

The schema's limits are for what is plainly wrong, whatever is usual; what is merely unlike the last
weeks is for the history layer. So each leaves room beyond the farthest span, by what lies between that
one and an ordinary one, the more the fewer the spans; and none is drawn from too few to show it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from components.schema_life.column import Column
from components.validate_data.bounds import percent

WEEK, MANY = 7, 28  # spans: every weekday once, and four times
LONG = 50  # values, more than a person would review
RARE, MUCH = 0.01, 0.2  # of a span
NOTHING = 0.95  # a share that lets so much pass bounds nothing


class Limit(NamedTuple):
    """A line of the schema, and why it is there; without a line, why there is none."""

    line: str
    because: str


class Vocabulary(NamedTuple):
    """The texts to list, none for no list, and the share of a span that must be among them."""

    values: Sequence[str]
    share: float
    because: str


def presence(column: Column, *, key: bool) -> Limit:
    """Return how much of a column may be missing.

    Values lack in bursts, so that spans count and not rows: where none of n lacked any, the share that
    lacks is below 3/n with 95 % confidence (the rule of three, Hanley & Lippman-Hand 1983).
    """
    missing = column.missing
    count, rows = len(missing), float(np.median(column.rows))
    if key:
        return Limit("presence { min_fraction: 1 }", "part of the key")
    if not missing.any():
        seen, allowed = f"never missing in {spans_told(count)}", 3 / count
        if allowed > NOTHING:
            return Limit("", f"{seen}: too few to bound it")
        return Limit(f"presence {{ min_fraction: {number(1 - up(allowed))} }}", seen)
    worst, usual = int(np.argmax(missing)), float(np.median(missing))
    seen = f"{percent(usual)} of a span missing, {percent(missing[worst])} on {column.spans[worst]}"
    if count < WEEK:
        return Limit("", f"{seen}: {too_few(count)} to bound it")
    # By the angle asin √p, on which the noise of a share is the same wherever it lies.
    near, far = np.arcsin(np.sqrt([usual, missing[worst]]))
    angle = far + room(count) / 2 * (far - near) + 1.5 / math.sqrt(rows)
    allowed = math.sin(min(angle, math.pi / 2)) ** 2
    if allowed > NOTHING:
        return Limit("", f"{seen}: nothing is left to bound")
    return Limit(f"presence {{ min_fraction: {number(1 - up(allowed))} }}", seen)


def unlike_the_others(column: Column) -> list[str]:
    """Return the spans that lack a fifth of a column, and far more of it than nine in ten lack."""
    angles = np.arcsin(np.sqrt(column.missing))
    usual, high = np.quantile(angles, [0.5, 0.9])
    beyond = (angles > 2 * high - usual + 1.5 / np.sqrt(column.rows)) & (column.missing > 0.2)
    return [span for span, out in zip(column.spans, beyond, strict=True) if out]


def vocabulary(column: Column) -> Vocabulary:
    """Return the texts to list, closed, with a share of 1, where nothing shows that others exist.

    That is where the first quarter of many spans held them all, and none is rare, as one that never
    came would have to be.
    """
    held, count = column.mean_shares, len(column.values)
    if not held:
        return Vocabulary((), 0, "no span has a value")
    if not column.complete or len(held) > LONG:
        more = "" if column.complete else "more than "
        return Vocabulary((), 0, f"{more}{len(held)} values: too many to list")
    told = f"{len(held)} values"
    if count < WEEK:
        return Vocabulary((), 0, f"{told}; {too_few(count)} to say what is new")
    worst = max(_new(column.values))
    if worst > MUCH:
        return Vocabulary(
            (), 0, f"{told}, up to {percent(worst)} of a span new: no list holds them"
        )
    early: set[str] = set().union(*column.values[: count // 4])
    rare = min(held.values()) < RARE
    if count >= MANY and early == held.keys() and not rare:
        return Vocabulary(sorted(held), 1, f"{told}, the same in {count} spans, none of them rare")
    if worst:
        told += f", up to {percent(worst)} of a span new"
    else:
        told += ", some of them rare" if rare else f"; {too_few(count)} to close the list"
    return Vocabulary(sorted(held), 1 - up(max(0.05, 2 * worst)), told)


def _new(several: Sequence[Mapping[str, float]]) -> list[float]:
    """Return for each span after the first week's the share of values that none before it held."""
    known: set[str] = set().union(*several[: WEEK - 1])
    shares = []
    for held in several[WEEK - 1 :]:
        shares.append(sum(share for value, share in held.items() if value not in known))
        known |= held.keys()
    return shares


def room(count: int) -> float:
    """Return how often what lies between the farthest and an ordinary one of so many spans is added.

    Once where a year was seen, twice where a month was.
    """
    return 1 + MANY / count


def up(value: float, digits: int = 2) -> float:
    """Return a number rounded up to its first digits."""
    if not value or not math.isfinite(value):
        return value
    unit = 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)
    return float(f"{math.ceil(value / unit - 1e-9) * unit:.12g}")


def number(value: float) -> str:
    """Return a number as a schema has it."""
    return f"{value:.12g}" if abs(value) < 1e12 else str(int(value))


def too_few(count: int) -> str:
    """Return `1 span is too few` or `6 spans are too few`."""
    return f"{spans_told(count)} {'is' if count == 1 else 'are'} too few"


def spans_told(count: int) -> str:
    """Return `1 span` or `6 spans`."""
    return "1 span" if count == 1 else f"{count} spans"
