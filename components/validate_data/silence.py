"""Silenced checks: made and shown as ever, but for a while they warn where they would have halted."""

from __future__ import annotations

from collections.abc import Sequence

from components.spec import Silence
from components.verdict import Check, Status


def silenced(checks: Sequence[Check], silences: Sequence[Silence], span: str) -> list[Check]:
    """Return the checks of a span, those that failed and are silenced as warnings that say why.

    A check that could not measure is not silenced: nobody knows what it would have found.
    """
    return [_warned(check, silences, span) for check in checks]


def _warned(check: Check, silences: Sequence[Silence], span: str) -> Check:
    if check.status is not Status.FAILED:
        return check
    for silence in silences:
        about = silence.column is None or silence.column == check.subject
        if silence.check == check.name and about and span <= silence.until:
            told = f"{check.message} (silenced until {silence.until}: {silence.because})"
            return check.model_copy(update={"status": Status.WARNED, "message": told})
    return check
