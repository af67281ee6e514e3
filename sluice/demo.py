"""The demonstration: real flights land day by day, and Airflow retrains on three of the days.

`sluice demo`, or the end of `make up`. Days that were run before are left as they are.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

from rich.console import Console
from rich.markup import escape

from components import ingest, ledger, pipelines, plan, runs, schema, spans
from components.errors import SluiceError
from components.runs import Run
from components.spec import Spec
from demo import feed
from serving.endpoints import Endpoints
from sluice import overview, stack
from sluice.airflow import FINISHED, Airflow, session

PIPELINE = "flights"
DAYS = ("2013-02-06", "2013-02-07", "2013-02-08")
PATIENCE_S = 900  # for one run, on a busy machine


def run(out: Console) -> int:
    """Land the days, retrain on them through Airflow, print what came of it; return an exit code."""
    what = pipelines.load(PIPELINE)
    out.print(f"[bold]{PIPELINE}[/bold]: {what.description}")
    with session(stack.login()) as airflow:
        _wait_for_dag(airflow)
        for day in DAYS:
            for arrived in spans.between(what.span.first, day):
                feed.land(feed.upstream(), arrived)
            done = _run_of(day)
            if done and overview.ending(done)[0] in ("released", "halted"):
                out.print(f"  {day}  was run before")
            else:
                _watch(airflow, day, out)
    _summary(what, out)
    return 0


def _wait_for_dag(airflow: Airflow) -> None:
    for _ in _patiently(120, "Airflow has not read dags/ yet; see: sluice logs dag-processor"):
        if airflow.knows(PIPELINE):
            return


def _watch(airflow: Airflow, day: str, out: Console) -> None:
    """Trigger a day's run and follow it to its end, a line for each task that ends."""
    started, told = time.monotonic(), set[str]()
    run = airflow.trigger(PIPELINE, day)
    order = ["ingest", *(step.name for step in plan.PLAN)]
    with out.status(f"{day}  starts") as spinner:
        for _ in _patiently(PATIENCE_S, f"{day} did not end; see: sluice logs scheduler"):
            state, tasks = airflow.state(PIPELINE, run), airflow.tasks(PIPELINE, run)
            running = [name for name in order if tasks.get(name) == "running"]
            seconds = time.monotonic() - started
            spinner.update(f"{day}  {' '.join(running) or 'next task'}  {seconds:.0f} s")
            for name in order:
                if tasks.get(name) in ("success", "failed") and name not in told:
                    told.add(name)
                    mark = "[green]✓[/]" if tasks[name] == "success" else "[red]✗[/]"
                    out.print(f"  {day}  {mark} {name:<15} {seconds:5.0f} s")
            if state in FINISHED:
                return


def _summary(what: Spec, out: Console) -> None:
    """Print how each day ended, what serves, one prediction to try, and where the UI is."""
    out.print()
    for day in DAYS:
        run = _run_of(day)
        if run is None:
            raise SluiceError(f"{PIPELINE} {day} left no run on record; see: sluice logs scheduler")
        outcome, _, message = overview.ending(run)
        colour = "green" if outcome == "released" else "red"
        told = _metrics(what, run) if outcome == "released" else message
        out.print(f"  {day}  [{colour}]{outcome}[/]  {escape(told)}")
    serving = ledger.baseline(PIPELINE)
    endpoints, login = stack.endpoints(), stack.login()
    if serving:
        out.print(f"\n  version {serving.version}, of {serving.span}, is serving. Ask it:\n")
        out.print(f"    {_curl(what, endpoints)}\n", soft_wrap=True, markup=False)
    out.print(
        f"  Airflow: {login.url}   user {login.user}, password {login.password}", markup=False
    )


def _metrics(what: Spec, run: Run) -> str:
    release = ledger.of_fingerprint(PIPELINE, run.fingerprint)
    if release is None:
        return ""
    bounded = dict.fromkeys(threshold.metric for threshold in what.thresholds)
    told = [(name, release.metrics[name]) for name in bounded if name in release.metrics]
    figures = ", ".join(f"{name} {value:.3f}" for name, value in told)
    return f"as version {release.version}: {figures}"


def _curl(what: Spec, endpoints: Endpoints) -> str:
    """Return a command that asks the gateway about one real flight, as anybody could."""
    body = json.dumps({"instances": [_example(what)]})
    url = f"{endpoints.gateway.rest}/v1/models/{what.serving.name}:predict"
    return f"curl -s -d '{body}' {url}"


def _example(what: Spec) -> dict[str, Any]:
    """Return one real flight as a client knows it beforehand: the model's inputs by name."""
    import duckdb

    names = [feature.name for feature in schema.inputs(schema.load(what.schema_path))]
    path = ingest.current(what, DAYS[0]).file(ingest.FILE)
    told = " AND ".join(f'"{name}" IS NOT NULL' for name in names)
    rows = duckdb.read_parquet(str(path)).filter(told).project(", ".join(f'"{n}"' for n in names))
    first = rows.limit(1).fetchall()
    if not first:
        raise SluiceError(f"no flight of {DAYS[0]} has all its columns")
    values = [float(f"{v:.6g}") if isinstance(v, float) else v for v in first[0]]
    return dict(zip(names, values, strict=True))


def _run_of(day: str) -> Run | None:
    """Return the latest run of a day, or None when it was never run."""
    return next((run for run in reversed(runs.all_runs(PIPELINE)) if run.span == day), None)


def _patiently(seconds: float, otherwise: str) -> Iterator[None]:
    """Yield until `seconds` have passed, a second apart; then raise SluiceError(otherwise)."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        yield
        time.sleep(1)
    raise SluiceError(otherwise)
