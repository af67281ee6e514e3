"""Spans are read for a draft as ingest would read them, whether there is a schema or not."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from components import describe, home, ingest, pipelines, schema, statistics
from components.errors import UsageError
from components.schema_life.observed import Observed, observe
from demo import feed

YAML = """
source: {{path: "var/up/{{span}}.csv"}}
span: {{first: 2013-01-01}}
window: {{train: 2, evaluate: 1}}
label: late
key: [id]
thresholds: [{{metric: auc, at_least: 0.5}}]
serving: {{name: some}}
{more}
"""
DAYS = ["2013-01-01", "2013-01-02"]


@pytest.fixture
def outline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`outline(sql, {day: csv})` gives a pipeline with neither schema nor model."""
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))

    def write(sql: str, days: dict[str, str], more: str = "") -> Any:
        folder = home.pipelines() / "some"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "pipeline.yaml").write_text(YAML.format(more=more))
        (folder / "ingest.sql").write_text(sql)
        (home.var() / "up").mkdir(parents=True, exist_ok=True)
        for day, csv in days.items():
            (home.var() / "up" / f"{day}.csv").write_text(csv)
        return pipelines.outline("some")

    return write


ALL = "FROM read_csv($source)"


def column(seen: Observed, name: str, span: int = 0) -> Any:
    return statistics.by_column(seen.statistics[span])[name]


def test_types_come_from_duckdb_where_there_is_no_schema(outline: Any) -> None:
    sql = f"""SELECT *, id > 1 AS late, 1.5::DECIMAL(4, 1) AS price, DATE '2013-01-01' AS day,
        'x'::ENUM('x') AS kind, 7::UTINYINT AS small, NULL AS nothing {ALL}"""
    what = outline(sql, dict.fromkeys(DAYS, "id,name\n1,a\n2,\n"))
    seen = observe(what, DAYS)
    assert seen.dtypes == {
        "id": "int64", "name": "string", "late": "int64", "price": "float32", "day": "string",
        "kind": "string", "small": "int64", "nothing": "string",
    }  # fmt: skip
    assert seen.spans == DAYS
    assert [s.num_examples for s in seen.statistics] == [2, 2]
    assert statistics.common(column(seen, "name")).num_missing == 1


def test_a_column_has_the_widest_type_of_the_spans_in_which_it_has_values(outline: Any) -> None:
    csv = {DAYS[0]: "id,size,code,seldom\n1,2,7,\n", DAYS[1]: "id,size,code,seldom\n1,2.5,x,3\n"}
    seen = observe(outline(ALL, csv), DAYS)
    assert seen.dtypes == {"id": "int64", "size": "float32", "code": "string", "seldom": "int64"}
    assert statistics.merge(seen.statistics).num_examples == 2
    assert column(seen, "size").num_stats.max == 2


def test_rejected_rows_are_no_examples_and_their_reason_is_no_column(outline: Any) -> None:
    sql = f"SELECT *, CASE WHEN id = 2 THEN 'odd' END AS rejected {ALL}"
    seen = observe(outline(sql, {DAYS[0]: "id\n1\n2\n3\n"}), DAYS[:1])
    assert list(seen.dtypes) == ["id"]
    assert seen.statistics[0].num_examples == 2


def test_few_integers_are_looked_up_but_not_the_label_or_the_name_of_a_row(outline: Any) -> None:
    rows = "".join(f"{n},{n % 3},{n % 24},{n}\n" for n in range(40))
    seen = observe(outline(ALL, {DAYS[0]: f"id,late,hour,many\n{rows}"}), DAYS[:1])
    assert seen.categories == {"hour"}
    assert column(seen, "hour").HasField("string_stats")
    assert column(seen, "late").HasField("num_stats")


def test_spans_that_are_not_there_or_hold_nothing_are_told_and_left_out(outline: Any) -> None:
    days = [*DAYS, "2013-01-03"]
    seen = observe(outline(ALL, {DAYS[0]: "id\n1\n", DAYS[1]: "id\n"}), days)
    assert seen.spans == DAYS[:1]
    assert list(seen.absent) == days[1:]
    assert "holds no examples" in seen.absent[DAYS[1]]
    assert "has not arrived" in seen.absent[days[2]]


def test_no_span_at_all_is_wrong_use_and_says_why(outline: Any) -> None:
    with pytest.raises(UsageError, match=r"no span can be read, of 2: 2013-01-01 has not arrived"):
        observe(outline(ALL, {}), DAYS)


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELEKT 1", "ingest.sql"),
        (f"SELECT *, [1, 2] AS several {ALL}", "column 'several' is a INTEGER"),
        (f"SELECT *, {{'a': 1}} AS parts {ALL}", "column 'parts' is a STRUCT"),
    ],
)
def test_sql_that_cannot_serve_is_told_at_once(outline: Any, sql: str, told: str) -> None:
    with pytest.raises(UsageError, match=told):
        observe(outline(sql, {DAYS[0]: "id\n1\n"}), DAYS)


def test_a_schema_says_what_its_columns_are(house: Path, land: Any) -> None:
    land("2013-02-06")
    known = observe(pipelines.outline("flights"), ["2013-02-06"])
    (home.schemas() / "flights.pbtxt").unlink()
    guessed = observe(pipelines.outline("flights"), ["2013-02-06"])
    assert (known.dtypes["distance"], guessed.dtypes["distance"]) == ("float32", "int64")
    assert known.categories == {"hour", "weekday"}
    assert guessed.categories == {"hour"}  # one day has one weekday
    assert sorted(known.dtypes) == sorted(guessed.dtypes)


def test_what_is_read_for_a_draft_is_what_describe_makes_of_it(house: Path, land: Any) -> None:
    land("2013-02-06")
    what = pipelines.load("flights")
    (seen,) = observe(what, ["2013-02-06"]).statistics
    made = statistics.read(describe.describe(what, ingest.ingest(what, "2013-02-06")))
    ours, theirs = (statistics.by_column(s) for s in (seen, made))
    assert ours.keys() == theirs.keys()
    for name, feature in ours.items():
        assert statistics.common(feature) == statistics.common(theirs[name])
        assert feature.num_stats.mean == pytest.approx(theirs[name].num_stats.mean)


def test_a_span_whose_source_is_gone_is_still_in_the_store(house: Path, land: Any) -> None:
    land("2013-02-06")
    what = pipelines.load("flights")
    made = describe.describe(what, ingest.ingest(what, "2013-02-06"))
    shutil.rmtree(feed.upstream())
    assert observe(what, ["2013-02-06"]).statistics == [statistics.read(made)]
    sql = home.pipelines() / "flights" / "ingest.sql"
    sql.write_text(sql.read_text() + "\n-- another SQL makes other examples")
    with pytest.raises(UsageError, match="has not arrived"):
        observe(pipelines.load("flights"), ["2013-02-06"])


def test_nothing_is_left_behind(outline: Any) -> None:
    observe(outline(ALL, {DAYS[0]: "id\n1\n"}), DAYS[:1])
    assert list((home.var() / "tmp").iterdir()) == []
    assert not (home.var() / "store").exists()


def test_a_value_that_does_not_fit_the_schema_is_told_with_its_span(outline: Any) -> None:
    what = outline(ALL, {DAYS[0]: "id,size\n1,2\n", DAYS[1]: "id,size\n1,large\n"})
    home.schemas().mkdir()
    (home.schemas() / "some.pbtxt").write_text(
        'feature { name: "id" type: INT } feature { name: "size" type: FLOAT }'
    )
    seen = observe(what, DAYS)
    assert seen.spans == DAYS[:1]
    assert "2013-01-02: " in seen.absent[DAYS[1]]
    assert "large" in seen.absent[DAYS[1]]
    assert schema.columns(schema.load(what.schema_path)) == list(seen.dtypes)
