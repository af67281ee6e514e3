"""Admissions: a person lets a refused span into the windows, says why, and it is written down.

var/store/<pipeline>/admissions.jsonl
"""

from __future__ import annotations

import getpass
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from components import records, store
from components.errors import UsageError


class Admission(BaseModel):
    """Who let which examples in, when and why. It speaks of one span and digest: others are judged."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pipeline: str
    span: str
    examples: str
    because: str
    by: str
    at: datetime


def admit(pipeline: str, span: str, examples: str, because: str) -> Admission:
    """Admit the examples with this digest; raise UsageError without a reason."""
    if not because.strip():
        raise UsageError(
            'an admission needs a reason: --because "why these rows may train a model"'
        )
    admission = Admission(
        pipeline=pipeline,
        span=span,
        examples=examples,
        because=because.strip(),
        by=getpass.getuser(),
        at=datetime.now(UTC),
    )
    records.append(_path(pipeline), admission)
    return admission


def admissions(pipeline: str) -> dict[tuple[str, str], Admission]:
    """Return the admissions of a pipeline by span and digest: a day sent again is let in anew."""
    return {(one.span, one.examples): one for one in records.read(_path(pipeline), Admission)}


def among(pipeline: str, digests: Mapping[str, str]) -> dict[str, str]:
    """Return those of `digests` (span → digest of examples) that a person let in."""
    return dict(digests.items() & admissions(pipeline).keys())


def _path(pipeline: str) -> Path:
    return store.root(pipeline) / "admissions.jsonl"
