"""What becomes of strings: each function takes those at fault, all known ones, and the dice."""

from __future__ import annotations

import html
import string
from collections.abc import Callable
from urllib.parse import quote

import numpy as np

Change = Callable[[list[str], list[str], np.random.Generator], list]
PRINTED = string.ascii_letters + string.digits + string.punctuation.replace(",", "")


def each(change: Callable[[str], str]) -> Change:
    """Return a change of every string by itself."""
    return lambda x, known, rng: [change(v) for v in x]


def becomes(value: str) -> Change:
    """Return a string that stands for a missing one."""
    return lambda x, known, rng: [value] * len(x)


def typos(share: float) -> Change:
    """Return a share of the characters mistyped: a digit for a digit, else a letter (rule 8)."""

    def change(x: list[str], known: list[str], rng: np.random.Generator) -> list[str]:
        return [_mistyped(v, share, rng, lambda c: True) for v in x]

    return change


def inserted(share: float) -> Change:
    """Return characters slipped in before every one with a chance, and at the end (rule 9)."""

    def change(x: list[str], known: list[str], rng: np.random.Generator) -> list[str]:
        def one(value: str) -> str:
            luck = rng.random(len(value) + 1) < share
            drawn = rng.integers(0, len(PRINTED), len(luck))
            extra = [PRINTED[k] if hit else "" for k, hit in zip(drawn, luck, strict=True)]
            return "".join(a + b for a, b in zip(extra, [*value, ""], strict=True))

        return [one(v) for v in x]

    return change


def deleted(share: float) -> Change:
    """Return every character gone with a chance (rule 10)."""

    def change(x: list[str], known: list[str], rng: np.random.Generator) -> list[str]:
        return [
            "".join(c for c, u in zip(v, rng.random(len(v)), strict=True) if u >= share) for v in x
        ]

    return change


def new_value(x: list[str], known: list[str], rng: np.random.Generator) -> list[str]:
    """Put one value never seen before, of the shape of a known one, in place of each."""
    seen = set(known)
    model = known[int(rng.integers(len(known)))] or "x"
    new = model
    for _ in range(100):
        new = _mistyped(model, 1.0, rng, str.isalpha)
        if new not in seen:
            return [new] * len(x)
    return [f"{new}{len(seen)}"] * len(x)


def misread(value: str) -> str:
    """Read UTF-8 as Latin-1."""
    return value.encode().decode("latin-1")


def question_marks(value: str) -> str:
    """Lose what is not ASCII."""
    return value.encode("ascii", "replace").decode()


def repr_of_bytes(value: str) -> str:
    """Write bytes down as Python prints them."""
    return str(value.encode())


def cut_in_half(value: str) -> str:
    return value[: (len(value) + 1) // 2]


def _mistyped(
    value: str, share: float, rng: np.random.Generator, to_letter: Callable[[str], bool]
) -> str:
    letters = list(value)
    for i in rng.permutation(len(value))[: int(len(value) * share)]:
        if letters[i].isdigit():
            letters[i] = string.digits[rng.integers(10)]
        elif to_letter(letters[i]):
            letters[i] = string.ascii_letters[rng.integers(52)]
    return "".join(letters)


CHANGES: dict[str, Change] = {
    "upper case": each(str.upper),
    "lower case": each(str.lower),
    "characters mistyped 10%": typos(0.1),
    "characters mistyped 50%": typos(0.5),
    "characters mistyped 100%": typos(1.0),
    "characters inserted 10%": inserted(0.1),
    "characters inserted 50%": inserted(0.5),
    "characters deleted 10%": deleted(0.1),
    "characters deleted 50%": deleted(0.5),
    "space before": each(lambda v: " " + v),
    "space after": each(lambda v: v + " "),
    "title case": each(str.title),
    "new value": new_value,
    "sentinel empty": becomes(""),
    "sentinel NA": becomes("NA"),
    "sentinel unknown": becomes("unknown"),
    "Latin-1 for UTF-8": each(misread),
    "not ASCII lost": each(question_marks),
    "bytes printed": each(repr_of_bytes),
    "quotes kept": each(lambda v: f'"{v}"'),
    "HTML escaped": each(html.escape),
    "URL escaped": each(quote),
    "cut in half": each(cut_in_half),
    "last character lost": each(lambda v: v[:-1]),
    "zeros before lost": each(lambda v: v.lstrip("0")),
    "blanks removed": each(lambda v: v.replace(" ", "")),
    "first word only": each(lambda v: v.split(" ")[0]),
}
AVH = {kind for kind in CHANGES if kind.startswith(("upper", "lower", "characters", "space"))}
THREE = (0.1, 0.5, 1.0)
SHARES: dict[str, tuple[float, ...]] = {
    "upper case": THREE,
    "lower case": THREE,
    "space before": THREE,
    "space after": THREE,
    "new value": (0.02, 0.1, 0.5),
    "sentinel empty": (0.05, 0.2, 1.0),
    "sentinel NA": (0.05, 0.2, 1.0),
    "sentinel unknown": (0.05, 0.2, 1.0),
    "bytes printed": (0.1, 1.0),
    "quotes kept": (0.1, 1.0),
    "cut in half": (0.1, 1.0),
}
