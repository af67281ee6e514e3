"""What a gate found: checks, each with what was seen and expected, and the verdict they add up to."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

GateName = Literal["arrival", "data", "model", "infra"]


class Status(StrEnum):
    """How a check or a whole gate came out. Only `passed` opens a gate."""

    PASSED = "passed"
    WARNED = "warned"  # seen, told, does not halt
    SKIPPED = "skipped"  # could not apply yet, and says why (no baseline, no history)
    FAILED = "failed"
    ERROR = "error"  # could not measure: the same as not passing


class Check(BaseModel):
    """One question that a gate asked.

    `name` is the kind of check (`drift`, `auc`), `subject` what it looked at (a column, a slice),
    `message` one sentence for the person on call. `seen` and `expected` are short texts with units.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    status: Status
    subject: str = ""
    seen: str = ""
    expected: str = ""
    message: str = ""
    values: dict[str, JsonValue] = Field(default_factory=dict)  # the figures, for machines


class Verdict(BaseModel):
    """A gate's answer about exactly the artifacts in `speaks_of` (name → digest).

    No checks is not a pass, a check that could not measure is not a pass, and so is a gate all of
    whose checks were skipped.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    gate: GateName
    pipeline: str
    span: str
    speaks_of: dict[str, str]
    checks: tuple[Check, ...]
    evidence: dict[str, JsonValue] = Field(default_factory=dict)  # what the page shows beside

    @property
    def status(self) -> Status:
        """Return PASSED, FAILED or ERROR for the gate as a whole."""
        seen = {check.status for check in self.checks}
        if Status.ERROR in seen:
            return Status.ERROR
        if Status.FAILED in seen:
            return Status.FAILED
        if seen & {Status.PASSED, Status.WARNED}:
            return Status.PASSED
        return Status.ERROR

    @property
    def passed(self) -> bool:
        """Say whether the gate opens."""
        return self.status is Status.PASSED

    @property
    def offences(self) -> tuple[Check, ...]:
        """Return the checks that keep the gate shut, errors first."""
        bad = [c for c in self.checks if c.status in (Status.ERROR, Status.FAILED)]
        return tuple(sorted(bad, key=lambda c: c.status is not Status.ERROR))

    @property
    def reason(self) -> str:
        """Return one line for the person on call: which gate, which span, what was wrong."""
        if self.passed:
            return f"{self.gate} gate passed for {self.pipeline} {self.span}"
        if not self.offences:
            return (
                f"{self.gate} gate did not open for {self.pipeline} {self.span}: "
                "no check could be made, and no checks is not a pass"
            )
        verb = "could not judge" if self.status is Status.ERROR else "halted"
        return f"{self.gate} gate {verb} {self.pipeline} {self.span}: {self.wrong(3)}"

    def wrong(self, most: int) -> str:
        """Return what was wrong, in the words of the first offences, and how many more there are."""
        told = "; ".join(c.message or f"{c.name} {c.subject}".strip() for c in self.offences[:most])
        rest = len(self.offences) - most
        return told + (f" (and {rest} more)" if rest > 0 else "")


def failed_to_measure(name: str, problem: Exception, **about: Any) -> Check:
    """Return the check of a question that crashed: an error, which keeps the gate shut."""
    said = " ".join(str(problem).split())
    told = f"{name} could not be measured: {type(problem).__name__}: {said}".removesuffix(": ")
    return Check(name=name, status=Status.ERROR, message=told, **about)
