"""What a pipeline's owner writes: `pipelines/<name>/pipeline.yaml`, validated when it is read.

A mistake becomes one line that names the file, the key, the problem and the remedy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, field_validator

from components import home, metrics, rule, spans
from components.errors import near_miss
from components.rule import Rule
from components.spec.data import Source, SpanUnit, Window
from components.spec.gates import (
    DataGate,
    ModelGate,
    Serving,
    Threshold,
    WeakSlices,
)
from components.spec.part import Part
from components.spec.training import OF_TRAIN, Hyperparameter, Train, Tuning

NAME = r"[A-Za-z][A-Za-z0-9_-]*"
EVERY_MORNING = "0 6 * * *"
ARRIVAL = "arrival"
ONCE_A_DAY = r"([0-5]?\d) ([01]?\d|2[0-3]) \* \* \*"


class Spec(Part):
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
