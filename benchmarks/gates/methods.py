"""Ways to judge a span by the spans before it, all asked the same: the data gate, and baselines.

A method looks at every span once; what it expects of the next comes from its looks at the spans
before, and an alarm is a score above 1.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import pyarrow as pa

from components import profile

Judge = Callable[[Any], float]
PAST = 60  # accepted spans that the data gate learns from


class Method(Protocol):
    """One way to judge. A new one is made for each table, or column, that it follows."""

    def look(self, span: pa.Table) -> Any:
        """Return what is remembered of a span."""

    def expect(self, past: Sequence[Any]) -> Judge:
        """Return what gives a look at the next span its score; `past` is oldest first, and whole."""


@dataclass(frozen=True)
class Seen:
    """A span's profile, and the digest of its content."""

    profile: profile.Profile
    digest: str


class Sluice:
    """The data gate where nothing is declared: its third layer, and the digests of its second."""

    def __init__(self, categories: Collection[str], warm_up: int) -> None:
        self.categories = categories

    def look(self, span: pa.Table) -> Seen:
        sink = pa.BufferOutputStream()
        span = span.combine_chunks()
        with pa.ipc.new_stream(sink, span.schema) as stream:
            stream.write_table(span)
        digest = hashlib.sha256(sink.getvalue()).hexdigest()
        return Seen(profile.profile(span, self.categories), digest)

    def expect(self, past: Sequence[Seen]) -> Judge:
        from components.validate_data import history

        expectation = history.expect([seen.profile for seen in past[-PAST:]])
        known = {seen.digest for seen in past}

        def judge(now: Seen) -> float:
            # a column alone may well repeat itself; a file does not
            repeated = len(now.profile.columns) > 1 and now.digest in known
            return float("inf") if repeated else expectation.judge(now.profile).score

        return judge
