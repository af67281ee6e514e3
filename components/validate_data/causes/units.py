"""What befalls numbers and has a name: another unit, another scale of temperature, another sign."""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np

from components.validate_data.bounds import percent
from components.validate_data.causes.distribution import ODD, ORDINARY, POINTS, Change, Distribution
from components.validate_data.causes.seen import Cause, Seen, higher

UNITS: Mapping[float, str] = {
    1.609344: "miles given as kilometres",
    2.2046226: "kilograms given as pounds",
    3.2808399: "metres given as feet",
    25.4: "inches given as millimetres",
    2.54: "inches given as centimetres",
    60: "minutes given as seconds, or hours as minutes",
    3600: "hours given as seconds",
    10: "given in tenths",
    100: "given in hundredths, as cents or per cent",
    1000: "given in thousandths",
    1 / 1.609344: "kilometres given as miles",
    1 / 2.2046226: "pounds given as kilograms",
    1 / 3.2808399: "feet given as metres",
    1 / 25.4: "millimetres given as inches",
    1 / 2.54: "centimetres given as inches",
    1 / 60: "seconds given as minutes, or minutes as hours",
    1 / 3600: "seconds given as hours",
    1 / 10: "given in tens",
    1 / 100: "given in hundreds",
    1 / 1000: "given in thousands",
}
NEAR = np.exp(np.linspace(np.log(0.2), np.log(5), 65))  # factors, 5 % from one to the next
SEVERAL = 3  # different values that it takes to know a change by them


def known_values(seen: Seen) -> Cause | None:
    """Each of the frequent new values is a known one, changed."""
    new = seen.new
    share = seen.share(sum(new.values()))
    numeric = seen.distribution or seen.named_by_integers
    if not numeric or not higher(share, seen.usually_new, seen.now.present):
        return None
    found = []
    for name, (change, told) in _known(seen).items():
        images = {_digits(float(change(np.array(float(v))))) for v in seen.known}
        hit = [n for v, n in new.items() if _digits(float(v)) in images]
        if len(hit) >= (2 * SEVERAL if seen.whole else SEVERAL) and sum(hit) > 0.8 * sum(
            new.values()
        ):
            found.append((sum(hit), name, told))
    if len(found) != 1:
        return None
    _, name, told = found[0]
    part = min(1.0, share / max(1e-9, sum(seen.known.values())))
    part = 1.0 if part > 0.7 else part
    held = seen.distribution
    if held and held.off(_known(seen)[name][0], part) > ORDINARY:
        return None
    return _cause(seen, str(name), told, part)


def whole_column(seen: Seen) -> Cause | None:
    """All values are changed alike, in a way that has a name, and nothing else would do."""
    held = seen.distribution
    if held is None or not held.odd:
        return None
    known = _known(seen)
    off = known_changes(seen)
    name = min(off, key=off.__getitem__)
    if not held.explains(off[name]) or rivals(off, name):
        return None
    if isinstance(name, float | int) and _vague(held, name, seen.whole, off[name]):
        return None
    return _cause(seen, str(name), known[name][1], 1.0)


def part_of_column(seen: Seen) -> Cause | None:
    """The same of a share of the values, where that takes them far from the others."""
    held = seen.distribution
    if held is None or not held.odd:
        return None
    known = {n: k for n, k in _known(seen).items() if isinstance(n, str) or n >= 3 or n < 0.05}
    fits = {name: held.share_of(change) for name, (change, _) in known.items()}
    off = {name: left for name, (_, left) in fits.items()}
    name = min(off, key=off.__getitem__)
    if not held.explains(off[name]) or rivals(off | mixtures(seen), name):
        return None
    return _cause(seen, str(name), known[name][1], fits[name][0])


def known_changes(seen: Seen) -> dict[float | str, float]:
    """Return how far off a column of numbers is, had each change that has a name befallen all of it."""
    held = seen.distribution
    return {name: held.off(change) for name, (change, _) in _known(seen).items()} if held else {}


def mixtures(seen: Seen) -> dict[str, float]:
    """Return how far off a column of numbers is, had each other one's values befallen a share of it."""
    held = seen.distribution
    others = [c for c in seen.span.seen() if c.name != seen.name and c.distribution]
    if not held:
        return {}
    return {
        c.name: held.share_of(functools.partial(_in_its_place, other=c.distribution))[1]
        for c in others
        if c.distribution
    }


def _in_its_place(values: np.ndarray, other: Distribution) -> np.ndarray:
    """Return as many of another column's usual points as there are values, in their shape."""
    places = np.linspace(0, POINTS - 1, values.shape[-1]).astype(int)
    return np.broadcast_to(other.usual[places], values.shape)


def times(factor: float, whole: bool = False) -> Change:
    """Return the change to another unit; whole numbers stay so."""
    return lambda x: np.rint(x * factor) if whole else x * factor


def rivals(off: Mapping, best: object) -> bool:
    """Say whether another explanation would do about as well."""
    return any(o < max(ODD, 2 * off[best]) for other, o in off.items() if other != best)


def _known(seen: Seen) -> dict[float | str, tuple[Change, str]]:
    """Return every change that has a name: what it does, and what it is called."""
    whole = seen.whole
    known: dict[float | str, tuple[Change, str]] = {
        factor: (times(factor, whole), f"{told}: the values are {factor:.4g} times the usual ones")
        for factor, told in UNITS.items()
    }
    known["°F to °C"] = (_whole(lambda x: (x - 32) / 1.8, whole), "°F given as °C")
    known["°C to °F"] = (_whole(lambda x: x * 1.8 + 32, whole), "°C given as °F")
    known["sign"] = (lambda x: -x, "the sign is flipped")
    return known


def _whole(change: Change, whole: bool) -> Change:
    return (lambda x: np.rint(change(x))) if whole else change


def _vague(held: Distribution, factor: float, whole: bool, off: float) -> bool:
    """Say whether it could as well be quite another factor, or a shift."""
    alike = [f for f in NEAR if held.off(times(f * factor, whole)) < ORDINARY]
    wide = np.log(max(alike) / min(alike)) if alike else 0.0
    by = float(np.median(held.now - held.usual))
    shifted = held.off(lambda x: x + by)
    return wide > 0.1 + 0.3 * abs(np.log(factor)) or (wide > 0.1 and shifted < max(off, ORDINARY))


def _digits(value: float) -> str:
    return f"{value:.6g}"


def _cause(seen: Seen, name: str, told: str, share: float) -> Cause:
    if share == 1:
        return Cause(name, told, seen.now.present)
    return Cause(
        f"{name} in part", f"{told}, in about {percent(share)} of the rows", seen.of_rows(share)
    )
