"""A pipeline's schema as it stood: in another file, for a run, or at a git revision."""

from __future__ import annotations

import subprocess
from contextlib import suppress
from pathlib import Path

from components import home, runs
from components.errors import SluiceError, UsageError, near_miss
from components.files import sha256
from components.runs import Run

KEPT = "schema.pbtxt"  # beside a data gate's verdict: the schema that it judged by


def text_of(pipeline: str, version: str) -> str:
    """Return the text of a schema: `version` is a file, a run's id, or a git revision.

    Raises UsageError where there is no such thing, or it holds no schema of this pipeline.
    """
    path = Path(version)
    if path.is_file():
        return path.read_text()
    known = runs.all_runs(pipeline)
    for run in known:
        if run.id == version:
            return _of_run(run)
    found = _at_revision(pipeline, version)
    if found is None:
        raise UsageError(
            f"{version!r} is no file, no run of {pipeline}, and no git revision with "
            f"schemas/{pipeline}.pbtxt; name one that has it (--against)"
            f"{near_miss(version, [run.id for run in known])}"
        )
    return found


def _of_run(run: Run) -> str:
    """Return the schema that a run was judged by, if it is the one of today or was kept."""
    name = f"schemas/{run.pipeline}.pbtxt"
    candidates = [home.schemas() / f"{run.pipeline}.pbtxt"]
    with suppress(SluiceError):  # it halted before, or was made when none was kept
        candidates.append(runs.artifact(run, "validate_data").file(KEPT))
    for path in candidates:
        if path.is_file() and sha256(path) == run.files.get(name):
            return path.read_text()
    raise UsageError(
        f"{name} is another now than when run {run.id} opened, and its data gate kept no copy; "
        f"name a git revision of {run.opened:%Y-%m-%d}"
    )


def _at_revision(pipeline: str, revision: str) -> str | None:
    command = ["git", "-C", str(home.home()), "show", f"{revision}:./schemas/{pipeline}.pbtxt"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:  # no git
        return None
    return done.stdout if done.returncode == 0 else None
