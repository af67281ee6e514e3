"""What ingest takes in is whole, canonical and the same for the same content; the rest it refuses."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest
import yaml

from components import gates, home, ingest, ledger, pipelines, spec, store
from components.errors import SluiceError, UsageError
from components.ingest import ingest_window
from components.ingest.arrival import content_digests
from demo import feed

DAY = "2013-01-01"
Land = Callable[..., None]


def change(sql: str, day: str = DAY, file: str = "flights.parquet", options: str = "") -> None:
    """Deliver a file of a day again, changed by SQL over the `rows` it has."""
    path = feed.upstream() / day / file
    aside = path.with_suffix(".changed")
    duckdb.execute(
        f"COPY (WITH rows AS (FROM '{path}') {sql}) TO '{aside}' (FORMAT parquet {options})"
    )
    aside.rename(path)


def edit(part: str, into: str, file: str = "ingest.sql") -> spec.Spec:
    path = home.pipelines() / "flights" / file
    assert part in path.read_text(), f"{file} no longer says {part!r}"
    path.write_text(path.read_text().replace(part, into))
    return pipelines.load("flights")


def refusal(what: spec.Spec, span: str = DAY) -> str:
    """Return why the arrival gate refuses a span; it must, and leave no examples of it."""
    arrivals = ingest_window(what, span)
    assert arrivals.refused
    verdict = gates.read(arrivals.artifact)
    assert (verdict.gate, verdict.span, verdict.passed) == ("arrival", span, False)
    assert arrivals.digests[span].startswith("refused ")
    assert "\n" not in verdict.reason
    assert not list((store.root(what.name) / "examples" / span).glob("*/manifest.json"))
    return verdict.reason


def test_a_day_becomes_one_file_with_the_schemas_columns_in_the_order_of_its_keys(
    flights: spec.Spec, land: Land
) -> None:
    land(DAY)
    examples = ingest_window(flights, DAY).artifact
    table = pq.read_table(examples.file("examples.parquet"))
    assert examples.facts["rows"] == examples.facts["rows_in"] == len(table) == 842
    types = {field.name: str(field.type) for field in table.schema}
    assert types["carrier"] == "string"
    assert types["hour"] == "int64"
    assert types["temp"] == "float"
    keys = list(zip(*(table[column].to_pylist() for column in flights.key), strict=True))
    assert keys == sorted(keys)
    assert table["late"].null_count == 842 - 831


def test_no_column_tells_a_model_what_is_known_only_after_departure(
    flights: spec.Spec, land: Land
) -> None:
    land(DAY)
    names = pq.read_schema(ingest_window(flights, DAY).artifact.file("examples.parquet")).names
    assert not {"dep_delay", "arr_delay", "dep_time", "arr_time", "air_time"} & set(names)


def test_the_same_content_delivered_twice_is_the_same_artifact(
    flights: spec.Spec, land: Land
) -> None:
    land(DAY)
    first = ingest_window(flights, DAY).artifact
    change(
        "FROM rows ORDER BY dest, dep_time DESC",
        options=", COMPRESSION snappy, ROW_GROUP_SIZE 2048",
    )
    again = ingest_window(flights, DAY).artifact
    assert again.folder == first.folder
    assert again.manifest.finished == first.manifest.finished


def test_another_content_is_another_artifact_and_the_current_one(
    flights: spec.Spec, land: Land
) -> None:
    land(DAY)
    first = ingest_window(flights, DAY).artifact
    change("SELECT * REPLACE (distance + 1 AS distance) FROM rows")
    second = ingest_window(flights, DAY).artifact
    assert second.digest != first.digest
    assert ingest.current(flights, DAY).digest == second.digest
    assert store.load(first.folder).digest == first.digest  # and the first is as it was


def test_the_content_digest_knows_a_missing_value_from_an_empty_or_a_zero(tmp_path: Path) -> None:
    def digest(rows: str, options: str = "") -> str:
        path = tmp_path / "x.parquet"
        duckdb.execute(
            f"COPY (SELECT a, b FROM ({rows}) AS t(a, b)) TO '{path}' (FORMAT parquet {options})"
        )
        return content_digests(path)[0]

    different = {
        digest("VALUES ('a', 1), ('', 0)"),
        digest("VALUES ('a', 1), (NULL, 0)"),
        digest("VALUES ('a', 1), ('', NULL)"),
        digest("VALUES ('', 1), ('a', 0)"),
        digest("VALUES ('', 0), ('a', 1)"),
    }
    assert len(different) == 5
    many = "SELECT nullif(i % 7, 3)::VARCHAR, i FROM range(200000) AS r(i) ORDER BY i"
    assert digest(many, ", ROW_GROUP_SIZE 4096") == digest(many, ", COMPRESSION zstd")


def test_every_column_has_a_digest_of_its_own(flights: spec.Spec, land: Land) -> None:
    land(DAY)
    before = ingest.ingest(flights, DAY).facts["digests"]
    change("SELECT * REPLACE (distance + 1 AS distance) FROM rows")
    after = ingest.ingest(flights, DAY).facts["digests"]
    assert len(before) == 16
    assert {column for column in before if before[column] != after[column]} == {"distance"}


def test_the_whole_window_is_taken_in_at_first_and_only_what_lacks_after(
    flights: spec.Spec, land: Land
) -> None:
    land(DAY, "2013-01-04")
    arrivals = ingest_window(flights, "2013-01-03")
    assert list(arrivals.digests) == [DAY, "2013-01-02", "2013-01-03"]
    made = ingest.current(flights, DAY).manifest.finished
    (feed.upstream() / DAY / "flights.parquet").unlink()  # an older span is not read again
    arrivals = ingest_window(flights, "2013-01-04")
    assert next(iter(arrivals.digests)) == DAY
    assert ingest.current(flights, DAY).manifest.finished == made
    assert not arrivals.holes


def test_another_sql_takes_older_spans_in_again(flights: spec.Spec, land: Land) -> None:
    land(DAY, "2013-01-02")
    before = ingest_window(flights, "2013-01-02").digests
    changed = edit("> 15", "> 30")
    after = ingest_window(changed, "2013-01-02").digests
    assert after[DAY] != before[DAY]


def test_a_bound_that_moves_in_the_schema_makes_no_new_examples(
    flights: spec.Spec, land: Land
) -> None:
    land(DAY, "2013-01-02")
    before = ingest_window(flights, "2013-01-02").digests
    contract = flights.schema_path
    contract.write_text(contract.read_text().replace("min_fraction: 0.75", "min_fraction: 0.5"))
    (feed.upstream() / DAY / "_SUCCESS").unlink()  # so taking it in again would leave a hole
    assert ingest_window(pipelines.load("flights"), "2013-01-02").digests == before


def test_an_older_span_that_is_absent_or_broken_is_a_hole_and_stops_no_newer_one(
    flights: spec.Spec, land: Land
) -> None:
    land(DAY)
    land("2013-01-03", "2013-01-04")
    (feed.upstream() / "2013-01-03" / "flights.parquet").write_bytes(b"PAR1 and then nothing")
    arrivals = ingest_window(flights, "2013-01-04")
    assert not arrivals.refused
    assert list(arrivals.digests) == [DAY, "2013-01-04"]
    assert "has not arrived" in arrivals.holes["2013-01-02"]
    assert "cannot be read" in arrivals.holes["2013-01-03"]


def test_a_torn_file_of_an_older_span_is_taken_in_again(flights: spec.Spec, land: Land) -> None:
    land(DAY, "2013-01-02")
    before = ingest_window(flights, "2013-01-02").digests
    ingest.current(flights, DAY).file("examples.parquet").write_bytes(b"torn")
    assert ingest_window(flights, "2013-01-02").digests == before
    assert store.find("examples", "flights", DAY, before[DAY])


def test_nothing_is_left_aside_and_nothing_written_outside_var(
    flights: spec.Spec, land: Land, house: Path
) -> None:
    land(DAY)
    ingest_window(flights, DAY)
    change("FROM rows LIMIT 0")
    ingest_window(flights, DAY)
    assert not list((house / "var" / "tmp").iterdir())
    assert {path.name for path in house.iterdir()} == {"pipelines", "schemas", "var"}


# Refusals, each with the reason that a person needs


def test_refused_when_the_day_has_not_arrived(flights: spec.Spec) -> None:
    reason = refusal(flights)
    assert f"{DAY} has not arrived: there is no {feed.upstream() / DAY}" in reason


def test_refused_when_the_upstream_has_not_finished(flights: spec.Spec, land: Land) -> None:
    land(DAY)
    (feed.upstream() / DAY / "_SUCCESS").unlink()
    assert f"{DAY} is unfinished" in refusal(flights)


def test_taken_in_when_the_upstream_finishes_later(flights: spec.Spec, land: Land) -> None:
    land(DAY)
    mark = feed.upstream() / DAY / "_SUCCESS"
    mark.unlink()
    refusal(flights)
    mark.touch()
    assert not ingest_window(flights, DAY).refused


def test_refused_when_empty(flights: spec.Spec, land: Land) -> None:
    land(DAY)
    change("FROM rows LIMIT 0")
    assert f"{DAY} is empty: no row came in" in refusal(flights)


@pytest.mark.parametrize("kept", [0, 10, 20_000])
def test_refused_when_the_bytes_are_truncated(flights: spec.Spec, land: Land, kept: int) -> None:
    land(DAY)
    path = feed.upstream() / DAY / "flights.parquet"
    path.write_bytes(path.read_bytes()[:kept])
    reason = refusal(flights)
    assert "cannot be read" in reason
    assert "flights.parquet" in reason


def test_refused_when_the_bytes_are_damaged_in_the_middle(flights: spec.Spec, land: Land) -> None:
    land(DAY)
    path = feed.upstream() / DAY / "flights.parquet"
    whole = path.read_bytes()
    footer = len(whole) - 8 - int.from_bytes(whole[-8:-4], "little")
    path.write_bytes(whole[:4] + bytes(byte ^ 0x5A for byte in whole[4:footer]) + whole[footer:])
    assert "cannot be read" in refusal(flights)


def test_refused_when_a_file_of_the_day_is_missing(flights: spec.Spec, land: Land) -> None:
    land(DAY)
    (feed.upstream() / DAY / "weather.parquet").unlink()
    assert "weather.parquet" in refusal(flights)


def test_refused_when_the_source_lost_a_column(flights: spec.Spec, land: Land) -> None:
    land(DAY)
    change("SELECT * EXCLUDE (distance) FROM rows")
    reason = refusal(flights)
    assert "pipelines/flights/ingest.sql line" in reason
    assert "distance" in reason


def test_refused_when_the_sql_gives_too_few_columns(flights: spec.Spec, land: Land) -> None:
    land(DAY)
    reason = refusal(edit("f.distance,", "f.distance AS distanse,"))
    assert "no column 'distance', which schemas/flights.pbtxt lists" in reason
    assert "did you mean 'distanse'?" in reason


def test_refused_when_the_sql_gives_a_column_that_the_schema_does_not_list(
    flights: spec.Spec, land: Land
) -> None:
    land(DAY)
    reason = refusal(edit("f.distance,", "f.distance, f.dep_delay,"))
    assert "a column 'dep_delay', which schemas/flights.pbtxt does not list" in reason


def test_refused_with_duckdbs_own_line_when_the_sql_is_wrong(
    flights: spec.Spec, land: Land
) -> None:
    land(DAY)
    text = (home.pipelines() / "flights" / "ingest.sql").read_text()
    line = next(n for n, said in enumerate(text.splitlines(), 1) if "f.distance" in said)
    assert f"ingest.sql line {line}: Binder Error" in refusal(edit("f.distance", "f.distanc"))
    reason = refusal(edit("f.distanc,", "f.distance,,"))
    assert f"ingest.sql line {line}: Parser Error: syntax error" in reason


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT 1; SELECT 2", "holds 2 statements"),
        ("SELECT $spam AS x", "asks for $spam"),
        ("", "holds 0 statements"),
    ],
)
def test_refused_when_the_sql_is_not_one_select_of_span_and_source(
    flights: spec.Spec, land: Land, sql: str, told: str
) -> None:
    land(DAY)
    (flights.folder / "ingest.sql").write_text(sql)
    assert told in refusal(pipelines.load("flights"))


def test_refused_when_a_key_comes_twice(flights: spec.Spec, land: Land) -> None:
    land(DAY)
    change("FROM rows UNION ALL (FROM rows ORDER BY carrier, flight LIMIT 2)")
    reason = refusal(flights)
    assert "the key carrier × flight × origin × minute is not unique: 2 keys" in reason
    assert "such as 9E " in reason


def test_refused_when_a_key_is_empty(flights: spec.Spec, land: Land) -> None:
    land(DAY)
    change("SELECT * REPLACE (nullif(carrier, 'HA') AS carrier) FROM rows")
    assert "is empty in 1 rows" in refusal(flights)


def test_refused_when_the_sql_loses_rows(flights: spec.Spec, land: Land) -> None:
    land(DAY)
    what = edit("LEFT JOIN", "INNER JOIN")
    change("FROM rows WHERE origin <> 'JFK'", file="weather.parquet")
    reason = refusal(what)
    assert "842 rows came in and" in reason
    assert "loses or doubles rows" in reason


def test_refused_when_a_join_doubles_rows(flights: spec.Spec, land: Land) -> None:
    land(DAY)
    change("FROM rows UNION ALL FROM rows", file="weather.parquet")
    assert "842 rows came in and" in refusal(flights)


def test_refused_when_yesterdays_file_is_delivered_again(flights: spec.Spec, land: Land) -> None:
    land(DAY, "2013-01-02")
    stale = (feed.upstream() / DAY / "flights.parquet").read_bytes()
    (feed.upstream() / "2013-01-02" / "flights.parquet").write_bytes(stale)
    reason = refusal(flights, "2013-01-02")
    assert "all 842 rows were rejected, 842 'is of another day'" in reason


def test_rejected_rows_are_counted_with_their_reason(flights: spec.Spec, land: Land) -> None:
    land(DAY)
    change("SELECT * REPLACE (CASE WHEN carrier = 'HA' THEN 2 ELSE day END AS day) FROM rows")
    facts = ingest_window(flights, DAY).artifact.facts
    assert facts["rows"] == 841
    assert facts["rows_in"] == 842
    assert facts["rejected"] == {"is of another day": 1}
    assert facts["summary"] == f"841 rows of {DAY}, 1 rejected"


@pytest.mark.parametrize(("value", "as_"), [("'soon'", "flight::VARCHAR"), ("12.5", "flight")])
def test_refused_when_a_value_does_not_fit_its_columns_type(
    flights: spec.Spec, land: Land, value: str, as_: str
) -> None:
    land(DAY)
    change(
        f"SELECT * REPLACE (CASE WHEN carrier = 'HA' THEN {value} ELSE {as_} END AS flight) FROM rows"
    )
    reason = refusal(flights)
    assert f"column 'flight' holds {value if value[0] != '1' else repr(value)}" in reason
    assert "no int64, in 1 rows" in reason


def test_not_a_number_is_a_missing_value(flights: spec.Spec, land: Land) -> None:
    land(DAY)
    change("SELECT * REPLACE ('nan'::DOUBLE AS temp) FROM rows", file="weather.parquet")
    table = pq.read_table(ingest_window(flights, DAY).artifact.file("examples.parquet"))
    assert table["temp"].null_count == len(table)


def test_refused_when_a_newer_span_is_serving(flights: spec.Spec, land: Land) -> None:
    land(DAY, "2013-01-02")
    own = ingest_window(flights, DAY).digests[DAY]
    release("2013-01-02")
    arrivals = ingest_window(flights, DAY)
    assert arrivals.refused
    told = gates.read(arrivals.artifact).reason
    assert "2013-01-02 is already serving (version 1); a model of an older span" in told
    # Its input is on record as it is, so that a release of the very same input is known again.
    assert arrivals.digests == {DAY: own}
    assert not ingest_window(flights, "2013-01-02").refused


def release(span: str) -> None:
    ledger.append(
        ledger.Release(
            event="released",
            at=datetime.now(UTC),
            pipeline="flights",
            span=span,
            run=f"{span}-00000000",
            fingerprint="f",
            version=1,
            model="m",
            artifact="train/x/y",
            baseline=None,
            verdicts={},
            metrics={},
        )
    )


@pytest.mark.parametrize("span", ["2013-02-30", "2013-2-3", "yesterday", "2012-12-31", ""])
def test_a_span_that_cannot_be_is_a_wrong_request(flights: spec.Spec, span: str) -> None:
    with pytest.raises(UsageError, match="span"):
        ingest_window(flights, span)


def test_current_says_which_command_takes_a_span_in(flights: spec.Spec) -> None:
    with pytest.raises(UsageError, match="sluice run flights 2013-01-01"):
        ingest.current(flights, DAY)


# Other sources


def other(house: Path, source: dict[str, object], sql: str) -> spec.Spec:
    path = house / "pipelines" / "flights" / "pipeline.yaml"
    written = yaml.safe_load(path.read_text())
    path.write_text(yaml.safe_dump(written | {"source": source}))
    text = (house / "pipelines" / "flights" / "ingest.sql").read_text()
    flights_of, weather_of = sql.split(" | ")
    text = text.replace("read_parquet($source || '/flights.parquet')", flights_of)
    text = text.replace("read_parquet($source || '/weather.parquet')", weather_of)
    (house / "pipelines" / "flights" / "ingest.sql").write_text(text)
    return pipelines.load("flights")


@pytest.mark.parametrize("format_", ["csv", "json"])
def test_csv_and_json_by_glob_give_the_same_content_as_parquet(
    flights: spec.Spec, land: Land, house: Path, format_: str
) -> None:
    land(DAY)
    expected = ingest_window(flights, DAY).artifact
    for name in ("flights", "weather"):
        there = feed.upstream() / DAY / f"{name}.parquet"
        for part in (0, 1):
            into = house / "var" / "other" / DAY / name / f"{part}.{format_}"
            into.parent.mkdir(parents=True, exist_ok=True)
            duckdb.execute(
                f"COPY (FROM (SELECT *, row_number() OVER () % 2 AS part FROM '{there}') "
                f"SELECT * EXCLUDE (part) WHERE part = {part}) TO '{into}'"
            )
    read = f"read_{format_}" + ("_auto" if format_ == "json" else "")
    what = other(
        house,
        {"path": "var/other/{span}", "rows": f"flights/*.{format_}"},
        f"{read}($source || '/flights/*.{format_}') | {read}($source || '/weather/*.{format_}')",
    )
    found = ingest_window(what, DAY).artifact
    assert found.manifest.inputs["content"] == expected.manifest.inputs["content"]


def test_an_attached_database_gives_the_same_content(
    flights: spec.Spec, land: Land, house: Path
) -> None:
    land(DAY)
    expected = ingest_window(flights, DAY).artifact
    with duckdb.connect(str(house / "var" / "up.db")) as db:
        for name in ("flights", "weather"):
            db.execute(f"CREATE TABLE {name} AS FROM '{feed.upstream() / DAY / name}.parquet'")
    what = other(
        house,
        {"attach": {"up": "var/up.db"}},
        "(FROM up.flights WHERE make_date(year::INT, month::INT, day::INT) = $span::DATE) | up.weather",
    )
    found = ingest_window(what, DAY).artifact
    assert found.manifest.inputs["content"] == expected.manifest.inputs["content"]
    assert "empty" in refusal(what, "2013-01-02")


def test_a_database_that_cannot_be_opened_is_broken_and_not_a_verdict_on_the_data(
    flights: spec.Spec, house: Path
) -> None:
    what = other(house, {"attach": {"up": "var/none.db"}}, "up.flights | up.weather")
    with pytest.raises(SluiceError, match=r"source\.attach\.up of flights cannot be opened"):
        ingest_window(what, DAY)
