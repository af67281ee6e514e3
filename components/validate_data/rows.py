"""Example rows for whoever is on call: a few of those that break a check, the key first, masked."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import JsonValue

from components import schema
from components.spec import Spec

FEW = 5
MASK = "•••"


def shown(spec: Spec, rows: Iterable[Mapping[str, Any]]) -> list[JsonValue]:
    """Return rows as a page shows them: the key first, and nothing of what `sensitive` names.

    Where something is sensitive, so is a column that the schema does not list: it may repeat it.
    """
    hidden = set(spec.data_gate.sensitive)
    known = set(schema.columns(schema.load(spec.schema_path))) if hidden else set()
    shown: list[JsonValue] = []
    for row in rows:
        order = [c for c in spec.key if c in row] + [c for c in row if c not in spec.key]
        masked = {c for c in order if c in hidden or (hidden and c not in known)}
        shown.append({c: MASK if c in masked else _plain(row[c]) for c in order})
    return shown


def _plain(value: Any) -> JsonValue:
    """Return a value as JSON has it; a number in the digits that a 32-bit float has."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
