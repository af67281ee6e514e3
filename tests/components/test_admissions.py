from __future__ import annotations

from pathlib import Path

import pytest

from components import admissions
from components.errors import UsageError


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))


@pytest.mark.parametrize("because", ["", "  ", "\n"])
def test_an_admission_without_a_reason_is_refused_and_leaves_no_record(because: str) -> None:
    with pytest.raises(UsageError, match="an admission needs a reason"):
        admissions.admit("p", "2013-02-08", "digest", because)
    assert admissions.admissions("p") == {}


def test_an_admission_is_recorded_with_who_when_and_why() -> None:
    admissions.admit("p", "2013-02-08", "digest", " the storm is real \n")
    (entry,) = admissions.admissions("p").values()
    assert (entry.span, entry.examples) == ("2013-02-08", "digest")
    assert entry.because == "the storm is real"
    assert entry.by
    assert entry.at.tzinfo is not None


def test_an_admission_speaks_of_one_digest_of_one_span_of_one_pipeline() -> None:
    admissions.admit("p", "2013-02-08", "digest", "because")
    assert set(admissions.admissions("p")) == {("2013-02-08", "digest")}
    assert admissions.admissions("q") == {}
    sent_again = {"2013-02-08": "digest", "2013-02-09": "digest", "2013-02-10": "other"}
    assert admissions.among("p", sent_again) == {"2013-02-08": "digest"}


def test_the_latest_admission_of_the_same_examples_counts() -> None:
    admissions.admit("p", "2013-02-08", "digest", "first")
    admissions.admit("p", "2013-02-08", "digest", "second")
    assert admissions.admissions("p")["2013-02-08", "digest"].because == "second"
