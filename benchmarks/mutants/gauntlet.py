"""Mutants and honest candidates through the gates, in the order of a run, each as far as it gets."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from benchmarks.mutants import nets, rows, servables, training  # noqa: F401 - they list themselves
from benchmarks.mutants.ground import LOOKED_AT, Ground
from benchmarks.mutants.mutant import HONEST, MUTANTS, Mutant, Outcome
from components.errors import SluiceError
from components.store import Artifact
from components.verdict import Verdict

LOADED = 3  # honest candidates that the infra gate loads: their graphs are the same


def honest() -> list[Mutant]:
    """Return the control group: retrains with nothing wrong, none of which may be refused."""

    def seed(n: int, ground: Ground, **changes: object) -> Artifact:
        spec = ground.seeded(n, **changes)
        return ground.train(f"honest {n}", ground.window()[0], spec=spec)

    def warm(ground: Ground) -> Artifact:
        spec = ground.seeded(90, warm_start=True, epochs=3)
        return ground.train("warm", ground.window()[0], spec=spec, baseline=ground.baseline)

    def a_day_less(ground: Ground) -> Artifact:
        return ground.train("a day less", ground.window()[0][1:], spec=ground.seeded(91))

    makers: dict[str, Callable[[Ground], Artifact]] = {
        f"seed {n}": partial(seed, n) for n in range(1, 11)
    }
    makers |= {
        "warm start": warm,
        "a day less": a_day_less,
        "batches of 256": partial(seed, 11, batch_size=256),
        "six epochs": partial(seed, 12, epochs=6),
    }
    return [Mutant(name, HONEST, make) for name, make in makers.items()]


def run(ground: Ground, mutant: Mutant, *, load: bool = True) -> Outcome:
    """Send one through the gates; the first that shuts is the last, but for faults of servables."""
    started, verdicts, crashed = time.process_time(), [], ""
    if mutant.arrives:
        for examples in ground.changed(mutant.name, mutant.arrives)[:LOOKED_AT]:
            verdicts.append(ground.data_gate(examples))
            if not verdicts[-1].passed:
                return Outcome(mutant, verdicts, seconds=time.process_time() - started)
    try:
        model = mutant.make(ground)
    except SluiceError as error:
        crashed = str(error)
        return Outcome(mutant, verdicts, crashed, time.process_time() - started)
    verdicts.append(ground.model_gate(model))
    figures = _figures(verdicts[-1])
    if load and (verdicts[-1].passed or mutant.serves):
        verdicts.append(ground.infra_gate(model))
    return Outcome(mutant, verdicts, "", time.process_time() - started, figures)


def _figures(verdict: Verdict) -> dict[str, float]:
    """Return overall AUC and loss, candidate less baseline."""
    evidence = verdict.evidence
    mine, theirs = (evidence.get(name) for name in ("metrics", "baseline_metrics"))
    if not (isinstance(mine, dict) and isinstance(theirs, dict)):
        return {}
    pairs = {name: (mine.get(name), theirs.get(name)) for name in ("auc", "loss")}
    return {
        name: float(a) - float(b)
        for name, (a, b) in pairs.items()
        if isinstance(a, int | float) and isinstance(b, int | float)
    }


ALL = MUTANTS
