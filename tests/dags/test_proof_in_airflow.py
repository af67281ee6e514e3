"""What must never happen, looked for in Airflow: its own scheduling, its own ways to clear and mark.

Schedules as in `tests/components/proof`, under the same auditor, with Airflow in the driver's seat.
"""

from __future__ import annotations

from random import Random
from typing import Any

import pytest
from airflow_in_process import publish, tasks, trigger, work
from crashes import Crashes, Killed
from proof import auditor, tears
from proof.auditor import Auditor, Violation
from proof.house import AuditedHouse
from tiny_house import NAME

from components import plan, store
from components.errors import Halted
from components.verdict import Status

SPANS = ["2013-01-03", "2013-01-04", "2013-01-05"]
STEPS = ["ingest", *(step.name for step in plan.PLAN)]
GATES = [step.name for step in plan.PLAN if step.gate]
SCHEDULES = [
    ["triggered", "triggered_again", "corrected", "cleared"],
    ["halted", "marked_as_success", "corrected", "triggered_again"],
    ["triggered", "torn", "cleared", "halted", "cleared"],
    ["killed", "triggered_again", "killed", "cleared"],
    ["killed", "torn", "halted", "marked_as_success"],
    ["triggered", "halted", "marked_as_success", "killed"],
]


@pytest.fixture
def seen(seed, tmp_path):
    return Auditor(seed, tmp_path / "diary")


@pytest.fixture
def tiny(seen, tmp_path, monkeypatch):
    """The audited house in place of the tiny one."""
    return AuditedHouse(tmp_path, monkeypatch, seen, lambda event: None)


@pytest.fixture
def drives(seed, seen, tiny, dags, api, monkeypatch):
    dag = dags()[NAME]
    publish()
    return Drives(Random(seed), dag, api, tiny, seen, monkeypatch)


class Drives:
    """DAG runs of the audited house. `runs`: DAG run → the run that its `ingest` opened last."""

    def __init__(self, random, dag, api, house, seen: Auditor, patch) -> None:
        self.random, self.dag, self.api, self.house, self.auditor = random, dag, api, house, seen
        self.crashes = Crashes(patch)
        self.dies: tuple[str, int] | None = None  # in which step, after how many operations
        self.runs: dict[str, str] = {}
        self.spans: dict[str, str] = {}
        self.now = ""  # the DAG run whose tasks are being done
        self.deaths = 0
        self.violations: list[Violation] = []  # Airflow takes them for a task's failure
        self.steps = {"ingest": plan.ingest, "others": plan.perform}
        patch.setattr(plan, "ingest", self.ingest)
        patch.setattr(plan, "perform", self.perform)

    # What may happen

    def triggered(self, span: str = "") -> None:
        span = span or self.random.choice(
            [s for s in SPANS if s >= max(self.spans.values(), default="")]
        )
        run = trigger(self.api, span)
        self.spans[run] = span
        self.work(run)

    def triggered_again(self) -> None:
        self.triggered(self.spans[self.latest])

    def corrected(self) -> None:
        span = self.spans[self.latest]
        self.house.rows[span] = f"{span} edition {self.random.randrange(2, 99)}"
        self.triggered(span)

    def halted(self) -> None:
        """A gate refuses what came."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(auditor.REFUSALS, self.random.choice([*auditor.REFUSALS]), 1)
            self.house.rows[SPANS[-1]] = f"rows {self.random.random()}"
            self.triggered(SPANS[-1])
        assert "failed" in {tasks(self.api, self.latest)[gate]["state"] for gate in GATES}

    def cleared(self) -> None:
        """A person clears a task and all that come after it."""
        self.clear(task_ids=STEPS[self.random.randrange(len(STEPS)) :], only_failed=False)

    def marked_as_success(self) -> None:
        """A person marks each gate that is red as a success, and lets the rest go on."""
        for gate in GATES:
            if tasks(self.api, self.latest)[gate]["state"] == "failed":
                path = f"/api/v2/dags/{NAME}/dagRuns/{self.latest}/taskInstances/{gate}"
                self.api.patch(path, json={"new_state": "success"}).raise_for_status()
                self.clear(only_failed=True)

    def killed(self) -> None:
        """The process of a task dies in the middle; Airflow tries it again."""
        before = self.deaths
        for _ in range(8):  # a gate may halt the run before it comes to its death
            self.dies = (self.random.choice(STEPS), self.random.randrange(4))
            self.house.rows[SPANS[-1]] = f"rows {self.random.random()}"
            self.triggered(SPANS[-1])
            if self.deaths > before:
                return
        raise AssertionError("eight runs, and none came to where it was to die")

    def torn(self) -> None:
        self.look(told=False)
        path = tears.tear(store.root(NAME), self.random, set())
        if path and path.name == "ledger.jsonl":
            self.auditor.ledger_is_torn(path)

    # How it is done

    @property
    def latest(self) -> str:
        return next(reversed(self.spans))

    def clear(self, **which: Any) -> None:
        body = {"dag_run_id": self.latest, "dry_run": False, "reset_dag_runs": True, **which}
        self.api.post(f"/api/v2/dags/{NAME}/clearTaskInstances", json=body).raise_for_status()
        self.work(self.latest)

    def work(self, run: str) -> None:
        """Let Airflow do what is to be done of a DAG run; it may be green only if it was released."""
        self.now = run
        state = work(self.dag, run)
        if self.violations:
            raise self.violations[0]
        if state == "success":
            self.auditor.green(self.runs[run])

    def ingest(self, pipeline: str, span: str, **asked: bool) -> plan.Outcome:
        outcome = self.watched("ingest", lambda: self.steps["ingest"](pipeline, span, **asked))
        self.runs[self.now] = outcome.run.id
        self.auditor.opens(outcome.run)
        return outcome

    def perform(self, step: plan.Step, pipeline: str, run: str) -> plan.Outcome:
        try:
            outcome = self.watched(step.name, lambda: self.steps["others"](step, pipeline, run))
        except Halted as halt:
            if halt.verdict.status is Status.FAILED and step.gate:
                self.auditor.refused[run].add(step.name)
            raise
        self.auditor.refused[run].discard(step.name)
        return outcome

    def watched(self, step: str, does: Any) -> plan.Outcome:
        """Do it as a process that may die, and look at what came of it."""
        if self.dies and self.dies[0] == step:
            self.crashes.arm(self.dies[1])
            self.dies = None
        told = False
        try:
            try:
                outcome = does()
                told = True
                return outcome
            except Halted:
                told = True
                raise
            except Killed:
                self.deaths += 1
                raise ChildProcessError("the task's process was killed") from None
            finally:
                self.crashes.revive()
                self.look(told=told)
        except Violation as violation:
            self.violations.append(violation)
            raise

    def look(self, *, told: bool) -> None:
        self.auditor.hear(told=told)
        self.auditor.look(NAME)


@pytest.mark.parametrize("seed", range(len(SCHEDULES)))
def test_no_schedule_of_airflows_releases_what_was_not_approved(seed, drives):
    for event in SCHEDULES[seed]:
        getattr(drives, event)()
