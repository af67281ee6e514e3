"""The Verdict tab, asked over HTTP from Airflow's own API server, plugins loaded as Airflow does."""

from __future__ import annotations

import subprocess
import sys
from urllib.parse import quote

import httpx
import pytest
from airflow_in_process import ROOT, URL, publish, token, trigger, work
from tiny_house import NAME

from components import home, runs
from components.verdict import Status

SPAN = "2013-01-03"


@pytest.fixture
def dag(dags):
    found = dags()[NAME]
    publish()
    return found


@pytest.fixture
def halted(dag, api, tiny) -> str:
    """A run that the model gate halted; its id in Airflow."""
    tiny.decide = lambda gate, _: Status.FAILED if gate == "model" else Status.PASSED
    run = trigger(api, SPAN)
    work(dag, run)
    return run


def address(run: str, task: str = "evaluate", dag: str = NAME) -> str:
    return f"/sluice/verdicts/{dag}/{quote(run, safe='')}/{task}"


def test_verdict_of_a_gate_is_its_page(api, halted):
    answer = api.get(address(halted))
    assert answer.status_code == 200
    assert "model gate halted" in answer.text
    assert "model was to be failed" in answer.text


def test_passed_gate_has_its_page_too(api, halted):
    assert "data gate passed" in api.get(address(halted, "validate_data")).text


def test_page_tells_what_serves_meanwhile(dag, api, tiny):
    work(dag, trigger(api, "2013-01-03"))
    tiny.decide = lambda gate, _: Status.FAILED if gate == "data" else Status.PASSED
    run = trigger(api, "2013-01-04")
    work(dag, run)
    page = api.get(address(run, "validate_data")).text
    assert "Meanwhile version 1, of 2013-01-03, goes on serving." in page


def test_page_tells_since_when_it_is_so(dag, api, tiny):
    def page_of(span, refusing=None):
        tiny.decide = lambda gate, _: Status.FAILED if gate == refusing else Status.PASSED
        run = trigger(api, span)
        work(dag, run)
        return api.get(address(run, "validate_data")).text

    page_of("2013-01-03")
    assert "new with this span" in page_of("2013-01-04", refusing="data")
    tiny.rows["2013-01-04"] = 2  # delivered again, and no better
    page_of("2013-01-04", refusing="data")
    assert "since the span of 2013-01-04" in page_of("2013-01-05", refusing="data")


def test_step_that_is_no_gate_tells_what_it_came_to(api, halted):
    page = api.get(address(halted, "train")).text
    assert "train done" in page
    assert f"train of {SPAN}" in page


@pytest.mark.parametrize("task", ["push", "nothing"])
def test_task_that_came_to_nothing_is_answered_kindly(api, halted, task):
    assert "has not come to an end" in api.get(address(halted, task)).text


def test_run_that_ingest_did_not_open_is_answered_kindly(api, dag):
    run = trigger(api)
    answer = api.get(address(run))
    assert answer.status_code == 404
    assert "No verdict here" in answer.text


def test_dag_that_is_no_pipeline_is_answered_kindly(api):
    assert "No verdict here" in api.get(address("a run", "a task", "some_other_dag")).text


def test_strangers_see_nothing(halted):
    answer = httpx.get(URL + address(halted))
    assert answer.status_code == 401
    assert "gate" not in answer.text


def test_forged_token_sees_nothing(halted):
    answer = httpx.get(URL + address(halted), headers={"Authorization": "Bearer e30.e30.e30"})
    assert answer.status_code in (401, 403)


def test_cookie_of_the_frame_is_enough_and_so_is_a_viewer(halted):
    answer = httpx.get(URL + address(halted), cookies={"_token": token("vera")})
    assert answer.status_code == 200


def test_policy_lets_no_script_run_and_no_other_site_frame_the_page(api, halted):
    for path in (address(halted), address(halted, "train"), address("no run")):
        policy = api.get(path).headers["Content-Security-Policy"]
        assert policy == "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"


@pytest.mark.parametrize("elsewhere", ["../../../../secrets", "/etc", "..", "2013-01-03-00000000"])
def test_run_outside_of_the_store_is_not_read(api, halted, elsewhere):
    secret = home.var() / "secrets" / "run.json"
    secret.parent.mkdir(parents=True)
    secret.write_text('{"id": "the secret"}')
    name_another_run(halted, elsewhere)
    answer = api.get(address(halted))
    assert answer.status_code == 404
    assert "the secret" not in answer.text


def test_torn_artifact_is_told_and_not_shown(api, halted):
    run = runs.all_runs(NAME)[0]
    runs.artifact(run, "evaluate").file("verdict.json").write_text("{}")
    answer = api.get(address(halted))
    assert answer.status_code == 404
    assert "the artifact is torn" in answer.text


def test_tab_is_on_every_task(api):
    told = api.get("/api/v2/plugins").json()["plugins"]
    [plugin] = [plugin for plugin in told if plugin["name"] == "sluice_pages"]
    [view] = plugin["external_views"]
    assert view["destination"] == "task_instance"
    assert view["href"] == "/sluice/verdicts/{DAG_ID}/{RUN_ID}/{TASK_ID}"


def test_loading_the_plugin_imports_no_web_framework(tmp_path):
    code = "import airflow.plugins_manager, sys; before = set(sys.modules); import sluice_pages; "
    code += "print(sorted(m for m in set(sys.modules) - before))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(ROOT / "plugins"), "AIRFLOW_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "['sluice_pages']"


def name_another_run(run: str, name: str) -> None:
    """Make `ingest` of a run in Airflow name another run in the store: as who may edit XComs could."""
    from airflow.models.xcom import XComModel
    from airflow.utils.session import create_session

    with create_session() as session:
        for entry in session.scalars(XComModel.get_many(run_id=run, dag_ids=NAME, key="run")):
            entry.value = name
