"""Statistics are of every row, made once, and made again only when what they depend on changes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from components import describe, ingest, pipelines, spec, statistics
from components.errors import SluiceError
from components.store import Artifact

DAY = "2013-02-05"


@pytest.fixture
def examples(in_shared_house: spec.Spec) -> Artifact:
    return ingest.ingest(in_shared_house, DAY)


def test_every_row_and_column_is_described(in_shared_house: spec.Spec, examples: Artifact) -> None:
    described = describe.describe(in_shared_house, examples)
    found = statistics.read(described)
    columns = statistics.by_column(found)
    assert found.num_examples == examples.facts["rows"] == 896
    assert described.facts["summary"] == "16 columns over 896 rows"
    assert {name: f.WhichOneof("stats") for name, f in columns.items()} == {
        **dict.fromkeys(["carrier", "origin", "dest", "hour", "weekday"], "string_stats"),
        **dict.fromkeys(["distance", "minute", "temp", "dewp", "humid"], "num_stats"),
        **dict.fromkeys(["wind_speed", "precip", "pressure", "visib"], "num_stats"),
        **dict.fromkeys(["flight", "late"], "num_stats"),
    }
    assert all(
        statistics.complete_vocabulary(f) for f in columns.values() if f.HasField("string_stats")
    )


def test_the_second_time_finds_the_first(in_shared_house: spec.Spec, examples: Artifact) -> None:
    first = describe.describe(in_shared_house, examples)
    assert describe.describe(in_shared_house, examples) == first


def test_a_bound_that_moves_in_the_schema_makes_no_new_statistics_and_a_category_does(
    in_shared_house: spec.Spec, examples: Artifact, house, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = pipelines.load("flights").schema_path
    text = path.read_text()
    key = describe.describe(in_shared_house, examples).manifest.key
    path.write_text(text.replace("min_fraction: 0.70", "min_fraction: 0.50"))
    assert describe.describe(pipelines.load("flights"), examples).manifest.key == key
    path.write_text(text.replace("max: 1439 }", "max: 1439 is_categorical: true }"))
    assert describe.describe(pipelines.load("flights"), examples).manifest.key != key


def test_lost_rows_are_an_error_and_leave_no_statistics(
    in_shared_house: spec.Spec, examples: Artifact, house
) -> None:
    said = examples.manifest.model_copy(update={"facts": {**examples.facts, "rows": 900}})
    with pytest.raises(SluiceError, match="TFDV counted 896 of the 900 rows"):
        describe.describe(in_shared_house, replace(examples, manifest=said))
    assert not list((house / "var" / "store" / "flights" / "statistics").rglob("statistics.binpb"))
