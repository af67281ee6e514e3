"""What there is to know without running anything: pipelines, runs, releases; plain data for --json."""

from __future__ import annotations

from typing import Any

from components import admissions, ledger, pipelines, runs, store
from components.errors import SluiceError, UsageError, near_miss
from components.runs import Run


def pipeline(name: str) -> dict[str, Any]:
    """Return what a pipeline serves, its latest run, and how many spans a person let in."""
    try:
        what, problem = pipelines.load(name), ""
    except UsageError as error:
        what, problem = None, str(error)
    release = ledger.baseline(name)
    history = runs.all_runs(name)
    return {
        "pipeline": name,
        "description": what.description if what else "",
        "problem": problem,
        "serving": release.model_dump(mode="json") if release else None,
        "latest_run": brief(history[-1]) if history else None,
        "runs": len(history),
        "admitted": len(admissions.admissions(name)),
    }


def brief(run: Run) -> dict[str, Any]:
    """Return a run in a line: how far it came, and why no further."""
    outcome, at, message = ending(run)
    return {
        "run": run.id,
        "span": run.span,
        "version": run.version,
        "outcome": outcome,
        "at": at,
        "reason": message,
        "opened": run.opened.isoformat(timespec="seconds"),
    }


def ending(run: Run) -> tuple[str, str, str]:
    """Return (outcome, step, message): released, halted, error, or unfinished where it stands."""
    release = ledger.of_fingerprint(run.pipeline, run.fingerprint)
    done = list(runs.steps(run).values())
    if release:
        told = done[-1].message if done else ""
        return "released", "push", told or f"version {release.version} serves"
    bad = [step for step in done if step.outcome in ("halted", "error")]
    if bad:
        return bad[-1].outcome, bad[-1].step, bad[-1].message
    return "unfinished", done[-1].step if done else "ingest", ""


def show(run: Run) -> dict[str, Any]:
    """Return all that is on record of a run: its steps, and what each was made of, at what cost."""
    steps = []
    for step in runs.steps(run).values():
        told: dict[str, Any] = step.model_dump(mode="json")
        if step.artifact:
            folder = store.root(run.pipeline) / step.artifact
            told["folder"] = str(folder)
            try:
                manifest = store.load(folder).manifest
            except SluiceError as error:
                told["problem"] = str(error)
            else:
                told["manifest"] = manifest.model_dump(mode="json")
        steps.append(told)
    return {**brief(run), "examples": run.examples, "files": run.files, "steps": steps}


def find(run_id: str) -> Run:
    """Return a run by its id, or by a span that only one pipeline has; raise UsageError for none."""
    every = [run for name in pipelines.names() for run in runs.all_runs(name)]
    exact = [run for run in every if run.id == run_id]
    of_span = [run for run in every if run.span == run_id]
    if exact:
        return exact[-1]
    if len({run.pipeline for run in of_span}) > 1:
        listed = ", ".join(run.id for run in of_span)
        raise UsageError(f"span {run_id} was run by several pipelines; name the run: {listed}")
    if of_span:
        return of_span[-1]
    known = [run.id for run in every]
    raise UsageError(
        f"no run {run_id!r}; `sluice status` lists the latest{near_miss(run_id, known)}"
    )
