"""A change between two schemas is told once, in words, and in the direction in which it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from components import home, schema
from components.schema_life.diff import changes

SCHEMA = """
default_environment: "TRAINING"
default_environment: "SERVING"
feature {
  name: "carrier" type: BYTES presence { min_fraction: 0.9 } domain: "known"
  distribution_constraints { min_domain_mass: 0.95 }
  drift_comparator { infinity_norm { threshold: 0.1 } }
}
feature { name: "distance" type: FLOAT float_domain { min: 10 max: 5200 disallow_nan: true } }
feature { name: "hour" type: INT int_domain { min: 0 max: 23 is_categorical: true } }
string_domain { name: "known" value: "AA" value: "B6" }
dataset_constraints { min_examples_count: 100 }
"""


def parsed(text: str) -> Any:
    return text_format.Parse(text, schema_pb2.Schema())


def told(old: str, new: str) -> list[str]:
    assert parsed(SCHEMA).IsInitialized()
    return [f"{c.effect} {c.subject}: {c.told}" for c in changes(parsed(old), parsed(new))]


@pytest.mark.parametrize(
    ("was", "now", "line"),
    [
        (
            "min_fraction: 0.9",
            "min_fraction: 0.8",
            "loosens carrier: missing allowed: 20 % (was 10 %)",
        ),
        (
            "presence { min_fraction: 0.9 }",
            "",
            "loosens carrier: missing allowed: 100 % (was 10 %)",
        ),
        (
            "min_fraction: 0.9",
            "min_fraction: 1",
            "tightens carrier: missing allowed: 0 % (was 10 %)",
        ),
        ('value: "B6"', 'value: "B6" value: "DL"', "loosens carrier: may also be 'DL'"),
        ('value: "B6"', "", "tightens carrier: may no longer be 'B6'"),
        (
            "min_domain_mass: 0.95",
            "min_domain_mass: 1",
            "tightens carrier: at least 100 % must be listed values (was 95 %)",
        ),
        (
            'domain: "known"',
            "",
            "loosens carrier: must be any value (was 95 % of it one of 2 values)",
        ),
        ("threshold: 0.1", "threshold: 0.2", "loosens carrier: drift allowed (L∞): 0.2 (was 0.1)"),
        (
            "drift_comparator { infinity_norm { threshold: 0.1 } }",
            "",
            "loosens carrier: drift allowed (L∞): any (was 0.1)",
        ),
        ("max: 5200", "", "loosens distance: most allowed: any (was 5200)"),
        ("min: 10", "min: 20", "tightens distance: least allowed: 20 (was 10)"),
        ("disallow_nan: true", "", "loosens distance: not-a-number refused: no (was yes)"),
        ("is_categorical: true", "", "changes hour: looked up, not scaled: no (was yes)"),
        ("min_examples_count: 100", "", "loosens rows: needed: 0 (was 100)"),
        (
            'name: "hour" type',
            'name: "hour" not_in_environment: "SERVING" type',
            "loosens hour: no longer expected in SERVING; a model is no longer fed it",
        ),
        ('"hour" type: INT', '"hour" type: INT shape {}', None),
        (
            '"hour" type: INT',
            '"hour" type: INT deprecated: true',
            "changes hour: deprecated is True (was not set)",
        ),
        (
            'default_environment: "SERVING"',
            'default_environment: "SERVING" represent_variable_length_as_ragged: true',
            "changes schema: represent_variable_length_as_ragged is True (was not set)",
        ),
    ],
)
def test_a_change_is_one_line(was: str, now: str, line: str | None) -> None:
    assert was in SCHEMA
    assert told(SCHEMA, SCHEMA.replace(was, now)) == ([line] if line else [])


def test_what_is_done_and_undone_goes_both_ways() -> None:
    loose = SCHEMA.replace("max: 5200", "max: 9999").replace("min_examples_count: 100", "")
    assert {line.split()[0] for line in told(SCHEMA, loose)} == {"loosens"}
    assert {line.split()[0] for line in told(loose, SCHEMA)} == {"tightens"}


def test_columns_come_and_go_and_the_spans_are_taken_in_anew() -> None:
    new = SCHEMA.replace('name: "distance"', 'name: "miles"')
    assert told(SCHEMA, new) == [
        "changes miles: a new column, FLOAT; spans are taken in anew",
        "changes distance: no column any more; spans are taken in anew",
    ]
    assert told(
        SCHEMA,
        SCHEMA.replace("FLOAT float_domain", "INT int_domain").replace(" disallow_nan: true", ""),
    ) == [
        "changes distance: INT (was FLOAT); spans are taken in anew",
        "loosens distance: not-a-number refused: no (was yes)",
    ]


@pytest.mark.parametrize(
    "same",
    [
        lambda text: text.replace('"known"', '"others"'),
        lambda text: text.replace('value: "AA" value: "B6"', 'value: "B6" value: "AA"'),
        lambda text: text.replace("min_fraction: 0.9", "min_fraction: 0.9 min_count: 1"),
        lambda text: text.replace('domain: "known"', 'string_domain { value: "AA" value: "B6" }'),
    ],
)
def test_what_means_the_same_is_no_change(same: Callable[[str], str]) -> None:
    assert same(SCHEMA) != SCHEMA
    assert told(SCHEMA, same(SCHEMA)) == []


def test_another_order_of_columns_is_told_since_it_makes_other_examples() -> None:
    flights = schema.load(home.schemas() / "flights.pbtxt")
    turned = schema.load(home.schemas() / "flights.pbtxt")
    turned.feature.reverse()
    assert changes(flights, flights) == []
    assert [c.told for c in changes(flights, turned)] == [
        "in another order; spans are taken in anew"
    ]
