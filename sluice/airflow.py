"""Airflow's REST API, as much of it as the demonstration asks for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from components.errors import SluiceError

FINISHED = frozenset({"success", "failed"})


@dataclass(frozen=True)
class Login:
    """Where Airflow answers, and as whom."""

    url: str
    user: str
    password: str


class Airflow:
    """A session with Airflow's API server."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def knows(self, dag: str) -> bool:
        """Say whether the DAG is there yet: a new one takes some seconds to be parsed."""
        return self._http.get(f"/api/v2/dags/{dag}").status_code == httpx.codes.OK

    def trigger(self, dag: str, span: str) -> str:
        """Start a run of the DAG for a span; return the run's id."""
        body: dict[str, Any] = {"logical_date": None, "partition_key": span, "conf": {}}
        return str(self.ask("POST", f"/api/v2/dags/{dag}/dagRuns", json=body)["dag_run_id"])

    def state(self, dag: str, run: str) -> str:
        """Return the state of a run: queued, running, success or failed."""
        return str(self.ask("GET", f"/api/v2/dags/{dag}/dagRuns/{run}")["state"])

    def tasks(self, dag: str, run: str) -> dict[str, str | None]:
        """Return the state of each of a run's tasks, by name; None before it is scheduled."""
        found = self.ask("GET", f"/api/v2/dags/{dag}/dagRuns/{run}/taskInstances")
        return {task["task_id"]: task["state"] for task in found["task_instances"]}

    def ensure_pool(self, name: str, slots: int) -> None:
        """Make a pool, unless it is there: its slots are then as somebody set them."""
        if self._http.get(f"/api/v2/pools/{name}").status_code == httpx.codes.NOT_FOUND:
            self.ask("POST", "/api/v2/pools", json={"name": name, "slots": slots})

    def ask(self, method: str, path: str, **about: Any) -> Any:
        """Return the JSON that the API answers; raise SluiceError when it answers with an error."""
        answer = self._http.request(method, path, **about)
        if answer.is_error:
            raise SluiceError(
                f"Airflow answered {answer.status_code} to {method} {path}: {answer.text}"
            )
        return answer.json()


@contextmanager
def session(login: Login) -> Iterator[Airflow]:
    """Log in, and yield a session; raise SluiceError when Airflow does not answer or refuses."""
    with httpx.Client(base_url=login.url, timeout=60, trust_env=False) as http:
        who = {"username": login.user, "password": login.password}
        try:
            answer = http.post("/auth/token", json=who)
        except httpx.TransportError as error:
            raise SluiceError(
                f"Airflow does not answer at {login.url}: {error}; start it: make up"
            ) from error
        if answer.is_error:
            raise SluiceError(f"Airflow at {login.url} refused {login.user!r}: {answer.text}")
        http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        yield Airflow(http)
