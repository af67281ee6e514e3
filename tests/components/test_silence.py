"""A silence warns where a check would halt, for its column, until its day; never where that crashed."""

from __future__ import annotations

from datetime import date

import pytest
import yaml

from components import home, pipelines, spec
from components.errors import UsageError
from components.spec.gates import DATA_CHECKS, Silence
from components.validate_data.silence import silenced
from components.verdict import Check, Status

DAY = "2013-02-07"


def silence(check: str, column: str | None = None, until: str = DAY) -> Silence:
    return Silence(check=check, column=column, until=until, because="ticket 7")


def failed(name: str, subject: str = "temp", status: Status = Status.FAILED) -> Check:
    return Check(name=name, subject=subject, status=status, message="it is odd")


@pytest.mark.parametrize("name", DATA_CHECKS)
def test_every_check_is_silenced_by_its_name_and_column_to_the_last_day(name: str) -> None:
    (check,) = silenced([failed(name)], [silence(name, "temp")], DAY)
    assert check.status is Status.WARNED
    assert check.message == "it is odd (silenced until 2013-02-07: ticket 7)"


@pytest.mark.parametrize(
    "other", [silence("drift", "temp"), silence("history", "dewp"), silence("history", "te")]
)
def test_a_silence_of_another_check_or_column_silences_nothing(other: Silence) -> None:
    assert silenced([failed("history")], [other], DAY) == [failed("history")]


def test_without_a_column_all_of_them_are_silenced() -> None:
    checks = [failed("history", subject) for subject in ("temp", "rows", "temp × dewp")]
    assert {c.status for c in silenced(checks, [silence("history")], DAY)} == {Status.WARNED}


def test_a_column_is_silenced_with_its_ties_and_rows_with_neither() -> None:
    checks = [failed("history", subject) for subject in ("rows", "temp × dewp", "dewp × humid")]
    assert [c.status.value for c in silenced(checks, [silence("history", "temp")], DAY)] == [
        *("failed", "warned", "failed")
    ]
    assert [c.status.value for c in silenced(checks, [silence("history", "rows")], DAY)] == [
        *("warned", "failed", "failed")
    ]


@pytest.mark.parametrize("status", [Status.ERROR, Status.PASSED, Status.SKIPPED])
def test_what_did_not_fail_is_left_as_it_is_an_error_above_all(status: Status) -> None:
    check = failed("history", status=status)
    assert silenced([check], [silence("history")], DAY) == [check]


def test_a_silence_that_is_over_halts_again_and_is_told_whether_the_check_fails_or_not() -> None:
    old = silence("history", "temp", "2013-02-06")
    check, over = silenced([failed("history")], [old], DAY)
    assert check.status is Status.FAILED
    assert check.message == "it is odd (its silence ended with 2013-02-06: ticket 7)"
    assert (over.name, over.subject, over.status) == ("silence", "history temp", Status.SKIPPED)
    assert "silenced until 2013-02-06 (ticket 7), which is over: take it out" in over.message
    assert silenced([], [old], DAY) == [over]  # and does not make a gate pass by itself


def test_a_new_silence_goes_before_an_old_one() -> None:
    check, _ = silenced(
        [failed("history")], [silence("history", until="2013-01-01"), silence("history")], DAY
    )
    assert check.status is Status.WARNED


def written(**said: object) -> spec.Spec:
    path = home.pipelines() / "flights" / "pipeline.yaml"
    known = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(known | {"data_gate": {"silenced": [said]}}))
    return pipelines.load("flights")


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ({"check": "histori"}, "silenced.0.check: there is no 'histori'"),
        ({"check": "histori"}, "did you mean 'history'?"),
        ({"check": "history", "column": "tmep"}, "did you mean 'temp'?"),
        ({"check": "rule", "column": "humd"}, "did you mean 'humid'?"),
        ({"check": "drift", "column": "rows"}, "silenced.0.column: there is no 'rows'"),
        ({"check": "history", "until": "soon"}, "silenced.0.until: "),
        ({"check": "history", "because": ""}, "silenced.0.because: "),
        ({"check": "history", "colum": "temp"}, "did you mean 'column'?"),
    ],
)
def test_a_silence_of_nothing_that_there_is_is_refused_with_the_near_miss(
    house: object, said: dict[str, object], told: str
) -> None:
    with pytest.raises(UsageError) as refused:
        written(**({"until": date(2013, 2, 7), "because": "ticket 7"} | said))
    assert told in str(refused.value)


@pytest.mark.parametrize("check", ["history", "stale", "volume"])
def test_what_is_asked_of_the_rows_as_a_whole_is_silenced_by_that_name(
    house: object, check: str
) -> None:
    what = written(check=check, column="rows", until=date(2013, 2, 7), because="ticket 7")
    assert what.data_gate.silenced[0].column == "rows"
