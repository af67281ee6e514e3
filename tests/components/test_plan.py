"""The plan writes down how every step came out, stops at a shut gate, and does nothing twice."""

from __future__ import annotations

import re
import sys
from contextlib import suppress
from datetime import UTC, datetime

import pytest
from tiny_house import NAME, House

from components import admissions, gates, home, ledger, plan, runs, store, window
from components.approval import NO_BASELINE, NotApproved
from components.errors import Halted, SluiceError, UsageError
from components.ledger import Release
from components.verdict import Status

SPAN = "2013-01-03"


@pytest.fixture
def house(tmp_path, monkeypatch):
    return House(tmp_path, monkeypatch)


def released(run: runs.Run, model: str = "m") -> Release:
    entry = Release(
        event="released",
        at=datetime.now(UTC),
        pipeline=NAME,
        span=run.span,
        run=run.id,
        fingerprint=run.fingerprint,
        version=run.version,
        model=model,
        artifact=str(runs.artifact(run, "train").folder.relative_to(store.root(NAME))),
        baseline=None,
        verdicts={},
        metrics={},
    )
    ledger.append(entry)
    return entry


def shut(house: House, gate: str, how: Status = Status.FAILED) -> None:
    house.decide = lambda asked, subject: how if asked == gate else Status.PASSED


def test_every_step_of_a_run_is_on_record(house):
    run = house.open(SPAN)
    house.go(run, upto="validate_infra")
    came_to = {step.step: step.outcome for step in runs.steps(run).values()}
    assert came_to == {
        "ingest": "done",
        "describe": "done",
        "validate_data": "passed",
        "transform": "done",
        "train": "done",
        "evaluate": "passed",
        "validate_infra": "passed",
    }


@pytest.mark.parametrize(
    ("gate", "step"),
    [("data", "validate_data"), ("model", "evaluate"), ("infra", "validate_infra")],
)
@pytest.mark.parametrize(
    ("how", "outcome"), [(Status.FAILED, "halted"), (Status.ERROR, "error"), (None, "error")]
)
def test_a_shut_gate_halts_and_is_on_record(house, gate, step, how, outcome):
    shut(house, gate, how or Status.SKIPPED)
    run = house.open(SPAN)
    with pytest.raises(Halted, match=f"{gate} gate") as halted:
        house.go(run)
    record = runs.steps(run)[step]
    assert (record.outcome, record.message) == (outcome, str(halted.value))
    assert list(runs.steps(run))[-1] == step
    assert runs.artifact(run, step).file("verdict.html").exists()


def test_a_step_that_breaks_is_on_record_as_error(house, monkeypatch):
    def breaks(*given):
        raise RuntimeError("the disk is on fire")

    monkeypatch.setattr(sys.modules["components.train"], "train", breaks)
    run = house.open(SPAN)
    with pytest.raises(RuntimeError, match="on fire"):
        house.go(run)
    record = runs.steps(run)["train"]
    assert (record.outcome, record.message) == ("error", "RuntimeError: the disk is on fire")
    with pytest.raises(SluiceError, match="no 'train' yet"):
        plan.perform(plan.STEPS["evaluate"], NAME, run.id)


def test_a_halt_outside_a_gate_is_on_record(house):
    shut(house, "data")
    run = house.open(SPAN)
    for step in ("describe", "validate_data"):
        try:
            plan.perform(plan.STEPS[step], NAME, run.id)
        except Halted:
            continue
    with pytest.raises(Halted, match="0 accepted spans"):  # as if the gate were marked a success
        plan.perform(plan.STEPS["transform"], NAME, run.id)
    assert runs.steps(run)["transform"].outcome == "halted"


def test_a_released_run_ends_at_once_and_says_so(house):
    run = house.open(SPAN)
    house.go(run, upto="validate_infra")
    release = released(run)
    before = runs.steps(run)
    asked: list[str] = []
    house.decide = lambda gate, subject: asked.append(gate) or Status.FAILED
    for step in plan.PLAN:
        outcome = plan.perform(step, NAME, run.id)
        assert outcome.release == release
        assert f"already released as version {run.version}" in outcome.message
    again = plan.ingest(NAME, SPAN)
    assert (again.run, again.release) == (run, release)
    assert (runs.steps(run), asked) == (before, [])


def test_a_second_trigger_is_the_same_run_with_the_same_version(house):
    assert house.open(SPAN) == house.open(SPAN)
    house.rows[SPAN] = 2
    other = house.open(SPAN)
    assert other.version == 2
    assert len(runs.all_runs(NAME)) == 2


@pytest.mark.parametrize("gate", ["evaluate", "validate_infra"])
def test_marking_a_shut_gate_as_success_approves_nothing(house, gate):
    shut(house, {"evaluate": "model", "validate_infra": "infra"}[gate])
    run = house.open(SPAN)
    for step in plan.PLAN[:-1]:
        try:
            plan.perform(step, NAME, run.id)
        except Halted:
            continue
    with pytest.raises(NotApproved, match="not approved"):
        plan.approval(house.spec, run)


def test_the_proof_covers_what_the_model_was_trained_on(house):
    """A span that is refused only after training leaves the window, but not the model."""
    run = house.open(SPAN)
    house.go(run, upto="validate_infra")
    assert plan.approval(house.spec, run).baseline == NO_BASELINE
    trained_on = window.examples_of(run)[0]
    shut(house, "data")
    about = {"examples": trained_on.digest, "statistics": "of another window"}
    refused = house._judge(
        "validate_data", "data", trained_on.manifest.span, about, trained_on.digest
    )
    assert not gates.read(refused).passed
    window.remember(trained_on, refused)
    with pytest.raises(NotApproved, match="data gate halted"):
        plan.approval(house.spec, run)


def test_a_run_that_its_own_data_gate_halted_is_not_released_on_what_another_was_told(house):
    """The same rows may pass by another schema, or after another history."""
    run = house.open(SPAN)
    house.go(run, upto="validate_infra")
    told = runs.steps(run)["validate_data"]
    shut(house, "data")
    own = window.examples_of(run)[-1]
    about = {"examples": own.digest, "statistics": "by the schema of this run"}
    refused = house._judge("validate_data", "data", SPAN, about, own.digest)
    where = str(refused.folder.relative_to(store.root(NAME)))
    runs.record(run, told.model_copy(update={"outcome": "halted", "artifact": where}))
    with pytest.raises(NotApproved, match="data gate halted"):
        plan.approval(house.spec, run)


def test_the_constants_are_those_of_the_spans_that_train(house, monkeypatch):
    """A span that is refused between two steps leaves the preprocessing too, not the rows alone."""
    run = house.open(SPAN)
    house.go(run, upto="transform")
    before = runs.artifact(run, "transform")
    refused = window.examples_of(run)[0]
    monkeypatch.setattr(
        window, "accepted", lambda what, run, examples: examples.digest != refused.digest
    )
    plan.perform(plan.STEPS["train"], NAME, run.id)
    model = runs.artifact(run, "train")
    assert model.manifest.inputs["transform"] != before.digest
    assert f"examples/{refused.manifest.span}" not in model.manifest.inputs


@pytest.mark.parametrize("trouble", ["the verdict is torn", "the gate could not measure"])
def test_an_older_span_without_an_answer_is_judged_anew(house, trouble):
    first = house.open("2013-01-02")
    if trouble == "the gate could not measure":
        shut(house, "data", Status.ERROR)
    for step in ("describe", "validate_data"):
        with suppress(Halted):
            plan.perform(plan.STEPS[step], NAME, first.id)
    house.decide = lambda gate, subject: Status.PASSED
    older = window.examples_of(first)[-1]
    if trouble == "the verdict is torn":
        window.judged(house.spec, older).file("verdict.json").unlink()
    run = house.open(SPAN)
    house.go(run, upto="validate_infra")
    assert gates.read(window.judged(house.spec, older)).passed


def test_an_admission_lets_the_refused_span_through_for_the_same_rows(house):
    refused = house.open(SPAN).examples["2013-01-02"]
    house.decide = lambda gate, subject: Status.FAILED if subject == refused else Status.PASSED
    first = house.open("2013-01-02")
    with pytest.raises(Halted):
        house.go(first)
    admissions.admit(NAME, "2013-01-02", refused, "the storm was real")
    run = house.open("2013-01-02")
    assert run.id != first.id
    house.go(run, upto="validate_infra")
    assert set(plan.approval(house.spec, run).admitted) == {"2013-01-02"}
    step = runs.steps(run)["validate_data"]
    assert step.outcome == "passed"
    assert re.fullmatch(r"let in by \S+: the storm was real \(data gate halted .*\)", step.message)


def test_no_proof_when_the_baseline_moved_since_the_model_was_judged(house):
    early, late = house.open(SPAN), house.open("2013-01-04")
    for run in (early, late):
        house.go(run, upto="validate_infra")
    released(early, runs.artifact(early, "train").digest)
    with pytest.raises(NotApproved, match="run that gate again"):
        plan.approval(house.spec, late)


def test_a_run_does_not_go_on_with_files_that_changed_after_it_opened(house):
    run = house.open(SPAN)
    plan.perform(plan.STEPS["describe"], NAME, run.id)
    path = home.pipelines() / NAME / "model.py"
    path.write_text(path.read_text() + "\n# another model\n")
    with pytest.raises(UsageError, match=r"model\.py changed after run .* was opened"):
        plan.perform(plan.STEPS["validate_data"], NAME, run.id)
    assert house.open(SPAN).id != run.id


def test_a_run_does_not_go_on_with_a_rule_that_was_added_after_it_opened(house):
    run = house.open(SPAN)
    rule = home.pipelines() / NAME / "rules" / "late.sql"
    rule.parent.mkdir()
    rule.write_text("-- Nothing is late.\nFROM examples WHERE late = 1")
    with pytest.raises(UsageError, match=r"rules/late\.sql changed after run .* was opened"):
        plan.perform(plan.STEPS["validate_data"], NAME, run.id)
    assert house.open(SPAN).id != run.id


def test_an_admission_counts_for_runs_that_open_after_it(house):
    shut(house, "data")
    run = house.open(SPAN)
    with pytest.raises(Halted):
        house.go(run)
    admissions.admit(NAME, SPAN, run.examples[SPAN], "it was a holiday")
    with pytest.raises(Halted):
        house.go(run)
    assert house.open(SPAN).id != run.id
