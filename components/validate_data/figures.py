"""The figures that the data gate's page shows beside its checks: a row a column, now and before."""

from __future__ import annotations

from typing import Any

from pydantic import JsonValue

from components import statistics
from components.validate_data import bounds
from components.validate_data.subject import Subject

TOP = 3  # values of a category that the page shows


def figures(subject: Subject) -> dict[str, JsonValue]:
    """Return rows, spans and columns, against the accepted spans of the window before."""
    now = statistics.read(subject.described)
    window, before = subject.window, subject.before
    past = statistics.by_column(before) if before else {}
    hidden = subject.spec.data_gate.sensitive
    rows = [
        _row(column, feature, now.num_examples, past.get(column), before)
        for column, feature in statistics.by_column(now).items()
        if column not in hidden
    ]
    return {
        "rows": now.num_examples,
        "spans before": len(window),
        "rows of a span before": round(before.num_examples / len(window)) if before else None,
        "columns": rows,
    }


def _row(column: str, now: Any, rows: int, past: Any, before: Any) -> dict[str, JsonValue]:
    row: dict[str, JsonValue] = {
        "column": column,
        "missing": bounds.percent(bounds.missing(now, rows)),
        "missing before": bounds.percent(bounds.missing(past, before.num_examples))
        if past
        else None,
        "mean": None,
        "mean before": None,
        "most frequent": None,
    }
    if now.HasField("num_stats"):
        row["mean"] = now.num_stats.mean
        row["mean before"] = past.num_stats.mean if past else None
        return row
    usual = statistics.shares(past) if past else {}
    row["most frequent"] = ", ".join(
        f"{value} {bounds.percent(share)}"
        + (f" (before {bounds.percent(usual.get(value, 0))})" if past else "")
        for value, share in list(statistics.shares(now).items())[:TOP]
    )
    return row
