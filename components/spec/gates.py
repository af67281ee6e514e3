"""What each gate holds a run to."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from components.spec.part import Part, span

MASK = "•••"  # in place of a value that is sensitive
# Every check of the data gate that a pipeline may silence for a while.
DATA_CHECKS = (
    "contract", "serving contract", "drift", "volume", "rule", "leak", "stale", "history", "skew",
)  # fmt: skip
OF_ROWS = ("volume", "stale", "history")  # those of them that ask of the `rows` as a whole, too


class Threshold(Part):
    """A bound on a metric: overall, or in every slice of one slicing.

    `worse_by_at_most`: how much worse than the baseline the candidate may be, in the metric's own
    unit; a slice blocks when it is credibly worse than that, and not when noise explains it.
    `notice`: the regression beyond what is tolerated that must not go unnoticed; a slice in which it
    well could is underpowered; 0.05 unless told, and for a figure in the label's unit as much as is
    tolerated, or a tenth of the baseline's. One of fewer than `min_examples` examples is, and is not
    judged.
    """

    metric: str
    slice: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    worse_by_at_most: Annotated[float, Field(ge=0)] | None = None
    notice: Annotated[float, Field(gt=0)] | None = None
    min_examples: int = Field(default=100, ge=1)


class ModelGate(Part):
    """How sure the model gate is before it blocks, and what it does where it cannot be.

    `false_blocks`: the share of runs that noise alone may block, over all slices and metrics of a run
    together. `underpowered`: what slices too small to tell do.
    """

    false_blocks: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    underpowered: Literal["warn", "halt"] = "warn"


class WeakSlices(Part):
    """The search for slices that nobody named and in which the candidate does badly.

    `min_examples`: in a slice, at least; `most`: how many are told; `effect`: from which difference
    on, in standard deviations of the loss; `gate`: whether one that is worse than the baseline halts.
    """

    min_examples: int = Field(default=500, ge=50)
    most: int = Field(default=10, ge=1, le=50)
    effect: Annotated[float, Field(gt=0)] = 0.1
    gate: Literal["none", "halt"] = "none"


class Silence(Part):
    """A check that may not halt for a while: which, of which column, until which span, and why.

    It is made and shown as ever, and warns where it would have halted. `column`: for a rule, its
    name; for what is asked of the span as a whole, `rows`; without it, all of them.
    """

    check: str
    column: str | None = None
    until: str
    because: str = Field(min_length=1)

    @field_validator("until", mode="before")
    @classmethod
    def _is_a_span(cls, value: Any) -> str:
        return span(value)


class DataGate(Part):
    """What the data gate does beyond the schema.

    `history`: whether what is unlike the spans before halts or warns; `false_halts`: the share of
    sound spans that it may call unlike; `learning`: the accepted spans it takes to know what is
    usual. `leak`: the area under the curve above which a single column is taken to know the label.
    `sensitive`: columns whose values are shown to nobody. `skew_rows`: the least number of served
    examples that say anything of skew.
    """

    history: Literal["halt", "warn"] = "halt"
    false_halts: Annotated[float, Field(gt=0, le=0.2)] = 0.01
    learning: int = Field(default=28, ge=14)
    leak: Annotated[float, Field(gt=0.5, le=1)] = 0.95
    sensitive: tuple[str, ...] = ()
    skew_rows: int = Field(default=1000, ge=1)
    silenced: tuple[Silence, ...] = ()

    def shown(self, column: str, value: str) -> str:
        """Return a value of a column as it may be shown."""
        return MASK if column in self.sensitive else value


class Serving(Part):
    """The model's name on the servers, and the budget the infra gate holds it to.

    `latency_ms`: the 99th percentile of one-row predictions; `memory_mb`: the server's resident
    memory with the model loaded.
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    latency_ms: float = Field(default=100, gt=0)
    memory_mb: float = Field(default=2000, gt=0)
