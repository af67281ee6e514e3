"""How often the model gate is right: `make bench-judge`.

    python -m benchmarks.judge                     # docs/benchmarks/judging.md; a quarter of an hour of CPU
    python -m benchmarks.judge --repetitions 20    # a look at it, on the screen alone

Worlds are made in which two models are equally good, or one is worse in one slice by a known amount;
the gate and others judge them, with no regression tolerated, which is the hardest bound to keep.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Mapping

import numpy as np

from benchmarks.judge import methods, report, worlds
from components import home, provenance

REPETITIONS = 600
ENOUGH = 200  # below which nothing is published
SAME = 5  # repetitions in which the whole gate is asked too, and must say the same
Counts = dict[str, int]


def main() -> None:
    """Run every world, print the report, keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=REPETITIONS, help="of each world")
    repetitions = parser.parse_args().repetitions
    began = time.process_time()
    told = {
        "repetitions": repetitions,
        "noise": {name: noise(name, repetitions) for name in worlds.NULLS},
        "harm": harm(repetitions),
        "cost": cost(),
    }
    told["cpu_s"] = time.process_time() - began
    text = report.markdown(told)
    print(text)
    folder = home.var() / "benchmarks"
    folder.mkdir(parents=True, exist_ok=True)
    figures = json.dumps(told | {"packages": provenance.packages()}, indent=2)
    (folder / "judging.json").write_text(figures)
    if repetitions >= ENOUGH:
        (home.home() / "docs" / "benchmarks" / "judging.md").write_text(text)


def noise(name: str, repetitions: int) -> Counts:
    """Return method → in how many repetitions it blocks, though no model is worse."""
    blocks: Counts = defaultdict(int)
    for seed in range(repetitions):
        judging = worlds.NULLS[name].draw(seed)
        by = {metric: methods.compare(judging, metric) for metric in methods.METRICS}
        for method, worse in methods.METHODS.items():
            blocks[method] += bool(worse(by["auc"]).any())
        blocks["all"] += bool(methods.held_together(*by.values()).any())
        if name == "retrains":
            blocks[methods.BOOTSTRAP] += bool(methods.bootstrap(judging, seed).any())
    print(f"{name}: {dict(blocks)}", flush=True)
    return dict(blocks)


def harm(repetitions: int) -> Mapping[str, Counts]:
    """Return method → in how many repetitions it finds the harmed slice, and blocks another."""
    blocks: dict[str, Counts] = defaultdict(lambda: {"found": 0, "others": 0})
    for seed in range(repetitions):
        judging = worlds.RETRAINS.draw(seed, harmed=True)
        of = methods.compare(judging, "auc")
        for method, worse in methods.METHODS.items():
            bad = worse(of)
            blocks[method]["found"] += bool(bad[worlds.HARMED])
            blocks[method]["others"] += bool(np.delete(bad, worlds.HARMED).any())
        if seed < SAME:
            said = {part for _, part in methods.gate(judging, ["auc"])}
            bad = methods.held_together(of)[0]
            assert said == {f"slice={n}" for n in np.flatnonzero(bad)}
    print(f"harm: {dict(blocks)}", flush=True)
    return dict(blocks)


def cost() -> float:
    """Return the CPU seconds that judging 300,000 rows in 1,000 slices by eight metrics takes."""
    judging = worlds.RETRAINS.draw(0)
    began = time.process_time()
    methods.gate(judging, methods.METRICS)
    return time.process_time() - began


if __name__ == "__main__":
    main()
