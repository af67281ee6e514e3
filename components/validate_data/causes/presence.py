"""What befalls values one by one: they are missing, one stands for others, new ones come, some go."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

import numpy as np

from components.profile.texts import NOTHING
from components.validate_data.bounds import percent
from components.validate_data.causes.distribution import ODD, ORDINARY
from components.validate_data.causes.seen import Cause, Seen, apart, higher, quoted

FEW = 3  # new values that a clause names one by one
SENTINEL = re.compile(r"0|-1|-?99+")  # numbers that stand for a missing one


def says_nothing(value: str) -> bool:
    """Say whether a value is wont to stand for a missing one."""
    return value.strip().lower() in NOTHING or bool(SENTINEL.fullmatch(value))


def missing(seen: Seen) -> Cause | None:
    """Values are missing that usually are there."""
    more = seen.missing()
    if not more:
        return None
    if seen.now.present and more < 0.02 and seen.strayed > ODD:
        return None  # that is not what is wrong with it
    rows = seen.span.now.rows
    share = seen.now.figures["missing"]
    if not seen.now.present:
        return Cause("missing", f"the column came empty: all {rows} values are missing", rows)
    told = f"values are missing in {percent(share)} of the rows, usually in {percent(share - more)}"
    return Cause("missing", told, round(more * rows))


def constant(seen: Seen) -> Cause | None:
    """Every value is one and the same, as never before."""
    if len(seen.now.values) != 1 or seen.now.present < 5:
        return None
    (value, count), *_ = seen.now.values.items()
    left_over = seen.span.fewer and count <= max(c.values.get(value, 0) for c in seen.before)
    if count < seen.now.present or left_over or max(c.figures["top"] for c in seen.before) == 1:
        return None
    rows = round(count * (1 - seen.usual_share(value)))
    return Cause("one value", f"every value is {quoted(value)}, {seen.usually(value)}", rows)


def stand_in(seen: Seen) -> Cause | None:
    """One value, one that stands for a missing one or that fills the column, took over a share."""
    found = []
    for value, count in seen.now.values.items():
        rise = seen.share(count) - seen.usual_share(value)
        fills = seen.now.kind == "text" and rise > 0.3 and value in seen.known
        if (says_nothing(value) or fills) and seen.took_over(value):
            found.append((rise, value))
    if not found:
        return None
    rise, value = max(found)
    taken = min(1.0, rise / max(1e-9, 1 - seen.usual_share(value)))
    if rise < 0.01 or not (_beyond_all(seen, value) or _others_as_ever(seen, [value], taken)):
        return None
    share = seen.share(seen.now.values[value])
    told = f"{quoted(value)} stands in {percent(share)} of the values, {seen.usually(value)}"
    return Cause("one value", told, seen.of_rows(rise))


def _beyond_all(seen: Seen, value: str) -> bool:
    """Say whether a number is the only one below, or above, all that was ever seen."""
    if not seen.distribution:
        return False
    number, now = float(value), seen.now.figures
    below = number == now["min"] < min(seen.figure("min")[1])
    above = number == now["max"] > max(seen.figure("max")[1])
    return below or above


def _others_as_ever(seen: Seen, values: Collection[str], share: float) -> bool:
    """Say whether the rest of the column is as it would be had the values befallen a share of all."""
    held = seen.distribution
    if held:
        (value,) = values
        return held.off(lambda x: np.full_like(x, float(value)), share) < ORDINARY
    usual, left = _without(seen.known, values), _without(seen.now.values, values)
    if not left:
        return True
    strayed = [
        apart(_without(c.values, values), sum(_without(c.values, values).values()), usual)
        for c in seen.before
    ]
    chance = np.sqrt(1 / max(1e-3, 1 - share))  # fewer values stray farther
    return apart(left, sum(left.values()), usual) < 1.2 * chance * max(*strayed, 1e-3)


def _without(counts: Mapping[str, float], values: Collection[str]) -> dict[str, float]:
    return {v: n for v, n in counts.items() if v not in values}


def new_value(seen: Seen) -> Cause | None:
    """A few values that none of the spans before had, where new ones are rare."""
    new = seen.new
    share = seen.share(sum(new.values()))
    if seen.now.kind != "text" or not new or not higher(share, seen.usually_new, seen.now.present):
        return None
    if any(says_nothing(v) for v in new):
        return None
    named = sorted(new, key=lambda v: -new[v])
    if len(new) > FEW or new[named[0]] < 3 or not _others_as_ever(seen, new, share):
        return None
    values = ", ".join(f"{quoted(v)} ({percent(seen.share(new[v]))})" for v in named)
    many = "a value" if len(new) == 1 else f"{len(new)} values"
    spans = len(seen.before)
    return Cause(
        "new value",
        f"{many} that none of the {spans} spans before had: {values}",
        sum(new.values()),
    )
