"""Ways to break the house on purpose: each takes one guard away, and the schedules must find it."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from components import files, gates, ledger, plan, push, records, runs, store, window
from components.approval import Approval
from components.errors import SluiceError
from components.push import versions
from components.verdict import Status, Verdict
from proof import auditor

Breakage = Callable[[pytest.MonkeyPatch], None]
# Each with how many schedules it may take, and the rules that show it soonest.
BREAKAGES: dict[Breakage, tuple[int, tuple[str, ...]]] = {}

TRIGGERED, WEEK, OVERTAKEN = "a_run_is_triggered", "a_week_is_filled_in", "a_run_is_overtaken"
TWO, MARKED = "two_runs_go_on_at_once", "failures_are_marked_as_success"
KILLED, CORRECTED = "a_real_process_is_killed", "upstream_sends_other_rows"


def shown_by(*rules: str, within: int = 100) -> Callable[[Breakage], Breakage]:
    """Put a breakage on the list."""

    def listed(breakage: Breakage) -> Breakage:
        BREAKAGES[breakage] = (within, rules)
        return breakage

    return listed


def nothing(*given: Any, **more: Any) -> None:
    """Stand in for a check that was forgotten."""


def the_data_gate_is_fickle(patch: pytest.MonkeyPatch) -> None:
    """Show sooner what takes a gate that changes its mind."""
    patch.setattr(auditor, "AFTERTHOUGHTS", 0.3)


# What a release needs


def _need_not_open(patch: pytest.MonkeyPatch, gate: str) -> None:
    opened = Approval._opened

    def but_one(self: Approval, verdict: Verdict, asked: str, span: str) -> None:
        if asked != gate:
            opened(self, verdict, asked, span)

    patch.setattr(Approval, "_opened", but_one)


@shown_by(MARKED)
def the_model_gate_need_not_open(patch: pytest.MonkeyPatch) -> None:
    _need_not_open(patch, "model")


@shown_by(MARKED)
def the_infra_gate_need_not_open(patch: pytest.MonkeyPatch) -> None:
    _need_not_open(patch, "infra")


@shown_by(TRIGGERED, WEEK)
def a_gate_that_could_not_measure_has_passed(patch: pytest.MonkeyPatch) -> None:
    good = (Status.PASSED, Status.ERROR)
    patch.setattr(Verdict, "passed", property(lambda self: self.status in good))


@shown_by(OVERTAKEN, TRIGGERED)
def what_serves_may_have_moved_since_the_model_was_judged(patch: pytest.MonkeyPatch) -> None:
    approval = plan.approval

    def with_the_baseline_of_the_verdict(what, run):
        judged_against = gates.read(runs.artifact(run, "evaluate")).speaks_of["baseline"]
        serving = ledger.baseline
        with pytest.MonkeyPatch.context() as during:
            during.setattr(
                ledger,
                "baseline",
                lambda name: (
                    serving(name).model_copy(update={"model": judged_against})
                    if serving(name)
                    else None
                ),
            )
            return approval(what, run)

    patch.setattr(plan, "approval", with_the_baseline_of_the_verdict)
    patch.setattr(push, "_may_follow", nothing)


@shown_by(OVERTAKEN, TRIGGERED)
def a_version_may_follow_a_higher_one(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(push, "_may_follow", nothing)


# What a window may hold


@shown_by(WEEK, MARKED)
def every_span_may_train(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(window, "accepted", lambda what, run, examples: True)


@shown_by(OVERTAKEN, within=1000)
def the_first_verdict_on_rows_is_the_last(patch: pytest.MonkeyPatch) -> None:
    the_data_gate_is_fickle(patch)
    remember = window.remember

    def once(examples, verdict, run):
        if window.judged(plan.pipelines.load(run.pipeline), examples, run) is None:
            remember(examples, verdict, run)

    patch.setattr(window, "remember", once)


@shown_by(OVERTAKEN, within=1000)
def constants_are_those_of_the_step_before(patch: pytest.MonkeyPatch) -> None:
    the_data_gate_is_fickle(patch)
    constants = plan._constants

    def recorded(what, run, chosen):
        done = runs.steps(run).get("transform")
        return runs.artifact(run, "transform") if done else constants(what, run, chosen)

    patch.setattr(plan, "_constants", recorded)


# What a run is


@shown_by(TRIGGERED)
def a_version_is_taken_whenever_a_run_is_opened(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(runs, "_whole", nothing)
    taken = runs._taken
    patch.setattr(runs, "_taken", lambda pipeline: dict.fromkeys(taken(pipeline), ""))


# What lies on the disk


@shown_by(TRIGGERED, CORRECTED)
def an_artifact_is_named_by_its_span_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(store, "_key", lambda kind, pipeline, span, inputs, parameters: "0" * 16)


@shown_by(TWO)
def nobody_waits_for_a_lock(patch: pytest.MonkeyPatch) -> None:
    for module in (files, store, records, runs):
        if hasattr(module, "exclusive"):
            patch.setattr(module, "exclusive", lambda lock: _unlocked(lock))


def _unlocked(lock: Path) -> nullcontext[None]:
    lock.parent.mkdir(parents=True, exist_ok=True)
    return nullcontext()


@shown_by(WEEK)
def the_ledger_is_written_anew_with_each_line(patch: pytest.MonkeyPatch) -> None:
    append = records.append

    def tidied(path, entry):
        append(path, entry)
        lines = [line for line in path.read_text(errors="replace").splitlines() if line]
        path.write_text("\n".join(lines[-3:]) + "\n")

    patch.setattr(records, "append", tidied)


@shown_by(TRIGGERED)
def the_ledger_gets_each_line_twice(patch: pytest.MonkeyPatch) -> None:
    append = ledger.append
    patch.setattr(ledger, "append", lambda entry: (append(entry), append(entry)))


# What the servers see


@shown_by(KILLED, TRIGGERED)
def the_ledger_is_written_when_all_is_over(patch: pytest.MonkeyPatch) -> None:
    append = ledger.append

    def late(entry):
        if entry.event == "pushing":
            return
        append(entry.model_copy(update={"event": "pushing"}))
        append(entry)

    patch.setattr(ledger, "append", late)


@shown_by(KILLED, TRIGGERED, within=1000)
def what_a_killed_push_left_is_let_alone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(push, "settle", nothing)
    patch.setattr(push, "_settle", nothing)


@shown_by(TRIGGERED)
def a_version_that_the_servers_refuse_is_left_there(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(versions, "withdraw", nothing)


@shown_by(KILLED, TRIGGERED)
def a_version_is_copied_to_where_the_servers_look(patch: pytest.MonkeyPatch) -> None:
    stage = versions.stage

    def in_place(base, version, model):
        staged = stage(base, version, model)
        if staged:
            target = base / str(version)
            target.mkdir()
            for path in staged.iterdir():
                os.rename(path, target / path.name)  # noqa: PTH104 - a place to die at
            staged.rmdir()
        return

    patch.setattr(versions, "stage", in_place)


@shown_by(TRIGGERED)
def what_serves_is_tidied_away(patch: pytest.MonkeyPatch) -> None:
    tidy = versions.tidy
    patch.setattr(versions, "tidy", lambda base, released, kept: tidy(base, released + 1, ()))


@shown_by(TRIGGERED)
def a_push_that_fails_is_a_step_that_is_done(patch: pytest.MonkeyPatch) -> None:
    release = push.push

    def quietly(*given):
        try:
            return release(*given)
        except SluiceError:
            return None

    patch.setattr(push, "push", quietly)
