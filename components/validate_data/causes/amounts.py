"""What befalls numbers otherwise: a shift, a factor, decimals lost, a cap, a field too narrow."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from components.validate_data.bounds import percent
from components.validate_data.causes.distribution import ORDINARY, Change
from components.validate_data.causes.seen import Cause, Seen, against, apart
from components.validate_data.causes.units import NEAR, known_changes, mixtures, rivals, times

FEW = 6  # different values that it takes to tell how they are rounded
BYTE = 256


def moved(seen: Seen) -> Cause | None:
    """Every value is as much higher or lower as every other, and no factor would do as well."""
    held = seen.distribution
    if held is None or not held.odd:
        return None
    by = float(np.median(held.now - held.usual))
    by = float(np.rint(by)) if seen.whole else by
    off = held.off(lambda x: x + by)
    ratio = float(np.median(held.now) / (np.median(held.usual) or np.inf)) or 1.0
    others: dict[float | str, float] = {
        f"×{f}": held.off(times(f * ratio, seen.whole)) for f in NEAR
    }
    others.update(known_changes(seen))
    others.update(mixtures(seen))
    if not by or not held.explains(off) or rivals({**others, "": off}, ""):
        return None
    told = f"shifted: all values are {abs(by):.4g} {'higher' if by > 0 else 'lower'} than usual"
    return Cause("offset", told, seen.now.present)


def hours(seen: Seen) -> Cause | None:
    """Times of day, as hours or as hhmm, are shifted round the clock."""
    held = seen.distribution
    if held is None or not held.odd or not seen.whole or seen.span.fewer:
        return None
    most, least = seen.figure("max")[1], seen.figure("min")[1]
    around = 24 if max(most) <= 23 else 2400 if max(most) <= 2400 and _clock(seen) else 0
    if not around or min(least) < 0 or max(most) < 0.6 * around:
        return None
    off = {by: held.off(_round_the_clock(by * around // 24, around)) for by in CLOCK}
    by = min(off, key=off.__getitem__)
    scales = min(held.off(times(f, True)) for f in NEAR)
    if not held.explains(off[by]) or rivals(off, by) or scales < off[by]:
        return None
    return Cause(
        "hours", f"hours are shifted by {by:+d}, as of another time zone", seen.now.present
    )


def numbered(seen: Seen) -> Cause | None:
    """Names that are integers are all shifted by the same, hours round the clock."""
    if seen.now.kind != "text" or not seen.recurs or seen.strayed < 1.5:
        return None
    if not seen.named_by_integers or seen.span.fewer:
        return None
    around = 24 if max(int(v) for v in seen.known) <= 23 and len(seen.known) > 7 else 10**18
    off = {by: _shifted(seen, by, around) for by in CLOCK}
    by = min(off, key=off.__getitem__)
    if off[by] > min(ORDINARY, seen.strayed / 2) or rivals(off, by):
        return None
    told = f"hours are shifted by {by:+d}" if around == 24 else f"all values are shifted by {by:+d}"
    return Cause(
        "offset",
        f"{told}: {'as of another time zone' if around == 24 else 'the values are as ever for the rest'}",
        seen.now.present,
    )


CLOCK = [by for by in range(-11, 13) if by]


def _shifted(seen: Seen, by: int, around: int) -> float:
    """Return how far off the usual the values are once shifted back."""
    back = {str((int(v) - by) % around): n for v, n in seen.now.values.items()}
    return apart(back, seen.now.present, seen.known) / seen.farthest


def _round_the_clock(by: int, around: int) -> Change:
    return lambda x: np.mod(x + by, around)


def decimals(seen: Seen) -> Cause | None:
    """Values are whole, or round, that never were so, and are the usual ones for the rest."""
    held = seen.distribution
    now, past = seen.figure("whole")
    if held is None:
        return None
    if now == 1 and max(past) < 0.6 and held.off(np.rint) < ORDINARY:
        return Cause(
            "decimals", f"decimals are lost: {against(now, past)} of the values are whole", None
        )
    return None


def rounded(seen: Seen) -> Cause | None:
    """Every frequent value is a multiple of ten that seldom was one, or has a single digit that counts."""
    held = seen.distribution
    if held is None:
        return None
    for told, round_ in (("to tens", _tens), ("to one digit", _one_digit)):
        now = _share(seen.now.values, round_)
        past = [_share(c.values, round_) for c in seen.before]
        near = held.as_it_is < ORDINARY or held.off(lambda x: np.round(x, -1)) < ORDINARY
        if now == 1 and max(past) < 0.8 and len(seen.now.values) >= FEW and near:
            return Cause("rounded", f"values are rounded {told}", None)
    return None


def point_lost(seen: Seen) -> Cause | None:
    """Values are whole that never were, and far larger: the decimal point was read as nothing."""
    held = seen.distribution
    now, past = seen.figure("whole")
    if held is None or now < 1 or max(past) > 0.6:
        return None
    larger = np.median(np.abs(held.now)) / max(1e-12, float(np.median(np.abs(held.usual))))
    if not held.odd or larger < 5:
        return None
    told = (
        "the decimal point is lost: no value has decimals, and they are about "
        f"{larger:.3g} times the usual ones"
    )
    return Cause("point lost", told, seen.of_rows(1 - float(np.median(past))))


def capped(seen: Seen) -> Cause | None:
    """The largest value is a frequent one, and lower than ever a span's largest was."""
    held = seen.distribution
    most, past = seen.figure("max")
    if not seen.now.values or most >= min(past):
        return None
    value, count = max(seen.now.values.items(), key=lambda item: float(item[0]))
    share = seen.share(count)
    if f"{most:.9g}" != value or share < 0.02 or not seen.took_over(value):
        return None
    if not held or held.off(lambda x: np.minimum(x, most)) > ORDINARY:
        return None
    beyond = float((held.usual > most).mean())
    told = (
        f"values are capped at {value}: {percent(share)} are just that, usually "
        f"{percent(beyond)} are above"
    )
    return Cause("capped", told, seen.of_rows(share))


def narrow(seen: Seen) -> Cause | None:
    """Values wrap round at 256, as in a field of one byte."""
    held = seen.distribution
    if held is None or not seen.whole or held.now.min() < 0 or held.now.max() >= BYTE:
        return None
    above = float((held.usual >= BYTE).mean())
    if above > 0.02 and held.explains(held.off(lambda x: np.mod(x, BYTE))):
        told = f"values wrap round at {BYTE}, as in a field of one byte: usually {percent(above)} are above"
        return Cause("narrow", told, seen.of_rows(above))
    return None


def _clock(seen: Seen) -> bool:
    """Say whether no frequent value has sixty minutes or more, as times written hhmm have none."""
    return all(float(v) % 100 < 60 for c in seen.before for v in c.values)


def _share(values: Mapping[str, int], holds: Callable[[float], bool]) -> float:
    held = [holds(float(v)) for v in values]
    return sum(held) / len(held) if held else 0.0


def _tens(value: float) -> bool:
    return value % 10 == 0


def _one_digit(value: float) -> bool:
    return len(f"{abs(value):e}".partition("e")[0].rstrip("0").rstrip(".")) == 1
