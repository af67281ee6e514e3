"""The population that judges: labelled rows, what the models say of them, and their slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.errors import SluiceError
from components.evaluate.slices import Slicing, partition
from components.metrics import Task

CANDIDATE, BASELINE = "candidate", "baseline"
SUM_WITHIN = 1e-3  # of 1: what a net of half precision adds up to
EDGE = 1e-7  # Keras' own: a score nearer to 0 or 1 would make the cross entropy infinite


@dataclass(frozen=True)
class Population:
    """The rows that judge, as arrays of one length; made by `population`.

    `label`: float64 [rows]: 0 or 1, a class by its index, or a number; `scores`: model → float64, the
    candidate first: [rows], strictly between 0 and 1 for a binary label; [rows, classes], adding up to
    1 in each row. `columns`: what is sliced by; `slicings`: the rows by slice, overall first.
    """

    label: np.ndarray
    scores: Mapping[str, np.ndarray]
    columns: pd.DataFrame
    slicings: Sequence[Slicing]
    task: Task = "binary"

    @property
    def classes(self) -> int:
        """Return how many values the label has; 0 where it is any number."""
        if self.task == "multiclass":
            return int(self.scores[CANDIDATE].shape[1])
        return 2 if self.task == "binary" else 0

    @property
    def names(self) -> dict[str, str]:
        """Return model → the name that TFMA knows it by: none where there is only one."""
        return {model: model if len(self.scores) > 1 else "" for model in self.scores}


def population(
    label: np.ndarray,
    scores: Mapping[str, np.ndarray],
    columns: pd.DataFrame,
    slicings: Sequence[Sequence[str]],
    task: Task = "binary",
) -> Population:
    """Return the population of these rows; raise SluiceError when it can judge nothing.

    `label`: [rows], none missing, as `labels.encode` makes them; `scores`: model → [rows], or
    [rows, classes]; `columns`: a frame of as many rows, with the columns of every slicing.
    """
    if len(label) == 0:
        raise SluiceError("no example has a label, so there is nothing to judge by")
    truth = np.asarray(label, dtype=np.float64)
    strange = np.unique(truth[~np.isin(truth, (0, 1))]) if task == "binary" else []
    if len(strange):
        raise SluiceError(f"the label must be 0 or 1; it is also {strange[0]:g}; mend ingest.sql")
    parts = partition(columns, slicings)
    taken = {"binary": _probabilities, "multiclass": _distributions, "regression": _numbers}[task]
    return Population(
        truth,
        {model: taken(model, said, len(truth)) for model, said in scores.items()},
        columns[sorted({column for part in parts for column in part.columns})],
        parts,
        task,
    )


def _probabilities(model: str, scores: np.ndarray, rows: int) -> np.ndarray:
    said = _numbers(model, scores, rows)
    _refuse(model, said, (said < 0) | (said > 1), "score that is no probability")
    return np.clip(said, EDGE, 1 - EDGE)


def _numbers(model: str, scores: np.ndarray, rows: int) -> np.ndarray:
    if scores.shape != (rows,):
        raise SluiceError(f"the {model} gives scores of shape {scores.shape}, not one for each row")
    said = scores.astype(np.float64)
    _refuse(model, said, ~np.isfinite(said), "score that is no number")
    return said


def _distributions(model: str, scores: np.ndarray, rows: int) -> np.ndarray:
    if scores.ndim != 2 or len(scores) != rows:
        raise SluiceError(
            f"the {model} gives scores of shape {scores.shape}, not one of each class for each row"
        )
    said = scores.astype(np.float64)
    total, least = said.sum(axis=1), said.min(axis=1)
    _refuse(model, total, ~(np.abs(total - 1) <= SUM_WITHIN), "sum of scores that is not 1")
    _refuse(model, least, least < 0, "score that is no probability")
    return said / total[:, None]


def _refuse(model: str, said: np.ndarray, broken: np.ndarray, what: str) -> None:
    if broken.any():
        raise SluiceError(
            f"the {model} gives {int(broken.sum()):,} of {len(said):,} examples a {what}, such as "
            f"{said[broken][0]:g}; look at its training"
        )
