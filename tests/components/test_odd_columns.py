"""Columns of any type and any values are profiled, learned from and judged without a warning or crash."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from components import profile
from components.validate_data import causes
from components.validate_data.history import expect

ROWS = 40
NUMBERS = (1.7976931348623157e308, -1.7976931348623157e308, 0.0)
COLUMNS: dict[str, Callable[[np.random.Generator], pa.Array]] = {
    "not a number": lambda draw: pa.array(np.full(ROWS, np.nan)),
    "missing": lambda draw: pa.nulls(ROWS, pa.float64()),
    "missing texts": lambda draw: pa.nulls(ROWS, pa.string()),
    "of no type": lambda draw: pa.nulls(ROWS),
    "constant": lambda draw: pa.array([3.0] * ROWS),
    "infinite": lambda draw: pa.array([np.inf, -np.inf] * (ROWS // 2)),
    "infinite in part": lambda draw: pa.array([*draw.normal(size=ROWS - 2), np.inf, -np.inf]),
    "the largest floats": lambda draw: pa.array(draw.choice(NUMBERS, ROWS)),
    "huge integers": lambda draw: pa.array(draw.choice([2**63 - 1, -(2**63)], ROWS)),
    "unsigned": lambda draw: pa.array(np.full(ROWS, 2**64 - 1, "uint64")),
    "booleans": lambda draw: pa.array(draw.integers(0, 2, ROWS).astype(bool)),
    "decimals": lambda draw: pa.array([Decimal("1.20")] * ROWS),
    "dates": lambda draw: pa.array([datetime.date(2013, 2, int(d)) for d in draw.integers(1, 28, ROWS)]),
    "times": lambda draw: pa.array([datetime.datetime(2013, 2, 8)] * ROWS),
    "durations": lambda draw: pa.array([datetime.timedelta(1)] * ROWS),
    "lists": lambda draw: pa.array([[1, 2], None] * (ROWS // 2)),
    "structs": lambda draw: pa.array([{"a": 1, "b": "x"}] * ROWS),
    "bytes that are no text": lambda draw: pa.array([b"\xff\xfe\x00", None] * (ROWS // 2)),
    "texts with NUL": lambda draw: pa.array(["a\0b", "\0"] * (ROWS // 2)),
    "looked up": lambda draw: pa.array(["x", "y"] * (ROWS // 2)).dictionary_encode(),
    "long": lambda draw: pa.array(["x" * 10_000] * ROWS),
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows", [ROWS, 1, 0])
@pytest.mark.parametrize("kind", COLUMNS)
def test_a_column_of_any_kind_is_judged(kind: str, rows: int, tmp_path: Path) -> None:
    def profiled(day: int, held: str = kind) -> profile.Profile:
        draw = np.random.default_rng(day)
        table = pa.table({kind: COLUMNS[held](draw), "x": draw.normal(size=ROWS)})
        return profile.profile(table.slice(0, rows))

    past = [profiled(day) for day in range(20)]
    past[0].save(tmp_path / profile.FILE)
    assert profile.load(tmp_path / profile.FILE).rows == rows
    judge = expect(past)
    assert judge.judge(profiled(99)).score >= 0
    for odd in ("missing", "constant", "missing texts", "texts with NUL"):
        now = profiled(99, odd)
        assert judge.judge(now).score >= 0
        for column in (kind, None):
            causes.find(now, past, column)


def test_a_column_may_have_any_name() -> None:
    names = ["a b", 'q"uote', "ü", "<b>x</b>", "a × b", "", "a\nb", "'"]

    def profiled(day: int) -> profile.Profile:
        draw = np.random.default_rng(day)
        return profile.profile(pa.table({name: draw.normal(size=ROWS) for name in names}))

    judged = expect([profiled(day) for day in range(20)]).judge(profiled(99))
    assert set(names) <= set(judged.columns)
