"""The data gate: TensorFlow Data Validation's judgement of a span against the schema and its past.

It looks at statistics alone, never at rows. `anomalies.pbtxt` in the artifact is TFDV's own answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf import text_format
from pydantic import JsonValue
from tensorflow_metadata.proto.v0 import statistics_pb2

from components import gates, schema, statistics
from components.schema import SERVING, TRAINING
from components.spec import Spec
from components.store import Artifact, Draft
from components.validate_data import anomalies, bounds
from components.verdict import Check, Status, Verdict, failed_to_measure

# Drift and volume are judged once a week of spans is accepted: every weekday has then been seen.
LEARNING = 7
TOP = 3  # values of a category that the page shows


def validate_data(
    spec: Spec, examples: Artifact, described: Artifact, history: Sequence[Artifact]
) -> Artifact:
    """Return the data gate's verdict on a span.

    `described`: its statistics; `history`: those of the accepted spans before it in the window, against
    which drift and volume are judged: the span is one day, so they are taken as an average one.
    """
    contract = f"schemas/{spec.name}.pbtxt"
    spoken = {
        "examples": examples.digest,
        "statistics": described.digest,
        "schema": spec.files[contract],
    }

    def look(draft: Draft) -> Verdict:
        evidence: dict[str, JsonValue] = {}
        try:
            checks, evidence = _judge(spec, described, history, contract, draft)
        except Exception as problem:  # whatever it is, the span was not judged
            checks = [failed_to_measure("data", problem)]
        return Verdict(
            gate="data",
            pipeline=spec.name,
            span=examples.manifest.span,
            speaks_of=spoken,
            checks=tuple(checks),
            evidence=evidence,
        )

    before = {f"history/{h.manifest.span}": h.digest for h in history}
    return gates.judge(
        "validate_data", spec.name, examples.manifest.span, inputs={**spoken, **before}, look=look
    )


def _judge(
    spec: Spec, described: Artifact, history: Sequence[Artifact], contract: str, draft: Draft
) -> tuple[list[Check], dict[str, JsonValue]]:
    import tensorflow_data_validation as tfdv

    reviewed = schema.load(spec.schema_path)
    now = statistics.read(described)
    least = min(LEARNING, spec.window.length - 1)
    learned = len(history) >= least
    before = statistics.merge([statistics.read(h) for h in history]) if history else None
    found = tfdv.validate_statistics(
        _list(now),
        reviewed,
        environment=TRAINING,
        previous_statistics=_list(_average(before, len(history))) if before and learned else None,
    )
    fed = [feature.name for feature in schema.inputs(reviewed)]
    serving = tfdv.validate_statistics(_list(_only(now, fed)), reviewed, environment=SERVING)
    (draft.folder / "anomalies.pbtxt").write_text(text_format.MessageToString(found))
    checks = [
        *anomalies.dataset_checks(found, contract),
        *anomalies.contract_checks(found, reviewed, now, contract),
        anomalies.serving_check(serving, found, fed, contract),
    ]
    usual = before.num_examples / len(history) if before and learned else None
    checks.append(anomalies.volume_check(found, reviewed, now.num_examples, usual, contract))
    if learned:
        checks += anomalies.drift_checks(found, reviewed, now, before, len(history), contract)
    else:
        told = f"learning: {len(history)} of {least} spans that it takes to know what is usual"
        checks.append(Check(name="drift", status=Status.SKIPPED, message=told))
    return checks, _evidence(now, before, len(history))


def _average(merged: Any, spans: int) -> Any:
    """Return merged statistics with the number of rows of an average span: volume compares these."""
    average = statistics_pb2.DatasetFeatureStatistics()
    average.CopyFrom(merged)
    average.num_examples = round(merged.num_examples / spans)
    return average


def _only(described: Any, columns: Sequence[str]) -> Any:
    """Return the statistics of some of the columns: rows as a client would send them."""
    kept = statistics_pb2.DatasetFeatureStatistics(num_examples=described.num_examples)
    kept.features.extend(f for f in described.features if statistics.name_of(f) in columns)
    return kept


def _list(described: Any) -> Any:
    return statistics_pb2.DatasetFeatureStatisticsList(datasets=[described])


def _evidence(now: Any, before: Any, spans: int) -> dict[str, JsonValue]:
    """Return the figures that the page shows beside the checks: a row a column."""
    past = statistics.by_column(before) if before else {}
    rows = [
        _row(column, feature, now.num_examples, past.get(column), before)
        for column, feature in statistics.by_column(now).items()
    ]
    return {
        "rows": now.num_examples,
        "spans before": spans,
        "rows of a span before": round(before.num_examples / spans) if before else None,
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
