"""The README's commands, as a newcomer runs them, on the whole stack: minutes, and all of it real."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import httpx
import psutil
import pytest

from components import ledger, runs
from demo.house import REPOSITORY, house
from serving.client import ModelServer
from sluice import stack
from sluice.airflow import FINISHED, session
from sluice.stack import supervision

pytestmark = [pytest.mark.stack, pytest.mark.timeout(1800)]
PATIENCE_S = 900
# The environment is shared with the other tests: installing into it from a copy would turn them there.
MAKE = ("make", "--old-file", ".venv/.synced")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with house(tmp_path_factory.mktemp("house")) as made:
        yield made


@pytest.fixture(autouse=True)
def inside(here, monkeypatch):
    """Let this process read what the house's stack has written."""
    monkeypatch.setenv("SLUICE_HOME", str(here.root))


@pytest.fixture(scope="module")
def story(here):
    """Run `make up`, and kill the scheduler once, after the first release; return what it said."""
    log = here.root / "make-up.log"
    with log.open("w") as file:
        up = subprocess.Popen(
            [*MAKE, "up"],
            cwd=here.root,
            env=here.environment,
            stdout=file,
            stderr=subprocess.STDOUT,
        )
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SLUICE_HOME", str(here.root))
            until(lambda: ledger.releases("flights") or up.poll() is not None)
            scheduler = supervision.processes().get("scheduler", {}).get("pid")
            if scheduler:
                os.kill(scheduler, signal.SIGKILL)
        code = up.wait(PATIENCE_S)
    assert code == 0, log.read_text()
    assert scheduler
    return log.read_text()


def until(true, seconds=PATIENCE_S):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.5)


def test_make_up_tells_two_releases_the_blizzard_and_what_serves(story):
    told = [line.split() for line in story.splitlines()]
    endings = {words[0]: words[1] for words in told if words and words[0].startswith("2013-02-0")}
    assert endings == {"2013-02-06": "released", "2013-02-07": "released", "2013-02-08": "halted"}
    assert re.search(r"data gate halted .*late is missing in 51\.\d % of 930 rows", story)
    assert "of 2013-02-07, is serving" in story
    assert "user admin, password" in story


def test_the_curl_that_make_up_prints_gets_a_prediction(story):
    command = next(line.strip() for line in story.splitlines() if line.strip().startswith("curl "))
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    [prediction] = json.loads(done.stdout)["predictions"]
    score = prediction["score"] if isinstance(prediction, dict) else prediction
    assert 0 < float(score[0] if isinstance(score, list) else score) < 1


def test_rest_and_grpc_answer_alike_through_the_gateway_from_the_released_version(story):
    command = next(line.strip() for line in story.splitlines() if line.strip().startswith("curl "))
    [row] = json.loads(re.search(r"'(.*)'", command).group(1))["instances"]
    columns = {name: [value] for name, value in row.items()}
    gateway = stack.endpoints().gateway
    with ModelServer(gateway.rest, gateway.grpc) as server:
        over_rest = server.predict("flights", columns)
        over_grpc = server.predict_grpc("flights", columns)
    assert over_grpc.version == ledger.baseline("flights").version
    assert over_rest.outputs["score"] == pytest.approx(over_grpc.outputs["score"], abs=1e-6)


def test_airflow_shows_three_runs_of_which_the_last_is_red_at_the_data_gate(story):
    with session(stack.login()) as airflow:
        found = airflow.ask("GET", "/api/v2/dags/flights/dagRuns?order_by=run_after")["dag_runs"]
        by_span = {run["partition_key"]: run for run in found}
        assert [by_span[f"2013-02-0{d}"]["state"] for d in (6, 7, 8)] == [
            "success",
            "success",
            "failed",
        ]
        assert len(found) == 3
        run = by_span["2013-02-08"]["dag_run_id"]
        tasks = airflow.ask("GET", f"/api/v2/dags/flights/dagRuns/{run}/taskInstances")[
            "task_instances"
        ]
    [gate] = [task for task in tasks if task["task_id"] == "validate_data"]
    assert (gate["state"], gate["try_number"]) == ("failed", 1)
    assert "late is missing" in gate["note"]
    states = {
        task["state"]
        for task in tasks
        if task["task_id"] not in ("ingest", "describe", "validate_data")
    }
    assert states == {"upstream_failed"}


def test_the_killed_scheduler_made_no_second_version(story):
    released = ledger.releases("flights")
    assert [r.span for r in released] == ["2013-02-06", "2013-02-07"]
    assert len({r.version for r in released}) == 2
    assert len(runs.all_runs("flights")) == 3


def test_a_second_trigger_with_the_same_input_ends_at_once_and_says_so(here, story):
    before = len(ledger.entries("flights"))
    with session(stack.login()) as airflow:
        run = airflow.trigger("flights", "2013-02-07")
        until(lambda: airflow.state("flights", run) in FINISHED)
        assert airflow.state("flights", run) == "success"
        path = f"/api/v2/dags/flights/dagRuns/{run}/taskInstances/ingest"
        assert "already released as version" in airflow.ask("GET", path)["note"]
    assert len(ledger.entries("flights")) == before
    again = here.run("run", "flights", "2013-02-07")
    assert again.returncode == 0
    assert "already released" in again.stdout + again.stderr


def test_marking_the_red_gate_as_success_releases_nothing(story):
    before = [r.version for r in ledger.releases("flights")]
    with session(stack.login()) as airflow:
        found = airflow.ask("GET", "/api/v2/dags/flights/dagRuns")["dag_runs"]
        run = next(r["dag_run_id"] for r in found if r["partition_key"] == "2013-02-08")
        here = f"/api/v2/dags/flights/dagRuns/{run}"
        airflow.ask("PATCH", f"{here}/taskInstances/validate_data", json={"new_state": "success"})
        body = {"dag_run_id": run, "only_failed": True, "dry_run": False, "reset_dag_runs": True}
        airflow.ask("POST", "/api/v2/dags/flights/clearTaskInstances", json=body)
        until(lambda: airflow.state("flights", run) in FINISHED)
        assert airflow.state("flights", run) == "failed"
    assert [r.version for r in ledger.releases("flights")] == before


def test_make_up_again_is_quick_and_changes_nothing(here, story):
    before = len(ledger.entries("flights"))
    started = time.monotonic()
    again = subprocess.run(
        [*MAKE, "up"],
        cwd=here.root,
        env=here.environment,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert "up already" in again.stdout
    assert len(ledger.entries("flights")) == before
    assert time.monotonic() - started < 120  # a second retraining of three days would take longer


def test_nothing_of_the_stack_listens_beyond_loopback(story):
    loopback = ("127.0.0.1", "::ffff:127.0.0.1", "::1")
    beyond = [
        (process.name(), connection.laddr)
        for process in supervision.marked()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN and connection.laddr.ip not in loopback
    ]
    assert beyond == []


def test_the_readmes_commands_do_what_it_says(here, story):
    """Each line of a `sh` block is run; `# exit N` behind it is what it must return."""
    blocks = re.findall(r"```sh\n(.*?)```", (REPOSITORY / "README.md").read_text(), re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line and line[0] != "#"]
    elsewhere = ("make up", "make test", "make bench", "make down", "git clone", "cd ")
    tried = [line for line in lines if not line.startswith(elsewhere)]
    assert tried
    _write_the_smallest_pipeline(here.root)
    for line in tried:
        expected = int(found.group(1)) if (found := re.search(r"# exit (\d)", line)) else 0
        url = f"http://127.0.0.1:{here.ports.airflow}"
        done = subprocess.run(
            [
                "bash",
                "-c",
                line.replace("make ", " ".join(MAKE) + " ").replace(
                    "localhost:8501", f"127.0.0.1:{here.ports.rest}"
                ),
            ],
            cwd=here.root,
            env={**here.environment, "AIRFLOW_URL": url},
            capture_output=True,
            text=True,
            timeout=PATIENCE_S,
        )
        assert done.returncode == expected, f"{line}\n{done.stdout}{done.stderr}"


def _write_the_smallest_pipeline(root: Path) -> None:
    """Write each file that the README gives in full, under the name in front of it."""
    readme = (REPOSITORY / "README.md").read_text()
    files = re.findall(
        r"^`((?:pipelines|schemas)/\S+)`\n+```\w+\n(.*?)```", readme, re.DOTALL | re.MULTILINE
    )
    assert len(files) == 4
    for name, text in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


def test_make_down_leaves_no_process(here, story):
    down = subprocess.run([*MAKE, "down"], cwd=here.root, env=here.environment, timeout=300)
    assert down.returncode == 0
    assert supervision.marked() == []
    with pytest.raises(httpx.TransportError):
        httpx.get(f"http://127.0.0.1:{here.ports.airflow}/", timeout=5)
