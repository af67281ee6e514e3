"""The plan's steps as Airflow's operators: a task's id is the step's name, its DAG's the pipeline's.

Through XCom go the run's id (`run`) and what a step came to (`said`: an outcome and one line).
"""

from __future__ import annotations

import logging
import sys
from typing import Any

from airflow.sdk import BaseOperator, BaseOperatorLink
from airflow.sdk.exceptions import AirflowFailException, DownstreamTasksSkipped
from notes import leave_note, verdict_address

from components import plan, spans
from components.approval import NotApproved
from components.errors import Halted, UsageError
from components.plan import Outcome
from components.verdict import Status

log = logging.getLogger(__name__)

FORM, TUNE = "span", "tune"  # the form's fields
RUN, SAID = "run", "said"  # XCom's keys


class StepOperator(BaseOperator):
    """One step of the plan."""

    ui_color = "#e8f0f2"

    def __init__(self, **about: Any) -> None:
        super().__init__(do_xcom_push=False, **about)

    def execute(self, context: Any) -> Outcome:
        """Do the step; fail without another try where another try would say the same."""
        _notice_a_cold_start()
        try:
            outcome = self.perform(context)
        except Halted as halt:
            if halt.run:
                context["ti"].xcom_push(RUN, halt.run)
            say(context, "halted", str(halt), note=True, link=True)
            if halt.verdict.status is Status.ERROR:  # it could not measure: it may be asked again
                raise
            raise AirflowFailException(str(halt)) from None
        except UsageError as problem:
            say(context, "wrong use", str(problem), note=True)
            raise AirflowFailException(str(problem)) from None
        except NotApproved as problem:
            say(context, "broken", str(problem), note=True)
            raise AirflowFailException(str(problem)) from None
        except Exception as problem:
            say(context, "broken", f"{type(problem).__name__}: {problem}", note=True)
            raise
        released = outcome.release is not None
        say(context, "released" if released else "done", outcome.message, note=released)
        return outcome

    def perform(self, context: Any) -> Outcome:
        """Return what the step came to."""
        run = context["ti"].xcom_pull(task_ids="ingest", key=RUN)
        if not run:
            raise UsageError(
                "`ingest` left no run for this step; clear `ingest` and let it run: marked as "
                "success by hand, it proves nothing"
            )
        return plan.perform(plan.STEPS[self.task_id], self.dag_id, run)


class VerdictLink(BaseOperatorLink):
    """A button to the verdict's page, under the task's details."""

    name = "Verdict"

    def get_link(self, operator: Any, *, ti_key: Any) -> str:
        """Return the address of the page."""
        return verdict_address(ti_key.dag_id, ti_key.run_id, ti_key.task_id)


class GateOperator(StepOperator):
    """A step that may refuse: its no is final, and its verdict is a page."""

    ui_color = "#f7e7b5"
    operator_extra_links = (VerdictLink(),)


class IngestOperator(GateOperator):
    """The first step: it opens the run, or finds it released already and ends the DAG's run."""

    def execute(self, context: Any) -> Outcome:
        """Ingest; skip what follows when the same input is released already."""
        outcome = super().execute(context)
        if outcome.release:
            raise DownstreamTasksSkipped(tasks=sorted(self.downstream_task_ids))
        return outcome

    def perform(self, context: Any) -> Outcome:
        """Return what ingest came to: the run of this input."""
        tune = bool(context["params"].get(TUNE))
        outcome = plan.ingest(self.dag_id, span_of(context), tune=tune)
        context["ti"].xcom_push(RUN, outcome.run.id)
        return outcome


class BrokenSpec(BaseOperator):
    """All that is left of a pipeline whose spec does not read: the reason."""

    ui_color = "#f2c0c0"

    def __init__(self, *, problem: str, **about: Any) -> None:
        super().__init__(**about)
        self.problem = problem

    def execute(self, context: Any) -> None:
        """Fail with what is wrong with the spec."""
        say(context, "wrong use", self.problem, note=True)
        raise AirflowFailException(self.problem)


def span_of(context: Any) -> str:
    """Return the span that a run is for; raise UsageError when nothing says, or two things differ."""
    key, form = context["dag_run"].partition_key, context["params"].get(FORM)
    if not key and not form:
        raise UsageError(
            "this run has no span: trigger it with a partition key, or fill in the form's `span`, "
            "such as 2013-02-08"
        )
    if key and form and key != form:
        raise UsageError(
            f"this run has two spans, partition key {key!r} and the form's {form!r}: give one"
        )
    return spans.parse(key or form).isoformat()


def say(
    context: Any, outcome: str, message: str, *, note: bool = False, link: bool = False
) -> None:
    """Tell what a step came to: in the log, to whoever asks through XCom, and in the task's note."""
    log.log(logging.INFO if outcome in ("done", "released") else logging.ERROR, "%s", message)
    context["ti"].xcom_push(SAID, {"outcome": outcome, "message": message})
    if note:
        leave_note(context, message, link=link)


def _notice_a_cold_start() -> None:
    if "tensorflow" not in sys.modules:
        log.warning(
            "this task was not forked from the warm set, and pays 3 to 5 CPU seconds for imports; "
            "see [scheduler] mp_start_method and mp_forkserver_preload in airflow.cfg"
        )
