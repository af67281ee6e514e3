"""Experiment tracking: what a run came to, told to MLflow where `MLFLOW_TRACKING_URI` names one.

var/store/<pipeline>/runs/<run>/tracking.json   where it was told, or why it could not be

It is told by another process, for so long and no longer: a server that is away, slow or broken costs a
run its line there and nothing else. The record of a run is its own (`runs.py`); this is a copy of it.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
from importlib.util import find_spec

from pydantic import BaseModel, ConfigDict

from components import files, home, records
from components.runs import Run

log = logging.getLogger(__name__)

URI = "MLFLOW_TRACKING_URI"
PATIENCE_S = 60.0  # for all of it; 2 s are MLflow's imports
FILE = "tracking.json"
# What the client would else wait for: 2 minutes a request, 7 tries.
HASTE = {"MLFLOW_HTTP_REQUEST_TIMEOUT": "10", "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2"}


class Told(BaseModel):
    """What came of telling MLflow. `run`: its id there; `version`: of the model there, once released."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    uri: str
    run: str | None = None
    version: str | None = None
    problem: str = ""


def follow(run: Run, step: str, outcome: str) -> Told | None:
    """Tell MLflow of a run after a step that says something of its model; never raise.

    That is the model gate, the release, and whatever ends a run that has a model. A run apart, such as
    a backtest's, is nobody's experiment. Returns what came of it, which is on the run's record, or
    None where there was nothing to tell, or nobody.
    """
    uri = os.environ.get(URI)
    ended = outcome in ("halted", "error") and (run.folder / "steps" / "train.json").exists()
    if not uri or run.apart or not (step in ("evaluate", "push") or ended):
        return None
    told = _told(run, uri, PATIENCE_S)
    if told.problem:
        log.warning("MLflow at %s was not told of run %s: %s", uri, run.id, told.problem)
    try:
        files.write_atomically(run.folder / FILE, records.text(told, indent=2))
    except OSError as error:
        log.warning("%s cannot be written: %s", run.folder / FILE, error)
    return told


def read(run: Run) -> Told | None:
    """Return what came of telling MLflow of a run, or None when nobody was told."""
    try:
        return records.parse(Told, (run.folder / FILE).read_bytes())
    except (FileNotFoundError, ValueError):
        return None


def _told(run: Run, uri: str, patience_s: float) -> Told:
    """Have another process tell, and return what it says."""
    if find_spec("mlflow") is None:
        return Told(uri=uri, problem="MLflow's client is not installed: install sluice[mlflow]")
    command = [sys.executable, "-m", "components.tracking.to_mlflow", run.pipeline, run.id]
    environment = {**HASTE, **os.environ, "SLUICE_HOME": str(home.home())}
    try:
        said = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=patience_s
        )
    except subprocess.TimeoutExpired:
        return Told(uri=uri, problem=f"it took longer than {patience_s:g} s")
    except OSError as error:
        return Told(uri=uri, problem=str(error))
    try:
        return Told.model_validate({"uri": uri, **json.loads(said.stdout.splitlines()[-1])})
    except (IndexError, ValueError):
        last = [line for line in said.stderr.splitlines() if line.strip()][-1:]
        return Told(uri=uri, problem=last[0][:500] if last else f"exit code {said.returncode}")
