"""Spans: the unit of arrival, one day, named by its key `2013-02-08`."""

from __future__ import annotations

from datetime import date, timedelta

from components.errors import UsageError


def parse(key: str) -> date:
    """Return the day that a span's key names; raise UsageError for anything but YYYY-MM-DD."""
    try:
        day = date.fromisoformat(key)
    except (TypeError, ValueError):
        day = None
    if day is None or day.isoformat() != key:
        raise UsageError(f"span {key!r} is not a day: write it as YYYY-MM-DD, such as 2013-02-08")
    return day


def before(key: str, count: int, *, first: str | None = None) -> list[str]:
    """Return the keys of the `count` spans before `key`, oldest first, none earlier than `first`."""
    day = parse(key)
    keys = [(day - timedelta(days=n)).isoformat() for n in range(count, 0, -1)]
    return [k for k in keys if first is None or k >= first]


def between(start: str, end: str) -> list[str]:
    """Return the keys from `start` to `end`, both included, oldest first."""
    first, last = parse(start), parse(end)
    return [(first + timedelta(days=n)).isoformat() for n in range((last - first).days + 1)]
