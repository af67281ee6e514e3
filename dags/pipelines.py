"""Every folder under `pipelines/` as a DAG of its name: `ingest`, then the steps of the plan.

The order of the steps stands in `components/plan.py`; this file gives it retries, pools, a schedule
and a form. It imports no TensorFlow and no Beam: Airflow parses it again and again.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, time, timedelta

from airflow.sdk import (
    DAG,
    Asset,
    CronPartitionTimetable,
    Param,
    PartitionedAssetTimetable,
    chain,
)
from operators import FORM, TUNE, BrokenSpec, GateOperator, IngestOperator, StepOperator

from components import home, pipelines, plan, spans, spec
from components.spec import Spec

# Killed processes and servers that are away get another try. A gate's no does not: the operator
# fails the task at once, whatever is left of its tries.
AGAIN = {"retries": 2, "retry_delay": timedelta(seconds=10)}
PATIENCE = {"execution_timeout": timedelta(hours=1)}
PATIENCE_ON_DEVICES = {"execution_timeout": timedelta(hours=12)}


def dag_of(name: str) -> DAG:
    """Return the DAG of a pipeline, or one that fails with what is wrong with its spec."""
    try:
        return _pipeline(pipelines.load(name))
    except Exception as problem:  # whatever one folder holds, it takes no other DAG with it
        return _broken(name, problem)


def _pipeline(what: Spec) -> DAG:
    with DAG(
        what.name,
        description=what.description,
        doc_md=_told(what),
        schedule=_schedule(what.name, what.schedule),
        end_date=_end(what),
        catchup=False,
        max_active_runs=1,  # a run judges its candidate against what the one before it released
        params=_form(what),
        default_args=AGAIN,
        tags=["sluice"],
    ) as dag:
        tasks = [IngestOperator(task_id="ingest", **PATIENCE)]
        for step in plan.steps_of(what):
            kind = GateOperator if step.gate else StepOperator
            patience = PATIENCE_ON_DEVICES if step.pool else PATIENCE
            pool = {"pool": step.pool} if step.pool else {}
            tasks.append(kind(task_id=step.name, **patience, **pool))
        chain(*tasks)
    return dag


def _schedule(name: str, when: str) -> CronPartitionTimetable | PartitionedAssetTimetable:
    """A cron's run is for the span of the day before; an arrival's for the span it announces."""
    if when == spec.ARRIVAL:
        return PartitionedAssetTimetable(assets=Asset(f"{name}-{spec.ARRIVAL}"))
    return CronPartitionTimetable(when, timezone="UTC", run_offset=-1, key_format="%Y-%m-%d")


def _end(what: Spec) -> datetime | None:
    """Return when the schedule ends: within the day after the last span, which is the day of its run.

    There is no start: a pipeline that is new waits for its next morning.
    """
    if what.span.last is None:
        return None
    last = datetime.combine(spans.parse(what.span.last), time.min, UTC)
    return last + timedelta(days=1, hours=23, minutes=59)


def _form(what: Spec) -> dict[str, Param]:
    """Return the fields of the form by which a person triggers a run."""
    fields = {FORM: _span_field()}
    if what.tuning:
        told = f"{what.tuning.trials} trials or {what.tuning.minutes:g} minutes, before it trains."
        fields[TUNE] = Param(
            False, type="boolean", title="Tune", description=f"Search for hyperparameters: {told}"
        )
    return fields


def _span_field() -> Param:
    return Param(
        None,
        type=["null", "string"],
        format="date",
        title="Span",
        description="The day to retrain on, such as 2013-02-08. Not needed with a partition key.",
    )


def _told(what: Spec) -> str:
    """Return what the DAG's page says of the pipeline, as Markdown."""
    gates = " → ".join(f"`{step.name}`" for step in plan.PLAN if step.gate)
    scored = ", ".join(sorted({bound.metric for bound in what.thresholds}))
    sliced = ", ".join(" × ".join(slicing) for slicing in what.slices) or "nothing"
    return (
        f"{what.description}\n\n"
        f"Trains on {what.window.train} spans, and is judged on {what.window.evaluate} later ones: "
        f"{scored}; sliced by {sliced}.\n\n"
        f"Gates: {gates}. What a gate refuses is not released; its task is red, and its **Verdict** "
        f"tab says why. The model that served goes on serving.\n\n"
        f"Written in `pipelines/{what.name}/` and `schemas/{what.name}.pbtxt`."
    )


def _broken(name: str, problem: Exception) -> DAG:
    """Return a DAG that is red every morning until the spec is mended."""
    message = str(problem) or type(problem).__name__
    with DAG(
        re.sub(r"[^\w-]", ".", name, flags=re.ASCII),  # a dot is in no healthy pipeline's name
        description=message,
        doc_md=f"This pipeline's spec does not read:\n\n```\n{message}\n```",
        schedule=_schedule(name, spec.EVERY_MORNING),
        catchup=False,
        max_active_runs=1,
        params={FORM: _span_field()},
        tags=["sluice", "broken"],
    ) as dag:
        BrokenSpec(task_id="spec", problem=message)
    return dag


def _folders() -> list[str]:
    found = home.pipelines().iterdir() if home.pipelines().is_dir() else ()
    return sorted(path.name for path in found if path.is_dir() and path.name[0] not in "._")


DAGS = {name: dag_of(name) for name in _folders()}
