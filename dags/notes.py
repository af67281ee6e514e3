"""Notes on task instances: the reason, in the task's header, where the one on call looks first.

A task cannot write its note itself, so this asks Airflow's public API as a user does: AIRFLOW_USER
and AIRFLOW_PASSWORD, or the local stack's own first user. A note that fails changes nothing else.
"""

from __future__ import annotations

import json
import logging
import os
import re
from pathlib import Path
from textwrap import shorten
from typing import Any
from urllib.parse import quote, urlsplit

from airflow.sdk.configuration import conf

log = logging.getLogger(__name__)

TIMEOUT_S = 5.0
LONGEST = 400  # of Airflow's 1000, with room for the link and for escapes


def leave_note(context: Any, text: str, *, link: bool = False) -> None:
    """Put `text` on the task instance, with a link to its verdict; say so when that fails."""
    import httpx

    ti = context["ti"]
    note = _as_markdown(shorten(text, LONGEST, placeholder=" …"))
    if link:
        note += f"\n\n[Verdict]({verdict_address(ti.dag_id, ti.run_id, ti.task_id)})"
    path = (
        f"/api/v2/dags/{ti.dag_id}/dagRuns/{quote(ti.run_id, safe='')}/taskInstances/{ti.task_id}"
    )
    try:
        with httpx.Client(base_url=_server(), timeout=TIMEOUT_S, trust_env=False) as http:
            token = http.post("/auth/token", json=_login()).raise_for_status().json()
            http.patch(
                path,
                params={"update_mask": "note"},
                json={"note": note},
                headers={"Authorization": f"Bearer {token['access_token']}"},
            ).raise_for_status()
    except Exception as problem:
        log.warning("the note could not be written (%s: %s)", type(problem).__name__, problem)


def verdict_address(dag: str, run: str, task: str) -> str:
    """Return where the page of a task's verdict is, relative to Airflow's own address."""
    below = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    return f"{below}/sluice/verdicts/{quote(dag)}/{quote(run, safe='')}/{quote(task)}"


def _as_markdown(text: str) -> str:
    """Return Markdown that shows exactly this text: values out of data make no links or images."""
    return re.sub(r"([\\`*_\[\]<>#|~])", r"\\\1", text)


def _server() -> str:
    """Return where tasks reach the API server."""
    execution = conf.get("core", "execution_api_server_url", fallback="")
    base = execution.rstrip("/").removesuffix("/execution") or conf.get("api", "base_url")
    return str(base).rstrip("/")


def _login() -> dict[str, str]:
    user, password = os.environ.get("AIRFLOW_USER"), os.environ.get("AIRFLOW_PASSWORD")
    if not (user and password):
        user = conf.get("core", "simple_auth_manager_users").split(",")[0].split(":")[0].strip()
        passwords = Path(conf.get("core", "simple_auth_manager_passwords_file"))
        password = json.loads(passwords.read_text())[user]
    return {"username": user, "password": password}
