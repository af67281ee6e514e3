"""Airflow for tests in this process: a home, a SQLite database and an API server of their own.

Its configuration stands in the environment only while a test asks for it (the fixture `airflow`),
so that processes which other tests start do not inherit it.
"""

from __future__ import annotations

import atexit
import importlib
import json
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import httpx
import pytest
from tiny_house import NAME, House

from components import ledger, store
from components.ledger import Release

ROOT = Path(__file__).resolve().parent.parent
HOME = Path(tempfile.mkdtemp(prefix="sluice-airflow-"))
PASSWORDS = {"ann": "of-ann", "vera": "of-vera"}
atexit.register(shutil.rmtree, HOME, ignore_errors=True)

# Bound here and listened on later: no other process can take the port in between.
SOCKET = socket.socket()
SOCKET.bind(("127.0.0.1", 0))
URL = f"http://127.0.0.1:{SOCKET.getsockname()[1]}"

ENVIRONMENT = {
    "AIRFLOW_HOME": str(HOME),
    "AIRFLOW_CONFIG": str(HOME / "airflow.cfg"),
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
    "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
    "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
    "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{URL}/execution/",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": "ann:admin,vera:viewer",
    "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(HOME / "passwords.json"),
    "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{HOME}/airflow.db",
    "AIRFLOW__API__BASE_URL": URL,
    "AIRFLOW__API_AUTH__JWT_SECRET": "for tests alone, and long enough for a key of HS512 " * 2,
}


@pytest.fixture
def airflow(monkeypatch):
    """Airflow's configuration and database."""
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    database()


@pytest.fixture
def tiny(tmp_path, monkeypatch):
    """The tiny pipeline; its push writes the ledger as the real one does, and moves no server."""
    module = ModuleType("components.push")
    module.push, module.settle = push, lambda *given: None
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return House(tmp_path, monkeypatch)


@pytest.fixture
def dags(airflow, tiny) -> Callable[[], dict[str, Any]]:
    """Return a function that parses `dags/` as the house stands, and gives its DAGs by folder."""

    def parse() -> dict[str, Any]:
        sys.modules.pop("pipelines", None)
        found = importlib.import_module("pipelines").DAGS
        for dag in found.values():
            for task in dag.tasks:
                task.retry_delay = timedelta(0)
        return found

    yield parse
    sys.modules.pop("pipelines", None)


@pytest.fixture
def api(airflow) -> httpx.Client:
    """Airflow's API server, asked by an administrator."""
    with httpx.Client(base_url=server()) as http:
        http.headers["Authorization"] = f"Bearer {token('ann')}"
        yield http


def push(what, run, model, approval):
    release = Release(
        event="released",
        at=datetime.now(UTC),
        pipeline=NAME,
        span=run.span,
        run=run.id,
        fingerprint=run.fingerprint,
        version=run.version,
        model=model.digest,
        artifact=str(model.folder.relative_to(store.root(NAME))),
        baseline=None,
        verdicts={},
        metrics={},
    )
    ledger.append(release)
    return release


def trigger(api: httpx.Client, span: str | None = None, **about: Any) -> str:
    """Start a run of the tiny DAG, as CI does; return its id."""
    body = {"logical_date": None, "partition_key": span, **about}
    answer = api.post(f"/api/v2/dags/{NAME}/dagRuns", json=body).raise_for_status()
    return str(answer.json()["dag_run_id"])


def tasks(api: httpx.Client, run: str, dag: str = NAME) -> dict[str, dict[str, Any]]:
    """Return what Airflow tells of each task of a run: state, try_number, note."""
    answer = api.get(f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances").raise_for_status()
    return {task["task_id"]: task for task in answer.json()["task_instances"]}


def token(user: str) -> str:
    about = {"username": user, "password": PASSWORDS[user]}
    return str(
        httpx.post(f"{URL}/auth/token", json=about).raise_for_status().json()["access_token"]
    )


@cache
def database() -> None:
    """Make the database's tables."""
    if "airflow" in sys.modules:
        raise RuntimeError("airflow was imported before it was configured")
    (HOME / "passwords.json").write_text(json.dumps(PASSWORDS))
    from airflow.utils.db import initdb

    initdb()


@cache
def server() -> str:
    """Start Airflow's API server in a thread, plugins and all; return its address."""
    import uvicorn
    from airflow.api_fastapi.app import create_app

    serving = uvicorn.Server(uvicorn.Config(create_app("core"), log_level="warning"))
    threading.Thread(target=serving.run, kwargs={"sockets": [SOCKET]}, daemon=True).start()
    while not serving.started:
        time.sleep(0.05)
    return URL


def publish() -> None:
    """Write the DAGs of `dags/`, as they stand, into the database: the DAG processor's part."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db

    manager = DagBundlesManager()
    manager.sync_bundles_to_db()
    for bundle in manager.get_all_dag_bundles():
        bundle.initialize()
        bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
        assert not bag.import_errors
        sync_bag_to_db(bag, bundle.name, bundle.version)


def work(dag: Any, run: str) -> Any:
    """Run the tasks of a run that Airflow's API made, one by one: the scheduler's part."""
    from airflow.models.dagrun import DagRun
    from airflow.sdk.definitions.dag import _run_task
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.utils.session import create_session
    from airflow.utils.state import DagRunState, TaskInstanceState

    with create_session() as session:
        made = session.query(DagRun).filter_by(dag_id=dag.dag_id, run_id=run).one()
        made.dag = DagSerialization.deserialize_dag(DagSerialization.serialize_dag(dag))
        made.state = DagRunState.RUNNING
        session.commit()
        for _ in range(3 * len(dag.tasks)):  # tries, and what a failure does to the tasks after it
            session.expire_all()
            ready, _ = made.update_state(session=session)
            session.commit()
            for ti in ready:
                ti.try_number += 1
                ti.state = TaskInstanceState.SCHEDULED
                session.commit()
                _run_task(ti=ti, task=dag.task_dict[ti.task_id])
        return made.state
