"""The first layer, the contract: TensorFlow Data Validation's judgement against the reviewed schema.

Its bounds, its environments, and its comparators, which hold the span against an average one of the
window before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from tensorflow_metadata.proto.v0 import statistics_pb2

from components import schema, statistics
from components.schema import SERVING, TRAINING
from components.validate_data import anomalies, rows
from components.validate_data.subject import Subject
from components.verdict import Check, Status

COMPARED = ("drift", "volume")


def checks(subject: Subject) -> tuple[list[Check], Any]:
    """Return a check for every bound of the schema, and TFDV's own `Anomalies`."""
    reviewed, source = subject.schema, subject.schema_name
    now = statistics.read(subject.described)
    window = subject.window
    before = None if subject.learning else subject.before
    found = trained(reviewed, now, before, len(window))
    fed = [feature.name for feature in schema.inputs(reviewed)]
    serving = served(reviewed, now)
    usual = before.num_examples / len(window) if before else None
    made = [
        *anomalies.dataset_checks(found, source),
        *anomalies.contract_checks(found, reviewed, now, source, partial(rows.offending, subject)),
        *anomalies.serving_checks(serving, found, fed, source),
        anomalies.volume_check(found, reviewed, now.num_examples, usual, source),
    ]
    if before:
        made += anomalies.drift_checks(found, reviewed, now, before, len(window), source)
    else:
        made.append(Check(name="drift", status=Status.SKIPPED, message=subject.learning))
    return _like_the_admitted(subject, reviewed, now, made), found


def _like_the_admitted(subject: Subject, reviewed: Any, now: Any, made: list[Check]) -> list[Check]:
    """Return the checks, those that only compare with the window as warnings where an admission says so.

    A window takes weeks to become what a person let in; until then a span like the admitted ones is
    unlike the window, and no news.
    """
    let_in = subject.admitted
    if not let_in or not any(c.name in COMPARED and c.status is Status.FAILED for c in made):
        return made
    before = statistics.merge([statistics.read(one) for one in let_in])
    found = trained(reviewed, now, before, len(let_in))
    source = subject.schema_name
    again = [
        anomalies.volume_check(
            found, reviewed, now.num_examples, before.num_examples / len(let_in), source
        ),
        *anomalies.drift_checks(found, reviewed, now, before, len(let_in), source),
    ]
    alike = {(c.name, c.subject) for c in again if c.status is Status.PASSED}
    spans = ", ".join(one.manifest.span for one in let_in)
    return [
        check.model_copy(
            update={
                "status": Status.WARNED,
                "message": f"{check.message}; as was admitted: {spans}",
            }
        )
        if check.status is Status.FAILED and (check.name, check.subject) in alike
        else check
        for check in made
    ]


def trained(reviewed: Any, now: Any, before: Any = None, spans: int = 1) -> Any:
    """Return the `Anomalies` of a span's statistics in the TRAINING environment.

    `before`: the statistics of so many `spans` before it, merged; none, and nothing is compared.
    """
    import tensorflow_data_validation as tfdv

    previous = _list(_average(before, spans)) if before else None
    return tfdv.validate_statistics(
        _list(now), reviewed, environment=TRAINING, previous_statistics=previous
    )


def served(reviewed: Any, now: Any) -> Any:
    """Return the `Anomalies` in the SERVING environment, of rows as a client would send them."""
    import tensorflow_data_validation as tfdv

    fed = [feature.name for feature in schema.inputs(reviewed)]
    return tfdv.validate_statistics(_list(_only(now, fed)), reviewed, environment=SERVING)


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
