"""Candidate less baseline, slice by slice, as the page draws it: most harmed first."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import JsonValue

from components.evidence import Difference
from components.spec import METRICS
from components.verdict import Check


def differences(checks: Sequence[Check]) -> list[JsonValue]:
    """Return what the checks against the baseline found, most harmed first, as `evidence.Difference`.

    Harm is how much worse than tolerated the candidate is at least: by the end of the interval that
    is kindest to it. A slice that is a little worse for sure comes before one that may be far worse
    by chance.
    """
    told = [_told(check) for check in checks if check.values.get("difference") is not None]
    return [row.plain() for row in sorted(filter(None, told), key=lambda row: -row.harm)]


def _told(check: Check) -> Difference | None:
    values: dict[str, Any] = check.values
    better = METRICS.get(check.name, 0)
    if values.get("bound") != "worse_by_at_most" or better == 0:
        return None
    bounds = [abs(b) for b in (values.get("lower"), values.get("upper")) if b is not None]
    tolerated = bounds[0] if bounds else 0.0
    interval = values.get("interval")
    kindest = values["difference"] if interval is None else interval[better > 0]
    return Difference(
        slice=check.subject,
        metric=check.name,
        better=better,
        examples=values["examples"],
        candidate=values["candidate"],
        baseline=values["baseline"],
        difference=values["difference"],
        interval=interval,
        tolerated=tolerated,
        status=str(check.status),
        harm=-better * kindest - tolerated,
        underpowered=bool(values.get("underpowered")),
        needs=values.get("needs"),
    )
