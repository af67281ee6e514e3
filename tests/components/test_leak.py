"""A column that alone tells the label halts, however it tells it; the best honest one does not."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import roc_auc_score

from components import describe, gates, ingest, pipelines, spec
from components.validate_data import validate_data
from components.validate_data.integrity import leak
from components.verdict import Check, Status

DAY = "2013-02-07"


@pytest.fixture
def judged(flights: spec.Spec, land: Callable[..., None]) -> Callable[..., dict[str, Check]]:
    """`judged(column=expression)` gives the checks by column, when ingest.sql changed so."""

    def checks(**columns: str) -> dict[str, Check]:
        land(DAY)
        path = flights.folder / "ingest.sql"
        changed = ", ".join(f"{said} AS {column}" for column, said in columns.items())
        if changed:
            path.write_text(f"SELECT * REPLACE ({changed}) FROM (\n{path.read_text()}\n)")
        what = pipelines.load("flights")
        examples = ingest.ingest(what, DAY)
        verdict = gates.read(validate_data(what, examples, describe.describe(what, examples), []))
        return {check.subject: check for check in verdict.checks if check.name == "leak"}

    return checks


def test_every_fed_column_is_asked_and_none_of_a_sound_day_leaks(
    judged: Callable[..., dict[str, Check]],
) -> None:
    asked = judged()
    assert set(asked) == {
        "carrier", "origin", "dest", "distance", "hour", "minute", "weekday", "temp", "dewp",
        "humid", "wind_speed", "precip", "pressure", "visib",
    }  # fmt: skip
    assert {check.status for check in asked.values()} == {Status.PASSED}
    assert 0.5 <= max(check.values["auc"] for check in asked.values()) < 0.8
    assert asked["weekday"].values["auc"] == 0.5  # one value a day


@pytest.mark.parametrize(
    ("column", "expression", "guess"),
    [
        ("visib", "CASE WHEN late = 1 THEN 9 ELSE 3 END", "visib alone tells late"),
        ("visib", "CASE WHEN late = 1 THEN 3 ELSE 9 END", "visib alone tells late"),
        ("precip", "CASE WHEN late = 1 THEN 0 END", "whether precip is missing alone tells late"),
        ("precip", "CASE WHEN late = 0 THEN 0 END", "whether precip is missing alone tells late"),
        ("dest", "CASE WHEN late = 1 THEN 'L' ELSE 'E' END || dest", "dest alone tells late"),
        ("dest", "CASE WHEN late = 0 THEN dest END", "dest alone tells late"),
        ("hour", "2 * (flight % 5) + coalesce(late, 0)", "hour alone tells late"),
    ],
)
def test_a_column_that_knows_the_answer_halts_and_says_by_what(
    judged: Callable[..., dict[str, Check]], column: str, expression: str, guess: str
) -> None:
    asked = judged(**{column: expression})
    assert {c for c, check in asked.items() if check.status is Status.FAILED} == {column}
    message = asked[column].message
    assert message.startswith(f"{guess}: an AUC of ")
    assert "0.95 is more than a column can know beforehand" in message


@pytest.mark.parametrize("late", ["(flight = 1)::INT", "0", "NULL"])
def test_too_few_labels_of_a_kind_say_nothing(
    judged: Callable[..., dict[str, Check]], late: str
) -> None:
    asked = judged(late=late, visib="(flight = 1)::INT * 5")
    (check,) = asked.values()
    assert (check.subject, check.status) == ("late", Status.SKIPPED)
    assert "too few to tell what a column knows of it" in check.message


def test_the_area_is_that_of_the_roc_curve() -> None:
    draw = np.random.default_rng(3)
    for guess in (draw.random(400), draw.integers(0, 4, 400).astype(float), np.zeros(400)):
        positive = draw.random(400) < 0.3 + 0.1 * guess
        assert leak._curve(guess, positive) == pytest.approx(roc_auc_score(positive, guess))


def test_a_category_of_its_own_knows_nothing() -> None:
    draw = np.random.default_rng(4)
    positive = draw.random(2000) < 0.3
    unique = pa.chunked_array([[str(n) for n in range(2000)]])
    area, _ = leak._area(unique, "category", positive)
    assert area == pytest.approx(0.5)
    noise = pa.chunked_array([[str(n) for n in draw.integers(0, 200, 2000)]])
    assert leak._area(noise, "category", positive)[0] < 0.6


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        (pa.array([0, 1, 1, 0]), [False, True, True, False]),
        (pa.array([3.0, 1.0, 2.0, 9.0, 4.0]), [False, False, False, True, True]),
        (pa.array(["a", "b", "b", "c"]), [False, True, True, False]),
    ],
)
def test_a_label_that_is_not_0_or_1_is_told_apart_in_halves(
    label: pa.Array, expected: list[bool]
) -> None:
    assert leak._positive(pa.chunked_array([label])).tolist() == expected
