"""The data gate: is this span fit to train on? Four layers ask, and one verdict answers.

contract    the reviewed schema, by TensorFlow Data Validation     validate_data/contract.py
integrity   what rows must be among themselves, whatever is usual  validate_data/integrity/
history     what is learned from the accepted spans before         validate_data/history/
skew        what is served, against what was trained on            validate_data/skew/
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from google.protobuf import text_format
from pydantic import JsonValue

from components import gates, rule
from components.spec import Spec
from components.store import Artifact, Draft
from components.validate_data import contract, integrity, skew
from components.validate_data.figures import figures
from components.validate_data.history import checks as learned
from components.validate_data.likely import explained
from components.validate_data.rows import crashed, masked, without_values
from components.validate_data.silence import silenced
from components.validate_data.subject import Subject
from components.verdict import Check, Status, Verdict


def validate_data(
    spec: Spec, examples: Artifact, described: Artifact, history: Sequence[Artifact]
) -> Artifact:
    """Return the data gate's verdict on a span.

    `described`: its statistics; `history`: those of the accepted spans before it, oldest first.
    A layer that crashes is a check that could not measure, which keeps the gate shut.
    """
    subject = Subject(spec, examples, described, history)
    spoken = {
        "examples": examples.digest,
        "statistics": described.digest,
        "schema": spec.files[subject.schema_name],
    }

    def look(draft: Draft) -> Verdict:
        checks: list[Check] = []
        evidence: dict[str, JsonValue] = {}
        for name, layer in LAYERS.items():
            try:
                checks += layer(subject, draft, evidence)
            except Exception as problem:  # whatever it is, the span was not judged
                checks.append(crashed(spec, name, problem))
        told = masked(spec, explained(subject, checks, evidence))
        return Verdict(
            gate="data",
            pipeline=spec.name,
            span=subject.span,
            speaks_of=spoken,
            checks=tuple(silenced(told, spec.data_gate.silenced, subject.span)),
            evidence=evidence,
        )

    before = {f"history/{h.manifest.span}": h.digest for h in history}
    rules = {file: digest for file, digest in spec.files.items() if f"/{rule.FOLDER}/" in file}
    logged = {f"served/{subject.log.span}": subject.log.digest} if subject.log else {}
    return gates.judge(
        "validate_data",
        spec.name,
        subject.span,
        inputs={**spoken, **before, **rules, **logged},
        parameters={
            "data_gate": spec.data_gate.model_dump(mode="json"),
            "admitted": [one.manifest.span for one in subject.admitted],
        },
        look=look,
    )


def _contract(subject: Subject, draft: Draft, evidence: dict[str, JsonValue]) -> list[Check]:
    checks, found = contract.checks(subject)
    told = text_format.MessageToString(without_values(subject.spec, found))
    (draft.folder / "anomalies.pbtxt").write_text(told)
    if any(check.status is Status.FAILED for check in checks):
        from components.schema_life import suggest  # which asks this layer

        evidence["schema change that would accept it"] = suggest.of(subject).told
    evidence |= figures(subject)
    return checks


def _integrity(subject: Subject, draft: Draft, evidence: dict[str, JsonValue]) -> list[Check]:
    return integrity.checks(subject)


def _history(subject: Subject, draft: Draft, evidence: dict[str, JsonValue]) -> list[Check]:
    return learned.checks(subject, evidence)


def _skew(subject: Subject, draft: Draft, evidence: dict[str, JsonValue]) -> list[Check]:
    return skew.checks(subject)


Layer = Callable[[Subject, Draft, dict[str, JsonValue]], Sequence[Check]]
LAYERS: dict[str, Layer] = {
    "contract": _contract,
    "integrity": _integrity,
    "history": _history,
    "skew": _skew,
}
