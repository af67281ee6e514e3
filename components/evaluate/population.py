"""The population that judges: labelled rows, what the models say of them, and their slices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from components.errors import SluiceError
from components.evaluate.slices import Slicing, partition

CANDIDATE, BASELINE = "candidate", "baseline"
EDGE = 1e-7  # Keras' own: a score nearer to 0 or 1 would make the cross entropy infinite


@dataclass(frozen=True)
class Population:
    """The rows that judge, as arrays of one length; made by `population`.

    `label`: float64 [rows], 0 or 1; `scores`: model → float64 [rows], strictly between 0 and 1, the
    candidate first; `columns`: what is sliced by; `slicings`: the rows by slice, overall first.
    """

    label: np.ndarray
    scores: Mapping[str, np.ndarray]
    columns: pd.DataFrame
    slicings: Sequence[Slicing]

    @property
    def names(self) -> dict[str, str]:
        """Return model → the name that TFMA knows it by: none where there is only one."""
        return {model: model if len(self.scores) > 1 else "" for model in self.scores}


def population(
    label: np.ndarray,
    scores: Mapping[str, np.ndarray],
    columns: pd.DataFrame,
    slicings: Sequence[Sequence[str]],
) -> Population:
    """Return the population of these rows; raise SluiceError when it can judge nothing.

    `label`: [rows], 0 or 1, none missing; `scores`: model → [rows], probabilities; `columns`: a frame
    of as many rows, with the columns of every slicing.
    """
    if len(label) == 0:
        raise SluiceError("no example has a label, so there is nothing to judge by")
    truth = np.asarray(label, dtype=np.float64)
    strange = np.unique(truth[~np.isin(truth, (0, 1))])
    if len(strange):
        raise SluiceError(f"the label must be 0 or 1; it is also {strange[0]:g}; mend ingest.sql")
    parts = partition(columns, slicings)
    return Population(
        truth,
        {model: _probabilities(model, said, len(truth)) for model, said in scores.items()},
        columns[sorted({column for part in parts for column in part.columns})],
        parts,
    )


def _probabilities(model: str, scores: np.ndarray, rows: int) -> np.ndarray:
    if scores.shape != (rows,):
        raise SluiceError(f"the {model} gives scores of shape {scores.shape}, not one for each row")
    said = scores.astype(np.float64)
    broken = int(np.sum(~((said >= 0) & (said <= 1))))
    if broken:
        raise SluiceError(
            f"the {model} gives {broken:,} of {rows:,} examples a score that is no probability, "
            f"such as {said[~((said >= 0) & (said <= 1))][0]:g}; look at its training"
        )
    return np.clip(said, EDGE, 1 - EDGE)
