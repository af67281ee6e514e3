"""Random schedules: whatever a scheduler, a person, a disk and an upstream may do, in any order.

A `Drive` is what Airflow calls a DAG's run: it knows its span, the run that `ingest` opened, and how
each task ended. Everything else is found on the disk, as a process finds it that has just started.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from crashes import Crashes, Killed
from hypothesis import strategies as st
from hypothesis.stateful import (
    RULE_MARKER,
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
)
from tiny_house import MODEL, NAME, SCHEMA
from tiny_house import YAML as SPEC

from components import admissions, home, ingest, plan, runs, spans, store
from components.errors import Halted, SluiceError, UsageError
from components.verdict import Status
from proof import tears
from proof.auditor import Auditor, Violation
from proof.house import ABSENT, YAML, AuditedHouse
from proof.house import SCHEMA as CONTRACT

STEPS = ("ingest", *(step.name for step in plan.PLAN))
GATES = {step.name for step in plan.PLAN if step.gate}
FIRST, LAST = "2013-01-02", "2013-01-06"
WIDE = SPEC.replace("evaluate: 1", "evaluate: 2")
FILES = {
    YAML: [WIDE, WIDE + "train: {warm_start: true}\n", "source: [\n"],
    "pipelines/tiny/model.py": [MODEL, MODEL + "# wider\n"],
    "pipelines/tiny/ingest.sql": ["SELECT 1", "SELECT 1 -- the same rows, asked for otherwise"],
    CONTRACT: [SCHEMA, SCHEMA.replace('"carrier"', '"carrier" presence { min_count: 1 }')],
}

# Everything that can happen, by the words in which it is counted.
EVENTS = (
    "a run is triggered again",
    "a run is triggered twice at once",
    "two runs at once",
    "a run is overtaken",
    "a failed task is tried again",
    "a done task is cleared",
    "a failed task is marked as success",
    "a gate halts",
    "a gate cannot measure",
    "a step breaks",
    "a process is killed",
    "a real process is killed",
    "a file is torn",
    "a span is corrected",
    "a day is sent again as another",
    "a span has not arrived",
    "a person admits a span",
    "a file of the pipeline is edited",
    "the servers are silent",
    "the servers refuse",
    "the servers answer wrongly",
    "released",
)

SPAN = st.sampled_from(spans.between(FIRST, LAST))
STEP = st.sampled_from(STEPS)
UPTO = st.just("push") | STEP
PICK = st.integers(0, 99)
# After how many operations on the disk, of all or of a step.
MOMENT = st.tuples(st.just(""), st.integers(0, 250)) | st.tuples(UPTO, st.integers(0, 30))
# What befalls an attempt: what, and when, or at which step.
NOTHING = ("nothing", 0)
FATE = st.one_of(
    st.just(NOTHING),
    st.just(NOTHING),
    st.tuples(st.sampled_from(["killed", "torn"]), MOMENT),
    st.tuples(st.sampled_from(["killed", "torn"]), MOMENT),
    st.tuples(st.sampled_from(["cannot measure", "breaks"]), st.integers(0, len(STEPS) - 1)),
    st.tuples(st.sampled_from(["are silent", "refuse", "answer wrongly"]), st.just(0)),
)
Moment = tuple[str, int]
Fate = tuple[str, Any]


@dataclass
class Drive:
    """One DAG's run. `ended`: task → how; one that is marked by hand is a success like others."""

    span: str
    run: str = ""
    ended: dict[str, str] = field(default_factory=dict)

    def ahead(self, upto: str = "push") -> list[str]:
        """Return the tasks that are still to be done, in order."""
        return [s for s in STEPS[: STEPS.index(upto) + 1] if self.ended.get(s) != "success"]


class Schedules(RuleBasedStateMachine):
    """A house, and a person, a scheduler, a disk and an upstream who do not wait for one another."""

    tally: ClassVar[Counter[Any]] = Counter()

    @initialize(seed=st.integers(0, 2**32))
    def open_the_house(self, seed: int) -> None:
        memory = Path("/dev/shm")  # ext4 writes to the disk at each rename
        where = memory if os.access(memory, os.W_OK) else None
        self.place = Path(tempfile.mkdtemp(prefix="proof-", dir=where))
        logging.disable(logging.WARNING)  # a torn line is warned of each time it is read
        self.random, self.patch = Random(seed), pytest.MonkeyPatch()
        self.events: list[str] = []
        self.auditor = Auditor(seed, self.place / "diary")
        self.house = AuditedHouse(self.place, self.patch, self.auditor, self.events.append)
        for path in FILES:
            self.write(path, 0)
        self.crashes = Crashes(self.patch)
        self.drives: list[Drive] = []
        self.torn: set[Path] = set()
        self.spared: set[Path] = set()
        self.at_once = False

    def teardown(self) -> None:
        if not hasattr(self, "place"):
            return
        try:
            if sys.exc_info()[0]:
                return  # it failed before its end
            self.no_artifact_is_half_written()
            self.a_house_of_which_nothing_is_torn_is_never_stuck()
        finally:
            logging.disable(logging.NOTSET)
            self.patch.undo()
            shutil.rmtree(self.place)
            self.count()

    @classmethod
    def of(cls, *rules: str) -> type[Schedules]:
        """Return schedules of these rules alone, or of all without any."""
        every = {name for name, it in vars(cls).items() if hasattr(it, RULE_MARKER)}
        assert every.issuperset(rules), f"no such rules: {set(rules) - every}"
        left_out = dict.fromkeys(every.difference(rules) if rules else ())
        return type("Some", (cls,), {**left_out, "tally": Counter()})

    # What a scheduler, a person or the world may do, in any order

    @rule(span=SPAN, upto=UPTO, fate=FATE)
    def a_run_is_triggered(self, span: str, upto: str, fate: Fate) -> None:
        self.attempt(lambda: self.go(self.drive(span), upto), fate)

    @rule(first=SPAN, last=SPAN, fate=FATE)
    def a_week_is_filled_in(self, first: str, last: str, fate: Fate) -> None:
        drives = [self.drive(span) for span in spans.between(first, last)]
        self.attempt(lambda: [self.go(drive) for drive in drives], fate)
        for drive in drives:
            self.attempt(lambda drive=drive: self.go(drive))

    @rule(span=SPAN, upto=st.sampled_from(STEPS[:-1]), by=SPAN, pick=st.none() | PICK, fate=FATE)
    def a_run_is_overtaken(
        self, span: str, upto: str, by: str, pick: int | None, fate: Fate
    ) -> None:
        """Another run, a new one or one that was begun before, ends while this one stands still."""
        begun = pick is not None and self.drives
        fast = self.one_of_the_drives(pick) if begun else self.drive(by)
        slow = self.drive(span)
        self.attempt(lambda: self.go(slow, upto))
        self.attempt(lambda: self.go(fast), fate)
        if slow.ahead():
            self.events.append("a run is overtaken")
            self.attempt(lambda: self.go(slow))

    @precondition(lambda self: self.drives)
    @rule(pick=PICK, upto=UPTO, fate=FATE)
    def a_run_goes_on(self, pick: int, upto: str, fate: Fate) -> None:
        drive = self.one_of_the_drives(pick)
        if any(how != "success" for how in drive.ended.values()):
            self.events.append("a failed task is tried again")
        self.attempt(lambda: self.go(drive, upto), fate)

    @precondition(lambda self: self.drives)
    @rule(pick=PICK, step=STEP, and_after=st.booleans(), fate=FATE)
    def a_task_is_cleared(self, pick: int, step: str, and_after: bool, fate: Fate) -> None:
        drive = self.one_of_the_drives(pick)
        for cleared in STEPS[STEPS.index(step) :] if and_after else [step]:
            if drive.ended.pop(cleared, None) == "success":
                self.events.append("a done task is cleared")
        self.attempt(lambda: self.go(drive), fate)

    @rule(span=SPAN, undone=st.sets(st.sampled_from(STEPS[1:-1]), max_size=1), fate=FATE)
    def failures_are_marked_as_success(self, span: str, undone: set[str], fate: Fate) -> None:
        """A person wants this release, whatever failed, and whatever was not even tried."""
        failed = (drive for drive in reversed(self.drives) if "halted" in drive.ended.values())
        drive = next(failed, None) or self.drive(span)
        drive.ended.update(dict.fromkeys(undone, "success"))

        def go() -> None:
            for step in drive.ahead():
                self.work(drive, step)
                if drive.ended[step] != "success" and step != "push":
                    self.events.append("a failed task is marked as success")
                    drive.ended[step] = "success"

        self.attempt(go, fate)

    @rule(span=SPAN, pick=PICK, same=st.booleans(), one=FATE, other=FATE)
    def two_runs_go_on_at_once(
        self, span: str, pick: int, same: bool, one: Fate, other: Fate
    ) -> None:
        first = self.drive(span)
        second = self.drive(span) if same or not self.drives else self.one_of_the_drives(pick)
        self.events.append("a run is triggered twice at once" if same else "two runs at once")
        self.at_once = True
        try:
            self.crashes.at_once(
                self.random,
                [
                    lambda: self.attempt(lambda: self.go(first), one),
                    lambda: self.attempt(lambda: self.go(second), other),
                ],
            )
        finally:
            self.at_once = False
        self.look(told=False)

    @rule(span=SPAN, moment=MOMENT)
    def a_real_process_is_killed(self, span: str, moment: Moment) -> None:
        drive, child = self.drive(span), self.place / "child"
        process = os.fork()
        if not process:
            self.live_and_die(drive, moment, child)
        _, status = os.waitpid(process, 0)
        if status not in (0, signal.SIGKILL):
            raise Violation(child.read_text())
        if status:
            self.events.append("a real process is killed")
        told = json.loads(child.read_text()) if child.exists() else {}
        child.unlink(missing_ok=True)
        drive.run, drive.ended = told.get("run", ""), told.get("ended", {})
        self.auditor.refused.update({k: set(v) for k, v in told.get("refused", {}).items()})
        if drive.run:
            try:
                self.auditor.opens(runs.load(NAME, drive.run))
            except SluiceError as error:
                there = sorted(str(p) for p in store.root(NAME).glob("runs/*/*"))
                raise Violation(f"{error}: it told {told}, and there are {there}") from error
        self.look(told=False)

    @rule(span=SPAN, edition=st.integers(1, 3))
    def upstream_sends_other_rows(self, span: str, edition: int) -> None:
        self.events.append("a span is corrected")
        self.house.rows[span] = f"{span} edition {edition}"

    @rule(span=SPAN, other=SPAN)
    def upstream_sends_a_day_again(self, span: str, other: str) -> None:
        self.events.append("a day is sent again as another")
        self.house.rows[span] = self.house.rows.get(other, f"{other} edition 1")

    @rule(span=SPAN)
    def upstream_is_late(self, span: str) -> None:
        self.events.append("a span has not arrived")
        self.house.rows[span] = ABSENT

    @rule(span=SPAN, fate=FATE)
    def a_person_admits_a_span(self, span: str, fate: Fate) -> None:
        def admit() -> None:
            examples = ingest.current(self.house.spec, span)
            self.auditor.admitted.add((span, examples.digest))
            admissions.admit(NAME, span, examples.digest, "the storm was real")
            self.events.append("a person admits a span")

        self.attempt(admit, fate)

    @rule(path=st.sampled_from([*FILES]), text=st.sampled_from([0, 0, 1, 1, 1, 2]))
    def a_file_of_the_pipeline_is_edited(self, path: str, text: int) -> None:
        self.events.append("a file of the pipeline is edited")
        self.write(path, text)

    @rule()
    def a_file_is_torn(self) -> None:
        self.tear()
        self.house.just_torn.clear()

    # How it is done

    def drive(self, span: str) -> Drive:
        drive = Drive(span)
        self.drives.append(drive)
        return drive

    def one_of_the_drives(self, pick: int) -> Drive:
        return self.drives[-1 - pick % len(self.drives)]

    def attempt(self, does: Callable[[], object], fate: Fate = NOTHING) -> None:
        """Do it as a process would, whatever befalls it; the next one starts from the disk."""
        what, when = fate
        if what == "killed":
            self.arm(when)
        elif what == "torn":
            self.arm(when, self.tear)
        elif what in ("cannot measure", "breaks"):
            self.house.stumbles = (STEPS[when], Status.ERROR if what == "cannot measure" else None)
        else:
            self.house.servers = what
        try:
            does()
        except Killed:
            self.events.append("a process is killed")
        except SluiceError:
            pass  # such as an admission of what is not there
        finally:
            self.crashes.revive()
            self.house.stumbles, self.house.servers = None, ""

    def arm(self, moment: Moment, then: Callable[[], object] | None = None) -> None:
        step, operations = moment
        if step:
            self.crashes.aim(step, operations, then)
        else:
            self.crashes.arm(operations, then)

    def go(self, drive: Drive, upto: str = "push") -> None:
        """Do a drive's tasks in order, up to one that does not succeed."""
        for step in drive.ahead(upto):
            self.work(drive, step)
            if drive.ended[step] != "success":
                break

    def work(self, drive: Drive, step: str) -> None:
        """Do one task, and look at what came of it."""
        self.events.append("step")
        self.crashes.comes_to(step)
        if not self.at_once:
            self.house.just_torn.clear()
        drive.ended[step] = "killed"
        try:
            self.perform(drive, step)
            drive.ended[step] = "success"
        except Halted as halt:
            drive.ended[step] = "halted"
            drive.run = drive.run or halt.run
            if halt.verdict.status is Status.FAILED and step in GATES:
                self.auditor.refused[drive.run].add(step)
                self.events.append("a gate halts")
        except Violation:
            raise
        except Exception as error:
            drive.ended[step] = type(error).__name__
        finally:
            self.look(told=drive.ended[step] in ("success", "halted"))

    def perform(self, drive: Drive, step: str) -> None:
        if step == "ingest":
            outcome = plan.ingest(NAME, drive.span)
            if outcome.run.id in {other.run for other in self.drives if other is not drive}:
                self.events.append("a run is triggered again")
            drive.run = outcome.run.id
            self.auditor.opens(outcome.run)
        elif drive.run:
            outcome = plan.perform(plan.STEPS[step], NAME, drive.run)
        else:
            raise UsageError("`ingest` left no run for this step")
        self.auditor.refused[drive.run].discard(step)
        if outcome.release or step == "push":
            self.look(told=True)
            self.green(drive)

    def green(self, drive: Drive) -> None:
        if not self.at_once:
            self.auditor.green(drive.run)
        drive.ended = dict.fromkeys(STEPS, "success")

    def look(self, *, told: bool) -> None:
        """Let the auditor look, once it is clear what was told to whom."""
        if not self.at_once:
            self.auditor.hear(told=told)
            self.see()

    def see(self) -> None:
        """Let the auditor look at the ledger and at what is served."""
        before = len(self.auditor.released)
        self.auditor.look(NAME)
        self.events += ["released"] * (len(self.auditor.released) - before)

    def live_and_die(self, drive: Drive, moment: Moment, told: Path) -> None:
        """Be a process of its own, which is killed after so many operations on the disk."""
        code = 0
        try:
            self.arm(moment, lambda: os.kill(os.getpid(), signal.SIGKILL))
            for step in STEPS:
                self.work(drive, step)
                refused = {run: sorted(steps) for run, steps in self.auditor.refused.items()}
                told.write_bytes(json.dumps({**asdict(drive), "refused": refused}).encode())
                if drive.ended[step] != "success":
                    break
        except BaseException:
            told.write_bytes(traceback.format_exc().encode())
            code = 1
        finally:
            os._exit(code)

    def write(self, path: str, text: int) -> None:
        texts = FILES[path]
        (home.home() / path).write_bytes(texts[text % len(texts)].encode())

    def tear(self) -> None:
        """Let the disk lose or change something of what it holds, which the auditor has seen whole."""
        self.auditor.hear(told=False)
        self.see()
        torn = tears.tear(store.root(NAME), self.random, self.spared)
        if torn:
            self.torn.add(torn)
            self.house.just_torn.add(torn)
            self.events.append("a file is torn")
            if torn.name == "ledger.jsonl":
                self.auditor.ledger_is_torn(torn)

    # What must hold in the end

    def no_artifact_is_half_written(self) -> None:
        for manifest in store.root(NAME).glob(f"*/*/*/{store.MANIFEST}"):
            folder = manifest.parent
            if not folder.suffix and not any(p.is_relative_to(folder) for p in self.torn):
                try:
                    store.load(folder)
                except SluiceError as torn:
                    raise Violation(f"nobody tore it: {torn}") from torn

    def a_house_of_which_nothing_is_torn_is_never_stuck(self) -> None:
        for path in FILES:
            self.write(path, 0)
        self.house.rows[LAST] = "rows that nobody has seen before"
        drive = self.drive(LAST)
        self.go(drive)
        if next(reversed(drive.ended.values())) not in ("success", "halted"):
            self.events.append("stuck")
            if not self.torn:
                raise Violation(f"the house is stuck: {drive}")

    def count(self) -> None:
        """Count what happened, in how many schedules, and in how many a release came after it."""
        self.tally.update({"schedules": 1})
        last = max((n for n, e in enumerate(self.events) if e == "released"), default=-1)
        for event, times in Counter(self.events).items():
            self.tally[event] += times
            self.tally["in", event] += 1
            self.tally["before a release", event] += self.events.index(event) < last
