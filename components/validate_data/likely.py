"""The likeliest cause of what keeps the gate shut, whichever layer saw it, told once in words."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace

from pydantic import JsonValue

from components import profile
from components.profile import Profile
from components.validate_data import causes
from components.validate_data.causes.seen import Cause
from components.validate_data.integrity import rules
from components.validate_data.subject import Subject
from components.verdict import Check, Status

log = logging.getLogger(__name__)

EXPLAINED = ("contract", "drift", "volume", "rule", "history")


def explained(
    subject: Subject, checks: Sequence[Check], evidence: dict[str, JsonValue]
) -> Sequence[Check]:
    """Return the checks, those that are broken with how many rows the likeliest cause affects.

    The first that a cause explains tells it in its message; `evidence` gets all causes. They are a help
    and decide nothing: a search that crashes is logged, and none is told.
    """
    try:
        return _explained(subject, checks, evidence)
    except Exception:
        log.exception("no cause could be looked for of what is wrong with %s", subject.span)
        return checks


def _explained(
    subject: Subject, checks: Sequence[Check], evidence: dict[str, JsonValue]
) -> Sequence[Check]:
    broken = [c for c in checks if c.status in (Status.FAILED, Status.WARNED)]
    if not any(check.name in EXPLAINED for check in broken):
        return checks
    *past, now = _profiles(subject)
    words = {rule.name: rules.words(rule) for rule in subject.spec.rules}
    whole = causes.find(now, past, None)
    told: dict[str, list[str]] = {}  # clause → columns, [""] for the span as a whole
    made = []
    for check in checks:
        if check in broken and check.name in EXPLAINED:
            spoken = words.get(check.subject, set()) if check.name == "rule" else {check.subject}
            asked = [c for c in now.columns if c in spoken or c.lower() in spoken]
            found = [(c, cause) for c in asked if (cause := causes.find(now, past, c))]
            made.append(_with(check, _likeliest(whole, found), told))
        else:
            made.append(check)
    if told:
        evidence["likely"] = [
            _clause(", ".join(columns), clause) for clause, columns in told.items()
        ]
    return made


def _profiles(subject: Subject) -> list[Profile]:
    """Return the profiles of the spans before and of the span, without what no cause may quote."""
    held = [profile.load(s.file(profile.FILE)) for s in (*subject.history, subject.described)]
    hidden = subject.spec.data_gate.sensitive
    kept = [{n: c for n, c in p.columns.items() if n not in hidden} for p in held]
    return [replace(p, columns=columns) for p, columns in zip(held, kept, strict=True)]


def _likeliest(whole: Cause | None, found: Sequence[tuple[str, Cause]]) -> tuple[str, Cause] | None:
    """Return the column and cause that affect the most rows; "" for the span as a whole."""
    named = [(column, cause) for column, cause in found if cause != whole]
    named += [("", whole)] if whole else []
    return max(named, key=lambda held: held[1].rows or 0, default=None)


def _with(check: Check, found: tuple[str, Cause] | None, told: dict[str, list[str]]) -> Check:
    if found is None:
        return check
    column, cause = found
    values: dict[str, JsonValue] = {"rows affected": cause.rows, **check.values}
    named = told.setdefault(cause.clause, [])
    new = column not in named
    if new:
        named.append(column)
    says_it = cause.name == "missing" and check.name == "contract"
    more = "" if says_it or not new else f"; likely {_clause(column, cause.clause)}"
    return check.model_copy(update={"values": values, "message": check.message + more})


def _clause(columns: str, clause: str) -> str:
    return f"{columns}: {clause}" if columns else clause
