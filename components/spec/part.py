"""What all parts of a spec have in common."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from components import spans
from components.errors import UsageError


class Part(BaseModel):
    """A mapping of the YAML, in which no key may be unknown."""

    model_config = ConfigDict(frozen=True, extra="forbid")


def span(value: Any) -> str:
    """Return the key of a span; raise ValueError for a value that is none."""
    key = str(value)  # YAML reads an unquoted 2013-01-01 as a date
    try:
        spans.parse(key)
    except UsageError as error:
        raise ValueError(str(error)) from None
    return key
