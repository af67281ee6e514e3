"""Push to a real model server: what it serves changes when all is proved, once, or not at all."""

from __future__ import annotations

import os
import resource
import shutil
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import candidates
import pytest
from crashes import Killed
from tiny_house import NAME, House

from components import gates, home, ledger, plan, push, runs, schema, store
from components.approval import NotApproved
from components.errors import SluiceError
from components.golden import answered, asked_as, questions
from components.push import fleet, versions
from components.push.fleet import NotTaken
from components.validate_infra.server_process import server_process
from serving.client import ModelServer

SPAN = candidates.SPAN
PUSH = plan.STEPS["push"]
HERE = Path(__file__).parent


class ServedHouse(House):
    """A tiny house whose models are real, with a real server on its models folder."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        super().__init__(folder, patch)
        self.exported = folder / "exported"
        candidates.fine(self.exported)
        first = candidates.candidate(lambda to: shutil.copytree(self.exported, to), "fine")
        features = schema.inputs(schema.load(self.spec.schema_path))
        golden = answered(questions(features, [candidates.examples()]), first)
        self.golden = {"row": golden.row(0), "score": float(golden.scores[0])}

    def fresh(self) -> runs.Run:
        """Return a new run for the same span, of a new model, with every step done but the push."""
        self.rows["2013-01-01"] = self.rows.get("2013-01-01", 0) + 1
        run = self.open(SPAN)
        self.go(run, upto="validate_infra")
        return run

    def write_model(self, folder: Path, said: str) -> None:
        shutil.copytree(self.exported, folder)
        (folder / "assets.extra" / "made_of.txt").write_text(said)


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        house = ServedHouse(tmp_path_factory.mktemp("house"), patch)
        base = home.models(NAME)
        base.mkdir(parents=True)
        with server_process(NAME, base, home.var() / "server.log") as process:
            rest, grpc = f"http://127.0.0.1:{process.rest_port}", f"127.0.0.1:{process.grpc_port}"
            patch.setenv("SLUICE_GATEWAY_REST", rest)
            patch.setenv("SLUICE_GATEWAY_GRPC", grpc)
            patch.setenv("SLUICE_MODEL_SERVERS", f"blue={rest}|{grpc}")
            with ModelServer(rest, grpc) as house.server:
                eventually(lambda: "ready" in process.log_tail())
                release(house)
                yield house


def release(house: House, run: runs.Run | None = None) -> ledger.Release:
    run = run or house.fresh()
    model = runs.artifact(run, "train")
    return push.push(house.spec, run, model, plan.approval(house.spec, run))


def judged_again(run: runs.Run) -> None:
    """Let both gates that know the baseline judge the run's candidate anew."""
    for gate in ("evaluate", "validate_infra"):
        plan.perform(plan.STEPS[gate], NAME, run.id)


def lines(run: runs.Run) -> list[str]:
    return [entry.event for entry in ledger.entries(NAME) if entry.run == run.id]


def eventually(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + 120
    while True:
        with suppress(KeyError):
            if condition():
                return
        assert time.monotonic() < until, condition
        time.sleep(0.05)


def server_has_looked_again(house: House) -> None:
    """Return when the server has read its base path anew: it tells of what it cannot load."""
    bait = home.models(NAME) / str(900_000 + len(house.server.versions(NAME)))
    bait.mkdir()
    eventually(lambda: house.server.versions(NAME)[int(bait.name)].state == "END")
    bait.rmdir()


def answering(house: House) -> int:
    return house.server.predict_grpc(NAME, asked_as(house.golden["row"])).version


def on_disk() -> set[str]:
    return {path.name for path in home.models(NAME).iterdir()}


def test_a_release_is_what_answers_and_what_was_approved(house):
    run = house.fresh()
    made = release(house, run)
    assert answering(house) == made.version == run.version
    assert lines(run) == ["pushing", "released"]
    assert made.model == runs.artifact(run, "train").digest
    assert made.metrics == {"auc": 0.7}
    assert set(made.verdicts) == {"data", "model", "infra"}
    assert versions.holds(home.models(NAME) / str(run.version), runs.artifact(run, "train"))


def test_pushing_again_releases_nothing_again(house):
    run = house.fresh()
    model, approval = runs.artifact(run, "train"), plan.approval(house.spec, run)
    first = push.push(house.spec, run, model, approval)
    before = on_disk()
    assert push.push(house.spec, run, model, approval) == first
    assert plan.perform(PUSH, NAME, run.id).release == first
    assert (lines(run), on_disk()) == (["pushing", "released"], before)


def test_two_pushes_of_a_run_at_once_make_one_release(house):
    run = house.fresh()
    model, approval = runs.artifact(run, "train"), plan.approval(house.spec, run)
    with ThreadPoolExecutor(2) as threads:
        tries = [threads.submit(push.push, house.spec, run, model, approval) for _ in range(2)]
        first, second = (one.result() for one in tries)
    assert first == second
    assert lines(run) == ["pushing", "released"]


def test_a_version_that_the_server_refuses_is_taken_back(house, monkeypatch):
    def torn(folder: Path, said: str) -> None:
        ServedHouse.write_model(house, folder, said)
        os.truncate(folder / "saved_model.pb", 100)

    serving = answering(house)
    with monkeypatch.context() as patch:
        patch.setattr(house, "write_model", torn)
        run = house.fresh()
    with pytest.raises(
        NotTaken, match=f"version {serving} goes on serving: blue: .*saved_model.pb"
    ):
        release(house, run)
    assert lines(run) == ["pushing", "refused"]
    assert answering(house) == serving
    assert str(run.version) not in on_disk()
    assert "saved_model.pb" in ledger.entries(NAME)[-1].message


def test_a_version_once_refused_can_be_pushed_again_when_the_trouble_is_over(house):
    run = house.fresh()
    target = home.models(NAME) / str(run.version)
    staging = target.with_suffix(".staging")
    house.write_model(staging, "a copy that somebody else made")
    os.truncate(staging / "saved_model.pb", 100)
    staging.rename(target)
    eventually(lambda: house.server.versions(NAME)[run.version].state == "END")
    with pytest.raises(SluiceError, match="held other files than the model's and was removed"):
        release(house, run)
    assert not target.exists()

    server_has_looked_again(house)  # until then it remembers, and would not try
    assert release(house, run).version == answering(house) == run.version


@pytest.mark.parametrize(
    "struck", ["pushing line", "copy", "rename", "renamed", "available", "released line", "tidy"]
)
def test_a_push_killed_anywhere_is_finished_by_the_next_with_the_same_version(
    house, monkeypatch, struck
):
    run = house.fresh()

    def killed(*given, **more):
        raise Killed

    append = ledger.append
    with monkeypatch.context() as patch:
        if struck == "pushing line":
            patch.setattr(ledger, "append", killed)
        elif struck == "released line":
            only = {"pushing": append, "released": killed}
            patch.setattr(ledger, "append", lambda entry: only[entry.event](entry))
        else:
            where = {
                "copy": (shutil, "copytree"),
                "rename": (Path, "rename"),
                "renamed": (fleet.Fleet, "wait_available"),
                "available": (fleet.Fleet, "wait_answering"),
                "tidy": (versions, "tidy"),
            }
            patch.setattr(*where[struck], killed)
        with pytest.raises(Killed):
            release(house, run)
    assert plan.perform(PUSH, NAME, run.id).release.version == answering(house) == run.version
    assert lines(run) == ["pushing", "released"]
    assert str(run.version) in on_disk()


def test_a_real_kill_in_the_middle_is_survived(house):
    run = house.fresh()
    script = f"""
        import sys
        sys.path.insert(0, {str(HERE)!r})
        from components import pipelines, plan, push, runs
        what, run = pipelines.load({NAME!r}), runs.load({NAME!r}, {run.id!r})
        push.push(what, run, runs.artifact(run, "train"), plan.approval(what, run))
    """
    child = subprocess.Popen([sys.executable, "-c", textwrap.dedent(script)])
    target = home.models(NAME) / str(run.version)
    while not target.exists():
        assert child.poll() is None, "the push ended before it moved anything"
        time.sleep(0.001)
    child.send_signal(signal.SIGKILL)
    child.wait()
    assert lines(run) == ["pushing"]
    assert release(house, run).version == answering(house) == run.version
    assert lines(run) == ["pushing", "released"]


def killed_when_served(house: House, run: runs.Run, patch: pytest.MonkeyPatch) -> None:
    """Kill the push of a run when the servers can see its version, and nobody knows of it yet."""

    def killed(*given):
        raise Killed

    with patch.context() as during:
        during.setattr(fleet.Fleet, "wait_available", killed)
        with pytest.raises(Killed):
            release(house, run)
    assert str(run.version) in on_disk()


def test_what_a_killed_push_left_serving_is_the_baseline_of_the_next(house, monkeypatch):
    left, run = house.fresh(), house.fresh()
    killed_when_served(house, left, monkeypatch)
    with pytest.raises(NotApproved, match="run evaluate again"):
        release(house, run)
    assert (lines(left), lines(run)) == (["pushing", "released"], [])
    assert answering(house) == left.version
    judged_again(run)
    assert release(house, run).version == answering(house) == run.version


def test_what_a_killed_push_left_serving_is_known_before_a_candidate_is_judged(house, monkeypatch):
    left = house.fresh()
    killed_when_served(house, left, monkeypatch)
    run = house.fresh()
    assert lines(left) == ["pushing", "released"]
    judged = gates.read(runs.artifact(run, "evaluate"))
    assert judged.speaks_of["baseline"] == runs.artifact(left, "train").digest
    assert release(house, run).version == answering(house) == run.version


def test_an_earlier_span_cannot_replace_what_a_killed_push_left_serving(house, monkeypatch):
    left = house.fresh()
    house.rows["2013-01-02"] = house.rows.get("2013-01-02", 1) + 1
    run = house.open("2013-01-02")
    house.go(run, upto="validate_infra")
    killed_when_served(house, left, monkeypatch)
    with pytest.raises(SluiceError, match="of 2013-01-02, comes too late"):
        release(house, run)
    assert answering(house) == left.version


@pytest.mark.parametrize("trouble", ["the model", "the proof"])
def test_what_a_killed_push_left_and_cannot_end_well_is_taken_back(house, monkeypatch, trouble):
    def torn(folder: Path, said: str) -> None:
        ServedHouse.write_model(house, folder, said)
        os.truncate(folder / "saved_model.pb", 100)

    with monkeypatch.context() as patch:
        if trouble == "the model":
            patch.setattr(house, "write_model", torn)
        left = house.fresh()
    run = house.fresh()
    killed_when_served(house, left, monkeypatch)
    if trouble == "the proof":
        runs.artifact(left, "validate_infra").file("verdict.json").unlink()
    assert release(house, run).version == answering(house) == run.version
    assert lines(left) == ["pushing", "refused"]
    assert str(left.version) not in on_disk()


def test_nothing_follows_what_serves_when_the_ledger_has_lost_it(house, monkeypatch):
    """Not even a push that was killed before, whose own version the servers see already."""
    run, path = house.fresh(), store.root(NAME) / "ledger.jsonl"
    killed_when_served(house, run, monkeypatch)
    known = path.read_bytes()
    try:
        path.unlink()
        unknown = "the ledger has no line of it: remove it, or restore"
        with pytest.raises(SluiceError, match=unknown):
            plan.perform(plan.STEPS["evaluate"], NAME, run.id)
        with monkeypatch.context() as patch:
            patch.setattr(push, "settle", lambda *given: None)
            judged_again(run)  # against nothing: it passes
        with pytest.raises(SluiceError, match=unknown):
            release(house, run)
        assert lines(run) == []
    finally:
        path.write_bytes(known)
    judged_again(run)
    assert release(house, run).version == answering(house)


def test_a_model_that_is_torn_while_it_is_copied_is_not_served(house, monkeypatch):
    run, before, copy = house.fresh(), on_disk(), shutil.copyfile

    def torn(source, target, **how):
        copy(source, target, **how)
        os.truncate(target, 10)

    monkeypatch.setattr(shutil, "copyfile", torn)
    with pytest.raises(SluiceError, match="was torn while it was copied"):
        release(house, run)
    assert (lines(run), on_disk()) == ([], before)


def test_nothing_moves_while_a_server_does_not_answer(house, monkeypatch):
    run, before = house.fresh(), on_disk()
    everyone = os.environ["SLUICE_MODEL_SERVERS"]
    monkeypatch.setenv("SLUICE_MODEL_SERVERS", f"{everyone},green=http://127.0.0.1:9|127.0.0.1:9")
    with pytest.raises(SluiceError, match=r"green at http://127\.0\.0\.1:9; .*make up"):
        release(house, run)
    assert (lines(run), on_disk()) == ([], before)


def test_a_server_that_dies_while_it_is_waited_for_leaves_the_old_version(house, monkeypatch):
    serving, append = answering(house), ledger.append
    base = home.models(NAME)
    run = house.fresh()
    with server_process(NAME, base, home.var() / "green.log") as green:
        rest, grpc = f"http://127.0.0.1:{green.rest_port}", f"127.0.0.1:{green.grpc_port}"
        with ModelServer(rest, grpc) as asked:
            asked.wait_available(NAME, serving, 120)

        def dies(entry: ledger.Release) -> None:
            append(entry)
            green.process.kill()

        monkeypatch.setattr(ledger, "append", dies)
        monkeypatch.setattr(fleet, "AVAILABLE_WITHIN_S", 10)
        blue = os.environ["SLUICE_MODEL_SERVERS"]
        monkeypatch.setenv("SLUICE_MODEL_SERVERS", f"{blue},green={rest}|{grpc}")
        with pytest.raises(NotTaken, match=f"taken back, version {serving} goes on serving: green"):
            release(house, run)
    house.server.wait_available(NAME, serving, 60)
    assert lines(run) == ["pushing", "refused"]
    assert str(run.version) not in on_disk()


def test_a_model_that_answers_otherwise_than_approved_is_taken_back(house, monkeypatch):
    monkeypatch.setattr(house, "golden", {**house.golden, "score": house.golden["score"] - 0.1})
    run = house.fresh()
    with pytest.raises(NotTaken, match="other files are served than were pushed"):
        release(house, run)
    assert lines(run) == ["pushing", "refused"]


def test_an_older_run_cannot_replace_a_newer_one(house):
    older, newer = house.fresh(), house.fresh()
    release(house, newer)
    judged_again(older)  # against what serves now: it passes
    with pytest.raises(SluiceError, match=f"comes too late: version {newer.version}"):
        release(house, older)
    assert lines(older) == []
    assert answering(house) == newer.version


def test_an_earlier_span_cannot_replace_a_later_one(house):
    house.rows["2013-01-02"] = house.rows.get("2013-01-02", 1) + 1
    run = house.open("2013-01-02")
    house.go(run, upto="validate_infra")
    with pytest.raises(SluiceError, match="of 2013-01-02, comes too late"):
        release(house, run)
    assert lines(run) == []


def test_no_release_on_a_proof_of_another_model(house):
    run, other = house.fresh(), house.fresh()
    with pytest.raises(NotApproved, match="the proof is of model"):
        push.push(house.spec, run, runs.artifact(other, "train"), plan.approval(house.spec, run))
    with pytest.raises(NotApproved, match="other examples"):
        push.push(house.spec, run, runs.artifact(other, "train"), plan.approval(house.spec, other))


def test_no_release_of_files_changed_after_approval(house):
    run = house.fresh()
    model, approval = runs.artifact(run, "train"), plan.approval(house.spec, run)
    (model.file("saved_model") / "assets.extra" / "made_of.txt").write_text("something else")
    with pytest.raises(SluiceError, match="the artifact is torn"):
        push.push(house.spec, run, model, approval)
    assert lines(run) == []


def test_no_release_when_the_baseline_moved_after_approval(house):
    other, run = house.fresh(), house.fresh()
    approval = plan.approval(house.spec, run)
    release(house, other)
    with pytest.raises(NotApproved, match="run evaluate again"):
        push.push(house.spec, run, runs.artifact(run, "train"), approval)
    assert lines(run) == []


def test_a_full_disk_is_one_line_and_leaves_nothing(house):
    run, before = house.fresh(), on_disk()
    model, approval = runs.artifact(run, "train"), plan.approval(house.spec, run)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, hard))  # no file grows beyond a page
    try:
        with pytest.raises(SluiceError, match="nothing was moved: make room") as error:
            push.push(house.spec, run, model, approval)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert "\n" not in str(error.value)
    assert (lines(run), on_disk()) == ([], before)
    assert release(house, run).version == run.version


def test_a_stray_version_that_would_be_served_instead_is_named(house):
    run = house.fresh()
    stray = home.models(NAME) / "999999"
    # Of an int64, but no model: a server that looks meanwhile refuses it and serves what it has.
    stray.mkdir()
    try:
        with pytest.raises(SluiceError, match="999999 would be served instead"):
            release(house, run)
    finally:
        stray.rmdir()
    assert lines(run) == []


def test_the_disk_keeps_the_last_releases_and_no_leftovers(tmp_path, monkeypatch):
    House(tmp_path, monkeypatch)
    base = home.models(NAME)
    for name in ("1", "2", "3", "7", "8", "9", "10", "11", "5.staging", "6.withdrawn"):
        (base / name / "variables").mkdir(parents=True)
    run = House(tmp_path, monkeypatch).open(SPAN).model_copy(update={"version": 10})
    for version in (1, 2, 3, 7, 8, 10):  # 9 was never released; 11 is yet to come
        entry = {"event": "released", "version": version, "span": SPAN, "at": run.opened}
        known = {"pipeline": NAME, "run": f"r{version}", "fingerprint": "f", "model": "m"}
        rest = {"artifact": "a", "baseline": None, "verdicts": {}, "metrics": {}}
        ledger.append(ledger.Release(**entry, **known, **rest))
    versions.tidy(base, 10, [r.version for r in ledger.releases(NAME)[-push.KEPT :]])
    assert on_disk() == {"2", "3", "7", "8", "10", "11"}
