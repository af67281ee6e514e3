"""The whole stack, Airflow included: tasks fork warm, commands work by hand, and nothing is left."""

import os
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from demo.house import house
from sluice import stack
from sluice.airflow import FINISHED, session
from sluice.stack import settings, supervision

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1200)]
PROBE = '''
"""Two tasks that tell what they find."""

from airflow.sdk import dag, task


@dag(schedule=None)
def finds_tensorflow():
    @task
    def look():
        import sys

        assert "tensorflow" in sys.modules, "not forked from the warm set"
        import tensorflow as tf

        assert float(tf.reduce_sum(tf.ones([3]))) == 3  # hangs where the parent ran an operation

    look()


@dag(schedule=None)
def never_ends():
    @task
    def wait():
        import threading

        threading.Event().wait()

    wait()


finds_tensorflow()
never_ends()
'''


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with house(tmp_path_factory.mktemp("house")) as made:
        (made.root / "dags" / "probe.py").write_text(PROBE)
        up = made.run("up")
        assert up.returncode == 0, up.stdout + up.stderr
        yield made


@pytest.fixture
def airflow(here, monkeypatch):
    """A session with the house's Airflow, once it has read the probes."""
    monkeypatch.setenv("SLUICE_HOME", str(here.root))
    with session(stack.login()) as airflow:
        until(lambda: airflow.knows("never_ends"))
        yield airflow


def until(true, seconds=300):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.3)


def begin(airflow, dag):
    body = {"logical_date": None}
    return airflow.ask("POST", f"/api/v2/dags/{dag}/dagRuns", json=body)["dag_run_id"]


def test_tasks_are_forked_from_a_parent_that_has_tensorflow_imported(airflow):
    run = begin(airflow, "finds_tensorflow")
    until(lambda: airflow.state("finds_tensorflow", run) in FINISHED)
    assert airflow.state("finds_tensorflow", run) == "success"


def test_the_pool_that_trainings_share_has_one_slot(airflow):
    assert airflow.ask("GET", "/api/v2/pools/gpu")["slots"] == 1


def test_airflows_own_command_works_by_hand(here):
    command = [".venv/bin/airflow", "dags", "list", "--output", "plain"]
    environment = {**here.environment, "AIRFLOW_HOME": str(here.root)}
    listed = subprocess.run(
        command, cwd=here.root, env=environment, capture_output=True, text=True, timeout=300
    )
    assert listed.returncode == 0, listed.stderr
    assert {line.split()[0] for line in listed.stdout.splitlines() if line.strip()} >= {
        "flights",
        "finds_tensorflow",
    }


def test_airflow_writes_nothing_beside_var(here):
    listed = {path.name for path in here.root.iterdir()}
    assert not listed & {"airflow.db", "logs", "{AIRFLOW_HOME}", "airflow-webserver.pid"}


def test_an_api_server_that_dies_is_replaced(here, airflow):
    pid = supervision.processes()["api-server"]["pid"]
    os.kill(pid, signal.SIGKILL)
    until(lambda: supervision.processes()["api-server"]["pid"] not in (0, pid))
    again = here.run("up")
    assert again.returncode == 0, again.stdout + again.stderr


def test_down_ends_a_running_task_even_after_the_supervisor_was_killed(here, airflow):
    run = begin(airflow, "never_ends")
    until(lambda: airflow.tasks("never_ends", run)["wait"] == "running")
    os.kill(int(settings.pidfile().read_text()), signal.SIGKILL)
    until(lambda: not supervision.running())
    assert {part.state for part in stack.status()} == {"unattended"}
    assert living_in(here.root)
    assert here.run("down").returncode == 0
    assert living_in(here.root) == []
    assert {part.state for part in stack.status()} == {"stopped"}


def living_in(root: Path) -> list[str]:
    """Return the processes whose working directory is the house, whatever mark they carry."""
    found = []
    for process in psutil.process_iter():
        try:
            if Path(process.cwd()).is_relative_to(root):
                found.append(" ".join(process.cmdline()))
        except psutil.Error:
            continue
    return found
