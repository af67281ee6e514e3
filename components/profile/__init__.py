"""The profile of a span: what the data gate remembers of it, beside TFDV's statistics, for ever.

A few hundred figures a column, from one pass over the rows: a small JSON file that never needs the
rows again. What TFDV does not keep and a fault shows in is here: how many numbers are whole, which
value is the most frequent, the shapes of texts, and how columns hang together.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa

from components.errors import SluiceError
from components.profile import joint, numbers, texts

FILE = "profile.json"
VERSION = 2

Kind = Literal["number", "text"]


@dataclass(frozen=True)
class Column:
    """One column of a span.

    `figures`: name → scalar; `quantiles`: of a number, at `numbers.LEVELS`; `values`: the most
    frequent ones and how often each; `shapes`: the same of a text's shapes (`Aa-9`).
    """

    kind: Kind
    present: int  # rows that have a value
    figures: Mapping[str, float]
    values: Mapping[str, int]
    quantiles: tuple[float, ...] = ()
    shapes: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Profile:
    """One span.

    `pairs`: `a × b` → how much one column tells of the other, 0 to 1; `sketch`: digests of some of
    the rows, by which rows are known again (`joint.sketch`).
    """

    rows: int
    duplicates: float  # share of the rows that repeat an earlier one
    columns: Mapping[str, Column]
    pairs: Mapping[str, float]
    sketch: Sequence[int]

    def save(self, path: Path) -> None:
        """Write the profile as JSON."""
        path.write_text(json.dumps({"version": VERSION, **asdict(self)}, separators=(",", ":")))


def load(path: Path) -> Profile:
    """Return the profile in a file; raise SluiceError when it does not read."""
    try:
        held = json.loads(path.read_bytes())
        if held.pop("version") != VERSION:
            raise ValueError(f"it is not of version {VERSION}")
        if not held["columns"]:
            raise ValueError("it is of no column")
        held["columns"] = {name: Column(**column) for name, column in held["columns"].items()}
        return Profile(**held)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise SluiceError(
            f"{path} cannot be read as a profile: {error}; remove its folder and run again, "
            "which makes it anew"
        ) from error


def profile(table: pa.Table, categories: Collection[str] = ()) -> Profile:
    """Return the profile of a span's rows.

    `categories`: integer columns whose values are names and not amounts. Numbers that are not finite
    count as missing.
    """
    columns: dict[str, Column] = {}
    codes = {}
    table = pa.table([_plain(c.combine_chunks()) for c in table.columns], table.column_names)
    for name in table.column_names:
        values = table[name].combine_chunks()
        number = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
        describe = numbers.describe if number and name not in categories else texts.describe
        told, codes[name] = describe(values)
        columns[name] = Column(**told)
    pairs, sketch = joint.describe(codes), joint.sketch(table)
    return Profile(table.num_rows, joint.repeated(table), columns, pairs, sketch)


def _plain(values: pa.Array) -> pa.Array:
    """Return a column as numbers or texts: bytes read as UTF-8, what is nested as Python prints it."""
    kind = values.type
    if pa.types.is_decimal(kind):
        return values.cast(pa.float64())
    if pa.types.is_duration(kind):
        return values.cast(pa.int64())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        held = values.to_pylist()
        return pa.array(
            [None if v is None else v.decode("utf-8", "replace") for v in held], pa.string()
        )
    if pa.types.is_nested(kind):
        return pa.array([None if v is None else str(v) for v in values.to_pylist()], pa.string())
    return values
