"""An edit changes what it says and nothing else: not a comment, not the order, not the layout."""

from __future__ import annotations

import difflib

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st
from tensorflow_metadata.proto.v0 import schema_pb2

from components import home
from components.schema_life.pbtxt import add, put, quoted

SCHEMA = """\
# A contract.
feature {
  name: "late"  # the label
  presence { min_fraction: 0.70 min_count: 1 }  # cancelled ones lack it
  int_domain { min: 0 max: 1 }
}
feature: < name: 'car' "rier", domain: "carrier"; >
string_domain {
  name: "carrier"
  value: "AA" value: "B6"  # the large ones
}
default_environment: ["TRAINING", "SERVING"]  # both
"""


def parsed(text: str) -> schema_pb2.Schema:
    return text_format.Parse(text, schema_pb2.Schema())


def changed(old: str, new: str) -> list[str]:
    lines = difflib.ndiff(old.splitlines(), new.splitlines())
    return [line for line in lines if line[0] in "+-"]


LATE, CARRIER = ("feature", "late"), ("feature", "carrier")


@pytest.mark.parametrize(
    ("steps", "value", "lines"),
    [
        (
            [LATE, "presence", "min_fraction"],
            "0.48",
            [
                "-   presence { min_fraction: 0.70 min_count: 1 }  # cancelled ones lack it",
                "+   presence { min_fraction: 0.48 min_count: 1 }  # cancelled ones lack it",
            ],
        ),
        (
            [LATE, "int_domain", "is_categorical"],
            "true",
            [
                "-   int_domain { min: 0 max: 1 }",
                "+   int_domain { min: 0 max: 1 is_categorical: true }",
            ],
        ),
        (
            [LATE, "drift_comparator", "infinity_norm", "threshold"],
            "0.1",
            ["+   drift_comparator { infinity_norm { threshold: 0.1 } }"],
        ),
        (
            [CARRIER, "type"],
            "BYTES",
            [
                """- feature: < name: 'car' "rier", domain: "carrier"; >""",
                """+ feature: < name: 'car' "rier", domain: "carrier" type: BYTES; >""",
            ],
        ),
        (
            ["dataset_constraints", "min_examples_count"],
            "7",
            ["+ ", "+ dataset_constraints { min_examples_count: 7 }"],
        ),
    ],
)
def test_a_value_is_set_where_it_stands_or_written_where_it_belongs(
    steps: list[str | tuple[str, str]], value: str, lines: list[str]
) -> None:
    new = put(SCHEMA, steps, value)
    assert changed(SCHEMA, new) == lines
    parsed(new)


def test_a_value_joins_a_list_before_the_comment_on_its_line() -> None:
    new = add(SCHEMA, [("string_domain", "carrier"), "value"], '"DL"')
    assert '  value: "AA" value: "B6" value: "DL"  # the large ones\n' in new
    assert list(parsed(new).string_domain[0].value) == ["AA", "B6", "DL"]


def test_a_value_joins_a_list_in_brackets_behind_it() -> None:
    new = add(SCHEMA, ["default_environment"], '"CANARY"')
    assert list(parsed(new).default_environment) == ["TRAINING", "SERVING", "CANARY"]
    assert new.endswith(
        'default_environment: ["TRAINING", "SERVING"] default_environment: "CANARY"  # both\n'
    )


def test_a_list_that_is_not_there_begins() -> None:
    new = add('feature { name: "late" }', [LATE, "string_domain", "value"], '"x"')
    assert new == 'feature { name: "late" string_domain { value: "x" } }'


def test_a_line_that_is_full_is_followed_by_another() -> None:
    text = SCHEMA
    for n in range(30):
        text = add(text, [("string_domain", "carrier"), "value"], f'"carrier {n}"')
    assert max(len(line.split("  #")[0]) for line in text.splitlines()) <= 100
    assert len(parsed(text).string_domain[0].value) == 32


def test_a_comment_between_a_message_and_its_end_stays_within() -> None:
    text = 'feature { name: "a"  # one\n  # two\n}\n'
    new = put(text, [("feature", "a"), "type"], "INT")
    assert parsed(new).feature[0].type == schema_pb2.INT
    assert "# one\n" in new
    assert "# two\n" in new


def test_words_in_comments_and_texts_are_no_fields() -> None:
    text = 'feature { # name: "b" }\n name: "a{#" type: INT }\n'
    assert parsed(put(text, [("feature", "a{#"), "type"], "FLOAT")).feature[0].type == 3


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_text_can_be_quoted(value: str) -> None:
    assert parsed(f"default_environment: {quoted(value)}").default_environment[0] == value


def test_every_bound_of_the_flights_can_be_moved_alone() -> None:
    text = (home.schemas() / "flights.pbtxt").read_text()
    for feature in parsed(text).feature:
        steps = [("feature", feature.name), "presence", "min_fraction"]
        new = put(text, steps, "0.125")
        wanted = parsed(text)
        next(f for f in wanted.feature if f.name == feature.name).presence.min_fraction = 0.125
        assert parsed(new) == wanted
        assert len(changed(text, new)) == 2
