"""When a part of the stack is ready: each asks the part itself, the way its users will."""

from __future__ import annotations

import httpx

from sluice.airflow import Login, session
from sluice.stack import database, programs, secrets
from sluice.stack.ports import Ports

POOLS = {"gpu": 1}  # trainings at once


def login(ports: Ports) -> Login:
    """Return where Airflow answers, and as whom."""
    return Login(f"http://{programs.HOST}:{ports.airflow}", secrets.USER, secrets.password())


def ready(name: str, ports: Ports) -> bool:
    """Say whether a program does its work yet."""
    if name == "database":
        return database.answers()
    if name == "api-server":
        # Also warms the execution API, which is built at its first request: tasks that were started
        # before it answered have died.
        return _answers(f"http://{programs.HOST}:{ports.airflow}/execution/health", below=300)
    if name in programs.COLOURS:
        port = getattr(ports, f"{name}_rest")
        return _answers(f"http://{programs.HOST}:{port}/v1/models/none", below=500)
    if name == "gateway":
        return _answers(f"http://{programs.HOST}:{ports.rest}/v1/models/none", below=503)
    return name.replace("-", "_") in _healthy(ports)


def make_pools(ports: Ports) -> None:
    """See to it that the pools that steps name are there."""
    with session(login(ports)) as airflow:
        for name, slots in POOLS.items():
            airflow.ensure_pool(name, slots)


def _healthy(ports: Ports) -> set[str]:
    """Return the parts of Airflow that it says are healthy."""
    try:
        told = _get(f"{login(ports).url}/api/v2/monitor/health").raise_for_status().json()
    except httpx.HTTPError:
        return set()
    return {part for part, health in told.items() if health and health.get("status") == "healthy"}


def _answers(url: str, below: int) -> bool:
    try:
        return _get(url).status_code < below
    except httpx.HTTPError:
        return False


def _get(url: str) -> httpx.Response:
    # On loopback there is no proxy to ask, and no certificates, whose loading takes longest of all.
    with httpx.Client(timeout=60, trust_env=False, verify=False) as http:
        return http.get(url)
