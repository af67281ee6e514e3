"""Every row is in the slices that its values name, and a slice is named as TFMA names it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from components.errors import SluiceError
from components.evaluate.slices import partition


def names(frame: pd.DataFrame, *slicings: tuple[str, ...]) -> dict[str, int]:
    return {
        part.name: int(n)
        for slicing in partition(frame, slicings)
        for part, n in zip(slicing, slicing.totals(), strict=True)
    }


def test_a_slicing_has_one_slice_for_each_combination_that_occurs():
    frame = pd.DataFrame({"origin": ["EWR", "JFK", "EWR"], "carrier": ["UA", "UA", "B6"]})
    assert names(frame, ("origin",), ("origin", "carrier")) == {
        "overall": 3,
        "origin=EWR": 2,
        "origin=JFK": 1,
        "origin=EWR, carrier=B6": 1,
        "origin=EWR, carrier=UA": 1,
        "origin=JFK, carrier=UA": 1,
    }


def test_a_row_without_a_value_is_in_overall_and_in_no_slice_of_that_column():
    frame = pd.DataFrame({"origin": ["EWR", None, "EWR"], "carrier": ["UA", "UA", None]})
    assert names(frame, ("origin",), ("origin", "carrier")) == {
        "overall": 3,
        "origin=EWR": 2,
        "origin=EWR, carrier=UA": 1,
    }


def test_a_column_without_any_value_makes_no_slice():
    assert names(pd.DataFrame({"origin": [None, None]}), ("origin",)) == {"overall": 2}


def test_integers_stay_integers_when_some_are_missing():
    *_, slicing = partition(pd.DataFrame({"hour": [5, None, 17]}), [("hour",)])
    assert [part.key for part in slicing] == [(("hour", 5),), (("hour", 17),)]
    assert all(type(part.values[0]) is int for part in slicing)


def test_a_key_is_in_the_order_of_columns_names_and_a_name_in_the_order_asked():
    frame = pd.DataFrame({"origin": ["EWR"], "carrier": ["UA"]})
    *_, slicing = partition(frame, [("origin", "carrier")])
    (part,) = slicing
    assert part.name == "origin=EWR, carrier=UA"
    assert part.key == (("carrier", "UA"), ("origin", "EWR"))


def test_a_column_of_fractions_is_refused_rather_than_sliced_to_dust():
    with pytest.raises(SluiceError, match=r"'wind' holds fractions such as 3\.5.*slice by"):
        partition(pd.DataFrame({"wind": [3.5, 4.0]}), [("wind",)])


def test_a_column_that_is_not_there_is_named_with_its_near_miss():
    with pytest.raises(SluiceError, match=r"no column 'orign'.*did you mean 'origin'"):
        partition(pd.DataFrame({"origin": ["EWR"]}), [("orign",)])


values = st.one_of(st.none(), st.sampled_from(["EWR", "", " ", "ü/×=,", "1", "None"]))


@given(st.lists(st.tuples(values, values), min_size=1, max_size=40))
def test_slices_hold_exactly_the_rows_with_their_values(rows):
    frame = pd.DataFrame(rows, columns=["a", "b"], dtype=object)
    weight = np.arange(len(rows), dtype=float)
    for slicing in partition(frame, [("a",), ("b", "a")]):
        totals = slicing.totals(weight)
        for part in slicing:
            mask = np.ones(len(rows), dtype=bool)
            for column, value in part.key:
                mask &= (frame[column] == value).to_numpy()
            assert mask.any()
            assert totals[part.code] == weight[mask].sum()
        complete = frame[list(slicing.columns)].notna().all(axis=1)
        assert slicing.totals().sum() == complete.sum()


@pytest.mark.parametrize(
    ("values", "told"),
    [
        (
            np.array([2**64 - 1, 1], dtype="uint64"),
            r"18446744073709551615.*beyond.*CAST\(flight AS",
        ),
        ([1.0, 1e300], r"holds 1e\+300.*beyond"),
        ([1.0, -1e19], r"holds -1e\+19.*beyond"),
        ([2.0**63], r"holds 9\.22337e\+18.*beyond"),
        ([1.0, np.inf], r"holds inf"),
        ([[1], [2]], r"holds \[1\], which is more than one value.*ingest\.sql"),
        ([np.array([1]), None], r"holds \[1\], which is more than one value"),
        ([{"a": 1}], r"holds \{'a': 1\}, which is more than one value"),
        ([b"\xff", b"\\xff"], r"two values that both read '\\\\xff'.*ingest\.sql"),
        (["1", 1], "two values that both read '1'"),
    ],
)
def test_values_that_no_slice_can_be_named_by_are_told_with_column_value_and_remedy(values, told):
    """They ended in an OverflowError or a TypeError, or two subpopulations in one slice."""
    frame = pd.DataFrame({"flight": values})
    with pytest.raises(SluiceError, match=f"column 'flight' .*{told}"):
        partition(frame, [("flight",)])


def test_the_largest_and_the_smallest_number_of_64_bits_are_slices():
    ends = [-(2**63), 2**63 - 1]
    assert names(pd.DataFrame({"flight": ends}), ("flight",)) == {
        "overall": 2,
        f"flight={ends[0]}": 1,
        f"flight={ends[1]}": 1,
    }


def test_bytes_that_are_no_text_still_make_a_slice_each():
    assert names(pd.DataFrame({"code": [b"\xff", b"\xfe", b"a"]}), ("code",)) == {
        "overall": 3,
        "code=a": 1,
        "code=\\xfe": 1,
        "code=\\xff": 1,
    }
