"""Verdicts inside Airflow's own pages: a tab on every task, answered under `/sluice`.

Every Airflow process loads this file, and only the API server answers requests: what it takes to
answer one is imported with the first.
"""

from __future__ import annotations

from typing import Any, ClassVar

from airflow.plugins_manager import AirflowPlugin

PREFIX = "/sluice"


async def pages(scope: Any, receive: Any, send: Any) -> None:
    """Answer a request (ASGI)."""
    from verdict_app import app

    await app(scope, receive, send)


class SluicePages(AirflowPlugin):
    """The tab, and the pages behind it."""

    name = "sluice_pages"
    fastapi_apps: ClassVar[list[Any]] = [
        {"app": pages, "url_prefix": PREFIX, "name": "Sluice's verdicts"}
    ]
    external_views: ClassVar[list[Any]] = [
        {
            "name": "Verdict",
            "href": f"{PREFIX}/verdicts/{{DAG_ID}}/{{RUN_ID}}/{{TASK_ID}}",
            "destination": "task_instance",
            "url_route": "verdict",
        }
    ]
