"""The constants are those of all rows of the window, though no row is read for them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from training_house import SCHEMA, House

from components import transform
from components.errors import SluiceError


@pytest.fixture
def house(tmp_path, monkeypatch) -> House:
    return House.at(tmp_path, monkeypatch)


def test_numbers_are_as_if_all_rows_were_read_at_once(house):
    window = pd.concat(house.days.values())
    constants = transform.load(house.transform())
    assert [c.name for c in constants.numbers] == ["distance", "minute"]
    assert constants.rows == len(window)
    for number in constants.numbers:
        values = window[number.name].dropna().to_numpy(np.float64)
        assert number.mean == pytest.approx(values.mean(), rel=1e-6)
        assert number.std_dev == pytest.approx(values.std(), rel=1e-6)
        assert (number.min, number.max) == (values.min(), values.max())


def test_vocabulary_is_in_order_of_frequency_then_of_name(house):
    of_a_day = ["b"] * 3 + ["z", "a"] * 2 + ["c"]
    house.days = {day: frame.head(8).assign(carrier=of_a_day) for day, frame in house.days.items()}
    carrier, hour = transform.load(house.transform()).categories
    assert carrier.vocabulary == ("b", "a", "z", "c")
    assert carrier.complete
    assert {type(value) for value in hour.vocabulary} == {int}


def test_label_and_key_never_reach_the_model(house):
    names = {column.name for column in transform.load(house.transform()).columns}
    assert names == {"distance", "carrier", "minute", "hour"}


def test_empty_text_is_missing_not_a_category(house):
    for frame in house.days.values():
        frame["carrier"] = frame["carrier"].fillna("")
    carrier, _ = transform.load(house.transform()).categories
    assert set(carrier.vocabulary) == {"AA", "UA", "DL"}


def test_truncated_vocabulary_is_told_and_what_is_listed_is_kept(house):
    day, frame = next(iter(house.days.items()))
    many = pd.concat([frame] * 11, ignore_index=True)
    house.days = {day: many.assign(carrier=[f"c{n:04d}" for n in range(len(many))])}
    made = house.transform()
    carrier, hour = transform.load(made).categories
    assert (len(carrier.vocabulary), carrier.complete, hour.complete) == (1000, False, True)
    assert made.facts["summary"] == (
        "2 numbers, 2 categories; vocabulary of carrier is truncated at 1000 of 1320"
    )


def test_columns_of_one_value_or_of_none_can_still_be_scaled(house):
    for frame in house.days.values():
        frame["minute"] = pd.array([7] * len(frame), "Int64")
        frame["distance"] = np.float32("nan")
        frame["carrier"] = pd.array([None] * len(frame), "string")
    distance, carrier, minute, _ = transform.load(house.transform()).columns
    assert (minute.mean, minute.std_dev) == (7, 1)
    assert (distance.mean, distance.std_dev) == (0, 1)
    assert carrier.vocabulary == ()


def test_same_statistics_in_any_order_are_the_same_constants(house):
    statistics = house.statistics()
    assert house.transform(statistics) == house.transform(statistics[::-1])


def test_error_when_the_schema_feeds_a_column_that_no_span_has(house):
    statistics = house.statistics()
    house.write("schemas/made.pbtxt", SCHEMA + 'feature { name: "distanse" type: FLOAT }')
    with pytest.raises(SluiceError, match=r"'distanse'.*no span.*did you mean 'distance'"):
        house.transform(statistics)


def test_error_when_a_number_of_the_schema_is_text_in_the_data(house):
    statistics = house.statistics()
    text = SCHEMA.replace('"carrier" type: BYTES', '"carrier" type: FLOAT')
    house.write("schemas/made.pbtxt", text)
    with pytest.raises(SluiceError, match="'carrier': the schema calls it a number"):
        house.transform(statistics)


# TFDV subtracts the mean, infinite too, from infinite values.
@pytest.mark.filterwarnings("ignore:invalid value encountered in:RuntimeWarning")
def test_error_on_infinite_values(house):
    house.days[min(house.days)].loc[0, "distance"] = np.inf
    with pytest.raises(SluiceError, match="'distance': holds infinite values"):
        house.transform()


def test_error_without_any_span(house):
    with pytest.raises(SluiceError, match="window holds no span"):
        house.transform([])
