"""The ledger: the append-only record of what was handed to the servers, and how that went.

    var/store/<pipeline>/ledger.jsonl

`pushing` is written after approval and before anything moves, `released` once the servers answer
with the version, `refused` when they would not: so no served version is without its line.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict

from components import records, store


class Release(BaseModel):
    """One line of the ledger.

    `name`: the model's, on the servers; `model`: digest of its artifact; `artifact`: its folder,
    relative to the pipeline's store; `verdicts`: gate → reason, as approved; `metrics`: of the model
    gate, overall.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    event: Literal["pushing", "released", "refused"]
    at: datetime
    pipeline: str
    span: str
    run: str
    fingerprint: str
    name: str = ""  # not kept in the lines of earlier code
    version: int
    model: str
    artifact: str
    baseline: str | None
    verdicts: dict[str, str]
    metrics: dict[str, float]
    message: str = ""


def append(entry: Release) -> None:
    """Add a line, whole and on the disk before this returns."""
    records.append(_path(entry.pipeline), entry)


def entries(pipeline: str) -> list[Release]:
    """Return every line, oldest first."""
    return records.read(_path(pipeline), Release)


def releases(pipeline: str) -> list[Release]:
    """Return the releases that the servers took, oldest first."""
    return [entry for entry in entries(pipeline) if entry.event == "released"]


def baseline(pipeline: str) -> Release | None:
    """Return the release with the highest version: the model now serving, or None before any."""
    return max(releases(pipeline), key=lambda r: r.version, default=None)


def called(pipeline: str, name: str) -> Release | None:
    """Return the baseline where it is served under this name, None where no client can call it yet."""
    serving = baseline(pipeline)
    return serving if serving and serving.name in ("", name) else None


def of_fingerprint(pipeline: str, fingerprint: str) -> Release | None:
    """Return the release of exactly these inputs, if there was one."""
    return next((r for r in releases(pipeline) if r.fingerprint == fingerprint), None)


def _path(pipeline: str) -> Path:
    return store.root(pipeline) / "ledger.jsonl"
