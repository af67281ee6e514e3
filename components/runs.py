"""Runs: one attempt to release a model for a span, from fixed inputs, under a version fixed at once.

    var/store/<pipeline>/runs/<span>-<fingerprint>/run.json     written once, when the run opens
                                                  /steps/*.json  what each step made or decided
    var/store/<pipeline>/versions/<n>                            which run a version belongs to

A run is its inputs: triggered again with the same ones it is the same run with the same version.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from components import files, ledger, records, store
from components.errors import SluiceError, UsageError, near_miss
from components.ledger import Release
from components.spec import Spec
from components.store import Artifact

log = logging.getLogger(__name__)


class Run(BaseModel):
    """What is fixed when a run opens.

    `examples`: span → digest of all that the window may use; `admitted`: of those, the ones that the
    data gate refused and a person had let in by then; `files`: what the pipeline's files said;
    `tune`: whether it searches for hyperparameters; `tuned`: the span and digest of the search before it,
    whose best it takes over.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    pipeline: str
    span: str
    version: int
    fingerprint: str
    opened: datetime
    examples: dict[str, str]
    admitted: dict[str, str]
    files: dict[str, str]
    tune: bool = False
    tuned: tuple[str, str] | None = None

    @property
    def folder(self) -> Path:
        """Return the run's folder."""
        return _folder(self.pipeline, self.id)

    @property
    def apart(self) -> Path | None:
        """Return the folder of what it decides for itself alone; None: it decides for the pipeline."""
        return None

    def baseline(self) -> Artifact | None:
        """Return the model that a candidate has to follow, whole, or None before the first release."""
        serving = ledger.baseline(self.pipeline)
        return store.load(store.root(self.pipeline) / serving.artifact) if serving else None

    def release(self) -> Release | None:
        """Return the release of exactly this run's inputs, if there was one."""
        return ledger.of_fingerprint(self.pipeline, self.fingerprint)


class StepRecord(BaseModel):
    """What a step came to. `artifact`: its folder, relative to the pipeline's store."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    step: str
    outcome: Literal["done", "passed", "halted", "error"]
    artifact: str | None
    message: str
    finished: datetime
    seconds: float


def open_run(
    spec: Spec,
    span: str,
    examples: Mapping[str, str],
    *,
    admitted: Mapping[str, str] | None = None,
    tune: bool = False,
    tuned: Artifact | None = None,
) -> Run:
    """Open the run of these inputs, or return it if it is open already.

    `examples`: span → digest of the examples in reach of the window; `admitted`: span → digest of
    those that a person let in; `tune`, `tuned`: as of a run. The version is the pipeline's next, and
    taken for good.
    """
    inputs = {f"examples/{s}": d for s, d in examples.items()}
    inputs |= {f"admitted/{s}": d for s, d in (admitted or {}).items()}
    inputs |= {"tune": "asked"} if tune else {}
    inputs |= {"tuned": tuned.digest} if tuned else {}
    fingerprint = store.digest_of({"span": span, **spec.files, **inputs})
    run_id = f"{span}-{fingerprint[:8]}"
    path = _folder(spec.name, run_id) / "run.json"
    with files.exclusive(path.parent.with_suffix(".lock")):
        run = _whole(path)
        if run is None:
            run = Run(
                id=run_id,
                pipeline=spec.name,
                span=span,
                version=_take_version(spec.name, run_id),
                fingerprint=fingerprint,
                opened=datetime.now(UTC),
                examples=dict(examples),
                admitted=dict(admitted or {}),
                files=spec.files,
                tune=tune,
                tuned=(tuned.manifest.span, tuned.digest) if tuned else None,
            )
            files.write_atomically(path, records.text(run, indent=2))
    return run


def load(pipeline: str, run_id: str) -> Run:
    """Return a run by its id; raise UsageError when there is none, SluiceError when it is torn."""
    path = _folder(pipeline, run_id) / "run.json"
    try:
        return records.parse(Run, path.read_bytes())
    except FileNotFoundError:
        known = [run.id for run in all_runs(pipeline)]
        raise UsageError(
            f"pipeline {pipeline!r} has no run {run_id!r}{near_miss(run_id, known)}"
        ) from None
    except ValueError as error:
        raise SluiceError(
            f"{path} is torn: {str(error).splitlines()[0]}; start it again from `ingest`: of the same "
            "inputs it is the same run, with the same version"
        ) from error


def all_runs(pipeline: str) -> list[Run]:
    """Return every run of a pipeline, in the order in which they were opened; a torn one is left out."""
    found = sorted((store.root(pipeline) / "runs").glob("*/run.json"))
    return sorted(filter(None, map(_whole, found)), key=lambda run: run.opened)


def record(run: Run, step: StepRecord) -> None:
    """Write down what a step came to; a later try replaces it."""
    path = run.folder / "steps" / f"{step.step}.json"
    files.write_atomically(path, records.text(step, indent=2))


def steps(run: Run) -> dict[str, StepRecord]:
    """Return what each step of the run came to, by step, in the order in which they finished.

    A torn record does not count: the step is as good as not done, and doing it writes it anew.
    """
    found = []
    for path in (run.folder / "steps").glob("*.json"):
        try:
            found.append(records.parse(StepRecord, path.read_bytes()))
        except ValueError:
            log.warning("%s is torn, and does not count; run that step again", path)
    return {step.step: step for step in sorted(found, key=lambda s: s.finished)}


def artifact(run: Run, step: str) -> store.Artifact:
    """Return what a step of the run made, whole; raise SluiceError when it made nothing yet."""
    done = steps(run).get(step)
    if done is None or done.artifact is None:
        raise SluiceError(f"run {run.id} has no {step!r} yet: run that step first")
    return store.load(store.root(run.pipeline) / done.artifact)


def _folder(pipeline: str, run_id: str) -> Path:
    return store.root(pipeline) / "runs" / run_id


def _whole(path: Path) -> Run | None:
    try:
        return records.parse(Run, path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        log.warning("%s is torn: %s", path, str(error).splitlines()[0])
        return None


def _take_version(pipeline: str, run_id: str) -> int:
    """Return the version that the run has taken, or the next, taken by creating its file.

    Two runs cannot take the same, and no torn record makes one forget its own.
    """
    taken = _taken(pipeline)
    own = [version for version, by in taken.items() if by == run_id]
    if own:
        return own[0]
    version = max(taken, default=0) + 1
    while True:
        path = _versions(pipeline) / str(version)
        try:
            handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
        except FileExistsError:
            version += 1
            continue
        with os.fdopen(handle, "w") as file:
            file.write(run_id + "\n")
        return version


def _taken(pipeline: str) -> dict[int, str]:
    """Return which run has which version, by all that bears witness: its file, itself, the ledger."""
    _versions(pipeline).mkdir(parents=True, exist_ok=True)
    found = [path for path in _versions(pipeline).iterdir() if path.name.isdigit()]
    taken = {int(path.name): path.read_text(errors="replace").strip() for path in found}
    taken |= {run.version: run.id for run in all_runs(pipeline)}
    return taken | {entry.version: entry.run for entry in ledger.entries(pipeline)}


def _versions(pipeline: str) -> Path:
    return store.root(pipeline) / "versions"
