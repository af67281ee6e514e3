"""Evidence that a page can draw: the shapes in which a gate leaves it in its verdict.

What is of another shape is shown all the same, as a table or as text. The figures are all here:
whoever draws them works out lengths and nothing else.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

Number = Annotated[float, Field(allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Interval = tuple[Number, Number]


class Drawn(BaseModel):
    """A piece of evidence that has a picture."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    def plain(self) -> dict[str, JsonValue]:
        """Return it as JSON holds it."""
        return self.model_dump(mode="json")


class Roc(Drawn):
    """A model's ROC curve: false and true positive rate, rising, and the area under all of it."""

    points: list[tuple[Share, Share]]
    area: Share


class Bin(Drawn):
    """Examples of nearly the same score: its mean, the share of positives, and its 95 % interval."""

    score: Share
    positives: Share
    interval: tuple[Share, Share]
    examples: int


class Histogram(Drawn):
    """How many positive and negative examples a model gave a score between two edges."""

    positive: list[Annotated[int, Field(ge=0)]]
    negative: list[Annotated[int, Field(ge=0)]]


class Curves(Drawn):
    """How two models' scores behave, the candidate first; `edges` are those of all histograms."""

    roc: dict[str, Roc]
    calibration: dict[str, list[Bin]]
    edges: Annotated[list[Number], Field(min_length=2)]
    scores: dict[str, Histogram]


class Difference(Drawn):
    """One metric of one slice, candidate less baseline.

    `better`: 1 where more of the metric is better, -1 where less is; `interval`: of the difference;
    `tolerated`: how much worse the candidate may be, None where nothing was asked; `harm`: how much
    worse than that it is at least, as far as the interval can tell; `needs`: how many examples it
    would take to tell, where it is `underpowered`.
    """

    slice: str
    metric: str
    better: Literal[-1, 1]
    examples: int
    candidate: Number | None
    baseline: Number | None
    difference: Number
    interval: Interval | None
    tolerated: Positive | None
    status: str
    harm: Number
    underpowered: bool = False
    needs: Positive | None = None


class Setting(Drawn):
    """One thing that is not as it was: a hyperparameter, a file, a package, the code."""

    name: str
    baseline: JsonValue
    candidate: JsonValue


class Moved(Drawn):
    """A statistic of a column over the spans that trained, now and for the baseline.

    `effect`: how far it moved, by Cohen's d for a mean, in standard deviations, and by his h for a
    share, so that both can be put in one order.
    """

    column: str
    statistic: str
    baseline: Number
    candidate: Number
    effect: Positive


class Changes(Drawn):
    """What the candidate was made from, against the baseline.

    `windows`: what is done with spans (`baseline` and `candidate` trained on them, `judging`) → those
    spans, oldest first; `entered`, `left`: spans that only one of the models was trained on;
    `settings`, `files`: what differs; `same_files`: what does not; `statistics`: those that moved
    most; `unknown`: what could not be looked up, and why.
    """

    windows: dict[str, list[str]]
    entered: list[str]
    left: list[str]
    settings: list[Setting]
    files: list[Setting]
    same_files: list[str]
    statistics: list[Moved]
    unknown: list[str]


class Weak(Drawn):
    """A slice in which the candidate does worse than `expected`, in nats of loss.

    `positives`: their share; `interval`: of the difference, and `p`, both corrected for the whole
    search; `effect`: the difference in standard deviations of the loss; `auc_expected`: of what the
    loss was expected from.
    """

    slice: str
    examples: int
    positives: Share
    loss: Number
    expected: Number
    difference: Number
    interval: Interval
    effect: Number
    p: Share
    auc: Share | None
    auc_expected: Share | None

    @property
    def row(self) -> Difference:
        """Return it as the difference of the loss, to be drawn."""
        return Difference(
            slice=self.slice,
            metric="loss",
            better=-1,
            examples=self.examples,
            candidate=self.loss,
            baseline=self.expected,
            difference=self.difference,
            interval=self.interval,
            tolerated=None,
            status="failed",
            harm=self.interval[0],
        )


class Search(Drawn):
    """The weak slices against what is usual `elsewhere`, or against the `baseline` on the same rows.

    `looked_at`: how many slices; `columns`: of which; `min_examples`: in each at least.
    """

    against: str
    looked_at: int
    min_examples: int
    columns: list[str]
    found: list[Weak]
