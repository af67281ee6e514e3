"""Stale data: the rows of an earlier span that came again, or one column of them.

By the digests of columns that every span's statistics keep: an equal digest is the same values, row
by row. A column of one value tells nothing, and may differ: the date of a span is new where its rows
are old. What a source does all the time, such as a list that seldom changes, is no fault of a span.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.store import Artifact
from components.validate_data.subject import LEARNING, Subject
from components.verdict import Check, Status

BITS = 64.0  # what values must tell: with less, two spans may be the same by chance
HABIT = 0.1  # the share of spans before that repeat another, above which that is usual

Digests = Mapping[str, str]


def checks(subject: Subject) -> list[Check]:
    """Return the check that no earlier span came again, or one for each column that did."""
    own = _digests(subject.described)
    past = {h.manifest.span: _digests(h) for h in reversed(subject.history)}  # the latest first
    same = {span: {c for c in own if own[c] == held.get(c)} for span, held in past.items()}
    if not own or not any(past.values()):
        return [_check(Status.SKIPPED, message="there is no earlier span to compare the rows with")]
    if not any(same.values()):
        return [_check(Status.PASSED)]
    bits = _information(subject.table)
    varying = {column for column, told in bits.items() if told}
    measured = varying - set(subject.spec.key)
    enough = sum(bits[column] for column in measured) >= BITS
    for span, columns in same.items():
        if columns == set(own) or (enough and columns >= varying):
            if _habit(past.values(), varying):
                told = "the rows of a span often come again here"
                return [_check(Status.SKIPPED, message=told)]
            return [_again(subject, span, set(own) - columns)]
    keyed = {s: past[s] for s in past if same[s] >= varying - measured}
    telling = [c for c in own if c in measured and bits[c] >= BITS]
    return _columns(subject, own, keyed, telling) or [_check(Status.PASSED)]


def _columns(
    subject: Subject, own: Digests, keyed: Mapping[str, Digests], telling: Sequence[str]
) -> list[Check]:
    """Return a check for each column that came again. `keyed`: the earlier spans of the same keys.

    Only they can be compared row by row; and a column that their keys decide is always the same.
    """
    made = []
    for column in telling if len(keyed) >= LEARNING else ():
        span = next((s for s, held in keyed.items() if held.get(column) == own[column]), None)
        if span and not _habit(keyed.values(), {column}):
            told = f"{column} is, row by row, what it was on {span}"
            made.append(
                _check(
                    Status.FAILED,
                    subject=column,
                    seen=f"the values of {span}",
                    expected="values that no earlier span has",
                    message=f"{told}: an old file, or one that was joined by mistake",
                    values={"rows affected": len(subject.table)},
                )
            )
    return made


def _again(subject: Subject, span: str, differ: Collection[str]) -> Check:
    but = f" but for {', '.join(sorted(differ))}" if differ else ""
    rows = len(subject.table)
    return _check(
        Status.FAILED,
        seen=f"the {rows} rows of {span}{but}",
        expected="rows that no earlier span has",
        message=f"all {rows} rows are those of {span}{but}: an old file was delivered again",
        values={"rows affected": rows},
    )


def _habit(past: Collection[Digests], columns: Collection[str]) -> bool:
    """Say whether spans before repeat one another in these columns so often that it is usual."""
    held = [tuple(digests.get(column) for column in sorted(columns)) for digests in past]
    return len(held) - len(set(held)) > HABIT * len(held)


def _information(table: pa.Table) -> dict[str, float]:
    """Return how many bits the values of each column tell: rows × the entropy of one."""
    told = {}
    for column in table.column_names:
        counts = pc.value_counts(table[column].combine_chunks()).field("counts").to_numpy()
        told[column] = float(counts @ np.log2(len(table) / counts))
    return told


def _digests(statistics: Artifact) -> Digests:
    held: Any = statistics.facts.get("digests", {})
    return held


def _check(status: Status, *, subject: str = "rows", **about: Any) -> Check:
    return Check(name="stale", status=status, subject=subject, **about)
