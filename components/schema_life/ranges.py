"""How far a column's numbers may go: to a limit that they show, to the calendar's, or with room.

The room beyond the farthest span is some times what lies between that and an ordinary one, a tenth of
the whole range at least: what is plainly wrong goes beyond it, a season's turn should not.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from components import spans
from components.schema_life.column import Column
from components.schema_life.limits import MANY, WEEK, room, too_few, up

# What a column may say of its span's date, whatever the months that happen to have been seen.
CALENDAR: Mapping[str, tuple[int, int]] = {
    "year": (1, 9999),
    "quarter": (1, 4),
    "month": (1, 12),
    "week": (1, 53),
    "day of the month": (1, 31),
    "day of the year": (1, 366),
    "weekday (Monday is 1)": (1, 7),
    "weekday (Monday is 0)": (0, 6),
    "weekday (Sunday is 0)": (0, 6),
    "weekday (Sunday is 1)": (1, 7),
}
CLOCK: Mapping[str, Mapping[str, int]] = {
    "hour": {"hour of the day": 23},
    "minute": {"minute of the hour": 59, "minute of the day": 1439},
    "second": {"second of the minute": 59, "second of the day": 86_399},
}
INT64 = np.iinfo(np.int64)


class Range(NamedTuple):
    """The least and the most that a number may be, None for no bound, and why."""

    least: float | None
    most: float | None
    because: str


def range_of(column: Column, *, label: bool) -> Range:
    """Return the bounds of a column of numbers."""
    if label:
        return Range(0, 1, "the label")
    if not len(column.extremes):
        return Range(None, None, "no span has a value")
    low, high = float(column.extremes[:, 0].min()), float(column.extremes[:, 1].max())
    seen, count = f"seen {low:.6g} to {high:.6g}", len(column.extremes)
    known = of_time(column)
    if known:
        return known
    if count < WEEK:
        return Range(None, None, f"{seen}; {too_few(count)} to bound it")
    if count >= MANY and column.dtype == "int64" and (low, high) == (0, 1):
        return Range(0, 1, f"nothing but 0 and 1 in {count} spans")
    least, below = _end(column, -1)
    most, above = _end(column, 1)
    return Range(least, most, "; ".join(filter(None, [seen, below, above])))


def of_time(column: Column) -> Range | None:
    """Return the bounds of a column that tells its span's date or a time of day, None for others."""
    if column.dtype != "int64" or not len(column.extremes):
        return None
    said = _of_the_date(column)
    if said:
        ends = [CALENDAR[name] for name in said]
        least, most = min(low for low, _ in ends), max(high for _, high in ends)
        return Range(least, most, f"the {' or the '.join(said)} of the span")
    low, high = column.extremes[:, 0].min(), column.extremes[:, 1].max()
    for word in re.split(r"[\W\d_]+", column.name.lower()):
        for meant, most in CLOCK.get(word, {}).items():
            if low >= 0 and high <= most:
                return Range(0, most, f"the {meant}; seen {low:.0f} to {high:.0f}")
    return None


def _of_the_date(column: Column) -> list[str]:
    """Return what the column says of the date in every span, if it holds one value in each."""
    ends = column.extremes
    if len(ends) < 2 or len(ends) < len(column.spans) or (ends[:, 0] != ends[:, 1]).any():
        return []
    days = [_calendar(span) for span in column.spans]
    return [
        name
        for name in CALENDAR
        if all(day[name] == said for day, said in zip(days, ends[:, 0], strict=True))
    ]


def _calendar(span: str) -> dict[str, int]:
    day = spans.parse(span)
    weekday = day.isoweekday()
    said = (
        day.year,
        (day.month + 2) // 3,
        day.month,
        day.isocalendar().week,
        day.day,
        day.timetuple().tm_yday,
        weekday,
        weekday - 1,
        weekday % 7,
        weekday % 7 + 1,
    )
    return dict(zip(CALENDAR, said, strict=True))


def _end(column: Column, side: int) -> tuple[float | None, str]:
    """Return the bound on one side, and what it rests on. `side`: 1 for the most, -1 for the least.

    Both are worked out as a most, the least of the numbers with their signs changed.
    """
    ends = side * column.extremes[:, (side + 1) // 2]
    far, usual = float(ends.max()), float(np.median(ends))
    whole = float(column.extremes[:, 1].max() - column.extremes[:, 0].min())
    if not math.isfinite(far + usual + whole):
        return None, "infinite values came"
    reached = int((ends == far).sum())
    if column.fractions and far.is_integer() and reached >= max(3, len(ends) / 20):
        return side * far, f"{reached} spans end at exactly {side * far:g}, a limit"
    more = max(2 * room(len(ends)) * (far - usual), whole / 10) or abs(far)
    if not more:
        return None, "always 0"
    most = up(far + more)
    if -whole / 10 <= far <= 0 < most:
        return 0, "never negative" if side < 0 else "never positive"
    if column.dtype == "int64":
        most = min(math.ceil(most), -INT64.min if side < 0 else INT64.max)
    return side * most, ""
