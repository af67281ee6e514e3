"""train: the rows of a window and the transform's constants → one served model, and how it got there.

saved_model/     the net with its preprocessing inside (`saved_model.py` says which signatures)
weights.npz      the net's weights, for a warm start
constants.json   the preprocessing's constants
as_trained.*     some rows, and what the net said of them, for the model gate to ask for again
training.json    loss by epoch, the rows used, the rows left out for want of a label
tensorboard/     the same figures as TensorBoard reads them, while it trains
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf
from pydantic import JsonValue

from components import as_trained, files, store
from components import transform as constants_of
from components.columns import columns
from components.errors import SluiceError
from components.labels import described, encode, shown
from components.scoring import SAVED_MODEL
from components.spec import Spec
from components.store import Artifact, Draft
from components.train import network, weights
from components.train.fitting import Rows, fit, strategy
from components.train.preprocessing import Preprocessing
from components.train.saved_model import export
from components.transform import Constants

log = logging.getLogger(__name__)

ROWS_AT_ONCE = 262_144  # through the preprocessing, to keep its intermediate tensors small


def train(
    spec: Spec,
    span: str,
    examples: Sequence[Artifact],
    transform: Artifact,
    baseline: Artifact | None,
) -> Artifact:
    """Return the model that these examples and the pipeline's `model.py` make.

    On GPUs where TensorFlow sees them. On a CPU the weights are the same to the bit each time, also
    after a crash, from which it goes on with the last whole epoch. Raises SluiceError for a mistake
    in `model.py`, labels that teach nothing, and a loss that is not a number.
    """
    warm = baseline if spec.train.warm_start else None
    inputs = {f"examples/{e.manifest.span}": e.digest for e in examples}
    inputs |= {"transform": transform.digest, "model.py": files.sha256(spec.folder / "model.py")}
    if warm:
        inputs["baseline"] = warm.digest
    parameters: dict[str, JsonValue] = {"label": spec.label, **spec.train.model_dump(mode="json")}
    if spec.task != "binary":
        parameters |= {"task": spec.task, "classes": list(spec.classes)}
    if spec.hyperparameters:
        parameters["hyperparameters"] = dict(spec.hyperparameters)

    def build(draft: Draft) -> Mapping[str, JsonValue]:
        return _train(spec, examples, transform, warm, draft)

    return store.once("train", spec.name, span, inputs=inputs, parameters=parameters, build=build)


def _train(
    spec: Spec,
    examples: Sequence[Artifact],
    transform: Artifact,
    warm: Artifact | None,
    draft: Draft,
) -> dict[str, JsonValue]:
    if not tf.config.list_physical_devices("GPU"):  # there, some operations have no such way
        tf.config.experimental.enable_op_determinism()
    constants = constants_of.load(transform)
    frame, labels, unlabelled = _labelled(spec, constants, examples)
    preprocessing = Preprocessing(constants)
    rows = _rows(preprocessing, columns(frame, constants.features), labels)
    net = network.build(spec, constants, precision=spec.train.precision, strategy=strategy())
    network.probe(spec, net, preprocessing.split(rows.numbers[:256], rows.indexes[:256]))
    start = "cold"
    if spec.train.warm_start:
        start = weights.warm_start(net, constants, warm) if warm else "cold: there is no baseline"
        log.info("the training starts %s", start)
    with network.blamed(spec.folder / "model.py", always=False):
        history = fit(
            net, preprocessing, rows, spec.train, draft.resume, draft.folder / "tensorboard"
        )
    weights.save(net, draft.folder / weights.FILE)
    served = network.build(spec, constants)  # on one device, in float32, without the optimizer
    served.set_weights(net.get_weights())
    folder = draft.folder / SAVED_MODEL
    export(preprocessing, served, constants.features, folder, frame, spec.task, spec.classes)
    again = as_trained.chosen(len(rows))
    fed = preprocessing.split(*(tf.gather(m, again) for m in (rows.numbers, rows.indexes)))
    kept = frame.iloc[again].drop(columns=spec.label)
    as_trained.write(draft.folder, kept, network.score(served, fed).numpy())
    shutil.copyfile(transform.file(constants_of.FILE), draft.folder / constants_of.FILE)
    facts: dict[str, JsonValue] = {
        "rows": len(rows),
        "rows_without_label": unlabelled,
        **described(spec, labels),
        "start": start,
        "loss": history[-1]["loss"],
    }
    told = {**facts, "history": history}
    (draft.folder / "training.json").write_text(json.dumps(told, indent=2))
    return {**facts, "summary": _summary(spec, facts)}


def _summary(spec: Spec, facts: Mapping[str, Any]) -> str:
    without = facts["rows_without_label"]
    return (
        f"{facts['rows']} rows, {spec.train.epochs} epochs, loss {facts['loss']:.4f}"
        + (f"; {without} rows without a label left out" if without else "")
        + (f"; started {facts['start']}" if spec.train.warm_start else "")
    )


def _labelled(
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


def _rows(preprocessing: Preprocessing, raw: Mapping[str, np.ndarray], labels: np.ndarray) -> Rows:
    """Run the preprocessing once over all rows; the matrices stay in the host's memory."""
    with tf.device("CPU:0"):
        parts = []
        for start in range(0, len(labels), ROWS_AT_ONCE):
            batch = {n: tf.constant(v[start : start + ROWS_AT_ONCE]) for n, v in raw.items()}
            parts.append(preprocessing(batch))
        numbers, indexes = (tf.concat(matrices, axis=0) for matrices in zip(*parts, strict=True))
        return Rows(numbers, indexes, tf.constant(labels[:, None]))
