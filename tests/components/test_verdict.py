"""A verdict opens a gate only when something was asked, answered, and nothing was wrong."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from components.verdict import Check, Status, Verdict, failed_to_measure

statuses = st.lists(st.sampled_from(list(Status)), max_size=8)


def verdict(*found: Status, **more) -> Verdict:
    checks = tuple(Check(name=f"check{n}", status=s) for n, s in enumerate(found))
    return Verdict(
        gate="model", pipeline="flights", span="2013-02-08", speaks_of={}, checks=checks, **more
    )


@given(statuses)
def test_one_check_that_failed_or_could_not_measure_keeps_the_gate_shut(found):
    if {Status.FAILED, Status.ERROR} & set(found):
        assert not verdict(*found).passed


@given(statuses)
def test_a_gate_opens_only_on_an_answer(found):
    if verdict(*found).passed:
        assert {Status.PASSED, Status.WARNED} & set(found)


@pytest.mark.parametrize("found", [(), (Status.SKIPPED,), (Status.SKIPPED, Status.SKIPPED)])
def test_no_checks_and_only_skipped_checks_are_no_pass(found):
    judged = verdict(*found)
    assert judged.status is Status.ERROR
    assert "no checks is not a pass" in judged.reason


def test_what_could_not_be_measured_outweighs_what_failed():
    judged = verdict(Status.FAILED, Status.ERROR)
    assert judged.status is Status.ERROR
    assert [c.status for c in judged.offences] == [Status.ERROR, Status.FAILED]
    assert "could not judge" in judged.reason


def test_a_skipped_or_warned_check_beside_a_passed_one_does_not_shut_the_gate():
    assert verdict(Status.PASSED, Status.SKIPPED, Status.WARNED).passed


def test_a_verdict_survives_its_file():
    judged = verdict(Status.PASSED, evidence={"metrics": {"auc": 0.7}})
    assert Verdict.model_validate_json(judged.model_dump_json()) == judged


def test_a_verdict_with_a_word_too_many_is_refused():
    text = verdict(Status.FAILED).model_dump_json().replace('"checks"', '"passed":true,"checks"')
    with pytest.raises(ValidationError):
        Verdict.model_validate_json(text)


def test_a_question_that_crashed_is_an_error_that_names_the_crash():
    check = failed_to_measure("auc", ZeroDivisionError("no rows"), subject="overall")
    assert check.status is Status.ERROR
    assert "ZeroDivisionError: no rows" in check.message
