"""Labels: what a pipeline's label may be, by its task, and how it is counted in.

A binary label is 0 or 1; that of a regression is any finite number; a class is one of the spec's
`classes`, and its index among them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from pydantic import JsonValue

from components.errors import SluiceError, near_miss
from components.spec import Spec

if TYPE_CHECKING:
    import pandas as pd


def encode(spec: Spec, column: pd.Series) -> np.ndarray:
    """Return labels, none of which is missing, as float64 [rows].

    Raises SluiceError for a label that is none of its task.
    """
    if spec.task == "multiclass":
        return _indexes(spec, column)
    must = "0 or 1" if spec.task == "binary" else "a finite number"
    try:
        labels: np.ndarray = column.to_numpy(np.float64)
    except (TypeError, ValueError) as error:
        raise SluiceError(f"label {spec.label!r}: {error}; make it {must} in ingest.sql") from None
    odd = labels[~(np.isin(labels, (0, 1)) if spec.task == "binary" else np.isfinite(labels))]
    if odd.size:
        raise SluiceError(f"label {spec.label!r} holds {odd[0]:g}; make it {must} in ingest.sql")
    return labels


def _indexes(spec: Spec, column: pd.Series) -> np.ndarray:
    """Return the index of each label's class; a whole float was an integer in a column with gaps."""
    known = {str(name): index for index, name in enumerate(spec.classes)}
    codes, values = column.factorize()
    indexes = []
    for value in values:
        whole = isinstance(value, float) and value.is_integer()
        text = str(int(value) if whole else value)
        if text not in known:
            raise SluiceError(
                f"label {spec.label!r} holds {text!r}, which is not among `classes`; add it there, "
                f"or leave its rows out in ingest.sql{near_miss(text, known)}"
            )
        indexes.append(known[text])
    return np.array(indexes, dtype=np.float64)[codes]


def shown(spec: Spec, label: float) -> str:
    """Return a label as people know it."""
    return str(spec.classes[int(label)]) if spec.task == "multiclass" else f"{label:g}"


def described(spec: Spec, labels: np.ndarray) -> dict[str, JsonValue]:
    """Return the facts of a window's labels that its model keeps."""
    if spec.task == "regression":
        return {"mean_label": float(labels.mean())}
    if spec.task == "multiclass":
        counts = np.bincount(labels.astype(int), minlength=len(spec.classes)).tolist()
        return {"examples_of": dict(zip(map(str, spec.classes), counts, strict=True))}
    return {"positives": int(labels.sum())}
