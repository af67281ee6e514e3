"""`bin/ci-retrain` against Airflow's own API: what it prints, and the code it exits with."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from airflow_in_process import PASSWORDS, ROOT, URL, publish, work
from tiny_house import NAME, YAML, write

from components.verdict import Status

SPAN = "2013-01-03"


@pytest.fixture
def retrain(api) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run the script as CI would."""

    def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        about = {"AIRFLOW_URL": URL, "AIRFLOW_USER": "ann", "AIRFLOW_PASSWORD": PASSWORDS["ann"]}
        return subprocess.run(
            [sys.executable, "-I", ROOT / "bin" / "ci-retrain", *arguments],
            env={"PATH": os.environ["PATH"], **about, **environment},
            capture_output=True,
            text=True,
            timeout=120,
        )

    return run


@pytest.fixture
def followed(api, dags, retrain):
    """Run the script, and the tasks of the run that it triggers; return what it came to."""

    def run(name: str = NAME, *more: str) -> subprocess.CompletedProcess[str]:
        dag = dags()[name]
        publish()
        with ThreadPoolExecutor() as pool:
            script = pool.submit(retrain, name, SPAN, *more)
            while not (
                runs := api.get(f"/api/v2/dags/{name}/dagRuns?state=queued").json()["dag_runs"]
            ):
                assert not script.done(), script.result().stderr
            work(dag, runs[0]["dag_run_id"])
            return script.result()

    return run


def test_release_exits_0_and_tells_every_step(followed):
    done = followed()
    assert done.returncode == 0, done.stderr
    steps = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("  ok")]
    assert sorted(steps) == sorted(
        [
            "ingest",
            "describe",
            "validate_data",
            "transform",
            "train",
            "evaluate",
            "validate_infra",
            "push",
        ]
    )


def test_release_of_the_same_input_again_exits_0_and_says_so(followed):
    followed()
    done = followed()
    assert done.returncode == 0, done.stderr
    assert "already released as version 1" in done.stdout.splitlines()[-1]


def test_halt_exits_3_with_the_reason(followed, tiny):
    tiny.decide = lambda gate, _: Status.FAILED if gate == "data" else Status.PASSED
    done = followed()
    assert done.returncode == 3, done.stderr
    assert done.stdout.splitlines()[-1] == (
        f"halted: data gate halted {NAME} {SPAN}: data was to be failed"
    )


def test_broken_step_exits_1_with_what_broke(followed, monkeypatch):
    def broken(*about):
        raise ConnectionError("the server is away")

    monkeypatch.setattr(sys.modules["components.push"], "push", broken)
    done = followed()
    assert done.returncode == 1, done.stderr
    assert done.stdout.splitlines()[-1] == "broken: ConnectionError: the server is away"


def test_a_search_is_asked_for_and_refused_where_there_is_nothing_to_search(followed):
    done = followed(NAME, "--tune")
    assert done.returncode == 2, done.stderr
    assert f"{NAME} has nothing to tune" in done.stdout


def test_broken_spec_exits_2(followed, tiny):
    write("askew", YAML.replace("label: late", "label: lat"))
    done = followed("askew")
    assert done.returncode == 2, done.stderr
    assert "did you mean 'late'?" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "environment", "said"),
    [
        ((NAME,), {}, "bin/ci-retrain flights 2013-02-08"),
        ((NAME, SPAN, "--fast"), {}, "--tune    # search"),
        (("nothing", SPAN), {}, "`nothing` was not found"),
        ((NAME, "2013-1-3"), {}, "write it as YYYY-MM-DD"),
        ((NAME, SPAN), {"AIRFLOW_PASSWORD": "wrong"}, "401"),
        ((NAME, SPAN), {"AIRFLOW_PASSWORD": ""}, "no password"),
        (
            (NAME, SPAN),
            {"AIRFLOW_PASSWORD": "", "AIRFLOW_PASSWORD_FILE": "/nowhere"},
            "cannot be read",
        ),
    ],
)
def test_wrong_use_exits_2_and_says_what(dags, retrain, arguments, environment, said):
    dags()
    publish()
    done = retrain(*arguments, **environment)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_server_that_is_away_exits_1(retrain):
    done = retrain(NAME, SPAN, AIRFLOW_URL="http://127.0.0.1:9")
    assert done.returncode == 1
    assert "does not answer at http://127.0.0.1:9" in done.stderr


def test_password_file_of_airflow_itself_is_understood(dags, retrain, airflow):
    dags()
    publish()
    passwords = os.environ["AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE"]
    done = retrain("nothing", SPAN, AIRFLOW_PASSWORD="", AIRFLOW_PASSWORD_FILE=passwords)
    assert "`nothing` was not found" in done.stderr
