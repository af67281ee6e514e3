"""A window holds accepted spans only, whatever else is in reach."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components import admissions, gates, runs, spans, spec, store, window
from components.errors import Halted, SluiceError
from components.verdict import Check, Status, Verdict

SPAN = "2013-02-08"
REACH = [*spans.before(SPAN, 34), SPAN]
SHORT = REACH[-6:]  # of a window of four to train on and two to judge on


def examples(span: str, content: str = "") -> store.Artifact:
    def build(draft: store.Draft) -> dict:
        (draft.folder / "examples.parquet").write_text(span + content)
        return {}

    return store.once("examples", "flights", span, inputs={"content": content}, build=build)


def judge(what: store.Artifact, status: Status, *, at: str = "") -> None:
    span = what.manifest.span
    verdict = Verdict(
        gate="data",
        pipeline="flights",
        span=span,
        speaks_of={"examples": what.digest},
        checks=(Check(name="drift", status=status, message="said so"),),
    )
    inputs = {"examples": what.digest, "status": status, "at": at}
    window.remember(
        what,
        gates.judge("validate_data", "flights", span, inputs=inputs, look=lambda draft: verdict),
    )


def opened(flights: spec.Spec, there: list[store.Artifact]) -> runs.Run:
    digests = {e.manifest.span: e.digest for e in there}
    return runs.open_run(flights, SPAN, digests, admitted=admissions.among("flights", digests))


def keys(several: object) -> list[str]:
    return [e.manifest.span for e in several]  # type: ignore[attr-defined]


def test_the_last_seven_days_judge_and_those_before_train(flights: spec.Spec) -> None:
    there = [examples(span) for span in REACH]
    for one in there:
        judge(one, Status.PASSED)
    chosen = window.choose(flights, opened(flights, there))
    assert keys(chosen.train) == REACH[:28]
    assert keys(chosen.evaluate) == REACH[28:]
    assert not set(keys(chosen.train)) & set(keys(chosen.evaluate))


Answer = st.sampled_from([Status.PASSED, Status.FAILED, Status.ERROR, None])


@given(
    answers=st.lists(Answer, min_size=len(SHORT), max_size=len(SHORT)),
    absent=st.sets(st.sampled_from(SHORT[:-1])),
    let_in=st.sets(st.sampled_from(SHORT), max_size=3),
)
@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_a_refused_or_unjudged_span_is_never_in_a_window(
    flights: spec.Spec,
    house: Path,
    monkeypatch: pytest.MonkeyPatch,
    answers: list[Status | None],
    absent: set[str],
    let_in: set[str],
) -> None:
    what = flights.model_copy(update={"window": spec.Window(train=4, evaluate=2)})
    said = dict(zip(SHORT, answers, strict=True))
    with tempfile.TemporaryDirectory(dir=house) as folder:
        monkeypatch.setenv("SLUICE_HOME", folder)
        there = [examples(span) for span in SHORT if span not in absent]
        for one in there:
            span = one.manifest.span
            if status := said[span]:
                judge(one, status)
            if span in let_in:
                admissions.admit("flights", span, one.digest, "a test says so")
        run = opened(what, there)
        may = [
            span
            for span in keys(there)
            if said[span] is Status.PASSED or (said[span] and span in let_in)
        ]
        if len(set(may) & set(SHORT[:4])) < 2 or not set(may) & set(SHORT[4:]):
            with pytest.raises(Halted):
                window.choose(what, run)
        else:
            chosen = window.choose(what, run)
            assert keys(chosen.train) + keys(chosen.evaluate) == may
            assert set(chosen.refused) == set(keys(there)) - set(may)


def test_a_window_of_less_than_half_its_spans_halts_with_the_counts(flights: spec.Spec) -> None:
    there = [examples(span) for span in REACH]
    for number, one in enumerate(there):
        judge(one, Status.PASSED if number % 3 == 0 else Status.FAILED)
    with pytest.raises(Halted, match="has 10 accepted spans to train on and 2 to judge on"):
        window.choose(flights, opened(flights, there))


def test_a_verdict_speaks_of_its_own_rows_only(flights: spec.Spec) -> None:
    first, second = examples(SPAN), examples(SPAN, "delivered again")
    judge(first, Status.PASSED)
    assert window.judged(flights, first)
    assert window.judged(flights, second) is None
    assert not window.accepted(flights, opened(flights, [second]), second)


def test_an_admission_of_other_rows_lets_nothing_in(flights: spec.Spec) -> None:
    first, second = examples(SPAN), examples(SPAN, "delivered again")
    judge(second, Status.FAILED)
    admissions.admit("flights", SPAN, first.digest, "the first delivery was fine")
    assert not window.accepted(flights, opened(flights, [second]), second)


def test_an_admission_of_a_day_lets_no_other_day_with_the_same_rows_in(flights: spec.Spec) -> None:
    def build(draft: store.Draft) -> dict:
        (draft.folder / "examples.parquet").write_text("the same file, sent again")
        return {}

    there = [store.once("examples", "flights", s, inputs={}, build=build) for s in REACH[-2:]]
    assert there[0].digest == there[1].digest
    for one in there:
        judge(one, Status.FAILED)
    admissions.admit("flights", REACH[-2], there[0].digest, "the first delivery was fine")
    run = opened(flights, there)
    assert [window.accepted(flights, run, one) for one in there] == [True, False]


def test_the_latest_verdict_counts(flights: spec.Spec) -> None:
    one = examples(SPAN)
    judge(one, Status.PASSED, at="first")
    judge(one, Status.FAILED, at="the schema was made stricter")
    assert not window.accepted(flights, opened(flights, [one]), one)


def test_history_is_what_was_accepted_before(flights: spec.Spec) -> None:
    there = [examples(span) for span in REACH[-4:]]
    for one, status in zip(there, [Status.PASSED, Status.FAILED, Status.PASSED], strict=False):
        judge(one, status)
    before = window.accepted_before(flights, opened(flights, there), there[-1])
    assert keys(before) == [REACH[-4], REACH[-2]]


def test_history_reaches_behind_the_window_to_what_the_store_has_accepted(
    flights: spec.Spec,
) -> None:
    there = [examples(span) for span in REACH[-4:]]
    for one, status in zip(there, [Status.PASSED, Status.FAILED, Status.FAILED], strict=False):
        judge(one, status)
        store.point(store.root("flights") / "examples" / one.manifest.span / "current", one)
    admissions.admit("flights", REACH[-2], there[2].digest, "looked at")
    before = window.accepted_before(flights, opened(flights, there[-1:]), there[-1])
    assert keys(before) == [REACH[-4], REACH[-2]]


def test_torn_examples_are_an_error_and_not_a_smaller_window(flights: spec.Spec) -> None:
    there = [examples(span) for span in REACH]
    for one in there:
        judge(one, Status.PASSED)
    there[3].file("examples.parquet").write_text("torn")
    with pytest.raises(SluiceError, match=f"no whole examples of flights {REACH[3]}"):
        window.choose(flights, opened(flights, there))
