"""Ways to judge a span by the spans before it, all asked the same: the data gate, and baselines.

A method looks at every span once; what it expects of the next comes from its looks at the spans
before, and an alarm is a score above 1.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, Protocol

import pyarrow as pa

from components import profile
from components.verdict import Status
from components.window import HISTORY

Judge = Callable[[Any], float]


class Method(Protocol):
    """One way to judge. A new one is made for each table, or column, that it follows."""

    def look(self, span: pa.Table) -> Any:
        """Return what is remembered of a span."""

    def expect(self, past: Sequence[Any]) -> Judge:
        """Return what gives a look at the next span its score; `past` is oldest first, and whole."""


@dataclass(frozen=True)
class Seen:
    """A span as the data gate keeps it: its profile, and the digests of its columns.

    It goes for the span's statistics where the check for stale rows looks at those.
    """

    table: pa.Table
    profile: profile.Profile
    facts: Mapping[str, Any]
    manifest: Any


class History:
    """The third layer of the data gate by itself."""

    def __init__(self, categories: Collection[str], warm_up: int) -> None:
        self.categories = categories
        self.looks = itertools.count()

    def look(self, span: pa.Table) -> Seen:
        span = span.combine_chunks()
        digests = {name: _digest(span[name]) for name in span.column_names}
        manifest = SimpleNamespace(span=f"look {next(self.looks)}")
        return Seen(span, profile.profile(span, self.categories), {"digests": digests}, manifest)

    def expect(self, past: Sequence[Seen]) -> Judge:
        from components.validate_data.history import expect

        expectation = expect([seen.profile for seen in past[-HISTORY:]])
        return lambda now: expectation.judge(now.profile).score


class Sluice(History):
    """The data gate where nothing is declared: its third layer, and of its second the stale rows."""

    def expect(self, past: Sequence[Seen]) -> Judge:
        from components.validate_data.integrity import stale

        unlike = super().expect(past)

        def judge(now: Seen) -> float:
            subject: Any = SimpleNamespace(
                spec=SimpleNamespace(key=()),
                table=now.table,
                described=now,
                history=past[-HISTORY:],
            )
            again = any(check.status is Status.FAILED for check in stale.checks(subject))
            return float("inf") if again else unlike(now)

        return judge


def _digest(column: pa.ChunkedArray) -> str:
    """Return a digest of a column's values, row by row."""
    text = pa.types.is_string(column.type)
    held = column.fill_null("" if text else False if pa.types.is_boolean(column.type) else 0)
    values = "\0".join(held.to_pylist()).encode() if text else held.to_numpy().tobytes()
    return hashlib.sha256(column.is_valid().to_numpy().tobytes() + values).hexdigest()
