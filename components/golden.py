"""golden: questions with known answers: real rows, and the same with something missing or unheard-of."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components import scoring
from components.columns import MISSING, columns
from components.schema import Feature
from components.spec.gates import MASK
from components.store import Artifact

REAL_ROWS = 256
UNKNOWN = {"string": "never seen before", "int64": 987_654_321, "float32": 9.87e8}
DTYPES = {"O": "string", "i": "int64", "f": "float32"}  # numpy's kind of a column → its type

Columns = dict[str, np.ndarray]


@dataclass(frozen=True)
class Golden:
    """Rows as a client sends them, by column, each of shape [n], with their offline scores.

    `scores`: float32 [n], or [n, classes]; `hidden`: columns whose values are shown to nobody; the
    last row has none of them.
    """

    columns: Columns
    scores: np.ndarray
    hidden: Collection[str] = ()

    def __len__(self) -> int:
        return len(self.scores)

    def batches(self, size: int) -> list[Columns]:
        """Return all rows in order, `size` at a time."""
        return [
            {name: values[start : start + size] for name, values in self.columns.items()}
            for start in range(0, len(self), size)
        ]

    def row(self, n: int) -> dict[str, Any]:
        """Return one row as plain values, by column; a missing number is None."""
        held = {name: values.tolist()[n] for name, values in self.columns.items()}
        return {k: None if v != v else v for k, v in held.items()}  # NaN alone differs from itself

    def sent(self, n: int) -> str:
        """Return one row as a client sends it over REST, a column a line."""
        rows = {name: json.dumps(held[n : n + 1].tolist()) for name, held in self.columns.items()}
        rows |= dict.fromkeys(self.hidden, f'["{MASK}"]')
        told = ",\n  ".join(f"{json.dumps(name)}: {row}" for name, row in rows.items())
        return f'{{"inputs": {{\n  {told}\n}}}}'

    def presentable(self) -> int:
        """Return the number of a row that may be shown, with as little missing as can be."""
        if self.hidden:
            return len(self) - 1
        return next((n for n in range(len(self)) if None not in self.row(n).values()), 0)

    def in_common(self, rows: np.ndarray) -> str:
        """Return what sets these rows (bool [n]) apart: a column missing, or unheard-of; "" if nothing.

        All of them have it, and of all that have it they are half at least.
        """
        best, told = np.inf, ""
        for name, values in self.columns.items():
            dtype = DTYPES[values.dtype.kind]
            missing = (values == MISSING[dtype]) | (values != values)
            for word, has in (("missing", missing), ("unheard-of", values == UNKNOWN[dtype])):
                if rows.any() and has[rows].all() and has.sum() <= min(2 * rows.sum(), best - 1):
                    best, told = has.sum(), f"each where {name!r} is {word}"
        return told


def questions(
    features: Sequence[Feature], examples: Sequence[Artifact], hidden: Collection[str] = ()
) -> Golden:
    """Return rows taken evenly from the examples, whose offline scores are not known yet (NaN).

    After the real rows come two a column: one where it is missing, one where it is unheard-of.
    """
    import pandas as pd

    names = [feature.name for feature in features]
    files = [of_span.file("examples.parquet") for of_span in examples]
    real = pd.concat([pd.read_parquet(file, columns=names) for file in files], ignore_index=True)
    picked = np.unique(np.linspace(0, len(real) - 1, REAL_ROWS).astype(int))
    asked = columns(real.iloc[picked], features)
    kept_back = [feature for feature in features if feature.name in hidden]
    count = 2 * len(features) + bool(kept_back)
    odd = {name: np.resize(values, count) for name, values in asked.items()}
    for n, feature in enumerate(features):
        odd[feature.name][2 * n] = MISSING[feature.dtype]
        odd[feature.name][2 * n + 1] = UNKNOWN[feature.dtype]
    for feature in kept_back:
        odd[feature.name][-1] = MISSING[feature.dtype]
    rows = {name: np.concatenate([values, odd[name]]) for name, values in asked.items()}
    unknown = np.full(len(next(iter(rows.values()))), np.nan)
    return Golden(rows, unknown, [feature.name for feature in kept_back])


def answered(asked: Golden, model: Artifact) -> Golden:
    """Return the same questions with what the model says of them offline.

    Raises SluiceError when the model does not load into this process.
    """
    import pandas as pd

    with scoring.full_precision():
        scores = scoring.load(model).scores(pd.DataFrame(asked.columns))
    return Golden(asked.columns, scores, asked.hidden)


def asked_as(row: dict[str, Any]) -> Columns:
    """Return a row out of `Golden.row` as columns of shape [1], to be asked again."""
    return {name: np.array([np.nan if v is None else v]) for name, v in row.items()}
