"""Quarantine: the deliveries that the data gate refused. They are kept as they came, and train no model.

One leaves it in two ways: a person admits it, as it is (`sluice admit`), or the source delivers the
span again, corrected. Each run reads the refused spans in its reach again, so a correction needs no
more than to be there.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

from components import admissions, gates, store, window
from components.admissions import Admission
from components.errors import SluiceError
from components.spec import Spec
from components.store import Artifact

log = logging.getLogger(__name__)


class Delivery(BaseModel):
    """A delivery that was refused. `examples`: its digest; `since`: when; `reason`: in one line.

    `state`: `refused`, until it is `admitted`, or `replaced` by a later delivery of the span.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    span: str
    examples: str
    since: datetime
    reason: str
    state: Literal["refused", "admitted", "replaced"]
    admission: Admission | None = None


def deliveries(what: Spec) -> Sequence[Delivery]:
    """Return every delivery that the data gate refused, by span, and within a span as they came."""
    let_in = admissions.admissions(what.name)
    found = []
    for pointer in sorted((store.root(what.name) / "validate_data").glob("*/of-*")):
        made = store.pointed(what.name, pointer)
        verdict = gates.read(made) if made else None
        if made is None or verdict is None or verdict.passed:
            continue
        span, examples = verdict.span, verdict.speaks_of["examples"]
        current = store.pointed(what.name, store.root(what.name) / "examples" / span / "current")
        admission = let_in.get((span, examples))
        replaced = current is not None and current.digest != examples
        found.append(
            Delivery(
                span=span,
                examples=examples,
                since=made.manifest.finished,
                reason=verdict.reason,
                state="replaced" if replaced else "admitted" if admission else "refused",
                admission=admission,
            )
        )
    return sorted(found, key=lambda delivery: (delivery.span, delivery.since))


def holds(what: Spec, examples: Artifact) -> bool:
    """Say whether the data gate refused these examples, and nobody has let them in."""
    try:
        verdict = window.judged(what, examples)
        if verdict is None or gates.read(verdict).passed:
            return False
    except SluiceError as torn:
        log.warning("%s: it says nothing of %s", torn, examples.manifest.span)
        return False
    return (examples.manifest.span, examples.digest) not in admissions.admissions(what.name)
