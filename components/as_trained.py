"""What the net said in training, kept beside the SavedModel, so that a gate can ask for the same.

The net is fed by the training's own matrices, the SavedModel by raw columns: a preprocessing that is
not the one trained with, or weights that are not the trained ones, say otherwise. Days that judge need
not show it: a fault may well score no worse on them by luck.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from components import scoring
from components.scoring import Scorer
from components.store import Artifact
from components.verdict import Check, Status

if TYPE_CHECKING:
    import pandas as pd

ANSWERS, ASKED = "as_trained.npy", "as_trained.parquet"
ROWS, ALONE = 512, 32  # asked together, and of these again one at a time
SPREAD = (
    0.01  # tolerated, of the answers' standard deviation: weights of half the bits are within it
)
ROUNDING = 5e-6  # tolerated beside, of the answer: what float32 makes of sums in another order


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
    rows = pd.read_parquet(model.file(ASKED))
    few = np.unique(np.linspace(0, len(rows) - 1, min(ALONE, len(rows))).astype(int))
    with scoring.full_precision():
        given = scorer.scores(rows)
        alone = [scorer.scores(rows.iloc[n : n + 1]) for n in few]
    if given.shape != known.shape or any(one.shape != known[:1].shape for one in alone):
        return _check(f"{list(given.shape)} scores where training made {list(known.shape)}")
    return _compared(
        np.concatenate([known, known[few]]), np.concatenate([given, *alone]), len(known)
    )


def _compared(known: np.ndarray, given: np.ndarray, together: int) -> Check:
    """Return the check on answers; the first `together` were asked in one request, the others alone."""
    tolerated = SPREAD * known[:together].std(axis=0) + ROUNDING * np.abs(known) + 1e-7
    with np.errstate(invalid="ignore"):
        beyond = (np.abs(given - known) / tolerated).reshape(len(known), -1)
    beyond = np.where(np.isfinite(beyond), beyond, np.inf).max(axis=1)
    wrong = beyond > 1
    worst = int(beyond.argmax())
    seen = f"off by {np.max(np.abs(given[worst] - known[worst])):.1e} at most, on {together} rows"
    if not wrong.any():
        return _check("", seen)
    how = "" if wrong[:together].any() else ", asked one at a time,"
    told = (
        f"{int(wrong.sum())} of {len(known)} answers to rows of the training{how} are not the trained "
        f"net's; the furthest is {_short(given[worst])} where it said {_short(known[worst])}: the "
        "SavedModel's preprocessing or weights are not those that were trained"
    )
    return _check(told, seen)


def _check(problem: str, seen: str = "") -> Check:
    return Check(
        name="as trained",
        status=Status.FAILED if problem else Status.PASSED,
        seen=seen or problem,
        expected=f"what the net said in training, within {SPREAD:.0%} of the answers' spread",
        message=problem,
    )


def _short(scores: np.ndarray) -> str:
    return ", ".join(f"{score:.4g}" for score in np.atleast_1d(scores))
