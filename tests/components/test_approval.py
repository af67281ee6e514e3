"""What the proof refuses: every way of being incomplete, found by search."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from components.admissions import Admission
from components.approval import NO_BASELINE, Approval, NotApproved
from components.verdict import Check, Status, Verdict

SPANS = ("2013-02-05", "2013-02-06", "2013-02-07")
OPEN = (Check(name="c", status=Status.PASSED),)
SHUT = st.sampled_from(
    [
        (),
        (Check(name="c", status=Status.FAILED),),
        (Check(name="c", status=Status.ERROR),),
        (Check(name="c", status=Status.SKIPPED),),
        (*OPEN, Check(name="d", status=Status.FAILED)),
        (*OPEN, Check(name="d", status=Status.ERROR)),
    ]
)
DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)


@st.composite
def complete(draw: st.DrawFn) -> dict:
    """Return the parts of an approval that holds."""
    used = SPANS[draw(st.integers(0, len(SPANS) - 1)) :]
    examples = {span: draw(DIGESTS) for span in used}
    model, baseline = draw(DIGESTS), draw(st.one_of(DIGESTS, st.just(NO_BASELINE)))
    called = draw(st.sampled_from([baseline, NO_BASELINE]))  # none under a new serving name
    judged = {f"examples/{used[-1]}": examples[used[-1]]}

    def verdict(gate, span, **speaks_of):
        checks = draw(st.sampled_from([OPEN, (*OPEN, Check(name="w", status=Status.WARNED))]))
        return Verdict(gate=gate, pipeline="p", span=span, speaks_of=speaks_of, checks=checks)

    return {
        "pipeline": "p",
        "span": used[-1],
        "model": model,
        "baseline": baseline,
        "called": called,
        "examples": examples,
        "data": {s: verdict("data", s, examples=d) for s, d in examples.items()},
        "admitted": {},
        "own": verdict("data", used[-1], examples=examples[used[-1]]),
        "judgement": verdict("model", used[-1], model=model, baseline=baseline, **judged),
        "infra": verdict("infra", used[-1], model=model, baseline=called),
    }


def verdict_at(parts: dict, place: str) -> Verdict:
    return parts["data"][place] if place in parts["data"] else parts[place]


def with_verdict(parts: dict, place: str, verdict: Verdict) -> dict:
    if place in parts["data"]:
        return {**parts, "data": {**parts["data"], place: verdict}}
    return {**parts, place: verdict}


def places(parts: dict) -> st.SearchStrategy[str]:
    return st.sampled_from([*parts["data"], "own", "judgement", "infra"])


@given(complete())
def test_a_complete_proof_is_one(parts):
    assert Approval(**parts).model == parts["model"]


@given(complete(), st.data(), SHUT)
def test_no_approval_with_a_shut_or_empty_gate(parts, data, shut):
    place = data.draw(places(parts))
    verdict = verdict_at(parts, place).model_copy(update={"checks": shut})
    with pytest.raises(NotApproved):
        Approval(**with_verdict(parts, place, verdict))


@given(complete(), st.data())
def test_no_approval_with_a_verdict_of_another_gate_pipeline_or_span(parts, data):
    place = data.draw(places(parts))
    field = data.draw(st.sampled_from(["gate", "pipeline", "span"]))
    other = data.draw(
        {
            "gate": st.sampled_from(["arrival", "data", "model", "infra"]),
            "pipeline": st.just("q"),
            "span": st.sampled_from(["2012-02-08", "2014-01-01"]),
        }[field]
    )
    assume(other != getattr(verdict_at(parts, place), field))
    verdict = verdict_at(parts, place).model_copy(update={field: other})
    with pytest.raises(NotApproved):
        Approval(**with_verdict(parts, place, verdict))


@given(complete(), st.data(), DIGESTS)
def test_no_approval_with_a_verdict_on_other_bytes(parts, data, other):
    place = data.draw(places(parts))
    verdict = verdict_at(parts, place)
    name = data.draw(st.sampled_from(sorted(verdict.speaks_of)))
    assume(other != verdict.speaks_of[name])
    for changed in (
        {**verdict.speaks_of, name: other},
        {n: d for n, d in verdict.speaks_of.items() if n != name},
    ):
        with pytest.raises(NotApproved):
            Approval(
                **with_verdict(parts, place, verdict.model_copy(update={"speaks_of": changed}))
            )


@given(complete(), st.data())
def test_no_approval_without_a_data_verdict_on_every_span(parts, data):
    missing = data.draw(st.sampled_from(sorted(parts["data"])))
    data_verdicts = {s: v for s, v in parts["data"].items() if s != missing}
    with pytest.raises(NotApproved, match=f"no data verdict on {missing}"):
        Approval(**{**parts, "data": data_verdicts})


@given(complete(), st.data(), DIGESTS)
def test_no_approval_of_another_model_baseline_or_examples(parts, data, other):
    field = data.draw(st.sampled_from(["model", "baseline", "called", *parts["examples"]]))
    if field in parts["examples"]:
        assume(other != parts["examples"][field])
        changed = {**parts, "examples": {**parts["examples"], field: other}}
    else:
        assume(other != parts[field])
        changed = {**parts, field: other}
    with pytest.raises(NotApproved):
        Approval(**changed)


@given(complete())
def test_no_approval_without_the_examples_of_its_own_span(parts):
    earlier = {s: d for s, d in parts["examples"].items() if s != parts["span"]}
    with pytest.raises(NotApproved, match="own span"):
        Approval(**{**parts, "examples": earlier})


@given(complete(), DIGESTS)
def test_no_approval_of_a_model_judged_on_examples_without_proof(parts, other):
    judgement = parts["judgement"]
    spoken = {**judgement.speaks_of, "examples/2013-01-01": other}
    judged = judgement.model_copy(update={"speaks_of": spoken})
    with pytest.raises(NotApproved, match="2013-01-01"):
        Approval(**{**parts, "judgement": judged})


@given(complete(), SHUT, st.sampled_from(["pipeline", "span", "examples"]))
def test_an_admission_opens_the_data_gate_for_its_own_rows_only(parts, shut, field):
    span = parts["span"]
    refused = parts["data"][span].model_copy(update={"checks": shut})
    admission = Admission(
        pipeline="p",
        span=span,
        examples=parts["examples"][span],
        because="the storm is real",
        by="someone",
        at=datetime.now(UTC),
    )
    given_in = {**with_verdict(parts, span, refused), "own": refused}
    given_in["admitted"] = {span: admission}
    assert Approval(**given_in)
    other = admission.model_copy(update={field: "another"})
    with pytest.raises(NotApproved):
        Approval(**{**given_in, "admitted": {span: other}})


@given(complete(), st.data(), SHUT)
def test_an_admission_opens_no_other_gate(parts, data, shut):
    place = data.draw(st.sampled_from(["judgement", "infra"]))
    admitted = {
        span: Admission(
            pipeline="p", span=span, examples=digest, because="b", by="me", at=datetime.now(UTC)
        )
        for span, digest in parts["examples"].items()
    }
    verdict = parts[place].model_copy(update={"checks": shut})
    with pytest.raises(NotApproved):
        Approval(**{**parts, place: verdict, "admitted": admitted})


@given(complete())
def test_an_approval_cannot_be_changed_into_another(parts):
    approval = Approval(**parts)
    with pytest.raises(NotApproved):
        replace(approval, model="0" * 63 + "g")
    with pytest.raises(AttributeError):
        approval.model = "another"
