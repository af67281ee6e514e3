"""What befalls columns together: swapped, mixed up, delivered again, dealt out to other rows."""

from __future__ import annotations

import numpy as np

from components.profile import Column
from components.profile.joint import BETWEEN
from components.validate_data.bounds import percent
from components.validate_data.causes.distribution import ORDINARY
from components.validate_data.causes.seen import Cause, Seen

MANY = 12  # distinct values that no two days hold alike by chance
TIED = 0.1  # how much columns must tell of each other for it to be missed


def same(one: Column, other: Column) -> bool:
    """Say whether two columns have the same profile."""
    return (
        one.kind == other.kind
        and one.present == other.present
        and dict(one.values) == dict(other.values)
        and tuple(one.quantiles) == tuple(other.quantiles)
        and dict(one.figures) == dict(other.figures)
    )


def stale(seen: Seen) -> Cause | None:
    """The column is that of an earlier span, where no two of the earlier ones are alike."""
    if seen.now.figures.get("distinct", 0.0) * seen.now.present < MANY:
        return None  # a few counts may well be those of another day
    if any(same(a, b) for i, a in enumerate(seen.before) for b in seen.before[:i]):
        return None
    for ago, before in enumerate(reversed(seen.span.past), 1):
        column = before.columns.get(seen.name)
        if column and column.present and same(seen.now, column):
            which = "the span before" if ago == 1 else f"{ago} spans before"
            told = f"stale: it is the column of {which}, value for value"
            return Cause("stale", told, seen.now.present)
    return None


def copied(seen: Seen) -> Cause | None:
    """The column is a copy of another one of the same span, from which it usually differs."""
    for other in seen.span.seen() if seen.now.present else ():
        if other.name != seen.name and same(seen.now, other.now) and seen.strayed > 1.5:
            usually = [p.columns for p in seen.span.recent]
            if any(
                same(c[seen.name], c[other.name])
                for c in usually
                if {seen.name, other.name} <= set(c)
            ):
                continue
            if seen.strayed > other.strayed:
                return Cause(
                    "other column", f"it holds the values of {other.name}", seen.now.present
                )
    return None


def swapped(seen: Seen) -> Cause | None:
    """Two columns look each as the other usually does, and not as they usually do themselves."""
    found = [
        other
        for other in seen.span.seen()
        if other.name != seen.name and _looks_like(seen, other) and _looks_like(other, seen)
    ]
    if len(found) != 1:
        return None
    told = f"swapped with {found[0].name}: each looks as the other usually does"
    return Cause("swapped", told, seen.now.present)


def _looks_like(seen: Seen, other: Seen) -> bool:
    """Say whether a column is an ordinary span of the other one, and none of its own."""
    if seen.now.kind != other.now.kind or seen.strayed < 1.5:
        return False
    own, theirs = seen.distribution, other.distribution
    if own and theirs:
        off = own.off(lambda x: x, before=theirs.before)
        return off < min(ORDINARY, own.as_it_is / 2)
    return other.off(seen.now) < min(ORDINARY, seen.strayed / 2)


def mixed_in(seen: Seen) -> Cause | None:
    """New values are those of another column."""
    if seen.now.kind != "text" or not seen.unheard_of:
        return None
    found = []
    for other in seen.span.seen():
        if other.name == seen.name or other.now.kind != "text":
            continue
        theirs = {v: n for v, n in seen.new.items() if v in other.known or v in other.now.values}
        if sum(theirs.values()) > 0.9 * sum(seen.new.values()):
            found.append((other.name, sum(theirs.values())))
    if len(found) != 1:
        return None
    ((name, count),) = found
    told = f"values of {name} stand in {percent(seen.share(count))} of the rows"
    return Cause("other column", told, count)


def out_of_step(seen: Seen) -> Cause | None:
    """The values are as ever, but no longer go with those of other columns."""
    if seen.strayed > 1.5 or _changed(seen):
        return None
    gone, tied = [], 0
    for pair, now in seen.span.now.pairs.items():
        a, _, b = pair.partition(BETWEEN)
        past = [p.pairs[pair] for p in seen.span.recent if pair in p.pairs]
        usual = float(np.median(past)) if len(past) == len(seen.span.recent) else 0.0
        if seen.name in (a, b) and usual > TIED:
            tied += 1
            if now < 0.6 * min(past):
                gone.append((usual, now, b if a == seen.name else a))
    if not gone or len(gone) < 0.6 * tied:
        return None
    usual, now, other = max(gone)
    told = (
        f"out of step: the values are as ever, but do not go with {other} ({now:.2g} of 1, usually "
        f"{usual:.2g}), as when rows are shuffled or of another span"
    )
    return Cause("shuffled", told, seen.now.present)


def _changed(seen: Seen) -> bool:
    """Say whether the values themselves are not as ever."""
    whole, usually = seen.figure("whole")
    lost = bool(usually) and not min(usually) - 0.05 <= whole <= max(usually) + 0.05
    return lost or bool(seen.unheard_of or seen.missing())
