"""What befalls texts: the values are the known ones, written otherwise."""

from __future__ import annotations

import html
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from urllib.parse import quote

import numpy as np

from components.profile.texts import _shape as shape
from components.validate_data.bounds import percent
from components.validate_data.causes.seen import Cause, Seen, higher, new_shares, quoted

Rewrite = Callable[[str], str]
MOST_OF = 0.8  # of the new values must be known ones written otherwise
SEVERAL = 3  # different values that it takes to tell a way of writing from a value
TYPOS = 5  # different ones at least
SHAPES = 8  # different new ones at least


def _misread(value: str) -> str:
    return value.encode(errors="replace").decode("latin-1")


REWRITES: Mapping[str, Rewrite] = {
    "in upper case": str.upper,
    "in lower case": str.lower,
    "in title case": str.title,
    "with a space before": lambda v: f" {v}",
    "with a space after": lambda v: f"{v} ",
    "with quotes kept": lambda v: f'"{v}"',
    "with single quotes kept": lambda v: f"'{v}'",
    "as Python prints bytes": lambda v: str(v.encode(errors="replace")),
    "as UTF-8 read as Latin-1": _misread,
    "with ? for what is not ASCII": lambda v: v.encode("ascii", "replace").decode(),
    "escaped for HTML": html.escape,
    "escaped for URLs": lambda v: quote(v, errors="replace"),
    "without the zeros that lead": lambda v: v.lstrip("0"),
    "without blanks": lambda v: v.replace(" ", ""),
    "as numbers with decimals": lambda v: f"{v}.0",
    "cut after the first word": lambda v: v.split(" ")[0],
    "without the last character": lambda v: v[:-1],
    "cut in half": lambda v: v[: (len(v) + 1) // 2],
}


def rewritten(seen: Seen) -> Cause | None:
    """The new values are known ones in another case, with spaces, quotes or escapes, or cut short."""
    found = _rewritten(seen)
    return found[1] if found and found[0] > MOST_OF else None


def _rewritten(seen: Seen) -> tuple[float, Cause] | None:
    """Return the way of writing that accounts for most of what is new, and for which share of that.

    Where values recur, each new value must be the image of a known one; where not, each new shape
    that of a known value's image.
    """
    if seen.now.kind != "text":
        return None
    form: Rewrite = (lambda v: v) if seen.recurs else shape
    new, beyond = seen.new_mix
    found: list[tuple[float, Cause]] = []
    for told, rewrite in {**REWRITES, **_cuts(seen)}.items() if beyond else ():
        images: dict[str, tuple[str, str]] = {}
        usual: defaultdict[str, float] = defaultdict(float)
        for value, often in seen.known.items():
            image = rewrite(value)
            if image and image != value:
                images[form(image)] = value, image
                usual[form(image)] += often
        hit = {v: n for v, n in new.items() if v in images}
        if hit and not (seen.recurs and _one_sided(hit, usual)) and _several(seen, form, hit):
            share = seen.share(sum(hit.values()))
            of, into = images[max(hit, key=hit.__getitem__)]
            clause = f"{_share(share)} came {told}, as {quoted(into)} for {quoted(of)}"
            found.append((share / beyond, Cause(told, clause, seen.of_rows(share))))
    return max(found, key=lambda f: f[0], default=None)


def _several(seen: Seen, form: Rewrite, hit: Mapping[str, int]) -> bool:
    """Say whether it is a way of writing that is new, and not a value of another shape."""
    return seen.recurs or sum(form(v) in hit for v in seen.now.values) >= SEVERAL


def _one_sided(hit: Mapping[str, int], usual: Mapping[str, float]) -> bool:
    """Say whether one value alone was rewritten where others could as well have been."""
    value = max(hit, key=hit.__getitem__)
    count = sum(hit.values())
    now, before = hit[value] / count, usual[value] / sum(usual.values())
    return now - before > 0.5 * (1 - before) and higher(now, [before], count)


def _cuts(seen: Seen) -> dict[str, Rewrite]:
    """Return the rewrite that cuts texts to the longest length that is there now."""
    length = int(seen.now.figures["longest"])
    return {f"cut to {length} characters": lambda v: v[:length]}


def _share(share: float) -> str:
    return "the values" if share > 0.98 else f"{percent(share)} of the values"


def zeros_lost(seen: Seen) -> Cause | None:
    """No value begins with a zero, where always some did."""
    if seen.now.kind != "text":
        return None
    past = [_zeros(c.values) for c in seen.before]
    usual = float(np.median(past))
    if min(past) * seen.now.present < 5 or _zeros(seen.now.values) > 0 or usual < 0.02:
        return None
    shorter, lengths = seen.figure("length")
    if shorter >= min(lengths):
        return None
    told = f"the values came without the zeros that lead: usually {percent(usual)} of them begin with one"
    return Cause("without the zeros that lead", told, seen.of_rows(usual))


def _zeros(values: Mapping[str, int]) -> float:
    return sum(n for v, n in values.items() if len(v) > 1 and v[0] == "0") / max(
        1, sum(values.values())
    )


def cut_short(seen: Seen) -> Cause | None:
    """No text is longer than a length at which many end, where usually many are longer."""
    if seen.now.kind != "text" or seen.span.fewer or min(seen.figure("digit")[1]) > 0.99:
        return None
    longest, past = seen.figure("longest")
    longer = [_share_of(c.values, lambda n: n > longest) for c in seen.before]
    ends = _share_of(seen.now.values, lambda n: n == longest)
    ended = [_share_of(c.values, lambda n: n == longest) for c in seen.before]
    if longest >= min(past) or min(longer) < 0.05 or ends < 0.7 * (min(longer) + min(ended)):
        return None
    told = f"texts are cut to {longest:.0f} characters: {percent(ends)} are just as long"
    return Cause("cut", told, seen.of_rows(float(np.median(longer))))


def _share_of(values: Mapping[str, int], holds: Callable[[int], bool]) -> float:
    """Return the share of the listed values whose length is so."""
    return sum(n for v, n in values.items() if holds(len(v))) / max(1, sum(values.values()))


def mistyped(seen: Seen) -> Cause | None:
    """Many new values that are one character away from a known one, where known ones seldom are."""
    if seen.now.kind != "text":
        return None
    share = seen.share(sum(seen.new.values()))
    new = [v for v in seen.new if len(v) > 3]
    if len(new) < TYPOS or not higher(share, seen.usually_new, seen.now.present):
        return None
    known = list(seen.known)
    near = _neighbours(known)
    close = [v for v in new if any(form in near for form in _without_one(v))]
    crowded = sum(any(near[form] > 1 for form in _without_one(v)) for v in known) / len(known)
    if len(close) < 0.6 * len(new) or crowded > 0.3:
        return None
    count = sum(seen.new[v] for v in close)
    example = close[0]
    told = (
        f"mistyped: {len(close)} values that were never seen are one character away from a known "
        f"one, as {quoted(example)}"
    )
    return Cause("mistyped", told, count)


def _without_one(value: str) -> Iterable[str]:
    """Yield a value, and the value without each of its characters: two a character apart share one."""
    yield value
    for i in range(len(value)):
        yield value[:i] + value[i + 1 :]


def _neighbours(values: Iterable[str]) -> Counter[str]:
    return Counter(form for value in values for form in set(_without_one(value)))


def garbled(seen: Seen) -> Cause | None:
    """Many new values of many shapes that neither this column nor another one ever had."""
    if seen.now.kind != "text":
        return None
    before = [c.shapes or {} for c in seen.before]
    elsewhere = set().union(*(c.now.shapes or {} for c in seen.span.seen() if c.name != seen.name))
    known = set().union(*before)
    new = {s: n for s, n in (seen.now.shapes or {}).items() if s not in known}
    share = seen.share(sum(new.values()))
    usual = new_shares(before, [c.present for c in seen.before])
    if len(new) < SHAPES or not higher(share, usual, seen.now.present):
        return None
    explained = sum(n for s, n in new.items() if s in elsewhere) / sum(new.values())
    partly = _rewritten(seen)
    if explained > 0.3 or (partly and partly[0] > 0.3):
        return None
    told = (
        f"garbled: {percent(share)} of the values have shapes never seen before, {len(new)} of them"
    )
    return Cause("mistyped", told, seen.of_rows(share))
