"""`/sluice/verdicts/<dag>/<run>/<task>`: what a task of a run came to, read from the store.

Who may not read the DAG gets 401 or 403 from Airflow's own auth manager.
"""

from __future__ import annotations

from typing import Annotated

from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
from airflow.api_fastapi.common.db.common import SessionDep
from airflow.api_fastapi.core_api.security import requires_access_dag
from airflow.models.xcom import XComModel
from fastapi import Depends, FastAPI, Path
from fastapi.responses import HTMLResponse

from components import gates, ledger, offences, pages, runs, store, tune
from components.errors import SluiceError, UsageError
from components.runs import Run

Name = Annotated[str, Path(max_length=250)]

app = FastAPI(title="Sluice's verdicts", docs_url=None, redoc_url=None, openapi_url=None)


@app.get(
    "/verdicts/{dag_id}/{dag_run}/{task}",
    dependencies=[Depends(requires_access_dag("GET", DagAccessEntity.TASK_LOGS))],
)
def page(dag_id: Name, dag_run: Name, task: Name, session: SessionDep) -> HTMLResponse:
    """Return the page of a task: its verdict, or else one line that says why there is none."""
    opened = session.scalar(
        XComModel.get_many(run_id=dag_run, dag_ids=dag_id, task_ids=["ingest", task], key="run")
    )
    if opened is None:
        told = f"This run of {dag_id} has not been opened by `ingest`; the task's log says more."
        return _answer(pages.message_page("No verdict here", told), 404)
    try:
        run = _run(dag_id, XComModel.deserialize_value(opened))
        return _answer(_page_of(run, task))
    except SluiceError as problem:
        return _answer(pages.message_page("This page cannot be shown", str(problem)), 404)


def _run(pipeline: str, run_id: str) -> Run:
    """Return a run, whose folder must lie within the store; raise UsageError for any other."""
    folder = store.root(pipeline) / "runs"
    if not (folder / run_id).resolve().is_relative_to(folder.resolve()):
        raise UsageError(f"{run_id!r} names no run of {pipeline!r}")
    return runs.load(pipeline, run_id)


def _page_of(run: Run, task: str) -> str:
    step = runs.steps(run).get(task)
    if step is None:
        told = f"`{task}` of run {run.id} has not come to an end."
        return pages.message_page("Nothing to show yet", told)
    made = runs.artifact(run, task) if step.artifact else None
    if made and tune.PAGE in made.manifest.files:
        return made.file(tune.PAGE).read_text()
    if made is None or gates.JSON not in made.manifest.files:
        return pages.step_page(run, step, made)
    verdict = gates.read(made)
    serving = ledger.baseline(run.pipeline)
    return pages.verdict_page(verdict, serving, offences.since(run, task, verdict))


def _answer(html: str, status: int = 200) -> HTMLResponse:
    policy = f"{pages.POLICY}; frame-ancestors 'self'"
    return HTMLResponse(
        html, status, {"Content-Security-Policy": policy, "X-Content-Type-Options": "nosniff"}
    )
