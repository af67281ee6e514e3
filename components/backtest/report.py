"""What a backtest found: `report.json`, and the same for people in `report.html`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, Literal

from pydantic import BaseModel, ConfigDict

Policy = Literal["gated", "always", "never"]
GATED: Final = "gated"
ALWAYS: Final = "always"
NEVER: Final = "never"
POLICIES: tuple[Policy, ...] = (GATED, ALWAYS, NEVER)
Outcome = Literal["released", "halted", "error", "kept"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tried(_Part):
    """What would have become of one span.

    `outcome`: `released`; `halted` by `gate`; `error` when that gate could not measure; `kept` where
    no retraining was due. `model`: the candidate, relative to the pipeline's store, once trained;
    `verdict`: the folder of the verdict that decided; `sound`: whether the data gate let the span in.
    """

    span: str
    outcome: Outcome
    gate: str | None = None
    reason: str = ""
    model: str | None = None
    verdict: str | None = None
    sound: bool = True
    seconds: float = 0

    @property
    def line(self) -> str:
        """Return what came of it, as one line."""
        told = {"released": "would be released", "kept": "no retraining due"}
        return told.get(self.outcome, f"halts at the {self.gate} gate") + (
            f": {self.reason}" if self.reason else ""
        )


class Figure(_Part):
    """A figure over all the days that count, and its interval where there are days enough."""

    value: float | None
    low: float | None = None
    high: float | None = None


class Day(_Part):
    """One day as it was answered. `served`: policy → span of the model; `metric`: policy → value.

    `counts`: whether it is pooled: a day that the data gate refused is shown alone, since its labels
    are not vouched for.
    """

    span: str
    examples: int
    served: Mapping[Policy, str]
    metric: Mapping[Policy, float | None]
    counts: bool


class Fares(_Part):
    """How each policy would have fared on labels that came later.

    `better`: whether more (1) or less (-1) of the metric is, or nearer to `ideal` (0); `differences`:
    `gated` less the other policy, on the same days; where there is an ideal, of the distance from it.
    """

    metric: str
    better: int
    ideal: float = 0.0
    days: Sequence[Day]
    pooled: Mapping[Policy, Figure]
    differences: Mapping[Policy, Figure]

    @property
    def goal(self) -> str:
        """Return what is better, in words that end a sentence."""
        if self.better:
            return "more is better" if self.better > 0 else "less is better"
        return f"nearer to {self.ideal:g} is better, and differences are of the distance from it"


class Report(_Part):
    """A whole backtest."""

    pipeline: str
    start: str
    end: str
    every: int
    infra: bool
    tried: Sequence[Tried]
    holes: Mapping[str, str]  # span that has no examples → why
    fares: Fares
    folder: str

    @property
    def released(self) -> Sequence[Tried]:
        """Return the spans whose candidate would have been released."""
        return [one for one in self.tried if one.outcome == "released"]

    @property
    def halted(self) -> Sequence[Tried]:
        """Return the spans at which a gate would have been shut."""
        return [one for one in self.tried if one.outcome in ("halted", "error")]
