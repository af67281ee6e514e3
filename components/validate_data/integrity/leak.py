"""Leaks: a column that alone tells the label is one that nobody has when the model is asked.

For each column that a model is fed, the area under the ROC curve of a guess from that column alone:
of a number, its rank, whichever way it points; of a category, the label's mean among the other rows
of that category; of either, whether it is missing. One half is no guess better than chance.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components import schema
from components.validate_data.subject import Subject
from components.verdict import Check, Status

FEW = 50  # labels of either kind, below which an area says nothing: the fog of one morning has its hours
ENOUGH = 50_000  # rows, above which a sample says the same: the area's standard error is then .003
FOLDS = 5


def checks(subject: Subject) -> list[Check]:
    """Return a check for each fed column: whether it alone tells the label."""
    label = subject.spec.label
    table = subject.table.filter(pc.is_valid(subject.table[label]))
    if len(table) > ENOUGH:
        table = table.take(np.sort(np.random.default_rng(0).permutation(len(table))[:ENOUGH]))
    positive = _positive(table[label]) if len(table) else np.zeros(0, bool)
    few = min(positive.sum(), (~positive).sum())
    if few < FEW:
        told = f"{label} has {few} rows of one kind: too few to tell what a column knows of it"
        return [Check(name="leak", subject=label, status=Status.SKIPPED, message=told)]
    return [
        _check(subject, feature.name, *_area(table[feature.name], feature.kind, positive))
        for feature in schema.inputs(subject.schema)
    ]


def _check(subject: Subject, column: str, area: float, guess: str) -> Check:
    most = subject.spec.data_gate.leak
    leaks = area > most
    told = (
        f"{guess.format(column)} alone tells {subject.spec.label}: an AUC of {area:.3f}, and "
        f"{most:g} is more than a column can know beforehand; feed it to no model, or raise "
        "data_gate.leak"
    )
    return Check(
        name="leak",
        status=Status.FAILED if leaks else Status.PASSED,
        subject=column,
        seen=f"AUC {area:.3f}",
        expected=f"at most {most:g}",
        message=told if leaks else "",
        values={"auc": round(area, 4), "threshold": most},
    )


def _positive(label: pa.ChunkedArray) -> np.ndarray:
    """Return one of two halves of the rows: those of label 1, or of a label above its median."""
    values = label.to_pandas().to_numpy()
    if pa.types.is_string(label.type):
        held, counts = np.unique(values.astype(str), return_counts=True)
        return values == held[counts.argmax()]
    return values > (np.median(values) if len(np.unique(values)) > 2 else values.min())


def _area(values: pa.ChunkedArray, kind: str, positive: np.ndarray) -> tuple[float, str]:
    """Return the area under the curve of the best guess from a column, and what it guesses by."""
    missing = values.is_null().to_numpy()
    if kind == "category":
        # Below one half it has learned noise: a mean has no other way to point.
        return max(_curve(_mean_of_others(values, positive), positive), 0.5), "{}"
    there = positive[~missing]
    if min(there.sum(), (~there).sum()) < FEW:
        return _either_way(missing, positive), "whether {} is missing"
    number = _either_way(values.drop_null().to_numpy(), there)
    gap = _either_way(missing, positive)
    return max((number, "{}"), (gap, "whether {} is missing"))


def _mean_of_others(values: pa.ChunkedArray, positive: np.ndarray) -> np.ndarray:
    """Return for each row the label's mean in its category, over the rows of the other folds.

    A row's own label does not enter into it, so a category of its own knows nothing.
    """
    codes = values.combine_chunks().dictionary_encode(null_encoding="encode").indices.to_numpy()
    fold = np.random.default_rng(0).permutation(len(codes)) % FOLDS
    cell = codes * FOLDS + fold
    size = (codes.max() + 1) * FOLDS
    rows = np.bincount(cell, minlength=size).reshape(-1, FOLDS)
    ones = np.bincount(cell, weights=positive, minlength=size).reshape(-1, FOLDS)
    others, of_them = rows.sum(1, keepdims=True) - rows, ones.sum(1, keepdims=True) - ones
    mean = (of_them + positive.mean()) / (others + 1)  # a category met once leans on all rows
    return mean[codes, fold]


def _either_way(guess: np.ndarray, positive: np.ndarray) -> float:
    area = _curve(guess, positive)
    return max(area, 1 - area)


def _curve(guess: np.ndarray, positive: np.ndarray) -> float:
    """Return the area under the ROC curve of a guess.

    By the ranks' sum (Mann & Whitney 1947), ties counting half.
    """
    _, place, count = np.unique(guess, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(count) - (count - 1) / 2)[place.ravel()]
    ones = positive.sum()
    return float((ranks[positive].sum() - ones * (ones + 1) / 2) / (ones * (len(positive) - ones)))
