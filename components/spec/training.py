"""How a model is trained, and what is searched for better hyperparameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from components.spec.part import Part

Hyperparameter = bool | int | float | str
OF_TRAIN = (
    "batch_size",
    "epochs",
)  # hyperparameters that are keys of `train`; others are model()'s


class Train(Part):
    """How the model is trained; what it is stands in `model.py`."""

    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=256, ge=1)
    seed: int = Field(default=1, ge=0)
    warm_start: bool = False  # begin from the baseline's weights
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    xla: bool = False


class Range(Part):
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


class Tuning(Part):
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
