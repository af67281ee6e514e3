"""Where a span's data is: the files beside it, the SQL's bindings, and a bound on memory."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pytest

from components import spec
from components.ingest import source
from components.ingest.source import Refused


@pytest.mark.parametrize(
    ("path", "beside"),
    [
        ("/up/2013-02-08", "/up/2013-02-08/_SUCCESS"),
        ("/up/2013-02-08/", "/up/2013-02-08/_SUCCESS"),
        ("/up/2013-02-08.parquet", "/up/_SUCCESS"),
        ("/up/2013-02-08/*.parquet", "/up/2013-02-08/_SUCCESS"),
        ("/up/2013-02-08/**/part-?.csv", "/up/2013-02-08/_SUCCESS"),
        ("s3://bucket/2013-02-08", "s3://bucket/2013-02-08/_SUCCESS"),
        ("s3://bucket/2013-02-08/*.json", "s3://bucket/2013-02-08/_SUCCESS"),
    ],
)
def test_a_file_lies_beside_the_data_whether_the_path_names_a_folder_or_files(
    path: str, beside: str
) -> None:
    assert source.beside(path, "_SUCCESS") == beside


def of(flights: spec.Spec, **given: object) -> spec.Spec:
    return flights.model_copy(update={"source": spec.Source(**given)})


def test_a_path_of_files_is_complete_by_the_mark_in_their_folder(
    flights: spec.Spec, house: Path
) -> None:
    what = of(flights, path="up/{span}-*.csv", complete="_DONE")
    with source.connected(what, "2013-01-01", house / "spill") as db:
        with pytest.raises(Refused, match="has not arrived"):
            source.is_complete(db, what, "2013-01-01")
        (house / "up").mkdir()
        (house / "up" / "2013-01-01-a.csv").write_text("x\n1\n")
        with pytest.raises(Refused, match=r"unfinished: there is no .*/up/_DONE"):
            source.is_complete(db, what, "2013-01-01")
        (house / "up" / "_DONE").touch()
        source.is_complete(db, what, "2013-01-01")


def test_a_quote_in_a_path_is_a_letter_and_not_sql(flights: spec.Spec, house: Path) -> None:
    folder = house / "o'brien"
    folder.mkdir()
    (folder / "a.csv").write_text("x\n1\n2\n")
    what = of(flights, path="o'brien", rows="a.csv")
    with source.connected(what, "2013-01-01", house / "spill") as db:
        assert source.rows_in(db, what, "2013-01-01") == 2


def test_a_sql_that_uses_neither_binding_runs(flights: spec.Spec, house: Path) -> None:
    (house / "pipelines" / "flights" / "ingest.sql").write_text("-- all\nSELECT 1 AS x; -- of it\n")
    with source.connected(flights, "2013-01-01", house / "spill") as db:
        source.run_sql(db, flights, "2013-01-01", "arrived")
        assert db.execute("FROM arrived").fetchall() == [(1,)]


def test_the_source_asked_for_where_there_is_none_is_told(flights: spec.Spec, house: Path) -> None:
    duckdb.connect(str(house / "up.db")).close()
    what = of(flights, attach={"up": "up.db"})
    with (
        source.connected(what, "2013-01-01", house / "spill") as db,
        pytest.raises(Refused, match=r"asks for \$source; bound are \$span, and \$source"),
    ):
        source.run_sql(db, what, "2013-01-01", "arrived")


def test_an_attached_database_cannot_be_written_to(flights: spec.Spec, house: Path) -> None:
    duckdb.connect(str(house / "up.db")).execute("CREATE TABLE t AS SELECT 1 AS x").close()
    what = of(flights, attach={"up": "up.db"})
    with (
        source.connected(what, "2013-01-01", house / "spill") as db,
        pytest.raises(duckdb.Error, match="read-only"),
    ):
        db.execute("INSERT INTO up.t VALUES (2)")


def test_what_does_not_fit_into_memory_spills_into_the_folder_given(
    flights: spec.Spec, house: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "MEMORY", "60MB")
    sql = "SELECT i, hash(i)::VARCHAR AS a, hash(i + 1)::VARCHAR AS b FROM range(2000000) AS r(i)"
    (house / "pipelines" / "flights" / "ingest.sql").write_text(sql)
    spill = house / "spill"
    with source.connected(flights, "2013-01-01", spill) as db:
        source.run_sql(db, flights, "2013-01-01", "arrived")
        assert list(spill.iterdir())
        assert db.execute("SELECT count(*) FROM arrived").fetchone() == (2_000_000,)
