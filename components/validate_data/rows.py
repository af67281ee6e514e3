"""Example rows for whoever is on call: a few of those that break a check, the key first.

What `sensitive` names is shown to nobody: neither its values in rows, nor in what a check says of it.
"""

from __future__ import annotations

import math
import traceback
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import JsonValue

from components import schema
from components.errors import SluiceError
from components.spec import Spec
from components.spec.gates import MASK
from components.validate_data.subject import Subject
from components.verdict import Check, failed_to_measure

FEW = 5
Offence = Literal["missing", "below", "above", "unknown"]
QUOTES_NO_VALUE = {"rule", "leak", "stale", "volume"}
EXPECTS_VALUES = {
    "history",
    "skew",
}  # like those before; elsewhere the schema says what is expected


def offending(subject: Subject, feature: Any, offence: Offence) -> dict[str, JsonValue]:
    """Return how many rows break a bound of a column's `Feature`, and a few, the worst first."""
    column = feature.name
    if column not in subject.table.column_names:
        return {}
    found = subject.table.filter(_breaks(subject, feature, offence))
    if offence in ("below", "above"):
        order = "ascending" if offence == "below" else "descending"
        found = found.take(pc.sort_indices(found, [(column, order)]))
    told = list(dict.fromkeys([*subject.spec.key, column]))
    few = found.select(told).slice(0, FEW).to_pylist()
    return {"rows affected": found.num_rows, "examples": shown(subject.spec, few)}


def shown(spec: Spec, rows: Iterable[Mapping[str, Any]]) -> list[JsonValue]:
    """Return rows as a page shows them: the key first, and what is sensitive masked.

    Where something is sensitive, so is a column that the schema does not list: it may repeat it.
    """
    hidden = set(spec.data_gate.sensitive)
    known = set(schema.columns(schema.load(spec.schema_path))) if hidden else set()
    shown: list[JsonValue] = []
    for row in rows:
        order = [c for c in spec.key if c in row] + [c for c in row if c not in spec.key]
        masked = {c for c in order if hidden and (c in hidden or c not in known)}
        shown.append({c: MASK if c in masked else _plain(row[c]) for c in order})
    return shown


def masked(spec: Spec, checks: Sequence[Check]) -> list[Check]:
    """Return the checks, those of sensitive columns without what would quote a value."""
    return [_masked(c) if c.subject in spec.data_gate.sensitive else c for c in checks]


def without_values(spec: Spec, found: Any) -> Any:
    """Return TFDV's `Anomalies`, those of sensitive columns without the words that quote values."""
    told = type(found)()
    told.CopyFrom(found)
    for column, info in told.anomaly_info.items():
        if column in spec.data_gate.sensitive:
            info.ClearField("diff_regions")
            for part in (info, *info.reason):
                part.description = part.short_description
    return told


def crashed(spec: Spec, layer: str, problem: Exception) -> Check:
    """Return the check of a layer that crashed: where something is sensitive, without the error's words.

    Sluice's own errors quote nothing sensitive; what others say may, so the place is told instead.
    """
    check = failed_to_measure(layer, problem)
    if not spec.data_gate.sensitive or isinstance(problem, SluiceError):
        return check
    *_, last = traceback.extract_tb(problem.__traceback__)
    at = f"{Path(last.filename).name} line {last.lineno}"
    told = f"{layer} could not be measured: {type(problem).__name__} in {at}; its words may quote a value"
    return check.model_copy(update={"message": told})


def _masked(check: Check) -> Check:
    if check.name in QUOTES_NO_VALUE:
        return check
    told = f"{check.subject} {check.status} its {check.name} check; what it holds is sensitive"
    return check.model_copy(
        update={
            "seen": MASK,
            "expected": MASK if check.name in EXPECTS_VALUES else check.expected,
            "message": told if check.message else "",
            "values": {k: v for k, v in check.values.items() if k in ("rows affected", "examples")},
        }
    )


def _breaks(subject: Subject, feature: Any, offence: Offence) -> pa.ChunkedArray:
    values = subject.table[feature.name]
    if offence == "missing":
        return values.is_null()
    if offence == "unknown":
        named = {domain.name: domain for domain in subject.schema.string_domain}
        domain = named.get(feature.domain) or feature.string_domain
        known = pc.is_in(values, value_set=pa.array(list(domain.value), values.type))
        return pc.and_(values.is_valid(), pc.invert(known))
    bounds = getattr(feature, feature.WhichOneof("domain_info"))
    return pc.less(values, bounds.min) if offence == "below" else pc.greater(values, bounds.max)


def _plain(value: Any) -> JsonValue:
    """Return a value as JSON has it; a number in the digits that a 32-bit float has."""
    if isinstance(value, float):
        return float(f"{value:.7g}") if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
