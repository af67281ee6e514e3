"""Silenced checks: made and shown as ever, but for a while they warn where they would have halted."""

from __future__ import annotations

from collections.abc import Sequence

from components.profile.joint import BETWEEN
from components.spec.gates import Silence
from components.verdict import Check, Status


def silenced(checks: Sequence[Check], silences: Sequence[Silence], span: str) -> list[Check]:
    """Return the checks of a span, those that failed and are silenced as warnings that say why.

    A check that could not measure is not silenced: nobody knows what it would have found. A silence
    that is over silences nothing; it is told, at the check and by itself, until somebody takes it out.
    """
    over = [silence for silence in silences if silence.until < span]
    now = [silence for silence in silences if silence.until >= span]
    return [*(_told(check, now, over) for check in checks), *map(_over, over)]


def _told(check: Check, now: Sequence[Silence], over: Sequence[Silence]) -> Check:
    if check.status is not Status.FAILED:
        return check
    for silence in (s for s in now if _is_of(s, check)):
        told = f"{check.message} (silenced until {silence.until}: {silence.because})"
        return check.model_copy(update={"status": Status.WARNED, "message": told})
    for silence in (s for s in over if _is_of(s, check)):
        told = f"{check.message} (its silence ended with {silence.until}: {silence.because})"
        return check.model_copy(update={"message": told})
    return check


def _is_of(silence: Silence, check: Check) -> bool:
    """Say whether a silence speaks of a check; one of a column does of its ties to others, too."""
    subjects = (check.subject, *check.subject.split(BETWEEN))
    return silence.check == check.name and silence.column in (None, *subjects)


def _over(silence: Silence) -> Check:
    told = (
        f"silenced until {silence.until} ({silence.because}), which is over: take it out of "
        "data_gate.silenced, or give it another day"
    )
    subject = f"{silence.check} {silence.column or ''}".strip()
    return Check(name="silence", status=Status.SKIPPED, subject=subject, message=told)
