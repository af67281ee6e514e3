"""A spec that does not read is one line: the file, the key, the problem, the remedy, the near miss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from components import home, pipelines, spec
from components.errors import UsageError


def write(changes: dict[str, Any], *, drop: str | None = None) -> None:
    path = home.pipelines() / "flights" / "pipeline.yaml"
    written = yaml.safe_load(path.read_text()) | changes
    written.pop(drop, None)
    path.write_text(yaml.safe_dump(written))


def complaint(name: str = "flights") -> str:
    with pytest.raises(UsageError) as caught:
        pipelines.load(name)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_the_flights_pipeline_reads(flights: spec.Spec) -> None:
    assert flights.name == "flights"
    assert flights.label == "late"
    assert set(flights.files) == {
        "pipelines/flights/ingest.sql",
        "pipelines/flights/model.py",
        "pipelines/flights/pipeline.yaml",
        "schemas/flights.pbtxt",
        *(rule.file for rule in flights.rules),
    }


def test_the_window_never_reaches_before_the_first_span(flights: spec.Spec) -> None:
    assert flights.window_of("2013-01-02") == ["2013-01-01", "2013-01-02"]
    reach = flights.window_of("2013-06-30")
    assert len(reach) == flights.window.length == 35
    assert reach[-1] == "2013-06-30"


def test_comments_and_the_order_of_keys_do_not_make_another_spec(flights: spec.Spec) -> None:
    write({})  # written out sorted and without comments
    assert pipelines.load("flights").files == flights.files


def test_another_bound_makes_another_spec(flights: spec.Spec) -> None:
    write({"window": {"train": 27, "evaluate": 7}})
    changed = pipelines.load("flights").files
    path = "pipelines/flights/pipeline.yaml"
    assert changed[path] != flights.files[path]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"lable": "late"}, ["lable: unknown key", "did you mean 'label'?"]),
        ({"label": "lait"}, ["label: there is no 'lait'", "did you mean 'late'?"]),
        ({"label": "distance"}, ["'distance' is fed to the model", "not_in_environment"]),
        ({"key": []}, ["key: Tuple should have at least 1 item"]),
        ({"key": ["carrier", "flite"]}, ["key: there is no 'flite'", "did you mean 'flight'?"]),
        ({"slices": [["orign"]]}, ["slices: there is no 'orign'", "did you mean 'origin'?"]),
        ({"window": {"train": "many", "evaluate": 7}}, ["window.train:", 'it is "many"']),
        ({"window": {"train": 0, "evaluate": 7}}, ["window.train:", "greater than or equal to 1"]),
        ({"window": {"train": 28}}, ["window.evaluate: is missing; add it"]),
        ({"window": {"trian": 28, "train": 2, "evaluate": 1}}, ["window.trian", "'train'?"]),
        ({"span": {"first": "2013-13-01"}}, ["span.first:", "2013-13-01", "YYYY-MM-DD"]),
        ({"schedule": "every day"}, ["schedule:", "0 6 * * *"]),
        ({"schedule": "arival"}, ["schedule:", "did you mean 'arrival'?"]),
        ({"serving": {"name": "my flights"}}, ["serving.name:", '"my flights"']),
        ({"thresholds": []}, ["thresholds: Tuple should have at least 1 item"]),
        (
            {"thresholds": [{"metric": "acu", "at_least": 0.6}]},
            ["thresholds.0.metric: there is no 'acu'", "did you mean 'auc'?"],
        ),
        (
            {"thresholds": [{"metric": "auc", "slice": ["dest"], "at_least": 0.6}]},
            ["thresholds.0.slice: 'dest' is not among `slices` (origin, carrier, origin×carrier)"],
        ),
        ({"task": "binery"}, ["task: ", "'binary', 'multiclass' or 'regression'"]),
        ({"classes": ["a", "b"]}, ["classes: are those of a label whose `task` is multiclass"]),
        ({"task": "multiclass"}, ["classes: the values of 'late', at least two"]),
        ({"task": "multiclass", "classes": ["a", "b", "a"]}, ["classes: 'a' is listed twice"]),
        (
            {"task": "regression"},
            ["thresholds.0.metric: there is no 'auc'; it must be one of bias, calibration"],
        ),
        (
            {"thresholds": [{"metric": "equal_opportunity_difference", "at_least": -0.1}]},
            ["thresholds.0: equal_opportunity_difference is a slice's, against overall"],
        ),
        (
            {"thresholds": [{"metric": "mean_label", "worse_by_at_most": 0.1}]},
            ["thresholds.0.worse_by_at_most: mean_label is neither better nor worse"],
        ),
        ({"thresholds": [{"metric": "auc"}]}, ["thresholds.0: bounds nothing; add at_least"]),
        (
            {"thresholds": [{"metric": "example_count", "at_least": 10}]},
            ["thresholds.0.metric: of example_count there is `min_examples`"],
        ),
        (
            {
                "task": "regression",
                "thresholds": [{"metric": "mae", "at_most": 9}],
                "weak_slices": {"gate": "halt"},
            },
            ["weak_slices.gate: a regression label's weak slices are not searched yet"],
        ),
        (
            {"thresholds": [{"metric": "auc", "worse_by_at_most": -0.1}]},
            ["thresholds.0.worse_by_at_most:", "greater than or equal to 0"],
        ),
        ({"source": {}}, ["source: names no data; give `path`"]),
        (
            {"source": {"attach": {"up": "up.db"}, "complete": "_SUCCESS"}},
            ["source: `complete` and `rows` are files under `path`"],
        ),
        ({"source": {"path": "x", "rowz": "y"}}, ["source.rowz: unknown key", "'rows'?"]),
        (
            {"data_gate": {"histroy": "warn"}},
            ["data_gate.histroy: unknown key", "did you mean 'history'?"],
        ),
        (
            {
                "data_gate": {
                    "silenced": [
                        {"check": "drift", "until": "2013-03-01", "because": "so", "colum": "dest"}
                    ]
                }
            },
            ["data_gate.silenced.0.colum: unknown key", "did you mean 'column'?"],
        ),
        ({"name": "flights"}, ["name: unknown key; the folder names the pipeline"]),
        ({"train": {"epochs": 1.5}}, ["train.epochs:", "it is 1.5"]),
    ],
)
def test_a_mistake_is_told_with_file_key_problem_and_remedy(
    house: Path, changes: dict[str, Any], told: list[str]
) -> None:
    write(changes)
    said = complaint()
    assert said.startswith("pipelines/flights/pipeline.yaml: ")
    for part in told:
        assert part in said


def test_of_many_mistakes_the_first_is_told_and_the_others_counted(house: Path) -> None:
    write({"one": 1, "two": 2, "three": 3})
    assert "(and 2 more)" in complaint()


@pytest.mark.parametrize(
    "key", ["source", "span", "window", "label", "key", "thresholds", "serving"]
)
def test_a_key_that_must_be_there_is_asked_for(house: Path, key: str) -> None:
    write({}, drop=key)
    assert f"pipelines/flights/pipeline.yaml: {key}: is missing; add it" in complaint()


@pytest.mark.parametrize("file", ["ingest.sql", "model.py"])
def test_a_missing_file_is_named(house: Path, file: str) -> None:
    (house / "pipelines" / "flights" / file).unlink()
    assert complaint() == f"pipelines/flights/{file}: the file is missing; every pipeline has one"


def test_a_missing_schema_is_named(house: Path) -> None:
    (house / "schemas" / "flights.pbtxt").unlink()
    assert complaint().startswith("schemas/flights.pbtxt: the file is missing")


def test_an_unknown_pipeline_gets_the_near_miss(house: Path) -> None:
    assert complaint("fligths").endswith("there are flights; did you mean 'flights'?")


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "just words"])
def test_a_file_that_is_no_mapping_is_told_apart(house: Path, text: str) -> None:
    (house / "pipelines" / "flights" / "pipeline.yaml").write_text(text)
    assert "must be a mapping of keys" in complaint()


@pytest.mark.parametrize("text", ["a: [1", "a: b: c", "\x00"])
def test_a_file_that_is_no_yaml_is_told_apart(house: Path, text: str) -> None:
    (house / "pipelines" / "flights" / "pipeline.yaml").write_text(text)
    assert "is not YAML" in complaint()


def test_a_model_that_is_no_python_is_named_with_its_line(house: Path) -> None:
    (house / "pipelines" / "flights" / "model.py").write_text("x = 1\ndef model(:\n")
    assert "pipelines/flights/model.py: line 2 is not Python" in complaint()


def test_a_model_file_without_the_function_gets_the_near_miss(house: Path) -> None:
    (house / "pipelines" / "flights" / "model.py").write_text("def modle(inputs, sizes): ...\n")
    said = complaint()
    assert "defines no function model(inputs, vocabulary_sizes)" in said
    assert "did you mean 'modle'?" in said


def test_reading_a_spec_does_not_run_the_model_file(house: Path) -> None:
    path = house / "pipelines" / "flights" / "model.py"
    path.write_text("def model(inputs, sizes): ...\nraise SystemExit('it was run')\n")
    assert pipelines.load("flights").name == "flights"


def schema_says(house: Path, old: str, new: str) -> None:
    path = house / "schemas" / "flights.pbtxt"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_schema_that_feeds_the_answer_is_refused(house: Path) -> None:
    schema_says(house, 'not_in_environment: "SERVING"', "")
    assert "label: 'late' is fed to the model, which would then know the answer" in complaint()


def test_a_schema_that_feeds_what_was_never_learned_from_is_refused(house: Path) -> None:
    schema_says(house, 'name: "dewp"', 'name: "dewp" not_in_environment: "TRAINING"')
    assert "'dewp' is fed to a model that never learned from it" in complaint()


def test_a_schema_that_feeds_nothing_is_refused(house: Path) -> None:
    schema_says(house, 'default_environment: "SERVING"', "")
    assert "nothing to feed" in complaint()


def test_a_spec_cannot_be_changed_once_read(flights: spec.Spec) -> None:
    with pytest.raises(ValueError, match="frozen"):
        flights.label = "distance"


@pytest.mark.parametrize("uri", ["s3://bucket/{span}/x.parquet", "https://host/{span}.csv"])
def test_a_uri_is_left_as_it_stands_and_a_path_is_of_the_house(
    flights: spec.Spec, house: Path, uri: str
) -> None:
    assert spec.Source(path=uri).of("2013-01-01") == uri.replace("{span}", "2013-01-01")
    assert spec.Source(path="a/{span}").of("2013-01-01") == str(house / "a" / "2013-01-01")
    assert spec.Source(path="/abs/{span}").of("2013-01-01") == "/abs/2013-01-01"
    assert spec.Source(attach={"up": "up.db"}).of("2013-01-01") is None
