"""What goes wrong with a span, in kinds and intensities: faulty copies to try the data gate on.

    python -m benchmarks.gates.faults     # every fault by name

The 27 set-ups on numbers and 33 on strings with `avh` are those of Auto-Validate-by-History (Tu et
al., KDD 2023, arXiv:2306.02421, section 4.1), which a column is judged by alone; the others happen
in practice. A fault touches one column, but for those that add or lose whole rows.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pyarrow as pa

from benchmarks.gates import faulty_columns, faulty_numbers, faulty_rows, faulty_strings

Family = Literal["numeric", "string", "table"]
Apply = Callable[[pa.Table, str | None, Sequence[pa.Table], np.random.Generator], pa.Table | None]


@dataclass(frozen=True)
class Fault:
    """A kind of fault at an intensity: a share of the values or rows, or a factor."""

    name: str
    kind: str
    family: Family
    intensity: float
    avh: bool = False


def apply(
    fault: Fault,
    table: pa.Table,
    column: str | None,
    previous: Sequence[pa.Table],
    rng: np.random.Generator,
) -> pa.Table | None:
    """Return a faulty copy of a span; None where the fault does not apply or changes nothing.

    `column` is the one at fault, None for faults of the whole table; `previous` are the spans
    before, oldest first. The table itself is never touched.
    """
    if fault.family != "table" and not fits(table, column, fault.family):
        return None
    faulty = _APPLY[fault](table, column, previous, rng)
    return None if faulty is None or faulty.equals(table) else faulty


def fits(table: pa.Table, column: str, family: Family) -> bool:
    """Return whether a column has values, and is one of numbers or of strings, as asked."""
    values = table[column]
    if values.null_count == len(values):
        return False
    return family_of(values.type) == family


def family_of(kind: pa.DataType) -> Family | None:
    """Return which family of faults befalls a column of a type; None for neither (booleans)."""
    if pa.types.is_integer(kind) or pa.types.is_floating(kind):
        return "numeric"
    return "string" if pa.types.is_string(kind) else None


def _catalogue() -> dict[Fault, Apply]:
    found: dict[Fault, Apply] = {}

    def add(
        family: Family,
        kind: str,
        amounts: Sequence[float],
        act: Callable,
        avh: Sequence[float] = (),
    ) -> None:
        for amount in amounts:
            share = f"{amount:.0%}" if amount <= 1 else f"×{amount:g}"
            fault = Fault(f"{family}: {kind} {share}", kind, family, amount, amount in avh)
            found[fault] = functools.partial(act, amount)

    for kind, change in faulty_numbers.CHANGES.items():
        amounts = faulty_numbers.SHARES.get(kind, (1.0,))
        act = functools.partial(faulty_columns.numbers, change)
        add("numeric", kind, amounts, act, amounts if kind in faulty_numbers.AVH else ())
    for kind, change in faulty_strings.CHANGES.items():
        amounts = faulty_strings.SHARES.get(kind, (1.0,))
        act = functools.partial(faulty_columns.strings, change)
        add("string", kind, amounts, act, amounts if kind in faulty_strings.AVH else ())
    for family in ("numeric", "string"):
        for kind, (amounts, avh, act) in faulty_columns.KINDS.items():
            add(family, kind, amounts, act, avh)
    for kind, (amounts, act) in faulty_rows.KINDS.items():
        add("table", kind, amounts, act)
    return found


_APPLY = _catalogue()
FAULTS: list[Fault] = list(_APPLY)

if __name__ == "__main__":
    for told in FAULTS:
        print(told.name, "(AVH)" if told.avh else "")
