"""Rules, in SQL, halt what breaks them, name the rows, and are silent on sound days."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from pathlib import Path

import duckdb
import pytest
import yaml

from components import describe, gates, home, ingest, pipelines, spec
from components.store import Artifact
from components.validate_data import validate_data
from components.verdict import Check, Status, Verdict
from demo import feed

DAY = "2013-02-07"
YESTERDAY = "2013-02-06"

Faulty = Callable[..., Verdict]


def taken_in(what: spec.Spec, day: str) -> Artifact:
    return ingest._taken_in(what, day) or ingest.ingest(what, day)


def judged(what: spec.Spec, history: Sequence[Artifact], day: str = DAY) -> Verdict:
    examples = taken_in(what, day)
    return gates.read(validate_data(what, examples, describe.describe(what, examples), history))


def of_rules(verdict: Verdict) -> dict[str, Check]:
    return {check.subject: check for check in verdict.checks if check.name == "rule"}


def broken(verdict: Verdict) -> set[str]:
    return {name for name, check in of_rules(verdict).items() if check.status is Status.FAILED}


def changed(to: str) -> str:
    return f"SELECT * REPLACE ({to}) FROM rows"


@pytest.fixture
def alone(flights: spec.Spec, land: Callable[..., None]) -> Callable[..., Verdict]:
    """`alone(table=sql)` gives the verdict on a day whose landed table, `rows`, changed; no history."""

    def verdict(history: Sequence[Artifact] = (), **changes: str) -> Verdict:
        land(DAY)
        for table, sql in changes.items():
            path = feed.upstream() / DAY / f"{table}.parquet"
            aside = path.with_suffix(".changed")
            duckdb.execute(
                f"COPY (WITH rows AS (FROM '{path}') {sql}) TO '{aside}' (FORMAT parquet)"
            )
            aside.rename(path)
        return judged(pipelines.load("flights"), history)

    return verdict


def test_a_sound_day_breaks_no_rule_and_every_rule_was_asked(
    week: list[Artifact], in_shared_house: spec.Spec
) -> None:
    asked = of_rules(judged(in_shared_house, week))
    assert set(asked) == {rule.name for rule in in_shared_house.rules}
    assert {check.status for check in asked.values()} == {Status.PASSED}
    assert asked["weekday"].seen == "0 of 932 rows"
    assert (asked["weekday"].expected, asked["route"].expected) == ("no row", "at most 2 % of rows")


def test_the_blizzard_breaks_no_rule(week: list[Artifact], in_shared_house: spec.Spec) -> None:
    assert broken(judged(in_shared_house, week, "2013-02-08")) == set()


def test_a_rule_that_looks_back_waits_for_a_week_and_says_so(alone: Faulty) -> None:
    asked = of_rules(alone())
    waits = {name for name, check in asked.items() if check.status is Status.SKIPPED}
    assert waits == {"distance_before", "route", "timetable", "flight", "weather_new"}
    assert asked["route"].message.startswith("learning: 0 of 7 spans")


@pytest.mark.parametrize(
    ("rule", "table", "to"),
    [
        ("distance", "flights", "distance + 2 * (flight % 2) AS distance"),
        ("dest", "flights", "lower(dest) AS dest"),
        ("dest", "flights", "CASE WHEN flight = 1 THEN origin ELSE dest END AS dest"),
        ("schedule", "flights", "(hour + 1) % 24 AS hour"),
        ("schedule", "flights", "time_hour + INTERVAL 5 HOUR AS time_hour"),
        ("weather_hour", "flights", "time_hour - INTERVAL 5 HOUR AS time_hour"),
        ("weather_hour", "weather", "time_hour + INTERVAL 1 HOUR AS time_hour"),
        ("label", "flights", "arr_delay / 60 AS arr_delay"),
        ("label", "flights", "-arr_delay AS arr_delay"),
        ("label", "flights", "dep_delay AS arr_delay"),
        ("label", "flights", "lead(arr_delay) OVER (ORDER BY flight) AS arr_delay"),
        ("label", "flights", "CASE WHEN flight % 50 > 0 THEN arr_delay END AS arr_delay"),
        ("units", "weather", "wind_speed * 0.44704 AS wind_speed"),
        ("units", "weather", "(temp - 32) / 1.8 AS temp"),
        ("units", "weather", "pressure * 0.75006 AS pressure"),
        ("units", "weather", "temp + random() AS temp"),
        ("dewp", "weather", "(temp - 32) / 1.8 AS temp"),
        ("dewp", "weather", "temp AS dewp, dewp AS temp"),
        ("humid", "weather", "(temp - 32) / 1.8 AS temp, (dewp - 32) / 1.8 AS dewp"),
        ("humid", "weather", "humid / 2 AS humid"),
        ("humid", "weather", "lead(humid, 40, 50) OVER (ORDER BY origin, hour) AS humid"),
        ("temp", "weather", "temp + 20 * (hour % 2) AS temp"),
        ("temp_elsewhere", "weather", "temp + 30 * (origin = 'JFK')::INT AS temp"),
        ("pressure", "weather", "pressure - 10 * (origin = 'JFK')::INT AS pressure"),
        ("pressure", "weather", "pressure + 6 * (hour % 2) AS pressure"),
        ("frozen", "weather", "CASE origin WHEN 'JFK' THEN 9.20624 ELSE wind_speed END AS wind_speed"),
        ("rain", "weather", "0.02 AS precip"),
        ("rain", "weather", "2 AS visib"),
        ("readings", "weather", "CASE WHEN hour % 8 > 0 THEN visib END AS visib"),
        ("station", "weather", "CASE WHEN hour % 8 > 0 THEN origin END AS origin"),
        ("station", "weather", "CASE WHEN hour % 8 > 0 THEN day ELSE day - 1 END AS day"),
        ("evening", "flights", "least(hour, 20) AS hour"),
    ],
)  # fmt: skip
def test_a_fault_of_the_source_breaks_the_rule_that_knows_better(
    alone: Faulty, rule: str, table: str, to: str
) -> None:
    verdict = alone(**{table: changed(to)})
    assert verdict.status is Status.FAILED
    assert rule in broken(verdict)
    check = of_rules(verdict)[rule]
    assert re.search(r"\d+ of 932 rows break the rule: ", check.message)
    assert check.message.endswith(f" (pipelines/flights/rules/{rule}.sql)")
    assert "\n" not in check.message


@pytest.mark.parametrize(
    ("rule", "column", "expression"),
    [
        ("weekday", "weekday", "weekday % 7 + 1"),
        ("hour", "hour", "hour + 1"),
        ("weather", "visib", "CASE WHEN flight % 2 = 0 THEN 0 ELSE visib END"),
        ("weather_hour", "precip", "precip + 0.01"),
        ("label", "late", "1 - late"),
        ("schedule", "carrier", "lower(carrier)"),
        ("schedule", "minute", "minute + 60"),
    ],
)
def test_a_fault_of_ingest_breaks_the_rule_that_knows_better(
    flights: spec.Spec, alone: Faulty, rule: str, column: str, expression: str
) -> None:
    path = flights.folder / "ingest.sql"
    path.write_text(f"SELECT * REPLACE ({expression} AS {column}) FROM (\n{path.read_text()}\n)")
    assert rule in broken(alone())


@pytest.fixture
def after_a_week(week: list[Artifact], alone: Faulty) -> Callable[..., Verdict]:
    """As `alone`, with the week before for its history."""
    return lambda **changes: alone(week, **changes)


@pytest.mark.parametrize(
    ("rule", "to"),
    [
        ("distance_before", "distance * 1.609 AS distance"),
        ("route", "dest AS origin, origin AS dest"),
        ("route", "lead(dest, 300, 'ORD') OVER (ORDER BY flight) AS dest"),
        ("timetable", "(hour + 12) % 24 AS hour"),
        ("flight", "flight + 1 AS flight"),
    ],
)  # fmt: skip
def test_a_fault_that_only_the_window_before_shows_breaks_its_rule(
    after_a_week: Faulty, rule: str, to: str
) -> None:
    assert rule in broken(after_a_week(flights=changed(to)))


def test_the_weather_of_the_day_before_under_todays_date_breaks_its_rule(
    house: Path, land: Callable[..., None], after_a_week: Faulty
) -> None:
    land(YESTERDAY)
    old = feed.upstream() / YESTERDAY / "weather.parquet"
    stale = (
        f"SELECT * REPLACE (time_hour + INTERVAL 1 DAY AS time_hour, day + 1 AS day) FROM '{old}'"
    )
    assert broken(after_a_week(weather=stale)) == {"weather_new"}


RULE = """-- No flight leaves Newark.

SELECT dest, origin, flight, carrier FROM examples WHERE origin = 'EWR'
"""


def test_a_broken_rule_shows_a_few_rows_the_key_first(flights: spec.Spec, alone: Faulty) -> None:
    (flights.folder / "rules" / "newark.sql").write_text(RULE)
    check = of_rules(alone())["newark"]
    assert check.status is Status.FAILED
    rows = check.values["examples"]
    assert check.values["rows affected"] == int(check.seen.split()[0]) > 300
    assert len(rows) == 5
    assert [list(row) for row in rows] == [["carrier", "flight", "origin", "dest"]] * 5
    assert {row["origin"] for row in rows} == {"EWR"}
    assert [(r["carrier"], r["flight"]) for r in rows] == sorted(
        (r["carrier"], r["flight"]) for r in rows
    )


def test_a_broken_rule_shows_the_columns_that_it_speaks_of(
    flights: spec.Spec, alone: Faulty
) -> None:
    (flights.folder / "rules" / "windy.sql").write_text(
        "-- There is no wind, nor warmth.\n\n"
        "SELECT *, Wind_Speed * 1.6 AS kmh FROM examples -- and no humid\nWHERE TEMP > 0"
    )
    (row, *_) = of_rules(alone())["windy"].values["examples"]
    assert list(row) == ["carrier", "flight", "origin", "minute", "temp", "wind_speed", "kmh"]


def test_what_is_sensitive_is_shown_nowhere_on_the_page(flights: spec.Spec, alone: Faulty) -> None:
    (flights.folder / "rules" / "newark.sql").write_text(
        RULE.replace("SELECT", "SELECT distance, 'as ' || distance AS told,")
    )
    path = flights.folder / "pipeline.yaml"
    written = yaml.safe_load(path.read_text()) | {
        "data_gate": {"sensitive": ["flight", "distance"]}
    }
    path.write_text(yaml.safe_dump(written))
    rows = of_rules(alone())["newark"].values["examples"]
    assert {(row["flight"], row["distance"], row["told"]) for row in rows} == {
        ("•••", "•••", "•••")
    }
    assert {row["origin"] for row in rows} == {"EWR"}


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("FROM examplse", "new.sql line 2: Catalog Error: Table with name examplse does not exist!"),
        ("FROM examples WHERE lait = 1", "new.sql line 2: Binder Error"),
        ("FROM examples WHERE", "new.sql line 2: Parser Error"),
        ("FROM examples; FROM examples", "holds 2 statements; leave one SELECT"),
        ("FROM examples WHERE dest = $spam", "asks for $spam; bound are $span"),
        ("FROM read_parquet($source || '/fligths.parquet')", "cannot be read by pipelines/flights/"),
        ("FROM examples WHERE dest::INT = 1", "cannot be read by pipelines/flights/rules/new.sql"),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_run_keeps_the_gate_shut_and_names_its_file(
    flights: spec.Spec, alone: Faulty, sql: str, told: str
) -> None:
    (flights.folder / "rules" / "new.sql").write_text(f"-- So it is.\n{sql}")
    verdict = alone()
    assert verdict.status is Status.ERROR
    check = of_rules(verdict)["new"]
    assert check.status is Status.ERROR
    assert told in check.message
    assert "\n" not in check.message


def test_another_rule_is_another_verdict_on_the_same_rows(
    flights: spec.Spec, alone: Faulty
) -> None:
    assert alone().passed
    (flights.folder / "rules" / "newark.sql").write_text(RULE)
    assert broken(alone()) == {"newark"}


def test_a_silenced_rule_warns(flights: spec.Spec, alone: Faulty) -> None:
    (flights.folder / "rules" / "newark.sql").write_text(RULE)
    path = flights.folder / "pipeline.yaml"
    said = {"check": "rule", "column": "newark", "until": DAY, "because": "a test says so"}
    written = yaml.safe_load(path.read_text()) | {"data_gate": {"silenced": [said]}}
    path.write_text(yaml.safe_dump(written))
    verdict = alone()
    assert verdict.passed
    assert of_rules(verdict)["newark"].status is Status.WARNED


def test_the_page_shows_the_rows_and_the_file_of_a_broken_rule(
    in_shared_house: spec.Spec, flights: spec.Spec, alone: Faulty
) -> None:
    (flights.folder / "rules" / "newark.sql").write_text(RULE)
    alone()
    (page,) = (home.var() / "store" / "flights" / "validate_data" / DAY).glob("*/verdict.html")
    told = html.unescape(page.read_text())
    assert "No flight leaves Newark (pipelines/flights/rules/newark.sql)" in told
    assert "rows affected" in told
