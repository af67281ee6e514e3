"""Every table through both protocols, each in a process of a pool."""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from statistics import median

from benchmarks.gates import protocol, tables
from benchmarks.gates.own import Own
from benchmarks.gates.protocol import Effort, Record


@dataclass(frozen=True)
class Tried:
    """A table, without its rows, and what was judged of it."""

    name: str
    source: str
    unit: str
    spans: int
    rows: int  # of the middle span
    columns: int
    changes: frozenset[str]
    records: Sequence[Record]


def run(chosen: Sequence[str | Own], efforts: Mapping[str, Effort], jobs: int) -> list[Tried]:
    """Judge every table, and tell of each as it is done."""
    done: dict[str | Own, Tried] = {}
    with ProcessPoolExecutor(jobs, get_context("spawn")) as pool:
        waiting = {pool.submit(_tried, which, efforts): which for which in chosen}
        for one in as_completed(waiting):
            tried = done[waiting[one]] = one.result()
            count = f"{len(tried.records):,} judgements"
            print(f"{len(done):>3} of {len(chosen)}: {tried.name}, {count}", file=sys.stderr)
    return [done[which] for which in chosen]


def _tried(which: str | Own, efforts: Mapping[str, Effort]) -> Tried:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.simplefilter("ignore")  # TFDV's, on every span
    table = which.load() if isinstance(which, Own) else tables.load(which)
    spans = list(table.spans.values())
    return Tried(
        name=table.name,
        source=table.source,
        unit=table.unit,
        spans=len(spans),
        rows=round(median(span.num_rows for span in spans)),
        columns=spans[0].num_columns,
        changes=table.changes,
        records=[*protocol.by_table(table, efforts), *protocol.by_column(table, efforts)],
    )
