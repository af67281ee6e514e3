"""The likeliest cause of what is unusual in a span, in one plain clause, from profiles alone.

A pattern is named when it explains what is there and nothing else would; else there is no answer:
a wrong cause sends people the wrong way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from components.profile import Profile
from components.validate_data.causes import amounts, links, presence, rows, spellings, units
from components.validate_data.causes.seen import LEAST, Cause, Seen, Span

# The most specific first.
OF_SPANS: tuple[Callable[[Span], Cause | None], ...] = (
    rows.stale_file,
    rows.blank,
    rows.came_twice,
    rows.appended,
    rows.repeated,
    rows.lost_value,
    rows.truncated,
)
OF_VALUES: tuple[Callable[[Seen], Cause | None], ...] = (
    links.stale,
    links.copied,
    links.swapped,
    links.mixed_in,
    presence.missing,
    presence.constant,
    units.known_values,
    spellings.rewritten,
    spellings.zeros_lost,
    spellings.cut_short,
    amounts.hours,  # midnight is no stand-in for what is missing
    amounts.numbered,
    presence.stand_in,
    presence.new_value,
    spellings.mistyped,
    spellings.garbled,
)
OF_DISTRIBUTIONS: tuple[Callable[[Seen], Cause | None], ...] = (
    amounts.decimals,
    amounts.rounded,
    units.whole_column,
    amounts.moved,
    amounts.point_lost,
    amounts.narrow,
    units.part_of_column,
    amounts.capped,
    links.out_of_step,
)


def likely(now: Profile, past: Sequence[Profile], column: str | None) -> str | None:
    """Return the likeliest cause of what is unusual in a column, or None where none is plain.

    `past`: the spans before, oldest first. `column`: None, or what is no column, asks of the span
    as a whole.
    """
    cause = find(now, past, column)
    return cause.clause if cause else None


def affected(now: Profile, past: Sequence[Profile], column: str | None) -> int | None:
    """Return about how many rows the likeliest cause affects, where it can be told."""
    cause = find(now, past, column)
    return cause.rows if cause else None


def find(now: Profile, past: Sequence[Profile], column: str | None) -> Cause | None:
    """Return the likeliest cause, its clause and the rows together."""
    if len(past) < LEAST or not now.rows:
        return None
    span = Span(now, past)
    seen = span.column(column) if column else None
    for of_span in OF_SPANS:
        if cause := of_span(span):
            return cause
    asked = [seen] if seen else list(span.seen())
    if seen is None and column in now.columns:
        return None
    if seen is None:
        for other in asked:
            for pattern in (links.swapped, links.out_of_step):
                if cause := pattern(other):
                    return cause
        return rows.fewer_alike(span)
    # Of a part of the rows, nobody knows what the distribution should be.
    for of_column in OF_VALUES if span.fewer else OF_VALUES + OF_DISTRIBUTIONS:
        if cause := of_column(seen):
            return cause
    return rows.fewer_alike(span)
