"""A mutant: a candidate with one thing wrong, how it is made, and how it came out at the gates."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from benchmarks.mutants.ground import Change, Ground
from components.store import Artifact
from components.verdict import Verdict

HONEST = "honest"


@dataclass(frozen=True)
class Mutant:
    """`kind`: where the fault is; `make`: the candidate; `arrives`: how rows came, where rows are faulty.

    Faulty rows pass the data gate first, as they would; `serves`: the fault is one that only a server
    can show, so that the infra gate looks whatever the model gate said; `harmless`: why it is no worse
    than an honest candidate, for what sounds like a fault and is none here.
    """

    name: str
    kind: str
    make: Callable[[Ground], Artifact]
    arrives: Change | None = None
    serves: bool = False
    harmless: str = ""


@dataclass(frozen=True)
class Outcome:
    """What the gates said, those that looked; `crashed`: the training refused to make a candidate."""

    mutant: Mutant
    verdicts: Sequence[Verdict] = ()
    crashed: str = ""
    seconds: float = 0.0
    figures: dict[str, float] = field(default_factory=dict)  # metric → candidate less baseline

    @property
    def shut(self) -> list[Verdict]:
        """Return the verdicts that keep it out, in the order of the gates."""
        return [verdict for verdict in self.verdicts if not verdict.passed]

    @property
    def caught(self) -> bool:
        """Say whether it would not have been released."""
        return bool(self.crashed or self.shut)


MUTANTS: list[Mutant] = []


def known(kind: str, name: str, **about: object) -> Callable[[Callable[[Ground], Artifact]], None]:
    """Add what makes a candidate to the list of mutants."""

    def add(make: Callable[[Ground], Artifact]) -> None:
        MUTANTS.append(Mutant(name, kind, make, **about))  # type: ignore[arg-type]

    return add
