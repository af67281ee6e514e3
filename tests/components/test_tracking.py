"""MLflow is told of runs where it is asked for, and no trouble with it is a run's trouble."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import suppress
from datetime import UTC, datetime
from urllib.request import urlopen

import httpx
import pytest
from tiny_house import NAME, House

from components import ledger, plan, runs, store, tracking
from components.errors import Halted
from components.ledger import Release
from components.verdict import Status

SPAN = "2013-01-03"
UP_S = 420
MODEL_GATE = {
    "metrics": {"auc": 0.71, "loss": 0.5, "precision": None},
    "baseline_metrics": {"auc": 0.7},
    "slices": [
        {"slice": "overall", "examples": 90, "candidate": {"auc": 0.71}, "baseline": {"auc": 0.7}},
        {
            "slice": "origin=EWR",
            "examples": 30,
            "candidate": {"auc": 0.8},
            "baseline": {"auc": 0.6},
        },
    ],
}


class Tracked(House):
    """The tiny house, whose model comes with what a training leaves beside it."""

    def write_model(self, folder, said):
        super().write_model(folder, said)
        history = [{"loss": 0.7}, {"loss": 0.6}]
        (folder.parent / "training.json").write_text(json.dumps({"history": history}))
        (folder.parent / "constants.json").write_text("{}")


@pytest.fixture
def house(tmp_path, monkeypatch):
    monkeypatch.delenv(tracking.URI, raising=False)
    house = Tracked(tmp_path, monkeypatch)
    house.evidence = MODEL_GATE
    return house


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A real MLflow server on a free port of the loopback, in an environment of its own."""
    command = _command()
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("mlflow")
    words = ["server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    words += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.sqlite"]
    words += ["--artifacts-destination", f"{folder}/artifacts"]
    log = (folder / "log").open("wb")
    quiet = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}  # seven processes less
    process = subprocess.Popen(
        [*command, *words], cwd=folder, env=quiet, stdout=log, stderr=log, start_new_session=True
    )
    uri, until = f"http://127.0.0.1:{port}", time.monotonic() + UP_S
    try:
        while True:
            with suppress(OSError), urlopen(f"{uri}/health", timeout=5):
                break
            if process.poll() is not None or time.monotonic() > until:
                pytest.fail((folder / "log").read_text()[-2000:])
            time.sleep(0.2)
        yield uri
    finally:
        os.killpg(process.pid, signal.SIGKILL)  # it starts others, which its own end leaves behind
        process.wait(60)
        log.close()


def _command() -> list[str]:
    if shutil.which("uv"):
        offline = ["uv", "tool", "run", "--offline", "--from", "mlflow>=3,<4", "mlflow"]
        if subprocess.run([*offline, "--version"], capture_output=True).returncode == 0:
            return offline
    told = "no MLflow server here: uv tool run --from 'mlflow>=3,<4' mlflow --version"
    if os.environ.get("CI"):
        raise AssertionError(told)  # .ci/run brings one
    pytest.skip(told)


def api(uri: str, path: str, **asked) -> dict:
    answer = httpx.post(f"{uri}/api/2.0/mlflow/{path}", json=asked, timeout=30)
    return answer.raise_for_status().json()


def the_run(uri: str, run: runs.Run) -> dict:
    answer = httpx.get(
        f"{uri}/api/2.0/mlflow/experiments/get-by-name", params={"experiment_name": NAME}
    )
    key = answer.raise_for_status().json()["experiment"]["experiment_id"]
    asked = {"experiment_ids": [key], "filter": f"tags.`sluice.run` = '{run.id}'"}
    (found,) = api(uri, "runs/search", **asked)["runs"]
    return found


def pairs(listed: list[dict]) -> dict:
    return {one["key"]: one["value"] for one in listed}


def release(run: runs.Run) -> None:
    model = runs.artifact(run, "train")
    ledger.append(
        Release(
            event="released", at=datetime.now(UTC), pipeline=NAME, span=run.span, run=run.id,
            fingerprint=run.fingerprint, version=run.version, model=model.digest,
            artifact=str(model.folder.relative_to(store.root(NAME))), baseline=None, verdicts={},
            metrics={},
        )
    )  # fmt: skip


@pytest.mark.timeout(1200)
def test_a_real_server_has_parameters_metrics_by_slice_artifacts_and_the_version(
    house, server, monkeypatch
):
    monkeypatch.setenv(tracking.URI, server)
    monkeypatch.setattr(tracking, "PATIENCE_S", 400)  # of a machine that has much else to do
    run = house.open(SPAN)
    house.go(run, upto="evaluate")
    told = tracking.read(run)
    assert told.problem == ""
    there = the_run(server, run)
    assert there["info"]["run_id"] == told.run
    assert there["info"]["status"] == "RUNNING"
    params, metrics = pairs(there["data"]["params"]), pairs(there["data"]["metrics"])
    assert (params["first_span"], params["last_span"]) == ("2013-01-01", "2013-01-02")
    assert params["model"] == runs.artifact(run, "train").digest
    assert metrics == {
        "auc": 0.71, "loss": 0.5, "baseline_auc": 0.7, "train/loss": 0.6,
        "auc by slice/origin EWR": 0.8, "baseline_auc by slice/origin EWR": 0.6,
    }  # fmt: skip
    answer = httpx.get(f"{server}/api/2.0/mlflow/artifacts/list", params={"run_id": told.run})
    files = {one["path"] for one in answer.raise_for_status().json()["files"]}
    assert files == {"verdict.json", "verdict.html", "training.json", "constants.json"}

    # Released, it is a model version there, in the same run; told twice, it is one.
    house.go(run, upto="validate_infra")
    release(run)
    for _ in range(2):
        told = tracking.follow(run, "push", "done")
        assert (told.problem, told.version) == ("", "1")
    there = the_run(server, run)
    assert there["info"]["status"] == "FINISHED"
    assert pairs(there["data"]["tags"])["sluice.outcome"] == "released"
    asked = {"name": NAME, "alias": "serving"}
    answer = httpx.get(f"{server}/api/2.0/mlflow/registered-models/alias", params=asked)
    version = answer.raise_for_status().json()["model_version"]
    assert pairs(version["tags"])["sluice.version"] == str(run.version)
    assert version["run_id"] == told.run

    # A run that a gate halts is there too, as failed, with the reason.
    house.decide = lambda gate, subject: Status.FAILED if gate == "model" else Status.PASSED
    halted = house.open("2013-01-04")
    with pytest.raises(Halted):
        house.go(halted)
    there = the_run(server, halted)
    assert there["info"]["status"] == "FAILED"
    assert "model was to be failed" in pairs(there["data"]["tags"])["sluice.reason"]


def test_a_server_that_is_away_costs_a_line_and_no_run(house, monkeypatch, caplog):
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))  # bound and not listening: whoever connects is refused
        monkeypatch.setenv(tracking.URI, f"http://127.0.0.1:{nobody.getsockname()[1]}")
        monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
        run = house.open(SPAN)
        with caplog.at_level(logging.WARNING):
            house.go(run, upto="validate_infra")
    assert runs.steps(run)["evaluate"].outcome == "passed"
    told = tracking.read(run)
    assert told.run is None
    assert told.problem
    assert f"was not told of run {run.id}" in caplog.text


def test_a_server_that_never_answers_is_not_waited_for(house, monkeypatch):
    run = house.open(SPAN)
    house.go(run, upto="evaluate")
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(tracking.URI, f"http://127.0.0.1:{silent.getsockname()[1]}")
        began = time.monotonic()
        monkeypatch.setattr(tracking, "PATIENCE_S", 1)
        told = tracking.follow(run, "evaluate", "passed")
    assert told.problem == "it took longer than 1 s"
    assert time.monotonic() - began < 60


def test_without_the_extra_it_is_said_how_to_have_it(house, monkeypatch):
    monkeypatch.setenv(tracking.URI, "http://127.0.0.1:1")
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    run = house.open(SPAN)
    house.go(run, upto="evaluate")
    assert "install sluice[mlflow]" in tracking.read(run).problem


def test_nobody_is_told_unless_asked_for(house):
    run = house.open(SPAN)
    house.go(run, upto="evaluate")
    assert tracking.read(run) is None
    assert not (run.folder / tracking.FILE).exists()


def test_a_halt_before_there_is_a_model_tells_nobody(house, monkeypatch):
    monkeypatch.setenv(tracking.URI, "http://127.0.0.1:1")
    house.decide = lambda gate, subject: Status.FAILED
    run = house.open(SPAN)
    plan.perform(plan.STEPS["describe"], NAME, run.id)
    with pytest.raises(Halted):
        plan.perform(plan.STEPS["validate_data"], NAME, run.id)
    assert tracking.read(run) is None
