"""The feeder lands real days as an upstream system would: whole, marked last, never twice."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from components.errors import UsageError
from demo import feed

DAY = "2013-02-08"


def test_a_day_is_its_flights_its_weather_and_the_mark(tmp_path: Path) -> None:
    assert feed.land(tmp_path, DAY)
    assert sorted(p.name for p in (tmp_path / DAY).iterdir()) == [
        "_SUCCESS",
        "flights.parquet",
        "weather.parquet",
    ]
    flights = pq.read_table(tmp_path / DAY / "flights.parquet")
    assert len(flights) == 930
    assert pc.unique(flights["month"]).to_pylist() == [2]
    assert pc.unique(flights["day"]).to_pylist() == [8]
    assert flights["arr_delay"].null_count == 475  # of the blizzard
    assert len(pq.read_table(tmp_path / DAY / "weather.parquet")) == 72


def test_a_day_that_is_there_is_left_alone(tmp_path: Path) -> None:
    feed.land(tmp_path, DAY)
    path = tmp_path / DAY / "flights.parquet"
    path.write_bytes(b"changed by a test")
    assert not feed.land(tmp_path, DAY)
    assert path.read_bytes() == b"changed by a test"


def test_a_day_that_was_cut_short_is_landed_again(tmp_path: Path) -> None:
    feed.land(tmp_path, DAY)
    (tmp_path / DAY / "_SUCCESS").unlink()
    (tmp_path / DAY / "flights.parquet").write_bytes(b"half a fi")
    assert feed.land(tmp_path, DAY)
    assert len(pq.read_table(tmp_path / DAY / "flights.parquet")) == 930


def test_the_mark_comes_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = feed.pq.write_table

    def full(table: object, path: Path, **options: object) -> None:
        if "weather" in path.name:
            raise OSError("no space left on device")
        write(table, path, **options)

    monkeypatch.setattr(feed.pq, "write_table", full)
    with pytest.raises(OSError, match="no space"):
        feed.land(tmp_path, DAY)
    assert [p.name for p in (tmp_path / DAY).iterdir()] == ["flights.parquet"]


def test_the_same_day_landed_twice_is_the_same_bytes(tmp_path: Path) -> None:
    for name in ("one", "two"):
        feed.land(tmp_path / name, DAY)
    for file in ("flights.parquet", "weather.parquet"):
        one, two = (tmp_path / name / DAY / file for name in ("one", "two"))
        assert one.read_bytes() == two.read_bytes()


def test_a_year_has_all_its_flights(tmp_path: Path) -> None:
    days = feed.spans.between("2013-01-01", "2013-12-31")
    assert sum(feed.land(tmp_path, day) for day in days) == 365
    rows = sum(pq.read_metadata(path).num_rows for path in tmp_path.glob("*/flights.parquet"))
    assert rows == 336_776


def test_a_day_without_weather_lands_with_none(tmp_path: Path) -> None:
    feed.land(tmp_path, "2013-12-31")
    assert len(pq.read_table(tmp_path / "2013-12-31" / "weather.parquet")) == 0


@pytest.mark.parametrize("day", ["2012-12-31", "2014-01-01"])
def test_a_day_of_another_year_is_a_wrong_request(tmp_path: Path, day: str) -> None:
    with pytest.raises(UsageError, match=f"no flights on {day}: they are from 2013-01-01 to"):
        feed.land(tmp_path, day)
    assert not list(tmp_path.iterdir())


def test_the_command_lands_a_range_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    assert feed.main(["2013-01-01", "2013-01-03"]) == 0
    assert feed.main(["2013-01-02", "2013-01-04"]) == 0
    landed = capsys.readouterr().out.splitlines()
    assert landed[0].startswith("3 of 3 days landed in")
    assert landed[1].startswith("1 of 3 days landed in")


@pytest.mark.parametrize("arguments", [[], ["2013-01-01"], ["2013-01-01", "soon"]])
def test_the_command_refuses_what_is_no_range(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert feed.main(arguments) == 2
    assert capsys.readouterr().err.count("\n") == 1
