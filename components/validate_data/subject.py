"""What the data gate looks at: one span, its contract, and the accepted spans before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components import admissions, schema, served, statistics
from components.ingest import FILE
from components.served import Log
from components.spec import Spec
from components.store import Artifact

# What the window is compared with is judged once a week of spans is accepted: every weekday has then
# been seen.
LEARNING = 7


@dataclass(frozen=True)
class Subject:
    """One span under judgement.

    `described`: its statistics; `history`: those of the accepted spans before it, oldest first.
    """

    spec: Spec
    examples: Artifact
    described: Artifact
    history: Sequence[Artifact]

    @property
    def span(self) -> str:
        """Return the span's key."""
        return self.examples.manifest.span

    @cached_property
    def table(self) -> pa.Table:
        """Return the span's rows, in the order of the key."""
        return pq.read_table(self.examples.file(FILE)).combine_chunks()

    @property
    def window(self) -> Sequence[Artifact]:
        """Return the statistics of the accepted spans of the window before it, oldest first."""
        return self.history[-(self.spec.window.length - 1) :]

    @cached_property
    def before(self) -> Any:
        """Return the statistics of the window's rows together, or None where it holds no span."""
        return statistics.merge([statistics.read(h) for h in self.window]) if self.window else None

    @cached_property
    def admitted(self) -> Sequence[Artifact]:
        """Return those of the window that a person let in, although the gate had refused them."""
        let_in = admissions.admissions(self.spec.name)
        return [
            h for h in self.window if (h.manifest.span, h.manifest.inputs.get("examples")) in let_in
        ]

    @property
    def learning(self) -> str:
        """Return that the window is too short to compare with, or nothing where it is not."""
        least = min(LEARNING, self.spec.window.length - 1)
        known = len(self.window)
        told = f"learning: {known} of {least} spans that it takes to know what is usual"
        return told if known < least else ""

    @cached_property
    def log(self) -> Log | None:
        """Return the latest log of served rows, of the span or of one in the window, as it lies now."""
        spans = [self.span, *(h.manifest.span for h in reversed(self.window))]
        logs = (served.find(self.spec.name, span) for span in spans)
        return next((log for log in logs if log), None)

    @property
    def schema(self) -> Any:
        """Return the reviewed `schema_pb2.Schema`; raise UsageError when it does not parse."""
        return schema.load(self.spec.schema_path)

    @property
    def schema_name(self) -> str:
        """Return the schema's path within the house, as messages name it."""
        return f"schemas/{self.spec.name}.pbtxt"
