"""The two protocols: every column alone, as AVH has it, and whole tables day by day.

A table's first spans warm the method up. From then on every clean span must pass, and every faulty
copy of some of them must be caught, with nothing known but the spans before. A false alarm changes
nothing: a person would have admitted the span, so it belongs to the past of the next.
"""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from benchmarks.gates import faults
from benchmarks.gates.baselines import Tests, ZScores
from benchmarks.gates.faults import FAULTS, Fault
from benchmarks.gates.methods import History, Judge, Method, Sluice
from benchmarks.gates.tables import Table
from benchmarks.gates.tfdv_baselines import Curated, Inferred

OURS, INFERRED, CURATED = "Sluice", "TFDV, inferred schema", "TFDV, curated schema"
METHODS: dict[str, Callable[[Collection[str], int], Method]] = {
    OURS: Sluice,
    "z-scores": ZScores,
    "KS and chi-square": Tests,
    INFERRED: Inferred,
    CURATED: Curated,
}
OF_COLUMNS = METHODS | {OURS: History}  # a column may well repeat itself
BASELINES = [name for name in METHODS if name != OURS]
Judged = tuple[float, float, float]  # the score, and the milliseconds to look and to judge
BY_COLUMN, BY_TABLE = "column", "table"


@dataclass(frozen=True)
class Effort:
    """How many spans of a table are judged: clean ones, and ones with faulty copies."""

    clean: int
    faulty: int
    clean_of_column: int = 30  # as in AVH
    faulty_of_column: int = 1  # as in AVH


def efforts(methods: Collection[str], full: bool) -> dict[str, Effort]:
    """Return how much each method is tried; TFDV, at ten milliseconds a column, the least."""
    brief = {OURS: Effort(200, 6)} | {name: Effort(60, 6) for name in BASELINES}
    brief |= {name: Effort(40, 3) for name in (INFERRED, CURATED)}
    return {name: Effort(10_000, 25, 30, 5) if full else brief[name] for name in methods}


@dataclass(frozen=True)
class Record:
    """One span judged. `fault` is "" where it was clean; `ms`: to look at it, and to judge it."""

    method: str
    protocol: str
    table: str
    span: str
    column: str
    family: str
    fault: str
    rows: int
    score: float
    look_ms: float
    judge_ms: float


def warm_up(spans: int) -> int:
    """Return how many spans come before the first that is judged: 60, or 30 to leave 40 to judge."""
    return min(60, max(30, spans - 40))


def by_table(table: Table, tried: Mapping[str, Effort]) -> Iterator[Record]:
    """Judge a table's spans whole. Spans on which the world changed have no faulty copies."""
    keys, spans = list(table.spans), list(table.spans.values())
    first = warm_up(len(spans))
    usual = [i for i in range(first, len(spans)) if keys[i] not in table.changes]
    followed = {
        name: _Followed(
            METHODS[name](table.categories, first),
            spans,
            clean=spread(range(first, len(spans)), effort.clean),
            faulty=spread(usual, effort.faulty),
        )
        for name, effort in tried.items()
    }

    def copies(at: int) -> Iterator[tuple[str, Fault, pa.Table]]:
        for fault in FAULTS:
            column, copy = _somewhere(fault, table, keys[at], spans[: at + 1])
            if copy is not None:
                yield column, fault, copy

    for at, name, column, fault, judged in _judged(followed, copies):
        told = (column, fault.family, fault.name) if fault else ("", "", "")
        yield Record(name, BY_TABLE, table.name, keys[at], *told, spans[at].num_rows, *judged)


def by_column(table: Table, tried: Mapping[str, Effort]) -> Iterator[Record]:
    """Judge each column alone, as in AVH: 27 faulty copies of a span of numbers, 33 of strings."""
    for column in next(iter(table.spans.values())).column_names:
        yield from _column(table, column, tried)


def _column(table: Table, column: str, tried: Mapping[str, Effort]) -> Iterator[Record]:
    keys, spans = list(table.spans), list(table.spans.values())
    family = faults.family_of(spans[0].schema.field(column).type)
    if family is None:
        return
    first = warm_up(len(spans))
    usual = [i for i in range(first, len(spans)) if keys[i] not in table.changes]
    alone = [span.select([column]) for span in spans]
    followed = {
        name: _Followed(
            OF_COLUMNS[name](table.categories & {column}, first),
            alone,
            clean=spread(usual, effort.clean_of_column),
            faulty=spread(usual, effort.faulty_of_column),
        )
        for name, effort in tried.items()
    }

    def copies(at: int) -> Iterator[tuple[str, Fault, pa.Table]]:
        for fault in FAULTS:
            if fault.avh and fault.family == family:
                luck = dice(table.name, keys[at], column, fault.name)
                copy = faults.apply(fault, spans[at], column, spans[:at], luck)
                if copy is not None and not copy.select([column]).equals(alone[at]):
                    yield column, fault, copy.select([column])

    for at, name, _, fault, judged in _judged(followed, copies):
        told = (column, family, fault.name if fault else "")
        yield Record(name, BY_COLUMN, table.name, keys[at], *told, spans[at].num_rows, *judged)


class _Followed:
    """A table, or one column of it, in the eyes of a method: each span is looked at once."""

    def __init__(
        self,
        method: Method,
        spans: Sequence[pa.Table],
        clean: Collection[int],
        faulty: Collection[int],
    ) -> None:
        self.method, self.spans = method, spans
        self.clean, self.faulty = set(clean), set(faulty)
        self.looks: list[Any] = []
        self.judge: Judge = lambda look: 0.0
        self.cost = 0.0

    def await_next(self, at: int) -> None:
        """Make ready to judge a span and its copies."""
        while len(self.looks) < at:
            self.looks.append(self.method.look(self.spans[len(self.looks)]))
        begun = time.process_time()
        self.judge = self.method.expect(self.looks[:at])
        self.cost = time.process_time() - begun

    def judged(self, span: pa.Table) -> Judged:
        """Return the score of a span or copy, and the milliseconds to look and to judge."""
        begun = time.process_time()
        look = self.method.look(span)
        looked = time.process_time()
        score = self.judge(look)
        cost = time.process_time() - looked + self.cost
        return score, 1000 * (looked - begun), 1000 * cost


def _judged(
    followed: Mapping[str, _Followed],
    copies: Callable[[int], Iterator[tuple[str, Fault, pa.Table]]],
) -> Iterator[tuple[int, str, str, Fault | None, Judged]]:
    """Have all methods judge the same spans and the same copies of them, one after the other."""
    for at in sorted({i for one in followed.values() for i in one.clean | one.faulty}):
        awake = {n: one for n, one in followed.items() if at in one.clean or at in one.faulty}
        for name, one in awake.items():
            one.await_next(at)
            yield at, name, "", None, one.judged(one.spans[at])
        awake = {n: one for n, one in awake.items() if at in one.faulty}
        for column, fault, copy in copies(at) if awake else ():
            for name, one in awake.items():
                yield at, name, column, fault, one.judged(copy)


def _somewhere(
    fault: Fault, table: Table, key: str, until: Sequence[pa.Table]
) -> tuple[str, pa.Table | None]:
    """Return the column at fault and the faulty copy of the last span, None where none applies."""
    *previous, span = until
    if fault.family == "table":
        return "", faults.apply(fault, span, None, previous, dice(table.name, key, "", fault.name))
    order = dice(table.name, key, "*", fault.name).permutation(span.column_names)
    for column in map(str, order):
        luck = dice(table.name, key, column, fault.name)
        copy = faults.apply(fault, span, column, previous, luck)
        if copy is not None:
            return column, copy
    return "", None


def dice(*names: str) -> np.random.Generator:
    """Return dice that fall alike for a table, span, column and fault, in any run and any order."""
    return np.random.default_rng(zlib.crc32("\0".join(names).encode()))


def spread(among: Sequence[int], most: int) -> list[int]:
    """Return at most so many, evenly spread."""
    if len(among) <= most:
        return list(among)
    return [among[int(k)] for k in (np.arange(most) + 0.5) * len(among) / most]
