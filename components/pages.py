"""Pages for people: a gate's verdict as one self-contained HTML file, without script.

Rendering reads and never computes: every figure on the page stands in the verdict. Every value is
escaped, since names of columns, slices and values come out of data.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from components.verdict import Verdict

if TYPE_CHECKING:
    from jinja2 import Environment


def verdict_page(verdict: Verdict) -> str:
    """Return the HTML page of a verdict."""
    return _templates().get_template("verdict.html").render(verdict=verdict)


@cache
def _templates() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("components"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
