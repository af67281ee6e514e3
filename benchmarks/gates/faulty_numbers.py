"""What becomes of numbers: each function takes those at fault, all of the column, and the dice."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

Change = Callable[[np.ndarray, np.ndarray, np.random.Generator], np.ndarray]
DIGITS = "0123456789"


def times(factor: float) -> Change:
    """Return a change of unit."""
    return lambda x, all_, rng: x * factor


def becomes(value: float) -> Change:
    """Return a value that stands for a missing one."""
    return lambda x, all_, rng: np.full_like(x, value)


def fahrenheit(x: np.ndarray, all_: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return x * 1.8 + 32


def celsius(x: np.ndarray, all_: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (x - 32) / 1.8


def moved(by: float) -> Change:
    """Return a shift by so many standard deviations of the span."""
    return lambda x, all_, rng: x + by * all_.std()


def noise(size: float) -> Change:
    """Return Gaussian noise of so many standard deviations of the span."""
    return lambda x, all_, rng: x + rng.normal(0, size * all_.std(), len(x))


def outlier(x: np.ndarray, all_: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Throw values ten standard deviations off, to either side."""
    return x + rng.choice([-10.0, 10.0], len(x)) * (all_.std() or 1.0)


def negative(x: np.ndarray, all_: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return -x


def whole(x: np.ndarray, all_: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.round(x)


def tens(x: np.ndarray, all_: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return np.round(x, -1)


def one_digit(x: np.ndarray, all_: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Keep one significant digit."""
    size = np.floor(np.log10(np.where(x == 0, 1, np.abs(x))))
    return np.round(x / 10**size) * 10**size


def clipped(x: np.ndarray, all_: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Cap at the 90th percentile of the span."""
    return np.minimum(x, np.quantile(all_, 0.9))


def byte(x: np.ndarray, all_: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Wrap round at 256, as a field too narrow does."""
    return np.where(np.abs(x) >= 256, np.mod(x, 256), x)


def hours(by: int) -> Change:
    """Return a time zone's shift: of hours, of times as hhmm, else of plain numbers by as many."""

    def shift(x: np.ndarray, all_: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        if np.all(np.mod(all_, 1) == 0) and all_.min() >= 0:
            if all_.max() <= 23:
                return np.mod(x + by, 24)
            if 1000 < all_.max() <= 2400 and np.all(np.mod(all_, 100) < 60):
                return np.mod(x + 100 * by, 2400)
        return x + by

    return shift


def without_point(x: np.ndarray, all_: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Lose the decimal point, as 12.45 read where a comma was awaited becomes 1245."""
    return np.array([v if v == int(v) else float(_text(v).replace(".", "")) for v in x])


def typos(share: float) -> Change:
    """Return another digit for a share of the characters (AVH's rule 8)."""

    def change(text: str, rng: np.random.Generator) -> str:
        letters = list(text)
        for i in rng.choice(len(text), int(len(text) * share), replace=False):
            if letters[i] in DIGITS:
                letters[i] = str(rng.integers(1 if i == 0 else 0, 10))
        return "".join(letters)

    return _texts(change)


def inserted(share: float) -> Change:
    """Return digits slipped in before every character with a chance, and at the end (rule 9)."""

    def change(text: str, rng: np.random.Generator) -> str:
        sign, body = ("-", text[1:]) if text[0] == "-" else ("", text)
        luck = rng.random(len(body) + 1) < share
        extra = [
            str(d) if hit else ""
            for d, hit in zip(rng.integers(1, 10, len(luck)), luck, strict=True)
        ]
        return sign + "".join(a + b for a, b in zip(extra, [*body, ""], strict=True))

    return _texts(change)


def deleted(share: float) -> Change:
    """Return every digit but the first gone with a chance (rule 10)."""

    def change(text: str, rng: np.random.Generator) -> str:
        luck = rng.random(len(text)) < share
        return "".join(
            c
            for i, (c, hit) in enumerate(zip(text, luck, strict=True))
            if not (hit and i and c in DIGITS)
        )

    return _texts(change)


def _texts(change: Callable[[str, np.random.Generator], str]) -> Change:
    def changed(x: np.ndarray, all_: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        return np.array([_number(change(_text(v), rng)) for v in x])

    return changed


def _text(value: float) -> str:
    """Return a number as a file has it: no exponent, no `.0`."""
    if not math.isfinite(value):
        return "0"
    return str(int(value)) if value == int(value) else np.format_float_positional(value, trim="-")


def _number(text: str) -> float:
    return 0.0 if text in ("", "-", ".", "-.") else float(text)


CHANGES: dict[str, Change] = {
    "×10": times(10),
    "×100": times(100),
    "×1000": times(1000),
    "digits mistyped 10%": typos(0.1),
    "digits mistyped 50%": typos(0.5),
    "digits mistyped 100%": typos(1.0),
    "digits inserted 10%": inserted(0.1),
    "digits inserted 50%": inserted(0.5),
    "digits deleted 10%": deleted(0.1),
    "digits deleted 50%": deleted(0.5),
    "×1.1": times(1.1),
    "×1.609": times(1.609344),
    "×0.01": times(0.01),
    "°F to °C": celsius,
    "°C to °F": fahrenheit,
    "+0.5 sd": moved(0.5),
    "+1 sd": moved(1.0),
    "noise 0.1 sd": noise(0.1),
    "noise 1 sd": noise(1.0),
    "outliers": outlier,
    "sign flipped": negative,
    "sentinel -1": becomes(-1),
    "sentinel 0": becomes(0),
    "sentinel 999": becomes(999),
    "rounded to whole": whole,
    "rounded to tens": tens,
    "one digit kept": one_digit,
    "capped": clipped,
    "wrapped at 256": byte,
    "shifted by 1": hours(1),
    "shifted by 5": hours(5),
    "decimal point lost": without_point,
}
AVH = {kind for kind in CHANGES if kind.startswith(("×10", "digits"))}
SHARES: dict[str, tuple[float, ...]] = {
    "×10": (0.1, 1.0),
    "×100": (0.1, 1.0),
    "×1000": (0.1, 1.0),
    "×1.609": (0.1, 1.0),
    "°F to °C": (0.1, 1.0),
    "outliers": (0.01, 0.1),
    "sign flipped": (0.1, 1.0),
    "sentinel -1": (0.05, 0.2, 1.0),
    "sentinel 0": (0.05, 0.2, 1.0),
    "sentinel 999": (0.05, 0.2, 1.0),
    "decimal point lost": (0.1, 1.0),
}
