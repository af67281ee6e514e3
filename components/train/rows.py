"""The rows that a net is fed: a window's examples with a label, through the preprocessing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from components.errors import SluiceError
from components.labels import encode, shown
from components.spec import Spec
from components.store import Artifact
from components.train.fitting import Rows
from components.train.preprocessing import Preprocessing
from components.transform import Constants

ROWS_AT_ONCE = 262_144  # through the preprocessing, to keep its intermediate tensors small


def labelled(
    spec: Spec, constants: Constants, examples: Sequence[Artifact]
) -> tuple[pd.DataFrame, np.ndarray, int]:
    """Return the rows with a label, the labels float32 [n], and how many rows have none.

    Raises SluiceError for labels that are none of the task, or that all say the same.
    """
    wanted = [*(column.name for column in constants.columns), spec.label]
    tables = [_read(artifact.file("examples.parquet"), wanted) for artifact in examples]
    if not tables:
        raise SluiceError("the window holds no span to train on; widen `window.train`")
    try:
        frame = pa.concat_tables(tables).to_pandas()
    except pa.ArrowInvalid as error:
        told = " ".join(str(error).split())
        raise SluiceError(f"the window's examples are not of one schema: {told}") from error
    known = frame[spec.label].notna()
    labels = encode(spec, frame.loc[known, spec.label]).astype(np.float32)
    if len(set(labels.tolist())) < 2:
        seen = "no row has a label"
        if labels.size:
            seen = f"all {len(labels)} labels are {shown(spec, labels[0])}"
        raise SluiceError(
            f"label {spec.label!r}: {seen} in the window, which teaches a net nothing; "
            "look at the label in ingest.sql, or widen `window.train`"
        )
    return frame[known].reset_index(drop=True), labels, int((~known).sum())


def _read(path: Path, wanted: list[str]) -> pa.Table:
    try:
        return pq.read_table(path, columns=wanted)
    except (OSError, ValueError) as error:
        raise SluiceError(f"{path} lacks a column or cannot be read: {error}") from error


def fed(preprocessing: Preprocessing, raw: Mapping[str, np.ndarray], labels: np.ndarray) -> Rows:
    """Run the preprocessing once over all rows; the matrices stay in the host's memory."""
    with tf.device("CPU:0"):
        parts = []
        for start in range(0, len(labels), ROWS_AT_ONCE):
            batch = {n: tf.constant(v[start : start + ROWS_AT_ONCE]) for n, v in raw.items()}
            parts.append(preprocessing(batch))
        numbers, indexes = (tf.concat(matrices, axis=0) for matrices in zip(*parts, strict=True))
        return Rows(numbers, indexes, tf.constant(labels[:, None]))
