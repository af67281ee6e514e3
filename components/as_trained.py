"""What the net said in training, kept beside the SavedModel, so that a gate can ask for the same.

The net is fed by the training's own matrices, the SavedModel by raw columns: a preprocessing that is
not the one trained with, or weights that are not the trained ones, say otherwise. Days that judge need
not show it: a fault may well score no worse on them by luck.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import JsonValue

from components.answers import furthest
from components.scoring import Scorer
from components.store import Artifact
from components.verdict import Check, Status

if TYPE_CHECKING:
    import pandas as pd

ANSWERS, ASKED = "as_trained.npy", "as_trained.parquet"
ROWS = 512
TOLERANCE = (
    1e-3  # absolute up to 1, of a larger score its share: weights of half the bits are within it
)


def chosen(count: int) -> np.ndarray:
    """Return the positions of the rows that are asked again, evenly taken from all."""
    return np.unique(np.linspace(0, count - 1, min(ROWS, count)).astype(np.int64))


def write(folder: Path, frame: pd.DataFrame, scores: np.ndarray) -> None:
    """Keep these rows, as examples hold them, and the scores, [n] or [n, classes], in a model's folder."""
    frame.to_parquet(folder / ASKED, index=False)
    np.save(folder / ANSWERS, scores.astype(np.float32))


def check(model: Artifact, scorer: Scorer) -> Check:
    """Return the check that a SavedModel says of rows of its training what the trained net said."""
    import pandas as pd

    if not (model.folder / ANSWERS).exists():
        told = "the model was trained by earlier code, which kept no answers to ask for again"
        return Check(name="as trained", status=Status.SKIPPED, message=told)
    known = np.load(model.file(ANSWERS))
    given = scorer.scores(pd.read_parquet(model.file(ASKED)))
    if given.shape != known.shape:
        return _check(f"{list(given.shape)} scores where training made {list(known.shape)}")
    off = furthest(given, known)
    wrong = ~(off <= TOLERANCE)  # nor is NaN
    seen = f"off by {np.nanmax(off, initial=0):.1e} at most, on {len(known)} rows"
    if not wrong.any():
        return _check("", seen)
    row = int(np.nanargmax(np.where(wrong, np.nan_to_num(off, nan=np.inf), 0)))
    told = (
        f"{int(wrong.sum())} of {len(known)} rows of the training get other answers than the trained "
        f"net gave; the furthest is {_short(given[row])} where it said {_short(known[row])}: the "
        "SavedModel's preprocessing or weights are not those that were trained"
    )
    return _check(told, seen)


def _check(problem: str, seen: str = "") -> Check:
    values: dict[str, JsonValue] = {"tolerance": TOLERANCE}
    return Check(
        name="as trained",
        status=Status.FAILED if problem else Status.PASSED,
        seen=seen or problem,
        expected=f"within {TOLERANCE:g} of what the net said in training",
        message=problem,
        values=values,
    )


def _short(scores: np.ndarray) -> str:
    return ", ".join(f"{score:.4g}" for score in np.atleast_1d(scores))
