"""What must never happen, searched for: any order of steps, retries, crashes and torn files.

Ground truth is what the test decided, kept apart from the code that is tried.
"""

from __future__ import annotations

import logging
import os
import random
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
from crashes import Crashes, Killed
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tiny_house import NAME, House

from components import admissions, files, home, ledger, pipelines, plan, push, runs, store
from components.errors import Halted, SluiceError
from components.push.fleet import NotTaken
from components.verdict import Status

SPAN = st.sampled_from([f"2013-01-0{n}" for n in range(2, 6)])
KILLED = st.one_of(st.none(), st.integers(0, 150))  # after so many operations on the disk


class ServersOnDisk:
    """Model servers, as far as `push` can tell: they serve the highest version in the folder."""

    moody = random.Random(0)

    def __init__(self, where, model: str) -> None:
        self.model, self._base = model, home.models(model)

    def __enter__(self):
        return self

    def __exit__(self, *_) -> None:
        return

    def ended(self, version: int) -> set[str]:
        if self.moody.random() < 0.1:
            raise SluiceError("no answer from any server")
        return set()

    def wait_available(self, version: int, ended: set[str]) -> None:
        if max(served(self._base)) != version or self.moody.random() < 0.1:
            raise NotTaken("blue: it will not have it")

    def wait_answering(self, version: int, golden) -> None:
        if self.moody.random() < 0.1:
            raise NotTaken("gateway: no answer")


def served(base: Path) -> dict[int, Path]:
    return {int(p.name): p for p in base.glob("*") if p.name.isdecimal()} if base.exists() else {}


class Proof(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        memory = Path("/dev/shm")  # ext4 writes to the disk at each rename
        where = memory if os.access(memory, os.W_OK) else None
        self.folder = Path(tempfile.mkdtemp(prefix="proof-", dir=where))
        logging.disable(logging.WARNING)  # a torn line is warned of each time it is read
        self.patch = pytest.MonkeyPatch()
        self.house = House(self.folder, self.patch)
        self.patch.setattr(push, "Fleet", ServersOnDisk)
        once_read = self.house.spec
        self.patch.setattr(pipelines, "load", lambda name: once_read)  # YAML is half of the time
        self.crashes = Crashes(self.patch)
        self.runs: list[runs.Run] = []
        self.truth: dict[tuple[str, str], Status] = {}  # (gate, digest) → its final answer
        self.torn: set[Path] = set()
        self.house.decide = self.decide

    def teardown(self) -> None:
        logging.disable(logging.NOTSET)
        self.patch.undo()
        shutil.rmtree(self.folder)

    @initialize(seed=st.integers(0, 2**32))
    def luck(self, seed: int) -> None:
        self.random = ServersOnDisk.moody = random.Random(seed)

    def decide(self, gate: str, subject: str) -> Status:
        if self.random.random() < 0.05:
            return Status.ERROR  # as often as it likes: an error is no answer
        if (gate, subject) not in self.truth:
            passes = self.random.random() < 0.9
            self.truth[gate, subject] = Status.PASSED if passes else Status.FAILED
        return self.truth[gate, subject]

    def attempt(self, does: Callable[[], object], killed_after: int | None = None) -> None:
        """Do it as a process would, killed or not; the next one starts from the disk."""
        if killed_after is not None:
            self.crashes.arm(killed_after)
        try:
            does()
        except (SluiceError, Halted, Killed):
            pass
        finally:
            self.crashes.revive()

    def retrain(self, span: str, upto: str = "push") -> None:
        run = self.house.open(span)
        if run in self.runs:
            self.runs.remove(run)
        self.runs.append(run)
        self.house.go(run, upto=upto)

    def one_of_the_runs(self, pick: int) -> runs.Run:
        return self.runs[pick % len(self.runs)]

    # What a scheduler, a person or the world may do, in any order

    @rule(span=SPAN, killed_after=KILLED)
    def a_run_is_triggered(self, span: str, killed_after: int | None) -> None:
        self.attempt(lambda: self.retrain(span), killed_after)

    @rule(spans=st.lists(SPAN, min_size=2, max_size=6), killed_after=KILLED)
    def a_backfill_is_killed_and_run_again(
        self, spans: list[str], killed_after: int | None
    ) -> None:
        self.attempt(lambda: [self.retrain(span) for span in spans], killed_after)
        for span in spans:
            self.attempt(lambda span=span: self.retrain(span))

    @rule(span=SPAN, killed_after=st.integers(0, 40))
    def a_push_is_killed(self, span: str, killed_after: int) -> None:
        self.attempt(lambda: self.retrain(span, upto="validate_infra"))
        if self.runs:
            run_id = self.runs[-1].id
            self.attempt(lambda: plan.perform(plan.STEPS["push"], NAME, run_id), killed_after)

    @precondition(lambda self: self.runs)
    @rule(pick=st.integers(0), steps=st.lists(st.sampled_from(plan.PLAN), min_size=1, max_size=4))
    def tasks_are_cleared_in_any_order(self, pick: int, steps: list[plan.Step]) -> None:
        run = self.one_of_the_runs(pick)
        for step in steps:
            self.attempt(lambda step=step: plan.perform(step, NAME, run.id))

    @precondition(lambda self: self.runs)
    @rule(pick=st.integers(0), killed_after=KILLED)
    def every_gate_is_marked_a_success(self, pick: int, killed_after: int | None) -> None:
        run = self.one_of_the_runs(pick)
        for step in plan.PLAN:
            self.attempt(lambda step=step: plan.perform(step, NAME, run.id), killed_after)

    @rule(span=SPAN)
    def upstream_sends_other_rows(self, span: str) -> None:
        self.house.rows[span] = self.house.rows.get(span, 1) + 1

    @precondition(lambda self: self.runs)
    @rule(pick=st.integers(0))
    def a_person_admits_a_span(self, pick: int) -> None:
        run = self.one_of_the_runs(pick)
        digest = run.examples[run.span]
        self.attempt(lambda: admissions.admit(NAME, run.span, digest, "the storm was real"))

    @rule(pick=st.integers(0), keep=st.floats(0, 0.99))
    def a_file_is_torn(self, pick: int, keep: float) -> None:
        artifacts = (f for f in store.root(NAME).glob("*/*/*") if f.is_dir() and not f.suffix)
        files = sorted(p for folder in artifacts for p in folder.rglob("*") if p.is_file())
        if files:
            path = files[pick % len(files)]
            path.write_bytes(path.read_bytes()[: int(path.stat().st_size * keep)])
            self.torn.add(path)

    @rule()
    def the_ledger_gets_a_torn_line(self) -> None:
        path = store.root(NAME) / "ledger.jsonl"
        if path.exists():
            path.write_bytes(path.read_bytes() + b'{"event":"released","version":99')

    # What must hold, always

    @invariant()
    def nothing_is_served_without_all_its_verdicts(self) -> None:
        lines = {entry.version: entry for entry in ledger.entries(NAME)}
        for version, folder in served(home.models(NAME)).items():
            assert version in lines, f"version {version} is served and not in the ledger"
            weights = {"saved_model/saved_model.pb": files.sha256(folder / "saved_model.pb")}
            assert store.digest_of(weights) == lines[version].model
        for entry in lines.values():
            assert self.truth[("model", entry.model)] is Status.PASSED
            assert self.truth[("infra", entry.model)] is Status.PASSED

    @invariant()
    def no_refused_span_is_in_a_released_window(self) -> None:
        let_in = admissions.admissions(NAME)
        for entry in ledger.entries(NAME):
            for digest in self.house.trained_on[entry.model]:
                assert digest in let_in or self.truth[("data", digest)] is Status.PASSED

    @invariant()
    def a_run_has_one_version_and_a_version_one_run(self) -> None:
        lines = ledger.entries(NAME)
        assert len({(e.run, e.version) for e in lines}) == len({e.run for e in lines})
        assert len({(e.run, e.version) for e in lines}) == len({e.version for e in lines})

    @invariant()
    def releases_go_forward_only(self) -> None:
        released = ledger.releases(NAME)
        versions, spans = [e.version for e in released], [e.span for e in released]
        assert versions == sorted(set(versions))
        assert spans == sorted(spans)

    @invariant()
    def no_artifact_is_half_written(self) -> None:
        for manifest in store.root(NAME).glob(f"*/*/*/{store.MANIFEST}"):
            if manifest.parent.suffix == "" and not any(
                path.is_relative_to(manifest.parent) for path in self.torn
            ):
                store.load(manifest.parent)


Proof.TestCase.settings = settings(
    max_examples=200,
    stateful_step_count=6,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],  # shrinking takes minutes
    suppress_health_check=list(HealthCheck),
)
test_no_schedule_releases_what_was_not_approved = Proof.TestCase
