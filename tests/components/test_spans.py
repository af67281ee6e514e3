from __future__ import annotations

import pytest

from components import spans
from components.errors import UsageError


@pytest.mark.parametrize(
    "key", ["2013-2-8", "20130208", "2013-02-30", "2013-W06-5", "", "latest", None, " 2013-02-08"]
)
def test_a_key_that_is_no_day_is_refused_with_an_example(key: str) -> None:
    with pytest.raises(UsageError, match="write it as YYYY-MM-DD, such as 2013-02-08"):
        spans.parse(key)


def test_the_spans_before_come_oldest_first_and_leave_out_the_span_itself() -> None:
    assert spans.before("2013-03-02", 3) == ["2013-02-27", "2013-02-28", "2013-03-01"]


def test_no_span_before_the_first_is_looked_for() -> None:
    assert spans.before("2013-01-02", 28, first="2013-01-01") == ["2013-01-01"]
    assert spans.before("2013-01-01", 28, first="2013-01-01") == []


def test_a_range_holds_both_ends_and_a_backward_one_nothing() -> None:
    assert spans.between("2012-02-28", "2012-03-01") == ["2012-02-28", "2012-02-29", "2012-03-01"]
    assert spans.between("2013-01-02", "2013-01-01") == []
