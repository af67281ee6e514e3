"""TFDV's anomalies in the words of whoever is on call: the column, what was seen, what was allowed.

TFDV decides; the figures come from the statistics, since its own texts mislead (a column with too
many missing values is told as "Column dropped") or leave the figures out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pydantic import JsonValue
from tensorflow_metadata.proto.v0 import anomalies_pb2

from components import schema as contract
from components import statistics as stats
from components.validate_data import bounds
from components.validate_data.rows import Offence
from components.verdict import Check, Status

Info = anomalies_pb2.AnomalyInfo
DRIFT = {
    Info.COMPARATOR_L_INFTY_HIGH,
    Info.COMPARATOR_JENSEN_SHANNON_DIVERGENCE_HIGH,
    Info.COMPARATOR_NORMALIZED_ABSOLUTE_DIFFERENCE_HIGH,
    Info.COMPARATOR_CONTROL_DATA_MISSING,
    Info.COMPARATOR_TREATMENT_DATA_MISSING,
}
VOLUME = {
    Info.COMPARATOR_LOW_NUM_EXAMPLES,
    Info.COMPARATOR_HIGH_NUM_EXAMPLES,
    Info.DATASET_LOW_NUM_EXAMPLES,
    Info.DATASET_HIGH_NUM_EXAMPLES,
}
ABSENT = {
    Info.SCHEMA_MISSING_COLUMN,
    Info.FEATURE_TYPE_NOT_PRESENT,
    Info.FEATURE_TYPE_LOW_FRACTION_PRESENT,
    Info.FEATURE_TYPE_LOW_NUMBER_PRESENT,
}
STRANGE = {Info.ENUM_TYPE_UNEXPECTED_STRING_VALUES}
SMALL = {Info.INT_TYPE_SMALL_INT, Info.FLOAT_TYPE_SMALL_FLOAT}
RANGE = {Info.INT_TYPE_BIG_INT, Info.FLOAT_TYPE_BIG_FLOAT, *SMALL}
OFFENCES: dict[int, Offence] = {
    **dict.fromkeys(ABSENT, "missing"),
    **dict.fromkeys(STRANGE, "unknown"),
    **dict.fromkeys(RANGE, "above"),
    **dict.fromkeys(SMALL, "below"),
}
DISTANCES = {"L_INFTY": "L∞", "JENSEN_SHANNON_DIVERGENCE": "Jensen–Shannon divergence"}


def contract_checks(
    found: Any,
    schema: Any,
    statistics: Any,
    source: str,
    offending: Callable[[Any, Offence], dict[str, JsonValue]],
) -> list[Check]:
    """Return a check for every column of the schema: that it holds, or one for each way it does not.

    `found`: the `Anomalies` of the TRAINING environment; `source`: the schema's file, for messages;
    `offending`: a column's `Feature` and what offends → the rows that do.
    """
    columns, described = stats.by_column(statistics), {f.name: f for f in schema.feature}
    checks = []
    for column, reason, status in _reasons(found, lambda kind: kind not in DRIFT):
        feature, seen = described.get(column), columns.get(column)
        told = _told(reason, feature, seen, statistics.num_examples)
        message = f"{column} {told[0]}; {told[1]} ({source})" if told else ""
        offence = OFFENCES.get(reason.type)
        checks.append(
            Check(
                name="contract",
                status=status,
                subject=column,
                seen=told[0] if told else reason.short_description,
                expected=told[1] if told else bounds.allowed(feature),
                message=message or f"{column}: {reason.description.strip()} ({source})",
                values=offending(feature, offence) if feature and offence else {},
            )
        )
    offended = {check.subject for check in checks}
    for column, feature in described.items():
        if column in offended or not contract.expected_in(schema, feature, contract.TRAINING):
            continue
        checks.append(
            Check(
                name="contract",
                status=Status.PASSED,
                subject=column,
                seen=bounds.seen(columns[column], statistics.num_examples),
                expected=bounds.allowed(feature),
            )
        )
    return checks


def serving_checks(found: Any, training: Any, fed: list[str], source: str) -> list[Check]:
    """Return the check that what a model is fed holds in SERVING too, or one for each way it does not.

    What TRAINING has told already is not told again.
    """
    known = {(c, r.type) for c, r, _ in _reasons(training, lambda kind: True)}
    expected = f"the {len(fed)} columns that a model is fed, as {source} has them"
    broken = [
        Check(
            name="serving contract",
            status=status,
            subject=column,
            seen=reason.short_description,
            expected=expected,
            message=f"{column}, as a client would send it: {reason.description.strip()} ({source})",
        )
        for column, reason, status in _reasons(found, lambda kind: kind not in DRIFT)
        if (column, reason.type) not in known
    ]
    if broken:
        return broken
    holds = f"{len(fed)} columns hold"
    passed = Status.PASSED
    return [
        Check(
            name="serving contract", status=passed, subject="SERVING", seen=holds, expected=expected
        )
    ]


def drift_checks(
    found: Any, schema: Any, statistics: Any, history: Any, spans: int, source: str
) -> list[Check]:
    """Return a check for every column whose drift from the `spans` accepted ones before is bounded.

    One that TFDV gives no distance for could not be measured, which is not a pass.
    """
    now, before = stats.by_column(statistics), stats.by_column(history)
    halted = {column for column, _, _ in _reasons(found, lambda kind: kind in DRIFT)}
    checks = []
    for info in found.drift_skew_info:
        column = ".".join(info.path.step)
        moved = bounds.moved(now.get(column), before.get(column))
        for measure in info.drift_measurements:
            seen, expected = distance(measure)
            told = f"{column} drifted from the {spans} spans before: {moved}({seen}; {expected}, {source})"
            checks.append(
                Check(
                    name="drift",
                    status=Status.FAILED if column in halted else Status.PASSED,
                    subject=column,
                    seen=seen,
                    expected=expected,
                    message=told if column in halted else "",
                    values={"value": measure.value, "threshold": measure.threshold},
                )
            )
    measured = {check.subject for check in checks}
    for column in _bounded_in_drift(schema):
        if column not in measured:
            told = f"the drift of {column} could not be measured: it has no values to compare"
            checks.append(Check(name="drift", status=Status.ERROR, subject=column, message=told))
    return checks


def _bounded_in_drift(schema: Any) -> list[str]:
    return [
        feature.name
        for feature in schema.feature
        if feature.HasField("drift_comparator")
        and contract.expected_in(schema, feature, contract.TRAINING)
    ]


def distance(measure: Any) -> tuple[str, str]:
    """Return a measurement of drift or skew, and its bound, as texts."""
    kind = anomalies_pb2.DriftSkewInfo.Measurement.Type.Name(measure.type)
    told = DISTANCES.get(kind, kind.lower())
    return f"{told} {measure.value:.3g}", f"at most {measure.threshold:.3g}"


def volume_check(found: Any, schema: Any, rows: int, usual: float | None, source: str) -> Check:
    """Return the check of how many rows there are, against the usual number and the least."""
    limits = schema.dataset_constraints
    compared = limits.num_examples_drift_comparator
    expected = ""
    if usual is not None and limits.HasField("num_examples_drift_comparator"):
        low = max(compared.min_fraction_threshold * usual, limits.min_examples_count)
        high = compared.max_fraction_threshold * usual
        expected = f"{low:.0f} to {high:.0f} rows, {usual:.0f} being usual"
    elif limits.min_examples_count:
        expected = f"at least {limits.min_examples_count} rows"
    reasons = [r for r in found.dataset_anomaly_info.reason if r.type in VOLUME]
    status = Status.FAILED if reasons else Status.PASSED if expected else Status.SKIPPED
    message = ""
    if reasons:
        message = f"{rows} rows came; expected are {expected} ({source})"
    elif not expected:
        message = f"{source} bounds no number of rows (dataset_constraints)"
    return Check(
        name="volume",
        status=status,
        subject="rows",
        seen=f"{rows} rows",
        expected=expected,
        message=message,
        values={"rows": rows, "usual": usual},
    )


def dataset_checks(found: Any, source: str) -> Iterator[Check]:
    """Yield what TFDV says of the dataset as a whole, beside its number of rows."""
    if found.data_missing:
        told = "there are no rows to judge"
        yield Check(name="contract", status=Status.FAILED, subject="dataset", message=told)
    for reason in found.dataset_anomaly_info.reason:
        if reason.type not in VOLUME:
            told = f"{reason.description.strip()} ({source})"
            yield Check(name="contract", status=Status.FAILED, subject="dataset", message=told)


def _reasons(found: Any, wanted: Callable[[int], bool]) -> Iterator[tuple[str, Any, Status]]:
    """Yield column, reason and status of each anomaly of the wanted kinds, in the columns' order."""
    for column, info in sorted(found.anomaly_info.items()):
        status = Status.WARNED if info.severity == Info.WARNING else Status.FAILED
        for reason in info.reason:
            if wanted(reason.type):
                yield column, reason, status


def _told(reason: Any, feature: Any, seen: Any, rows: int) -> tuple[str, str] | None:
    """Return what was seen and what is allowed, or None where TFDV's own words are the best."""
    if feature is None:
        return None
    if reason.type in ABSENT:
        lacks = bounds.missing(seen, rows) if seen is not None else 1.0
        most = 1 - feature.presence.min_fraction
        return (
            f"is missing in {bounds.percent(lacks)} of {rows} rows",
            f"at most {bounds.percent(most)} may be" if most else "none may be",
        )
    if seen is None:
        return None
    if reason.type in STRANGE:
        values = reason.description.rpartition("schema:")[2].strip(" .")
        return f"holds {values}", bounds.allowed(feature)
    if reason.type in RANGE:
        least, most = bounds.extremes(seen)
        side = f"falls to {least:g}" if reason.type in SMALL else f"rises to {most:g}"
        return side, f"{bounds.allowed_range(feature)} is allowed"
    return None
