"""What a cause is looked for in: a span and its columns, held against the spans before.

Usual is what the last `RECENT` spans have in common: their medians, and how far the farthest of them
strayed. An ordinary day strays too, so nothing is called unusual that one of them did.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from components.profile import Column, Profile, numbers, texts
from components.validate_data.bounds import percent
from components.validate_data.causes.distribution import Distribution

RECENT = 28  # spans, four of every weekday
LEAST = 5  # spans; of fewer, nothing can be called usual


@dataclass(frozen=True)
class Cause:
    """The likeliest cause of what is unusual: its pattern's name, the clause, about how many rows.

    Values are quoted as “…”, so that a caller can mask those of a sensitive column.
    """

    name: str
    clause: str
    rows: int | None = None


@dataclass(frozen=True)
class Span:
    """A span and those before it, oldest first."""

    now: Profile
    past: Sequence[Profile]
    columns: dict[str, Seen | None] = field(default_factory=dict)  # as they were asked for

    @cached_property
    def recent(self) -> Sequence[Profile]:
        """Return the spans that say what is usual."""
        return self.past[-RECENT:]

    @cached_property
    def rows(self) -> np.ndarray:
        """Return the rows of each of the recent spans."""
        return np.array([p.rows for p in self.recent])

    @cached_property
    def usual_rows(self) -> float:
        """Return their median."""
        return float(np.median(self.rows))

    @cached_property
    def usual_duplicates(self) -> float:
        """Return the median share of the rows that repeat another."""
        return float(np.median([p.duplicates for p in self.recent]))

    @property
    def fewer(self) -> bool:
        """Say whether there are fewer rows than in any recent span."""
        return self.now.rows < 0.97 * self.rows.min()

    @property
    def more(self) -> bool:
        """Say whether there are more rows than in any recent span."""
        return self.now.rows > 1.03 * self.rows.max()

    def column(self, name: str) -> Seen | None:
        """Return a column held against its past, or None where too little of that is known."""
        if name not in self.columns:
            now = self.now.columns.get(name)
            held = [p.columns[name] for p in self.recent if name in p.columns]
            before = [c for c in held if now and c.kind == now.kind and c.present]
            enough = now is not None and len(before) >= LEAST
            self.columns[name] = Seen(self, name, now, before) if now and enough else None
        return self.columns[name]

    def seen(self) -> Iterable[Seen]:
        """Yield every column of which enough is known."""
        for name in self.now.columns:
            column = self.column(name)
            if column:
                yield column


@dataclass(frozen=True)
class Seen:
    """A column, and what it held in the recent spans in which it held anything."""

    span: Span
    name: str
    now: Column
    before: Sequence[Column]

    def figure(self, name: str) -> tuple[float, list[float]]:
        """Return a figure of the column now, and of the spans before."""
        return self.now.figures.get(name, 0.0), [c.figures.get(name, 0.0) for c in self.before]

    def rose(self, name: str) -> bool:
        """Say whether a share among the figures is higher than in any recent span, beyond chance."""
        now, past = self.figure(name)
        return higher(now, past, self.now.present)

    @cached_property
    def usually_missing(self) -> float:
        """Return the median share of all rows that lacked a value."""
        return float(np.median(self._missed))

    @cached_property
    def never_missing(self) -> bool:
        """Say whether no recent span lacked a value, or hardly any."""
        return max(self._missed) < 0.005

    @property
    def _missed(self) -> list[float]:
        held = [p.columns.get(self.name) for p in self.span.recent]
        return [c.figures["missing"] for c in held if c]

    def missing(self) -> float:
        """Return the share of all rows that lack a value, beyond the usual share; 0 within chance."""
        now = self.now.figures["missing"]
        more = higher(now, self._missed, self.span.now.rows)
        return now - self.usually_missing if more else 0.0

    @property
    def poorer(self) -> bool:
        """Say whether the column tells rows apart less than ever: values missing, or far fewer."""
        different = self.now.figures.get("distinct", 0) * self.now.present
        least = min(c.figures["distinct"] * c.present for c in self.before)
        return bool(self.missing()) or different < 0.7 * least

    @cached_property
    def known(self) -> Mapping[str, float]:
        """Return every value that a recent span listed, and its mean share of a span's values."""
        return _mean_shares([(c.values, c.present) for c in self.before])

    @cached_property
    def new(self) -> Mapping[str, int]:
        """Return the values that none of the recent spans listed, and how often each is there."""
        return {v: n for v, n in self.now.values.items() if v not in self.known}

    @cached_property
    def usually_new(self) -> list[float]:
        """Return of each recent span the share of values that none of the others listed."""
        return new_shares([c.values for c in self.before], [c.present for c in self.before])

    @property
    def named_by_integers(self) -> bool:
        """Say whether the values are texts that are integers."""
        both = (*self.now.values, *self.known)
        return self.now.kind == "text" and all(v.removeprefix("-").isdecimal() for v in both)

    def took_over(self, value: str) -> bool:
        """Say whether a value is there more often than in any recent span, as a share and in rows."""
        count = self.now.values[value]
        often = max(c.values.get(value, 0) for c in self.before)
        return count > often and higher(self.share(count), self.shares(value), self.now.present)

    @property
    def whole(self) -> bool:
        """Say whether the numbers are whole, now and in every recent span."""
        if self.named_by_integers:
            return True
        now, past = self.figure("whole")
        return now == min(past) == 1

    @cached_property
    def unheard_of(self) -> float:
        """Return the share of the values that are new, 0 where that is within chance and custom."""
        share = self.share(sum(self.new.values()))
        return share if higher(share, self.usually_new, self.now.present) else 0.0

    def share(self, count: float) -> float:
        """Return a count of values as a share of those that are there."""
        return count / max(1, self.now.present)

    def shares(self, value: str) -> list[float]:
        """Return the share of one value in each of the recent spans; at most, where it is not listed."""
        return [c.values.get(value, _unlisted(c)) / c.present for c in self.before]

    def usual_share(self, value: str) -> float:
        """Return the median share of one value, 0 where it is seldom listed."""
        return float(np.median([c.values.get(value, 0) / c.present for c in self.before]))

    def usually(self, value: str) -> str:
        """Return the usual share of a value, for people; a number's is known when it is frequent."""
        share, most = self.usual_share(value), float(np.median(self.shares(value)))
        return (
            f"usually in {percent(share)}"
            if share == most
            else f"usually in less than {percent(most)}"
        )

    def of_rows(self, share: float) -> int:
        """Return about how many rows a share of the values is."""
        return round(share * self.now.present)

    @cached_property
    def distribution(self) -> Distribution | None:
        """Return the numbers of the column, or None where it holds texts or nothing."""
        if self.now.kind != "number" or not self.now.present:
            return None
        return Distribution(self.now.quantiles, [c.quantiles for c in self.before])

    @cached_property
    def recurs(self) -> bool:
        """Say whether a text's values are the same from span to span; if not, its shapes are."""
        return float(np.median(self.usually_new)) < 0.3

    def mix(self, column: Column) -> Mapping[str, int]:
        """Return what a text is known by: its values, or its shapes where those never recur."""
        return column.values if self.recurs else column.shapes or {}

    @cached_property
    def new_mix(self) -> tuple[Mapping[str, int], float]:
        """Return what is new in the mix, and its share beyond the usual one; 0 within chance."""
        known = self.usual_mix
        new = {v: n for v, n in self.mix(self.now).items() if v not in known}
        past = new_shares([self.mix(c) for c in self.before], [c.present for c in self.before])
        share = self.share(sum(new.values()))
        beyond = share - float(np.median(past))
        return new, beyond if higher(share, past, self.now.present) else 0.0

    @cached_property
    def usual_mix(self) -> Mapping[str, float]:
        """Return the mean share of each of those."""
        return _mean_shares([(self.mix(c), c.present) for c in self.before])

    @cached_property
    def farthest(self) -> float:
        """Return how far from the usual mix the farthest recent span was."""
        return max(1e-3, *(apart(self.mix(c), c.present, self.usual_mix) for c in self.before))

    def off(self, column: Column) -> float:
        """Return how far a column's mix is from this one's usual, its own farthest span being 1."""
        return apart(self.mix(column), column.present, self.usual_mix) / self.farthest

    @cached_property
    def as_ever(self) -> bool:
        """Say whether the values are mixed as ever, but for the chance that fewer of them have."""
        if self.distribution:
            return self.distribution.as_ever(self.now.present)
        mix, n = self.mix(self.now), max(1, self.now.present)
        for value, usual in self.usual_mix.items():
            past = [self.mix(c).get(value, 0) / c.present for c in self.before]
            strayed = max(abs(share - usual) for share in past)
            chance = 2.5 * np.sqrt(usual * (1 - usual) / n)
            if usual > 0.02 and abs(mix.get(value, 0) / n - usual) > strayed + chance:
                return False
        return not self.unheard_of

    @cached_property
    def strayed(self) -> float:
        """Return how far the column's values are from the usual; at most 1 or so on an ordinary day."""
        held = self.distribution
        return held.as_it_is if held else self.off(self.now)


def _unlisted(column: Column) -> int:
    """Return how frequent a value can be at most that a profile does not list."""
    full = len(column.values) >= (numbers.FREQUENT if column.kind == "number" else texts.FREQUENT)
    return min(column.values.values()) if full else int(column.kind == "number")


def higher(now: float, past: Sequence[float], rows: int) -> bool:
    """Say whether a share of n rows is higher than ever, by more than its chance and usual spread."""
    top, middle = max(past), float(np.median(past))
    likely = min(0.5, max(top, 1 / max(1, rows)))
    chance = 3 * np.sqrt(likely * (1 - likely) / max(1, rows))
    return now > top + 0.5 * (top - middle) + chance


def new_shares(held: Sequence[Mapping[str, int]], present: Sequence[int]) -> list[float]:
    """Return of each span the share of its values that no other span lists."""
    spans = Counter(value for values in held for value in values)
    return [
        sum(count for value, count in values.items() if spans[value] == 1) / n
        for values, n in zip(held, present, strict=True)
    ]


def apart(values: Mapping[str, float], present: float, usual: Mapping[str, float]) -> float:
    """Return the total variation distance between a mix of values and the usual one, 0 to 1."""
    n = max(1, present)
    shared = sum(usual.get(v, 0.0) for v in values)
    told = sum(abs(count / n - usual.get(v, 0.0)) for v, count in values.items())
    return (told + max(0.0, sum(usual.values()) - shared)) / 2


def _mean_shares(held: Sequence[tuple[Mapping[str, int], int]]) -> dict[str, float]:
    shares: defaultdict[str, float] = defaultdict(float)
    for values, present in held:
        for value, count in values.items():
            shares[value] += count / present
    return {value: share / len(held) for value, share in shares.items()}


def quoted(value: str) -> str:
    """Return a value as a clause quotes it: short, and between “ and ”."""
    return f"“{value if len(value) <= 30 else value[:29] + '…'}”"


def against(now: float, past: Sequence[float]) -> str:
    """Return a share and the usual one: `31 % of them, usually 2 %`."""
    return f"{percent(now)}, usually {percent(float(np.median(past)))}"
