"""Where rows come from, and which of them train and judge."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field, field_validator

from components import home
from components.spec.part import Part, span


class Source(Part):
    """Where a span's rows come from; DuckDB reads it through `ingest.sql`.

    `path`: a file, folder, glob or URI with `{span}` in it, relative to the house; `$source` in the
    SQL. `complete`: the file beside the data that says a span is whole. `rows`: the file or glob
    under `path` whose every row must come out of the SQL, as an example or as a counted reject.
    `attach`: databases by alias, as DuckDB's ATTACH takes them.
    """

    path: str | None = None
    complete: str | None = None
    rows: str | None = None
    attach: dict[str, str] = Field(default_factory=dict)

    def of(self, span: str) -> str | None:
        """Return the path of one span: absolute for a local path, a URI as it stands."""
        if self.path is None:
            return None
        path = self.path.replace("{span}", span)
        return path if "://" in path else str(home.home() / path)


class SpanUnit(Part):
    """The unit of arrival, the earliest span there is, and the last one of a source that is closed.

    No window looks before `first`; no schedule asks for what comes after `last`.
    """

    unit: Literal["day"] = "day"
    first: str
    last: str | None = None

    @field_validator("first", "last", mode="before")
    @classmethod
    def _is_a_span(cls, value: Any) -> str | None:
        return None if value is None else span(value)


class Window(Part):
    """How many spans a model is trained on, and how many later ones judge it."""

    train: int = Field(ge=1)
    evaluate: int = Field(ge=1)

    @property
    def length(self) -> int:
        """Return the spans of the whole window."""
        return self.train + self.evaluate
