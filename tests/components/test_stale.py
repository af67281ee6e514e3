"""An old file under a new date halts, and so does one old column; what is always the same does not."""

from __future__ import annotations

from collections.abc import Callable

import duckdb
import pytest
import yaml

from components import describe, home, ingest, pipelines, spans, spec
from components.store import Artifact
from components.validate_data.integrity import stale
from components.validate_data.subject import Subject
from components.verdict import Check, Status

DAYS = spans.between("2013-01-01", "2013-01-10")
TODAY = DAYS[-1]
YAML = {
    "source": {"path": "var/upstream/{span}.parquet"},
    "span": {"first": DAYS[0]},
    "window": {"train": 28, "evaluate": 7},
    "label": "late",
    "key": ["station", "hour"],
    "thresholds": [{"metric": "auc", "at_least": 0.5}],
    "serving": {"name": "stations"},
}
SCHEMA = """
default_environment: "TRAINING"
default_environment: "SERVING"
feature { name: "day" type: INT }
feature { name: "station" type: BYTES }
feature { name: "hour" type: INT }
feature { name: "height" type: FLOAT }
feature { name: "rain" type: FLOAT }
feature { name: "temp" type: FLOAT }
feature { name: "late" type: INT not_in_environment: "SERVING" }
"""
# Three stations, hour by hour: the height is the station's own, the rain nearly always none.
ROWS = """
SELECT dayofyear($span::DATE) AS day, station, hour, length(station) * 100 AS height,
  (hour = 3 AND station = 'a')::INT * (hash($span) % 3) AS rain,
  (hash($span || station || hour) % 4000) / 100 AS temp, (hash($span || hour) % 2)::INT AS late
FROM unnest(['a', 'bb', 'ccc']) AS s(station), range(24) AS h(hour)
"""

Land = Callable[..., Artifact]


@pytest.fixture
def stations(house: object) -> spec.Spec:
    """A pipeline of few rows a day whose keys are the same on every day."""
    folder = home.pipelines() / "stations"
    folder.mkdir()
    (folder / "pipeline.yaml").write_text(yaml.safe_dump(YAML))
    (folder / "ingest.sql").write_text("FROM read_parquet($source)")
    (folder / "model.py").write_text("def model(inputs, vocabulary_sizes):\n    return None\n")
    (home.schemas() / "stations.pbtxt").write_text(SCHEMA)
    return pipelines.load("stations")


def landed(what: spec.Spec, day: str, sql: str = "FROM rows", **older: str) -> Artifact:
    """Land a day, changed by SQL over its `rows` and those of older days; return its statistics."""
    tables = {"rows": day, **older}
    given = ", ".join(f"{name} AS ({ROWS.replace('$span', repr(d))})" for name, d in tables.items())
    path = home.var() / "upstream" / f"{day}.parquet"
    path.parent.mkdir(exist_ok=True, parents=True)
    duckdb.execute(f"COPY (WITH {given} {sql}) TO '{path}' (FORMAT parquet)")
    return describe.describe(what, ingest.ingest(what, day))


def asked(what: spec.Spec, history: list[Artifact]) -> list[Check]:
    examples = ingest.current(what, TODAY)
    return stale.checks(Subject(what, examples, describe.describe(what, examples), history))


def test_a_new_day_is_new_though_some_of_its_columns_are_always_the_same(
    stations: spec.Spec,
) -> None:
    history = [landed(stations, day) for day in DAYS[:-1]]
    landed(stations, TODAY)
    (check,) = asked(stations, history)
    assert (check.subject, check.status) == ("rows", Status.PASSED)


@pytest.mark.parametrize("days_before", [1, 9])
def test_an_old_file_under_a_new_date_halts_and_says_of_which_day_it_is(
    stations: spec.Spec, days_before: int
) -> None:
    history = [landed(stations, day) for day in DAYS[:-1]]
    landed(stations, TODAY, "SELECT * REPLACE (10 AS day) FROM old", old=DAYS[-1 - days_before])
    (check,) = asked(stations, history)
    assert (check.subject, check.status) == ("rows", Status.FAILED)
    was = DAYS[-1 - days_before]
    assert (
        check.message
        == f"all 72 rows are those of {was} but for day: an old file was delivered again"
    )
    assert check.values == {"rows affected": 72}


def test_the_very_same_file_halts_however_little_it_tells(stations: spec.Spec) -> None:
    few = "FROM rows WHERE station = 'a' AND hour < 2"
    history = [landed(stations, DAYS[-2], few)]
    landed(stations, TODAY, few.replace("rows", "old"), old=DAYS[-2])
    (check,) = asked(stations, history)
    assert check.message.startswith(f"all 2 rows are those of {DAYS[-2]}: an old file")


def test_a_column_of_an_earlier_day_halts_and_is_named(stations: spec.Spec) -> None:
    history = [landed(stations, day) for day in DAYS[:-1]]
    old = "SELECT rows.* REPLACE (old.temp AS temp) FROM rows JOIN old USING (station, hour)"
    landed(stations, TODAY, old, old=DAYS[3])
    (check,) = asked(stations, history)
    assert (check.subject, check.status) == ("temp", Status.FAILED)
    assert check.message.startswith(f"temp is, row by row, what it was on {DAYS[3]}: ")


def test_a_column_is_not_called_old_before_a_week_is_known(stations: spec.Spec) -> None:
    history = [landed(stations, day) for day in DAYS[3:-1]]
    old = "SELECT rows.* REPLACE (old.temp AS temp) FROM rows JOIN old USING (station, hour)"
    landed(stations, TODAY, old, old=DAYS[5])
    assert len(history) == 6
    assert [check.status for check in asked(stations, history)] == [Status.PASSED]


def test_rows_that_tell_next_to_nothing_may_come_again(stations: spec.Spec) -> None:
    dry = "SELECT * REPLACE (0 AS temp, (hour = 1)::INT AS late) FROM rows"
    history = [landed(stations, day, dry) for day in DAYS[5:-1]]
    landed(stations, TODAY, dry)
    assert {check.status for check in asked(stations, history)} <= {Status.PASSED, Status.SKIPPED}


def test_a_source_that_often_repeats_its_rows_is_left_to_it_and_says_so(
    stations: spec.Spec,
) -> None:
    fixed = "SELECT * REPLACE (old.day + 0 AS day) FROM old"
    history = [landed(stations, day, fixed, old=DAYS[0]) for day in DAYS[:-1]]
    landed(stations, TODAY, fixed, old=DAYS[0])
    (check,) = asked(stations, history)
    assert check.status is Status.SKIPPED
    assert check.message == "the rows of a span often come again here"


def test_without_an_earlier_span_there_is_nothing_to_compare_and_it_says_so(
    stations: spec.Spec,
) -> None:
    landed(stations, TODAY)
    (check,) = asked(stations, [])
    assert check.status is Status.SKIPPED
    assert "no earlier span" in check.message
