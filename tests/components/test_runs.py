"""A run is its inputs: the same ones give the same run and version, whoever asks, however often."""

from __future__ import annotations

import multiprocessing
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from components import pipelines, runs, spec, store
from components.errors import SluiceError, UsageError

SPAN = "2013-02-08"
EXAMPLES = {"2013-02-07": "d7", SPAN: "d8"}


def test_the_same_inputs_are_the_same_run_with_the_same_version(flights: spec.Spec) -> None:
    first = runs.open_run(flights, SPAN, EXAMPLES)
    assert first.version == 1
    assert first.id.startswith(f"{SPAN}-")
    assert runs.open_run(flights, SPAN, dict(reversed(EXAMPLES.items()))) == first
    assert runs.load("flights", first.id) == first


@pytest.mark.parametrize(
    ("examples", "admitted"),
    [({**EXAMPLES, SPAN: "other"}, {}), ({SPAN: "d8"}, {}), (EXAMPLES, {"2013-02-07": "d7"})],
)
def test_other_inputs_are_another_run_with_the_next_version(
    flights: spec.Spec, examples: dict[str, str], admitted: dict[str, str]
) -> None:
    first = runs.open_run(flights, SPAN, EXAMPLES)
    second = runs.open_run(flights, SPAN, examples, admitted=admitted)
    assert (second.version, second.id != first.id) == (2, True)


@pytest.mark.parametrize("file", ["pipelines/flights/model.py", "schemas/flights.pbtxt"])
def test_another_model_or_schema_is_another_run(flights: spec.Spec, house: Path, file: str) -> None:
    first = runs.open_run(flights, SPAN, EXAMPLES)
    (house / file).write_text((house / file).read_text() + "\n# another\n")
    assert runs.open_run(pipelines.load("flights"), SPAN, EXAMPLES).id != first.id


@given(asked=st.lists(st.sampled_from("abcd"), max_size=12))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_order_of_retries_makes_a_second_version_or_shares_one(
    flights: spec.Spec, house: Path, monkeypatch: pytest.MonkeyPatch, asked: list[str]
) -> None:
    with tempfile.TemporaryDirectory(dir=house) as folder:
        monkeypatch.setenv("SLUICE_HOME", folder)
        versions: dict[str, set[int]] = {}
        for digest in asked:
            run = runs.open_run(flights, SPAN, {SPAN: digest})
            versions.setdefault(digest, set()).add(run.version)
        taken = [version for several in versions.values() for version in several]
        assert sorted(taken) == list(range(1, len(versions) + 1))
        assert len(runs.all_runs("flights")) == len(versions)


def open_many(digests: list[str]) -> None:
    flights = pipelines.load("flights")
    for digest in digests:
        runs.open_run(flights, SPAN, {SPAN: digest})


def test_processes_at_once_make_one_version_a_run(flights: spec.Spec) -> None:
    spawn = multiprocessing.get_context("spawn")
    digests = [str(n) for n in range(6)]
    asked = [digests, digests[::-1], digests[3:] + digests[:3]]
    openers = [spawn.Process(target=open_many, args=(these,)) for these in asked]
    for opener in openers:
        opener.start()
    for opener in openers:
        opener.join(120)
    assert [opener.exitcode for opener in openers] == [0, 0, 0]
    opened = runs.all_runs("flights")
    assert len(opened) == 6
    assert len({run.version for run in opened}) == 6
    assert sorted(int(p.name) for p in (store.root("flights") / "versions").iterdir()) == list(
        range(1, 7)
    )


def test_a_crash_after_a_version_was_taken_does_not_give_it_to_another(flights: spec.Spec) -> None:
    runs._take_version("flights", "a run that never came to be")
    assert runs.open_run(flights, SPAN, EXAMPLES).version == 2


def test_an_unknown_run_gets_the_near_miss(flights: spec.Spec) -> None:
    run = runs.open_run(flights, SPAN, EXAMPLES)
    with pytest.raises(UsageError, match=f"did you mean {run.id!r}"):
        runs.load("flights", run.id[:-1])


def damage(path: Path, how: str) -> None:
    """Cut a record, lose it, or change one digit of the version in it."""
    text = path.read_text()
    if how == "lost":
        path.unlink()
    else:
        path.write_text(text[:40] if how == "cut" else text.replace('"version": 1', '"version": 3'))


@pytest.mark.parametrize("how", ["cut", "changed"])
def test_a_torn_run_is_an_error(flights: spec.Spec, how: str) -> None:
    run = runs.open_run(flights, SPAN, EXAMPLES)
    damage(run.folder / "run.json", how)
    with pytest.raises(SluiceError, match=r"run\.json is torn.*start it again from `ingest`"):
        runs.load("flights", run.id)


@pytest.mark.parametrize("how", ["cut", "changed", "lost"])
def test_a_torn_run_is_opened_again_with_the_version_that_it_had(
    flights: spec.Spec, how: str
) -> None:
    run = runs.open_run(flights, SPAN, EXAMPLES)
    runs.open_run(flights, SPAN, {SPAN: "other"})
    damage(run.folder / "run.json", how)
    again = runs.open_run(flights, SPAN, EXAMPLES)
    assert again == run.model_copy(update={"opened": again.opened})


def test_a_torn_run_hides_no_other(flights: spec.Spec) -> None:
    torn, whole = (runs.open_run(flights, SPAN, {SPAN: digest}) for digest in "ab")
    damage(torn.folder / "run.json", "cut")
    assert runs.all_runs("flights") == [whole]


@pytest.mark.parametrize("how", ["lost", "cut"])
def test_a_version_of_which_the_file_is_torn_is_given_to_no_other_run(
    flights: spec.Spec, how: str
) -> None:
    run = runs.open_run(flights, SPAN, EXAMPLES)
    damage(store.root("flights") / "versions" / "1", how)
    assert runs.open_run(flights, SPAN, {SPAN: "other"}).version == 2
    assert runs.open_run(flights, SPAN, EXAMPLES) == run


def record(run: runs.Run, step: str, artifact: str | None = None, second: int = 0) -> None:
    finished = datetime(2013, 2, 9, 6, 10, second, tzinfo=UTC)
    runs.record(
        run,
        runs.StepRecord(
            step=step, outcome="done", artifact=artifact, message="", finished=finished, seconds=1
        ),
    )


def test_steps_come_in_the_order_in_which_they_finished_and_a_later_try_replaces(
    flights: spec.Spec,
) -> None:
    run = runs.open_run(flights, SPAN, EXAMPLES)
    record(run, "train", second=2)
    record(run, "describe", second=1)
    record(run, "describe", second=3)
    assert list(runs.steps(run)) == ["train", "describe"]


def test_a_step_that_made_nothing_has_no_artifact_to_go_on_with(
    flights: spec.Spec, land: Callable[..., None]
) -> None:
    run = runs.open_run(flights, SPAN, EXAMPLES)
    with pytest.raises(SluiceError, match="has no 'train' yet: run that step first"):
        runs.artifact(run, "train")
    record(run, "train")
    with pytest.raises(SluiceError, match="run that step first"):
        runs.artifact(run, "train")
