"""Counts: what TFMA's accumulators want to know of a model's rows, slice by slice.

TFMA's metrics need of each slice no more than a few sums, and how many examples of either label fell
into each of 10,000 buckets of the score. NumPy adds those up in milliseconds a slicing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from components.evaluate.population import EDGE, Population
from components.evaluate.slices import Slicing
from components.metrics import CUT

BUCKETS = 10_000  # TFMA's own; two more hold what lies outside 0 and 1

Cell = tuple[int, float, float, float]


@dataclass(frozen=True)
class Rows:
    """What is added up of one model's rows, each array of shape [rows].

    `sums`: by name; `buckets`: each row's bucket of the score, and `outcomes`: which of the four
    outcomes it is, where the task knows such things.
    """

    sums: Mapping[str, np.ndarray]
    buckets: np.ndarray | None = None
    outcomes: np.ndarray | None = None


@dataclass(frozen=True)
class Counts:
    """What was added up in one slice.

    `outcomes`: how many true positives, false positives, false and true negatives; `buckets`: TFMA's
    buckets that are not empty, ascending: number, sum of labels, sum of scores, examples.
    """

    sums: Mapping[str, float]
    outcomes: list[float] = field(default_factory=list)
    buckets: list[Cell] = field(default_factory=list)


def rows_of(population: Population, model: str) -> dict[int | None, Rows]:
    """Return what is added up of a model: under None of all, under a class of it against the rest."""
    label, scores = population.label, population.scores[model]
    if population.task == "regression":
        off = np.abs(scores - label)
        sums = {"labels": label, "scores": scores, "absolute error": off, "squared error": off**2}
        return {None: Rows(sums)}
    if population.task == "multiclass":
        known = label.astype(np.int64)
        said = np.clip(scores[np.arange(len(label)), known], EDGE, 1 - EDGE)
        right = (scores.argmax(axis=1) == known).astype(float)
        classes = range(scores.shape[1])
        return {
            None: Rows({"cross entropy": -np.log(said), "right": right}),
            **{c: _graded((known == c).astype(float), scores[:, c]) for c in classes},
        }
    return {None: _graded(label, scores)}


def _graded(label: np.ndarray, scores: np.ndarray) -> Rows:
    """Return what is added up of scores between 0 and 1 for labels of 0 and 1."""
    with np.errstate(divide="ignore"):  # of a class against the rest, no cross entropy is asked
        entropy = -np.log(np.where(label == 1, scores, 1 - scores))
    return Rows(
        {"labels": label, "scores": scores, "cross entropy": entropy},
        (scores * BUCKETS + 1).astype(np.int64),  # TFMA's arithmetic, to the bit
        2 * (scores <= CUT) + (label == 0),
    )


def count(rows: Rows, slicing: Slicing) -> list[Counts]:
    """Return the counts of each slice of one slicing."""
    slices, codes, inside = len(slicing.values), slicing.codes, slicing.codes >= 0
    taken = slice(None) if inside.all() else inside  # a copy of every column, where none is needed
    codes = codes[taken]
    sums = {name: np.bincount(codes, of[taken], slices) for name, of in rows.sums.items()}
    sums["examples"] = np.bincount(codes, minlength=slices).astype(float)
    told = [
        dict(zip(sums, of_slice, strict=True))
        for of_slice in zip(*map(np.ndarray.tolist, sums.values()), strict=True)
    ]
    if rows.buckets is None or rows.outcomes is None:
        return [Counts(of_slice) for of_slice in told]
    outcomes = np.bincount(codes * 4 + rows.outcomes[taken], minlength=4 * slices)
    labels, scores = rows.sums["labels"][taken], rows.sums["scores"][taken]
    return list(
        map(
            Counts,
            told,
            outcomes.reshape(slices, 4).astype(float).tolist(),
            _buckets(codes, rows.buckets[taken], labels, scores, slices),
        )
    )


def _buckets(
    codes: np.ndarray, buckets: np.ndarray, labels: np.ndarray, scores: np.ndarray, slices: int
) -> list[list[Cell]]:
    """Return the filled buckets of each slice."""
    wide = BUCKETS + 2
    cells, cell = _ranked(codes * wide + buckets, slices * wide)
    summed = (np.bincount(cell, of, len(cells)).tolist() for of in (labels, scores, None))
    found: list[list[Cell]] = [[] for _ in range(slices)]
    for place, labelled, scored, n in zip(cells.tolist(), *summed, strict=True):
        part, number = divmod(place, wide)
        found[part].append((number, labelled, scored, float(n)))
    return found


def _ranked(places: np.ndarray, many: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the places that occur, ascending, and each row's among them; `many` there could be."""
    if many > len(places):
        return np.unique(places, return_inverse=True)
    filled = np.bincount(places, minlength=many) > 0  # ten times faster than to sort
    return np.flatnonzero(filled), (np.cumsum(filled) - 1)[places]
