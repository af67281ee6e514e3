"""Worlds in which it is known how good two models are: rows, labels, slices and scores, by seed.

A row has a strain, which says how likely it is positive; a model scores the strain as it sees it, with
an error of its own. Two retrains have errors alike in size and independent: equally good, not equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
from scipy import special

from components.evaluate.paired.delong import AUC
from components.evaluate.population import BASELINE, CANDIDATE, Population, population
from components.evaluate.slices import Slicing

SLICES = 1000
HARMED = 0  # the slice in which the candidate is worse, where it is
POINTS = 0.03  # of AUC


@dataclass(frozen=True)
class World:
    """One way for rows and models to be.

    `rows` in all, `least` in the smallest slice, `share` of them in the first; `positives`: the share
    overall; `strain`: its standard deviation in log odds; `error`: a model's own, the same; `seen`:
    what becomes of the two models' scores in log odds, besides.
    """

    about: str
    rows: int = 300_000
    least: int = 50
    share: float = 0.01
    positives: float = 0.24
    strain: float = 0.85
    error: float = 0.15
    seen: Callable[[np.ndarray, np.random.Generator], np.ndarray] = lambda scores, draw: scores

    @property
    def sizes(self) -> np.ndarray:
        """Return how many rows each slice has: the first its share, the others anything, int [slices]."""
        draw = np.random.default_rng(0)
        weights = draw.lognormal(sigma=1.0, size=SLICES - 1)
        first = int(self.rows * self.share)
        spare = self.rows - first - self.least * (SLICES - 1)
        others = self.least + np.floor(weights / weights.sum() * spare).astype(int)
        return np.array([first, *others])

    def draw(self, seed: int, harmed: bool = False) -> Population:
        """Return fresh rows and two models' scores of them; `harmed`: the candidate, in one slice."""
        draw = np.random.default_rng(seed)
        codes = np.repeat(np.arange(SLICES), self.sizes)
        strain = self.base + self.strain * draw.normal(size=len(codes))
        label = (draw.random(len(codes)) < special.expit(strain)).astype(np.float64)
        scores = strain + self.error * draw.normal(size=(2, len(codes)))
        if harmed:
            at = codes == HARMED
            scores[0, at] += harm(self) * draw.normal(size=int(at.sum()))
        said = special.expit(self.seen(scores, draw))
        columns = pd.DataFrame({"slice": codes})
        return population(label, {CANDIDATE: said[0], BASELINE: said[1]}, columns, [("slice",)])

    @property
    def base(self) -> float:
        """Return the mean strain that gives the share of positives, to the precision that matters."""
        spread = np.sqrt(1 + np.pi * self.strain**2 / 8)
        return float(special.logit(self.positives) * spread)


def _coarse(scores: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    return np.round(2 * scores) / 2


def _rarely(scores: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    return np.where(draw.random(scores.shape[1]) < 0.03, scores, scores.mean(axis=0))


def _wild(scores: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    """Let each model be far off in one row of fifty."""
    return scores + np.where(
        draw.random(scores.shape) < 0.02, 3 * draw.normal(size=scores.shape), 0
    )


def _equal(scores: np.ndarray, draw: np.random.Generator) -> np.ndarray:
    return np.stack([scores[0], scores[0]])


RETRAINS = World("two retrains of one net, as above")
SMALL = World("the same on slices of 30 rows and more", 60_000, 30, 0.005)
NULLS = {
    "retrains": RETRAINS,
    "small slices": SMALL,
    "few positives": replace(SMALL, about="3 % positives", positives=0.03),
    "ties": replace(SMALL, about="scores of a dozen levels", seen=_coarse),
    "nearly perfect": replace(SMALL, about="a strain that tells nearly all", strain=8.0),
    "rarely apart": replace(SMALL, about="models that differ in 3 % of rows", seen=_rarely),
    "wild errors": replace(SMALL, about="models far off in one row of fifty", seen=_wild),
    "equal": replace(SMALL, about="one model twice", seen=_equal),
}


@cache
def harm(world: World) -> float:
    """Return how much more error of its own costs a model three points of AUC, over all rows."""
    draw = np.random.default_rng(0)
    strain = world.base + world.strain * draw.normal(size=1_000_000)
    label = (draw.random(len(strain)) < special.expit(strain)).astype(np.float64)
    own, more = draw.normal(size=(2, len(strain)))
    whole = Slicing((), np.zeros(len(strain), dtype=np.int64), [()])

    def area(harm: float) -> float:
        said = strain + world.error * own + harm * more
        return float(AUC(label, said).on(whole).value[0])

    least, most, wanted = 0.0, 5.0, area(0.0) - POINTS
    for _ in range(14):
        middle = (least + most) / 2
        least, most = (middle, most) if area(middle) > wanted else (least, middle)
    return middle
