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
from typing import Any

import tensorflow as tf
from pydantic import JsonValue

from components import as_trained, files, scoring, store
from components import transform as constants_of
from components.columns import columns
from components.labels import described
from components.spec import Spec
from components.store import Artifact, Draft
from components.train import network, weights
from components.train.fitting import fit, strategy
from components.train.preprocessing import Preprocessing
from components.train.rows import fed, labelled
from components.train.saved_model import export

log = logging.getLogger(__name__)


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
    frame, labels, unlabelled = labelled(spec, constants, examples)
    preprocessing = Preprocessing(constants)
    rows = fed(preprocessing, columns(frame, constants.features), labels)
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
    folder = draft.folder / scoring.SAVED_MODEL
    export(preprocessing, served, constants.features, folder, frame, spec.task, spec.classes)
    again = as_trained.chosen(len(rows))
    kept = frame.iloc[again].drop(columns=spec.label)
    asked = preprocessing.split(*(tf.gather(m, again) for m in (rows.numbers, rows.indexes)))
    trained = net if spec.train.precision == "float32" else served  # what it says in full precision
    with scoring.full_precision():
        as_trained.write(draft.folder, kept, network.score(trained, asked).numpy())
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
