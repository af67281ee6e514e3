"""The tables of the benchmark: in order, of the shape they promise, and no source on both sides."""

from itertools import pairwise
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest

from benchmarks.gates import made, tables
from benchmarks.gates.own import Own
from benchmarks.gates.tables import in_spans
from components.errors import UsageError

ALWAYS_THERE = ["flights-EWR", "weather-JFK", *made.READERS]


@pytest.fixture(autouse=True, scope="module")
def house(tmp_path_factory: pytest.TempPathFactory):
    """A house of these tests' own, in which each table is read once."""
    folder = tmp_path_factory.mktemp("house")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SLUICE_HOME", str(folder))
        tables.load.cache_clear()
        yield folder
    tables.load.cache_clear()


@pytest.mark.parametrize("name", ALWAYS_THERE)
def test_a_table_is_in_the_order_of_its_dates_with_spans_enough_to_judge(name: str) -> None:
    table = tables.load(name)
    assert list(table.spans) == sorted(table.spans)
    assert len(table.spans) >= 100
    assert {span.schema for span in table.spans.values()} == {
        next(iter(table.spans.values())).schema
    }
    assert all(span.num_rows >= 8 for span in table.spans.values())
    assert table.changes <= set(table.spans)


def test_a_table_read_again_comes_from_its_copy_and_is_the_same(house: Path) -> None:
    first = tables.load("sensor-log")
    tables.load.cache_clear()
    again = tables.load("sensor-log")
    assert [*(house / "var" / "benchmarks" / "gates" / "tables").glob("sensor-log-*.parquet")]
    assert first.spans.keys() == again.spans.keys()
    assert all(first.spans[key].equals(again.spans[key]) for key in first.spans)
    assert (first.changes, first.unit) == (again.changes, again.unit)


def test_a_table_of_our_own_making_is_made_alike_every_time() -> None:
    again = in_spans(made.READERS["payments"].read().rows)
    assert all(again[key].equals(span) for key, span in tables.load("payments").spans.items())


def test_columns_of_the_calendar_are_dropped() -> None:
    columns = next(iter(tables.load("flights-EWR").spans.values())).column_names
    assert not {"year", "month", "day", "time_hour", "origin", "span"} & set(columns)
    assert "dep_delay" in columns


def test_every_source_that_is_tuned_on_is_one_that_is_read() -> None:
    assert {r.source for r in tables.READERS.values()} >= tables.TUNED_ON


@pytest.mark.parametrize("role", ["tune", "report"])
def test_both_sides_have_numbers_and_strings_and_made_tables(role: tables.Role) -> None:
    held = [tables.load(name) for name in tables.names(role) if name in ALWAYS_THERE]
    kinds = {f.type for t in held for f in next(iter(t.spans.values())).schema}
    assert {pa.float64(), pa.string()} <= kinds
    assert any(name in made.READERS for name in tables.names(role))


def own(folder: Path, days: int = 50, name: str = "mine.csv", **columns: object) -> Path:
    dates = pd.date_range("2024-01-01", periods=days).repeat(12)
    frame = pd.DataFrame({"day": dates, "shop": range(12 * days), "note": "x"} | columns)
    frame.sample(frac=1, random_state=1).to_csv(folder / name, index=False)
    return folder / name


def test_a_table_of_ones_own_is_cut_by_its_dates_in_whatever_order_its_rows_are(tmp_path) -> None:
    table = Own(own(tmp_path), "day", categories=("shop",)).load()
    assert [*table.spans] == [str(d.date()) for d in pd.date_range("2024-01-01", periods=50)]
    assert {len(span) for span in table.spans.values()} == {12}
    assert table.categories == {"shop"}
    assert [*next(iter(table.spans.values())).column_names] == ["shop", "note"]


def test_a_folder_of_files_is_one_table(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    whole = pd.read_csv(own(tmp_path))
    half = whole["day"] < "2024-01-20"
    whole[half].to_parquet(tmp_path / "parts" / "a.parquet")
    whole[~half].to_csv(tmp_path / "parts" / "b.csv", index=False)
    assert len(Own(tmp_path / "parts", "day").load().spans) == 50


@pytest.mark.parametrize(
    ("date", "days", "says"),
    [
        ("dya", 50, "has no column 'dya'; did you mean 'day'?"),
        ("note", 50, "no value of 'note' reads as a date"),
        ("day", 9, "9 spans"),
    ],
)
def test_a_table_that_cannot_be_judged_says_why(tmp_path: Path, date, days, says) -> None:
    with pytest.raises(UsageError, match=says.replace("?", r"\?")):
        Own(own(tmp_path, days), date).load()


def test_a_table_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"is no \.csv or \.parquet file"):
        Own(tmp_path / "none.csv", "day").load()


def test_months_and_weeks_are_cut_where_they_begin(tmp_path: Path) -> None:
    path = own(tmp_path, days=1500)
    assert all(key.endswith("-01") for key in Own(path, "day", "month").load().spans)
    weeks = [pd.Timestamp(key) for key in Own(path, "day", "week").load().spans]
    assert all(later - earlier == pd.Timedelta(days=7) for earlier, later in pairwise(weeks))
    assert {week.day_name() for week in weeks} == {"Monday"}
