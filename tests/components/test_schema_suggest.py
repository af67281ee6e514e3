"""What is suggested accepts the span, changes nothing else, and tells no secret."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from components import (
    describe,
    gates,
    home,
    ingest,
    pipelines,
    plan,
    runs,
    schema,
    spans,
    spec,
    statistics,
)
from components.errors import Halted, UsageError
from components.schema_life import suggest, versions
from components.schema_life.diff import changes
from components.schema_life.suggest import Suggestion
from components.store import Artifact
from components.validate_data import contract, validate_data
from components.validate_data.subject import Subject

DAY = "2013-02-07"
BEFORE = spans.between("2013-01-31", "2013-02-06")
PATH = "schemas/flights.pbtxt"


@pytest.fixture
def subject(in_shared_house: spec.Spec) -> Callable[[str], Subject]:
    """`subject(day)` is a day of the shared house under judgement, with a week before it."""

    def described(day: str) -> tuple[Artifact, Artifact]:
        examples = ingest._taken_in(in_shared_house, day) or ingest.ingest(in_shared_house, day)
        return examples, describe.describe(in_shared_house, examples)

    history = [described(day)[1] for day in BEFORE]
    return lambda day: Subject(in_shared_house, *described(day), history)


@pytest.fixture
def amended(subject: Callable[[str], Subject]) -> Callable[..., Suggestion]:
    """`amended(change)` is what is suggested for an ordinary day whose statistics were changed."""
    usual = subject(DAY)
    text = usual.spec.schema_path.read_text()

    def suggested(change: Callable[[Any, dict[str, Any]], None], **more: Any) -> Suggestion:
        now = copy.deepcopy(statistics.read(usual.described))
        change(now, statistics.by_column(now))
        found = suggest.suggest(PATH, text, now, usual.before, len(usual.window), **more)
        if not found.left:
            reviewed = schema.parse(found.new, PATH)
            answers = (
                contract.trained(reviewed, now, usual.before, len(usual.window)),
                contract.served(reviewed, now),
            )
            assert not any(a.anomaly_info or a.dataset_anomaly_info.reason for a in answers)
        return found

    return suggested


def renamed(feature: Any, names: dict[str, str]) -> None:
    for bucket in feature.string_stats.rank_histogram.buckets:
        bucket.label = names.get(bucket.label, bucket.label)
    for top in feature.string_stats.top_values:
        top.value = names.get(top.value, top.value)


def lines(found: Suggestion) -> list[str]:
    return [f"{c.effect} {c.subject}: {c.told}" for c in found.changes]


def test_an_ordinary_day_needs_no_change(subject: Callable[[str], Subject]) -> None:
    found = suggest.of(subject(DAY))
    assert (found.diff, found.means, found.left) == ("", [], [])


def test_the_blizzard_needs_one_bound_moved_and_its_comment_stays(
    subject: Callable[[str], Subject],
) -> None:
    found = suggest.of(subject("2013-02-08"))
    assert [line for line in found.diff.splitlines() if line[0] in "+-"] == [
        f"--- a/{PATH}",
        f"+++ b/{PATH}",
        "-  presence { min_fraction: 0.70 }",
        "+  presence { min_fraction: 0.48 }",
    ]
    assert lines(found) == ["loosens late: missing allowed: 52 % (was 30 %)"]
    ((column, means),) = found.means
    assert column == "late"
    assert means.startswith("any may lack 52 % of it; those before lacked ")
    assert found.left == []


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (
            lambda now, c: setattr(c["distance"].num_stats, "max", 9999.0),
            ["loosens distance: most allowed: 9999 (was 5200)"],
        ),
        (
            lambda now, c: setattr(c["temp"].num_stats, "min", -42.12345),
            ["loosens temp: least allowed: -42.13 (was -10)"],
        ),
        (
            lambda now, c: renamed(c["origin"], {"JFK": "KJFK"}),
            [
                "loosens origin: may also be 'KJFK'",
                "loosens origin: drift allowed (L∞): ",
            ],
        ),
        (
            lambda now, c: setattr(now, "num_examples", 450),
            ["loosens rows: needed, of an average span's: 51 % (was 60 %)"],
        ),
    ],
)
def test_a_bound_is_moved_as_far_as_it_must(
    amended: Callable[..., Suggestion], change: Any, told: list[str]
) -> None:
    found = amended(change)
    assert found.left == []
    assert len(found.changes) == len(told)
    for line, start in zip(lines(found), told, strict=True):
        assert line.startswith(start)
    assert {c.effect for c in found.changes} == {"loosens"}


def test_of_an_open_list_only_as_many_values_are_added_as_must_be(
    amended: Callable[..., Suggestion],
) -> None:
    names = {"UA": "new 1", "HA": "new 2", "AS": "new 3"}  # a sixth of the rows, and two rare ones
    found = amended(lambda now, columns: renamed(columns["carrier"], names))
    assert lines(found)[0] == "loosens carrier: may also be 'new 1'"


def test_many_new_values_are_not_listed_but_a_share_of_them_is_let_in(
    amended: Callable[..., Suggestion], subject: Callable[[str], Subject]
) -> None:
    text = subject(DAY).spec.schema_path.read_text()
    now = copy.deepcopy(statistics.read(subject(DAY).described))
    closed = text.replace(
        'name: "dest"\n  type: BYTES\n',
        'name: "dest"\n  type: BYTES\n  string_domain { value: "ATL" }\n',
    )
    found = suggest.suggest(PATH, closed, now)
    assert "distribution_constraints { min_domain_mass: 0." in found.diff
    assert found.diff.count("value:") == 0
    assert found.left == []


def test_sensitive_values_are_neither_listed_nor_told(amended: Callable[..., Suggestion]) -> None:
    def change(now: Any, columns: dict[str, Any]) -> None:
        renamed(columns["carrier"], {"UA": "secret"})
        columns["temp"].num_stats.max = 123456.0

    found = amended(change, sensitive=("carrier", "temp"))
    told = f"{found.diff} {found.means} {found.left} {lines(found)}"
    assert "secret" not in told
    assert "12345" not in told
    assert "loosens carrier: at least 8" in told  # per cent must be listed values
    assert [refusal.subject for refusal in found.left] == ["temp"]


def test_what_no_bound_decides_is_left_and_told(amended: Callable[..., Suggestion]) -> None:
    def change(now: Any, columns: dict[str, Any]) -> None:
        columns["flight"].type = 2  # texts where integers were

    found = amended(change)
    assert [refusal.subject for refusal in found.left] == ["flight"]
    assert found.diff == ""


def test_a_diff_is_one_that_git_applies(subject: Callable[[str], Subject], tmp_path: Path) -> None:
    found = suggest.of(subject("2013-02-08"))
    path = tmp_path / PATH
    path.parent.mkdir()
    path.write_text(found.old)
    done = subprocess.run(
        ["git", "apply", "-"], cwd=tmp_path, input=found.diff, text=True, check=False
    )
    assert done.returncode == 0
    assert path.read_text() == found.new


# Of a run


@pytest.fixture
def halted(house: Path, land: Callable[..., None]) -> runs.Run:
    """A run of the blizzard that halted at its data gate, in a house of its own."""
    land("2013-01-31", "2013-02-08")
    what = pipelines.load("flights")
    taken = {day: ingest.ingest(what, day) for day in [*BEFORE, DAY, "2013-02-08"]}
    run = runs.open_run(what, "2013-02-08", {day: made.digest for day, made in taken.items()})
    for step in plan.PLAN[:2]:
        with suppress(Halted):
            plan.perform(step, "flights", run.id)
    return run


def test_a_halted_run_is_told_what_would_have_let_it_pass(halted: runs.Run) -> None:
    found = suggest.of_run(halted)
    assert lines(found) == ["loosens late: missing allowed: 52 % (was 30 %)"]
    (home.home() / PATH).write_text(found.new)
    what = pipelines.load("flights")
    assert suggest.of_run(halted).diff == ""
    step = runs.artifact(halted, "validate_data").manifest.inputs
    examples = ingest.current(what, "2013-02-08")
    assert step["examples"] == examples.digest
    history = [describe.describe(what, ingest.current(what, day)) for day in [*BEFORE, DAY]]
    judged = gates.read(validate_data(what, examples, describe.describe(what, examples), history))
    assert [c.message for c in judged.offences if c.name == "contract"] == []


def test_a_run_that_never_came_to_its_data_gate_says_where_it_halted(flights: spec.Spec) -> None:
    run = runs.open_run(flights, "2013-02-08", {})
    with pytest.raises(UsageError, match=f"run {run.id} did not come to its data gate"):
        suggest.of_run(run)


# How a schema stood


def test_a_schema_as_it_stood_is_found_by_file_run_and_revision(
    flights: spec.Spec, house: Path
) -> None:
    text = flights.schema_path.read_text()
    run = runs.open_run(flights, "2013-02-08", {})
    assert versions.text_of("flights", str(flights.schema_path)) == text
    assert versions.text_of("flights", run.id) == text
    for words in (
        ["init", "-q"],
        ["add", "schemas"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "one"],
    ):
        subprocess.run(["git", *words], cwd=house, check=True)
    flights.schema_path.write_text(text.replace("0.70", "0.50"))
    assert versions.text_of("flights", "HEAD") == text
    old, new = (schema.parse(t, PATH) for t in (text, flights.schema_path.read_text()))
    assert [c.told for c in changes(old, new)] == ["missing allowed: 50 % (was 30 %)"]
    with pytest.raises(UsageError, match=f"another now than when run {run.id} opened"):
        versions.text_of("flights", run.id)


def test_no_version_at_all_is_wrong_use_with_the_near_miss(flights: spec.Spec) -> None:
    run = runs.open_run(flights, "2013-02-08", {})
    with pytest.raises(UsageError, match=f"did you mean '{run.id}'"):
        versions.text_of("flights", run.id[:-1])
