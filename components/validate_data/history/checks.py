"""The layer of the data gate that learns: a check a column, against the accepted spans before."""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import JsonValue

from components import profile, spans
from components.validate_data.history import Expectation, Finding, Judgement, expect
from components.validate_data.history.settled import settled
from components.validate_data.subject import Subject
from components.verdict import Check, Status

NAME = "history"
TABLE = "rows"  # the subject of what is asked of the span as a whole


def checks(subject: Subject, evidence: dict[str, JsonValue]) -> list[Check]:
    """Return a check for every column, for every tie that broke, and for the rows as a whole.

    Raises SluiceError when a profile cannot be read: what was usual is then not known.
    """
    gate = subject.spec.data_gate
    known = len(subject.history)
    if known < gate.learning:
        told = f"learning: {known} of {gate.learning} spans that it takes to know what is usual"
        return [Check(name=NAME, status=Status.SKIPPED, message=told)]
    now = profile.load(subject.described.file(profile.FILE))
    past = [profile.load(h.file(profile.FILE)) for h in subject.history]
    keys = [*(h.manifest.span for h in subject.history), subject.span]
    days = [spans.parse(key).toordinal() for key in keys]
    expectation = expect(past, gate.false_halts, days, settled(subject.schema))
    judgement = expectation.judge(now)
    evidence["history"] = _evidence(judgement, known, gate.false_halts)
    offence = Status.FAILED if gate.history == "halt" else Status.WARNED
    found = [_offence(f, known, offence) for f in judgement.findings]
    return [*found, *_passed(expectation, judgement, known)]


def _offence(finding: Finding, spans: int, status: Status) -> Check:
    about = finding.column or TABLE
    return Check(
        name=NAME,
        status=status,
        subject=about,
        seen=f"{finding.name} {finding.seen}",
        expected=finding.expected,
        message=f"{about}: {finding.name} {finding.seen}; the {spans} spans before let expect "
        f"{finding.expected}; {finding.score:.2g} times as far off as a sound span goes",
        values={"times the limit": round(finding.score, 2)},
    )


def _passed(expectation: Expectation, judgement: Judgement, spans: int) -> Iterator[Check]:
    offended = {finding.column for finding in judgement.findings}
    for column in ["", *expectation.columns]:
        score = judgement.columns.get(column, 0.0)
        if column not in offended:
            yield Check(
                name=NAME,
                status=Status.PASSED,
                subject=column or TABLE,
                seen=f"{score:.2f} of the limit",
                expected=f"as the {spans} spans before",
                values={"times the limit": round(score, 2)},
            )


def _evidence(judgement: Judgement, spans: int, rate: float) -> dict[str, JsonValue]:
    return {
        "spans before": spans,
        "false halts allowed": f"{100 * rate:g} % of sound spans",
        "furthest off": f"{judgement.score:.2f} of the limit",
    }
