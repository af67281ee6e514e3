"""What can go wrong, by whose hand it is mended.

`Halted` is a gate doing its work; `SluiceError` is anything broken; `UsageError` is a wrong request.
Every message is one line: the offender, the problem, the remedy.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from components.verdict import Verdict


class SluiceError(Exception):
    """Something is broken; the message names the offender, the problem and the remedy."""


class UsageError(SluiceError):
    """The request itself is wrong: a bad span, an unknown pipeline, a spec that does not read."""


class Halted(SluiceError):
    """A gate refused to open. `verdict` says why, `run` which run; nothing after may happen."""

    def __init__(self, verdict: Verdict, run: str = "") -> None:
        super().__init__(verdict.reason)
        self.verdict = verdict
        self.run = run


def near_miss(given: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the known word nearest to `given`, or an empty string."""
    match = get_close_matches(given, list(known), n=1)
    return f"; did you mean {match[0]!r}?" if match else ""
