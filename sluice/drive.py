"""The plan in one process, for development: what `sluice run flights 2013-02-08` does."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum

from components import home, pipelines, plan, spans
from components.errors import Halted, SluiceError, UsageError
from components.ledger import Release

log = logging.getLogger(__name__)


class Exit(IntEnum):
    """What a run came to, as an exit code."""

    RELEASED = 0
    BROKEN = 1
    WRONG_USE = 2
    HALTED = 3


@dataclass(frozen=True)
class Result:
    """How a run ended. `reason` is empty for a release; `run` for a run that never opened."""

    pipeline: str
    span: str
    outcome: Exit
    run: str
    reason: str
    release: Release | None
    seconds: float


Told = Callable[[str, str, float | None], None]
"""Called as (step, message, seconds): with seconds None when a step begins."""


def run(pipeline: str, span: str, tell: Told, *, tune: bool = False) -> Result:
    """Drive a run to its end; raise UsageError for a wrong request, and nothing else."""
    hush()
    spans.parse(span)
    pipelines.load(pipeline)
    started = time.monotonic()
    run_id, at = "", "ingest"

    def ended(outcome: Exit, reason: str = "", release: Release | None = None) -> Result:
        seconds = round(time.monotonic() - started, 2)
        return Result(pipeline, span, outcome, run_id, reason, release, seconds)

    try:
        for at, do in _steps(pipeline, span, tune):
            began = time.monotonic()
            tell(at, "", None)
            done = do(run_id)
            run_id = done.run.id
            tell(at, done.message, time.monotonic() - began)
            if done.release:
                return ended(Exit.RELEASED, done.message, done.release)
    except UsageError:
        raise
    except Halted as halt:
        run_id = halt.run or run_id
        return ended(Exit.HALTED, str(halt))
    except SluiceError as error:
        return ended(Exit.BROKEN, f"{at}: {error}")
    except Exception as error:
        log.exception("%s broke", at)
        return ended(Exit.BROKEN, f"{at}: {type(error).__name__}: {error}")
    raise AssertionError("the plan ended without a release or a halt")


def hush() -> None:
    """Keep what the libraries say at import from burying the steps, and their files under var/."""
    os.environ.setdefault("KERAS_HOME", str(home.var() / "keras"))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning, module="google")
    for chatty in ("tensorflow", "apache_beam", "absl"):
        logging.getLogger(chatty).setLevel(logging.ERROR)


def _steps(pipeline: str, span: str, tune: bool) -> list[tuple[str, Callable[[str], plan.Outcome]]]:
    first = ("ingest", lambda run_id: plan.ingest(pipeline, span, tune=tune))
    rest = [
        (step.name, lambda run_id, step=step: plan.perform(step, pipeline, run_id))
        for step in plan.steps_of(pipelines.load(pipeline))
    ]
    return [first, *rest]
