"""TFMA's confusion matrices at its 10,000 thresholds, which the AUC is made of, added up by NumPy.

TFMA walks through 10,000 thresholds in Python for every slice, model and class: 20 ms each, nine tenths
of what the figures of a slice cost. The same sums in the same order by NumPy are the same to the bit;
`counted_metrics.py` holds them against TFMA's own before it believes that.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from components.evaluate.counts import BUCKETS, Cell

SUMS = ("tp", "tn", "fp", "fn")


def knows(computation: Any) -> bool:
    """Say whether a derived computation of TFMA makes these matrices; its key names its arguments."""
    from tensorflow_model_analysis.metrics import binary_confusion_matrices as theirs
    from tensorflow_model_analysis.metrics import metric_util

    name = metric_util.generate_private_name_from_arguments(
        theirs.BINARY_CONFUSION_MATRICES_NAME, num_thresholds=theirs.DEFAULT_NUM_THRESHOLDS
    )
    return [key.name for key in computation.keys] == [name]


def matrices(cells: Sequence[Cell]) -> Any:
    """Return TFMA's Matrices of the rows in these buckets of the score."""
    from tensorflow_model_analysis.metrics.binary_confusion_matrices import Matrices

    thresholds, places = _places()
    numbers, labels, _, examples = np.array(cells, dtype=np.float64).T
    above = places[numbers.astype(np.int64)]
    positive, every = (np.bincount(above, of, len(thresholds)) for of in (labels, examples))
    (tp, fn), (fp, tn) = _split(positive), _split(every - positive)
    return Matrices(thresholds, tp, tn, fp, fn)


def same(one: Any, other: Any) -> bool:
    """Say whether two Matrices are the same to the bit."""
    return list(one.thresholds) == list(other.thresholds) and all(
        np.array_equal(getattr(one, name), getattr(other, name)) for name in SUMS
    )


def _split(held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many lie above each threshold, and how many do not; `held`: by the one just below."""
    over = np.cumsum(held[::-1])[::-1].copy()
    under = np.concatenate([[0.0], np.cumsum(held)[:-1]])
    over[-1], under[-1] = 0.0, over[0]  # nothing lies above the last, which is above 1
    return over, under


@cache
def _places() -> tuple[list[float], np.ndarray]:
    """Return TFMA's thresholds, and for each bucket of the score the last threshold below it."""
    from tensorflow_model_analysis.metrics import binary_confusion_matrices as theirs

    thresholds = theirs._interpolated_thresholds(theirs.DEFAULT_NUM_THRESHOLDS)
    edges = [t + theirs._EPSILON if t != 0 else t for t in thresholds]
    begins = np.concatenate([[-np.inf], np.arange(BUCKETS) / BUCKETS, [np.inf]])
    return thresholds, np.maximum(np.searchsorted(edges, begins, "right") - 1, 0)
