"""What a pipeline's owner writes: `pipelines/<name>/pipeline.yaml`, validated when it is read.

A mistake becomes one line that names the file, the key, the problem and the remedy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    field_validator,
    model_validator,
)

from components import home, metrics, rule, schema, spans
from components.errors import UsageError, near_miss
from components.rule import Rule

# Which way is better (0: nearer to the metric's ideal), of every metric that has a direction.
METRICS: dict[str, metrics.Better] = {
    metric.name: metric.better
    for of_task in metrics.CATALOGUE.values()
    for metric in of_task.values()
    if metric.better is not None
}
# Every check of the data gate that a pipeline may silence for a while.
DATA_CHECKS = (
    "contract", "serving contract", "drift", "volume", "rule", "leak", "stale", "history", "skew",
)  # fmt: skip
OF_ROWS = ("volume", "stale", "history")  # those of them that ask of the `rows` as a whole, too
MASK = "•••"  # in place of a value that is sensitive
NAME = r"[A-Za-z][A-Za-z0-9_-]*"
EVERY_MORNING = "0 6 * * *"
ARRIVAL = "arrival"
Hyperparameter = bool | int | float | str
OF_TRAIN = (
    "batch_size",
    "epochs",
)  # hyperparameters that are keys of `train`; others are model()'s
ONCE_A_DAY = r"([0-5]?\d) ([01]?\d|2[0-3]) \* \* \*"


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


def _span(value: Any) -> str:
    key = str(value)  # YAML reads an unquoted 2013-01-01 as a date
    try:
        spans.parse(key)
    except UsageError as error:
        raise ValueError(str(error)) from None
    return key


class Source(_Part):
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


class SpanUnit(_Part):
    """The unit of arrival, the earliest span there is, and the last one of a source that is closed.

    No window looks before `first`; no schedule asks for what comes after `last`.
    """

    unit: Literal["day"] = "day"
    first: str
    last: str | None = None

    @field_validator("first", "last", mode="before")
    @classmethod
    def _is_a_span(cls, value: Any) -> str | None:
        return None if value is None else _span(value)


class Window(_Part):
    """How many spans a model is trained on, and how many later ones judge it."""

    train: int = Field(ge=1)
    evaluate: int = Field(ge=1)

    @property
    def length(self) -> int:
        """Return the spans of the whole window."""
        return self.train + self.evaluate


class Train(_Part):
    """How the model is trained; what it is stands in `model.py`."""

    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=256, ge=1)
    seed: int = Field(default=1, ge=0)
    warm_start: bool = False  # begin from the baseline's weights
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    xla: bool = False


class Range(_Part):
    """Numbers to search between: whole ones if both ends are; `log`: as many from 1 to 10 as to 100."""

    low: int | float
    high: int | float
    log: bool = False

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if not self.low < self.high:
            raise ValueError(f"low must be below high, {self.high:g}")
        if self.log and self.low <= 0:
            raise ValueError("with `log`, low must be above 0")
        return self


class Tuning(_Part):
    """What is searched for better hyperparameters, and how long.

    `space`: name → the values to try; `epochs` and `batch_size` are those of `train`, any other goes to
    `model()` by its name. `trials`, `minutes`: whichever is spent first ends a search; `holdout`: the
    last spans of the training window, which judge the trials; `every`: search on every so many spans,
    and not only when asked.
    """

    space: Annotated[
        dict[
            str,
            Annotated[
                Annotated[Range, Tag("range")]
                | Annotated[tuple[Hyperparameter, ...], Field(min_length=2), Tag("values")],
                Discriminator(
                    lambda given: "values" if isinstance(given, list | tuple) else "range"
                ),
            ],
        ],
        Field(min_length=1),
    ]
    trials: int = Field(default=20, ge=1)
    minutes: float = Field(default=30, gt=0)
    holdout: int = Field(default=5, ge=1)
    every: int | None = Field(default=None, ge=1)

    def holds(self, values: Mapping[str, Hyperparameter]) -> bool:
        """Say whether these hyperparameters are a point of the space."""
        return values.keys() == self.space.keys() and not any(
            self.outside(name, value) for name, value in values.items()
        )

    def outside(self, name: str, value: Hyperparameter) -> str:
        """Return the values to try for a name when this is none of them, else an empty text."""
        choice = self.space[name]
        if not isinstance(choice, Range):
            return "" if value in choice else ", ".join(map(str, choice))
        inside = isinstance(value, int | float) and choice.low <= value <= choice.high
        return "" if inside else f"{choice.low:g} to {choice.high:g}"


class Threshold(_Part):
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


class ModelGate(_Part):
    """How sure the model gate is before it blocks, and what it does where it cannot be.

    `false_blocks`: the share of runs that noise alone may block, over all slices and metrics of a run
    together. `underpowered`: what slices too small to tell do.
    """

    false_blocks: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    underpowered: Literal["warn", "halt"] = "warn"


class WeakSlices(_Part):
    """The search for slices that nobody named and in which the candidate does badly.

    `min_examples`: in a slice, at least; `most`: how many are told; `effect`: from which difference
    on, in standard deviations of the loss; `gate`: whether one that is worse than the baseline halts.
    """

    min_examples: int = Field(default=500, ge=50)
    most: int = Field(default=10, ge=1, le=50)
    effect: Annotated[float, Field(gt=0)] = 0.1
    gate: Literal["none", "halt"] = "none"


class Silence(_Part):
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
        return _span(value)


class DataGate(_Part):
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


class Serving(_Part):
    """The model's name on the servers, and the budget the infra gate holds it to.

    `latency_ms`: the 99th percentile of one-row predictions; `memory_mb`: the server's resident
    memory with the model loaded.
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    latency_ms: float = Field(default=100, gt=0)
    memory_mb: float = Field(default=2000, gt=0)


class Spec(_Part):
    """One pipeline, as its owner described it."""

    name: str
    description: str = ""
    source: Source
    span: SpanUnit
    schedule: str = EVERY_MORNING  # a time of the day as cron in UTC, or `arrival`
    window: Window
    label: str
    task: metrics.Task = "binary"
    classes: tuple[str | int, ...] = ()  # of a multiclass label, in the order of the model's scores
    key: Annotated[tuple[str, ...], Field(min_length=1)]
    slices: tuple[Annotated[tuple[str, ...], Field(min_length=1)], ...] = ()
    data_gate: DataGate = DataGate()
    train: Train = Train()
    hyperparameters: dict[str, Hyperparameter] = Field(default_factory=dict)  # what model() is told
    tuning: Tuning | None = None
    thresholds: Annotated[tuple[Threshold, ...], Field(min_length=1)]
    model_gate: ModelGate = ModelGate()
    weak_slices: WeakSlices = WeakSlices()
    serving: Serving
    files: dict[str, str]  # path within the house → digest of what it says

    @field_validator("schedule")
    @classmethod
    def _is_once_a_day(cls, value: str) -> str:
        if value != ARRIVAL and not re.fullmatch(ONCE_A_DAY, value):
            raise ValueError(
                "must be one minute and hour of every day in UTC, since a span is a day, such as "
                f"{EVERY_MORNING!r}; or {ARRIVAL!r}, to run when data is announced"
                f"{near_miss(value, [ARRIVAL])}"
            )
        return value

    @property
    def folder(self) -> Path:
        """Return the pipeline's folder."""
        return home.pipelines() / self.name

    @property
    def schema_path(self) -> Path:
        """Return the path of the data contract."""
        return home.schemas() / f"{self.name}.pbtxt"

    @property
    def rules(self) -> Sequence[Rule]:
        """Return what must hold of the rows, by name of the rule."""
        return rule.rules(self.folder)

    def with_hyperparameters(self, values: Mapping[str, Hyperparameter]) -> Self:
        """Return the spec with other hyperparameters, in `train` and for `model()`."""
        of_train = {name: value for name, value in values.items() if name in OF_TRAIN}
        rest = {name: value for name, value in values.items() if name not in OF_TRAIN}
        train = self.train.model_copy(update=of_train)
        told = {**self.hyperparameters, **rest}
        return self.model_copy(update={"train": train, "hyperparameters": told})

    def window_of(self, span: str) -> list[str]:
        """Return the keys of the spans that a run for `span` may use, oldest first, it last."""
        return [*spans.before(span, self.window.length - 1, first=self.span.first), span]

    def check(self) -> Self:
        """Check what one key alone cannot show; raise ValueError with `key: problem; remedy`."""
        contract = schema.load(self.schema_path)
        columns = schema.columns(contract)
        self._known("label", self.label, columns)
        self._has_classes()
        self._feeds_a_model(contract)
        for column in self.key:
            self._known("key", column, columns)
        for slicing in self.slices:
            for column in slicing:
                self._known("slices", column, columns)
        for column in self.data_gate.sensitive:
            self._known("data_gate.sensitive", column, columns)
        for n, silence in enumerate(self.data_gate.silenced):
            self._known(f"data_gate.silenced.{n}.check", silence.check, DATA_CHECKS)
            if silence.column is not None:
                rows = ["rows"] if silence.check in OF_ROWS else []
                of = [one.name for one in self.rules] if silence.check == "rule" else columns
                self._known(f"data_gate.silenced.{n}.column", silence.column, [*of, *rows])
        for n, bound in enumerate(self.thresholds):
            where = f"thresholds.{n}"
            self._known(f"{where}.metric", bound.metric, metrics.of(self.task))
            if bound.metric == "equal_opportunity_difference" and not bound.slice:
                raise ValueError(
                    f"{where}: {bound.metric} is a slice's, against overall; give it a `slice`"
                )
            if bound.metric not in METRICS and bound.worse_by_at_most is not None:
                raise ValueError(
                    f"{where}.worse_by_at_most: {bound.metric} is neither better nor worse for "
                    "being more; bound it by at_least or at_most"
                )
            if bound.slice and bound.slice not in self.slices:
                listed = ", ".join("×".join(s) for s in self.slices) or "none"
                hint = near_miss("×".join(bound.slice), ["×".join(s) for s in self.slices])
                raise ValueError(
                    f"{where}.slice: {'×'.join(bound.slice)!r} is not among `slices` ({listed}){hint}"
                )
            if bound.at_least is bound.at_most is bound.worse_by_at_most is None:
                raise ValueError(
                    f"{where}: bounds nothing; add at_least, at_most or worse_by_at_most"
                )
        if self.tuning and self.tuning.holdout >= self.window.train:
            raise ValueError(
                f"tuning.holdout: keeps all of the {self.window.train} spans that train; keep fewer"
            )
        if self.source.path is None and not self.source.attach:
            raise ValueError("source: names no data; give `path`, or a database under `attach`")
        if self.source.path is None and (self.source.complete or self.source.rows):
            raise ValueError("source: `complete` and `rows` are files under `path`; give `path`")
        return self

    def _has_classes(self) -> None:
        """Check that a multiclass label has its classes listed, and no other has any."""
        if self.task != "multiclass":
            if self.classes:
                raise ValueError("classes: are those of a label whose `task` is multiclass")
            return
        listed = [str(name) for name in self.classes]
        if len(listed) < 2:
            raise ValueError(
                f"classes: the values of {self.label!r}, at least two, in the order in which the "
                "model scores them; list them"
            )
        twice = next((name for n, name in enumerate(listed) if name in listed[:n]), None)
        if twice is not None:
            raise ValueError(f"classes: {twice!r} is listed twice; list each once")

    def _feeds_a_model(self, contract: Any) -> None:
        """Check that a model is fed some columns, that it learns from each, and not the answer."""
        path, fed = home.short(self.schema_path), [f.name for f in schema.inputs(contract)]
        if not fed:
            raise ValueError(f"label: no column of {path} is expected in SERVING: nothing to feed")
        if self.label in fed:
            raise ValueError(
                f"label: {self.label!r} is fed to the model, which would then know the answer; "
                f'give it not_in_environment: "SERVING" in {path}'
            )
        learned = [
            f.name for f in contract.feature if schema.expected_in(contract, f, schema.TRAINING)
        ]
        for column in fed:
            if column not in learned:
                raise ValueError(
                    f"label: {column!r} is fed to a model that never learned from it; "
                    f"expect it in TRAINING too, in {path}"
                )

    @staticmethod
    def _known(where: str, name: str, known: Any) -> None:
        if name not in known:
            raise ValueError(
                f"{where}: there is no {name!r}; it must be one of {', '.join(sorted(known))}"
                f"{near_miss(name, known)}"
            )
