"""A rule that would not be asked, or not as it was meant, is a mistake that is told when it is read."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from components import home, pipelines, spec
from components.errors import UsageError

WEEKDAY = "-- The weekday is that of the span.\n\nFROM examples WHERE weekday <> 1\n"


def write(text: str, name: str = "new.sql") -> Path:
    path = home.pipelines() / "flights" / "rules" / name
    path.write_text(text)
    return path


def complaint() -> str:
    with pytest.raises(UsageError) as caught:
        pipelines.load("flights")
    assert "\n" not in str(caught.value)
    return str(caught.value)


def only(what: spec.Spec, name: str = "new"):  # type: ignore[no-untyped-def]
    (found,) = [rule for rule in what.rules if rule.name == name]
    return found


@pytest.mark.parametrize(
    ("text", "sentence", "share"),
    [
        (WEEKDAY, "The weekday is that of the span", 0),
        ("-- One thing\n-- and another.\nFROM examples", "One thing and another", 0),
        ("-- So it is.\n-- at most 0.5 % of rows\n\nFROM examples", "So it is", 0.005),
        ("-- At most 20% of rows.\n-- So it is.\nFROM examples", "So it is", 0.2),
        (
            "-- So it is.\n\n-- at most 2 % of rows: not said at the head\nFROM examples",
            "So it is",
            0,
        ),
    ],
)
def test_a_rule_is_a_sentence_a_share_and_a_query(
    house: Path, text: str, sentence: str, share: float
) -> None:
    write(text)
    found = only(pipelines.load("flights"))
    assert (found.sentence, found.share) == (sentence, share)
    assert found.file == "pipelines/flights/rules/new.sql"


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("new.sq", WEEKDAY, "is no rule, and would be passed over in silence"),
        ("new.SQL", WEEKDAY, "a rule is a file such as new.sql"),
        ("new.sql", "FROM examples", "begins with no sentence; say in a comment on its first line"),
        ("new.sql", "-- at most 1 % of rows\nFROM examples", "begins with no sentence"),
        ("new.sql", "", "begins with no sentence"),
        ("new.sql", "-- So it is.\n", "holds no query; return the rows of `examples`"),
        (
            "new.sql",
            "-- So it is, in at most 1 % of the rows.\nFROM examples",
            "is not told on one line of the comment, such as `-- at most 0.5 % of rows`",
        ),
        (
            "new.sql",
            "-- So it is.\n-- at most 1 % of rows\n-- at most 2 % of rows\nFROM examples",
            "is not told on one line of the comment",
        ),
    ],
)
def test_a_mistake_in_a_rule_is_told_with_file_problem_and_remedy(
    house: Path, name: str, text: str, told: str
) -> None:
    write(text, name)
    said = complaint()
    assert said.startswith(f"pipelines/flights/rules/{name}: ")
    assert told in said


def test_a_pipeline_needs_no_rules_and_an_editors_files_are_none(flights: spec.Spec) -> None:
    for rule in flights.rules:
        rule.path.unlink()
    write("half a thought", ".new.sql.swp")
    assert list(pipelines.load("flights").rules) == []


def test_a_rule_that_is_new_changed_or_gone_makes_another_spec(flights: spec.Spec) -> None:
    path = write(WEEKDAY)
    added = pipelines.load("flights").files
    assert set(added) - set(flights.files) == {"pipelines/flights/rules/new.sql"}
    path.write_text(WEEKDAY.replace("1", "2"))
    changed = pipelines.load("flights").files
    assert changed["pipelines/flights/rules/new.sql"] != added["pipelines/flights/rules/new.sql"]
    path.unlink()
    assert pipelines.load("flights").files == flights.files


def silence(check: str, column: str) -> None:
    path = home.pipelines() / "flights" / "pipeline.yaml"
    said = {"check": check, "column": column, "until": "2013-03-01", "because": "a test says so"}
    written = yaml.safe_load(path.read_text()) | {"data_gate": {"silenced": [said]}}
    path.write_text(yaml.safe_dump(written))


def test_a_rule_is_silenced_by_its_name_and_another_check_by_its_column(house: Path) -> None:
    write(WEEKDAY)
    silence("rule", "new")
    pipelines.load("flights")
    silence("rule", "newer")
    assert "data_gate.silenced.0.column: there is no 'newer'" in complaint()
    silence("drift", "new")
    assert "data_gate.silenced.0.column: there is no 'new'" in complaint()
