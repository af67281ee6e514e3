"""The fourth layer, skew: is a model asked what it was trained on?

What was served on a day is held against what was trained on of that very day, since rows of another
day differ by their weather and weekday without any skew. So does TFDV when it is given
`serving_statistics`: it compares the rows under validation with those served meanwhile. Which values
are known at all is asked of the whole window, since that is what the model has seen.

A `skew_comparator` of the schema is TFDV's to judge, and halts. What TFDV leaves out, and columns
without one, are asked in questions.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from tensorflow_metadata.proto.v0 import anomalies_pb2, statistics_pb2

from components import profile, schema, statistics
from components.describe import describe_served
from components.store import Artifact
from components.validate_data import anomalies
from components.validate_data.skew import questions
from components.validate_data.skew.questions import Answer, Side
from components.validate_data.subject import Subject
from components.verdict import Check, Status

L_INFTY = anomalies_pb2.DriftSkewInfo.Measurement.L_INFTY
WORST = (Status.ERROR, Status.FAILED, Status.WARNED, Status.PASSED)


def checks(subject: Subject) -> list[Check]:
    """Return a check for every column that a model is fed, or one that says why none can be made.

    Raises SluiceError for a log that cannot be read.
    """
    log = subject.log
    if log is None:
        return [_skipped(f"no requests are logged for {subject.spec.name}")]
    served = describe_served(subject.spec, log)
    rows, least = statistics.read(served).num_examples, subject.spec.data_gate.skew_rows
    if rows < least:
        return [_skipped(f"{rows} of {least} served rows that it takes are logged of {log.span}")]
    spans = {one.manifest.span: one for one in (*subject.window, subject.described)}
    parts = [subject.before, statistics.read(subject.described)]
    learned = statistics.by_column(statistics.merge([part for part in parts if part]))
    return list(_columns(subject, served, spans[log.span], learned))


def _columns(
    subject: Subject, served: Artifact, trained: Artifact, learned: Mapping[str, Any]
) -> Iterator[Check]:
    """Yield the check of each column that a model is fed, in the schema's order."""
    import tensorflow_data_validation as tfdv

    reviewed = subject.schema
    now, then = statistics.read(served), statistics.read(trained)
    found = tfdv.validate_statistics(_list(then), reviewed, serving_statistics=_list(now))
    sides = [_sides(one) for one in (served, trained)]
    compared = (
        f"{now.num_examples} rows served on {served.manifest.span}, {then.num_examples} trained on"
    )
    bounded = {f.name for f in reviewed.feature if f.HasField("skew_comparator")}
    for feature in schema.inputs(reviewed):
        one, other = (side[feature.name] for side in sides)
        answers = [questions.missing(one, other)]
        if one.present and other.present:
            if one.number or statistics.complete_vocabulary(learned[feature.name]):
                answers.append(questions.unheard_of(one, learned[feature.name]))
            if feature.name in bounded:
                answers += _bounded(found, feature.name, (one, other), subject.schema_name)
            else:
                answers.append(questions.distance(one, other))
            if one.number:
                answers.append(questions.fraction(one, other))
        yield _check(feature.name, answers, compared)


def _bounded(found: Any, column: str, sides: tuple[Side, Side], source: str) -> Iterator[Answer]:
    """Yield TFDV's answers to the schema's skew_comparator, or that it gave none.

    For an `infinity_norm` of a number it always gives 0, which is none.
    """
    measured = [
        measure
        for info in found.drift_skew_info
        if ".".join(info.path.step) == column
        for measure in info.skew_measurements
        if not (sides[0].number and measure.type == L_INFTY)
    ]
    for measure in measured:
        seen, expected = anomalies.distance(measure)
        status = Status.PASSED if measure.value <= measure.threshold else Status.FAILED
        told = f"{questions.moved(*sides)}({seen}; {expected}, {source})"
        yield Answer("distance", status, measure.value, seen, expected, told)
    if not measured:
        told = f"could not be compared: its skew_comparator gives no distance ({source})"
        yield Answer("distance", Status.ERROR, 1.0, "no distance", "", told)


def _check(column: str, answers: Sequence[Answer], compared: str) -> Check:
    """Return one check of a column's answers, which tells of the worst of them."""
    status = min((a.status for a in answers), key=WORST.index)
    shown = [a for a in answers if a.status is status]
    told = "; it ".join(a.told for a in shown)
    return Check(
        name="skew",
        status=status,
        subject=column,
        seen=", ".join(a.seen for a in shown),
        expected=", ".join(a.expected for a in shown if a.expected),
        message=f"{column} {told} ({compared})" if status is not Status.PASSED else "",
        values={a.name: a.value for a in answers},
    )


def _sides(described: Artifact) -> dict[str, Side]:
    """Return the columns of some rows, served or trained on."""
    held = profile.load(described.file(profile.FILE))
    of = statistics.by_column(statistics.read(described))
    return {name: Side(held.rows, held.columns[name], of[name]) for name in held.columns}


def _skipped(told: str) -> Check:
    return Check(name="skew", status=Status.SKIPPED, message=told)


def _list(described: Any) -> Any:
    return statistics_pb2.DatasetFeatureStatisticsList(datasets=[described])
