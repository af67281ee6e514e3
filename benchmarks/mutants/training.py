"""Faults of the training itself: which spans, from where, for how long, with what."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.mutants.ground import EVALUATE, Ground
from benchmarks.mutants.mutant import known
from components.store import Artifact
from components.train.weights import FILE as WEIGHTS

KIND = "training"


@known(KIND, "half a week only")
def half_a_week(ground: Ground) -> Artifact:
    return ground.train("half a week", ground.window()[0][-3:])


@known(KIND, "the spans that judge")
def judging(ground: Ground) -> Artifact:
    training, judged = ground.window()
    return ground.train("judging", [*training[EVALUATE:], *judged])


@known(KIND, "stopped after the first epoch")
def one_epoch(ground: Ground) -> Artifact:
    return ground.train("one epoch", ground.window()[0], spec=ground.seeded(50, epochs=1))


@known(KIND, "one step: a batch of the whole window")
def one_step(ground: Ground) -> Artifact:
    spec = ground.seeded(51, epochs=1, batch_size=100_000)
    return ground.train("one step", ground.window()[0], spec=spec)


@known(KIND, "warm start from a broken baseline, one epoch")
def broken_start(ground: Ground) -> Artifact:
    def write(folder: Path) -> None:
        with np.load(folder / WEIGHTS) as held:
            weights = {name: 10 * held[name][::-1] for name in held.files}
        np.savez(folder / WEIGHTS, **weights)

    broken = ground.artifact("broken start", write)
    spec = ground.seeded(52, warm_start=True, epochs=1)
    return ground.train("warm", ground.window()[0], spec=spec, baseline=broken)


@known(KIND, "constants of another month", harmless="training and serving use the same, stale ones")
def stale_constants(ground: Ground) -> Artifact:
    old = ground.constants_from(list(ground.examples.values())[:EVALUATE])
    return ground.train("stale constants", ground.window()[0], constants=old)
