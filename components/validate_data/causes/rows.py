"""What befalls whole rows: doubled, delivered again, left blank, lost in part or from a place on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from components.profile import Column, Profile
from components.validate_data.bounds import percent
from components.validate_data.causes.distribution import MIDDLES, ORDINARY
from components.validate_data.causes.links import same
from components.validate_data.causes.seen import Cause, Seen, Span, higher, quoted

PARTITIONS = 40  # values at most of a column that rows are parted by


def stale_file(span: Span) -> Cause | None:
    """Every column is that of an earlier span."""
    for ago, before in enumerate(reversed(span.past), 1):
        if before.rows == span.now.rows and _all_same(span.now, before):
            which = "the span before" if ago == 1 else f"{ago} spans before"
            return Cause("stale file", f"the file of {which} came again", span.now.rows)
    return None


def _all_same(one: Profile, other: Profile) -> bool:
    return set(one.columns) == set(other.columns) and all(
        same(column, other.columns[name]) for name, column in one.columns.items()
    )


def came_twice(span: Span) -> Cause | None:
    """Every row is there twice, or more often, and there are as many rows more."""
    now, usual = span.now.duplicates, span.usual_duplicates
    each = (1 - usual) / max(1e-9, 1 - now)
    if not span.more or each < 1.9 or abs(each - round(each)) > 0.05 * each:
        return None
    often = "twice" if round(each) == 2 else f"{round(each)} times"
    times = span.now.rows / span.usual_rows
    told = (
        f"the file came {often}: {times:.3g} times the usual rows, and {percent(now)} of them "
        "repeat another"
    )
    return Cause("duplicated", told, round((now - usual) * span.now.rows))


def repeated(span: Span) -> Cause | None:
    """Rows repeat others, and not because a column holds less than ever."""
    now, past = span.now.duplicates, [p.duplicates for p in span.recent]
    usual = span.usual_duplicates
    if not higher(now, past, span.now.rows) or now - usual < 0.01:
        return None
    if any(seen.poorer for seen in span.seen()):
        return None
    told = f"rows are duplicated: {percent(now)} of them repeat another, usually {percent(usual)}"
    return Cause("duplicated", told, round((now - usual) * span.now.rows))


def blank(span: Span) -> Cause | None:
    """Every column that never lacks a value lacks it, each in the same share of the rows."""
    more = [column.missing() for column in span.seen() if column.never_missing]
    if len(more) < 2 or min(more) < 0.005 or max(more) - min(more) > 0.005:
        return None
    rows = round(float(np.median(more)) * span.now.rows)
    return Cause("blank", f"{rows} rows are blank: every column lacks a value in them", rows)


def lost_value(span: Span) -> Cause | None:
    """No row has a value that many always had, and there are fewer rows by just as many."""
    found = [lost for seen in span.seen() for lost in [_lost(seen)] if lost]
    return max(found, key=lambda cause: cause.rows or 0, default=None)


def _lost(seen: Seen) -> Cause | None:
    if seen.now.kind != "text" or not seen.now.present or not 1 < len(seen.known) <= PARTITIONS:
        return None
    rows = seen.span.now.rows
    gone = sorted((v for v in seen.known if v not in seen.now.values), key=lambda v: -seen.known[v])
    share = sum(seen.known[v] for v in gone)
    usually = [_absent(seen, c) for c in seen.before]
    by_chance = sum(s * (1 - s) ** rows for s in seen.known.values())  # of a sample so large
    fell = 1 - rows / seen.span.usual_rows
    if not higher(share, usually, rows) or share < 2 * by_chance or seen.unheard_of:
        return None
    others = max(c.present * (1 - _absent_of(c, gone)) for c in seen.before)
    if abs(share - fell) > min(_slack(seen.span), 0.6 * share) or rows > 1.05 * others:
        return None
    values = ", ".join(quoted(v) for v in gone[:3])
    values += f" and {len(gone) - 3} more" if len(gone) > 3 else ""
    told = f"the rows of {seen.name} {values} are lost, usually {percent(share)} of all"
    return Cause("partition lost", told, round(share * seen.span.usual_rows))


def _absent(seen: Seen, column: Column) -> float:
    """Return the usual share of the values that a span lacked."""
    return sum(share for value, share in seen.known.items() if value not in column.values)


def _absent_of(column: Column, values: Sequence[str]) -> float:
    """Return the share that some values had in a span."""
    return sum(column.values.get(v, 0) for v in values) / column.present


def _slack(span: Span) -> float:
    """Return by how much the share of rows lost may be off, for all that rows vary."""
    return float(np.clip(np.quantile(np.abs(span.rows / span.usual_rows - 1), 0.9), 0.03, 0.25))


def truncated(span: Span) -> Cause | None:
    """Beyond a place in a column there are no rows, before it as many as ever."""
    if not span.fewer:
        return None
    left = span.now.rows / span.usual_rows
    found = [(off, cause) for seen in span.seen() for off, cause in _cut_off(seen, left)]
    return min(found, key=lambda f: f[0])[1] if found else None


def _cut_off(seen: Seen, left: float) -> list[tuple[float, Cause]]:
    held = seen.distribution
    if held is None or not held.odd or seen.missing():
        return []
    least, most = seen.now.figures["min"], seen.now.figures["max"]
    found = []
    for beyond, told in (
        ((held.before > most), f"ends early: {{}}, and none with {seen.name} above {most:.6g}"),
        ((held.before < least), f"begins late: {{}}, and none with {seen.name} below {least:.6g}"),
    ):
        shares = beyond.mean(1)
        usual = float(np.median(shares))
        if shares.min() <= 0.02 or shares.max() > 0.98 or abs(1 - left - usual) > _slack(seen.span):
            continue
        kept = np.array(
            [_spread(row[~gone]) for row, gone in zip(held.before, beyond, strict=True)]
        )
        off = held.off(lambda x: x, before=kept)
        if off < min(ORDINARY, held.as_it_is / 2):
            came = told.format(f"{percent(left)} of the usual rows")
            clause = f"the file {came}, where usually {percent(usual)} are"
            found.append((off, Cause("truncated", clause, round(usual * seen.span.usual_rows))))
    return found


def _spread(values: np.ndarray) -> np.ndarray:
    """Return 200 points for fewer, in order."""
    return np.interp(MIDDLES, (np.arange(len(values)) + 0.5) / len(values), values)


def appended(span: Span) -> Cause | None:
    """All of the span before is in this one, and about as many rows again."""
    if not span.more or not span.past:
        return None
    before = span.past[-1]
    texts = [
        (column.values, before.columns[name].values)
        for name, column in span.now.columns.items()
        if column.kind == "text"
        and name in before.columns
        and len(before.columns[name].values) < 200
    ]
    more = span.now.rows - before.rows
    if not 0.6 < more / span.usual_rows < 1.6 or not texts:
        return None
    if all(now.get(v, 0) >= n for now, held in texts for v, n in held.items() if n > 1):
        told = (
            f"the rows of the span before came along: {span.now.rows} rows, usually "
            f"{span.usual_rows:.0f}"
        )
        return Cause("appended", told, before.rows)
    return None


def fewer_alike(span: Span) -> Cause | None:
    """There are fewer rows than in any recent span, of every value alike."""
    if not span.fewer or not all(seen.as_ever for seen in span.seen()):
        return None
    left = span.now.rows / span.usual_rows
    told = f"rows are missing, of all values alike: {percent(left)} of the usual ones came"
    return Cause("rows lost", told, round(span.usual_rows - span.now.rows))
