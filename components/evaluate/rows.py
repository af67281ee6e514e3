"""The rows that judge, and what a model says of each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from components import scoring
from components.errors import SluiceError, near_miss
from components.ingest import arrival
from components.spec import Spec
from components.store import Artifact


def labelled(spec: Spec, examples: Sequence[Artifact]) -> tuple[pd.DataFrame, int]:
    """Return the rows that have a label, and how many have none (cancelled flights, say)."""
    from pyarrow import dataset

    if not examples:
        raise SluiceError("no span is left to judge by; widen `window.evaluate`")
    paths = [str(e.file(arrival.FILE)) for e in examples]
    rows = dataset.dataset(paths, format="parquet").to_table().to_pandas()
    if spec.label not in rows:
        raise SluiceError(
            f"the examples have no column {spec.label!r}; mend ingest.sql or `label`"
            f"{near_miss(spec.label, rows.columns)}"
        )
    known = rows[spec.label].notna()
    return rows[known].reset_index(drop=True), int((~known).sum())


def scored(
    spec: Spec, name: str, model: Artifact, rows: pd.DataFrame
) -> tuple[np.ndarray, scoring.Scorer]:
    """Return a model's scores, float32 [n] or [n, classes], and what scores more.

    `name`: what messages call it, candidate or baseline. Raises SluiceError where it cannot.
    """
    who = f"the {name}, model {model.digest[:12]} of {model.manifest.span},"
    classes = model.manifest.parameters.get("classes", [])
    if spec.classes and classes != list(spec.classes):
        raise SluiceError(
            f"{who} was trained on the classes {classes}, which are not the spec's; what it would "
            "answer cannot be compared: give the new classes a pipeline of their own"
        )
    try:
        scorer = scoring.load(model)
        return scorer.scores(rows), scorer
    except Exception as problem:
        raise SluiceError(f"{who} cannot score the examples: {problem}") from problem
