"""saved_model: a trained net and its preprocessing as one SavedModel that takes raw columns.

    serving_default  raw columns, each [n] (float32, int64 or string)   → score [n]
    classify         inputs: serialized tf.Example [n]                  → classes, scores [n, 2]
    regress          inputs: serialized tf.Example [n]                  → outputs [n]

A net with a score for each class answers serving_default and classify with classes, scores
[n, classes], and knows no regress; that of a regression knows no classify. The last two are for the
servers' Classify and Regress. NaN, "" and the least int64 stand for a missing value; a column that an
Example lacks is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from components.columns import MISSING, columns
from components.metrics import Task
from components.schema import Feature
from components.train import network
from components.train.preprocessing import Preprocessing

if TYPE_CHECKING:
    import pandas as pd

WARMUP = "assets.extra/tf_serving_warmup_requests"
WARMUP_ROWS = (1, 8, 64)
METHODS = {name: f"tensorflow/serving/{name}" for name in ("classify", "regress")}


class Served(tf.Module):
    """What is saved: the preprocessing layers and the net."""

    def __init__(self, preprocessing: Preprocessing, net: Any) -> None:
        super().__init__(name="served")
        self.preprocessing, self.net = preprocessing, net

    def score(self, raw: Mapping[str, Any]) -> Any:
        """Return the scores of each row of raw columns, float32 of shape [n], or [n, classes]."""
        fed = self.preprocessing.split(*self.preprocessing(raw))
        return network.score(self.net, fed)


def export(
    preprocessing: Preprocessing,
    net: Any,
    features: list[Feature],
    folder: Path,
    examples: pd.DataFrame,
    task: Task = "binary",
    classes: Sequence[str | int] = (),
) -> None:
    """Write the SavedModel to `folder`, with warm-up requests made of some of these examples.

    `classes`: what each score is of, where the task is multiclass.
    """
    write(Served(preprocessing, net), features, folder, examples, task, classes)


def write(
    served: Served,
    features: list[Feature],
    folder: Path,
    examples: pd.DataFrame,
    task: Task = "binary",
    classes: Sequence[str | int] = (),
) -> None:
    """Write what is to be served, in all its signatures, as `export` does."""
    called = signatures(served, features, task, [str(name) for name in classes])
    methods = [name for name in METHODS if name in called]
    tf.saved_model.save(served, str(folder), signatures=called)
    _name_methods(folder, methods)
    _write_warmup(folder / WARMUP, features, examples, methods)


def signatures(
    served: Served,
    features: list[Feature],
    task: Task = "binary",
    names: Sequence[str] = (),
) -> dict[str, Any]:
    """Return what a server may call, by name: concrete functions of the model."""
    dtypes = {f.name: tf.as_dtype(f.dtype) for f in features}
    parse = {
        name: tf.io.FixedLenFeature([], dtype, default_value=MISSING[dtype.name])
        for name, dtype in dtypes.items()
    }

    def named(scores: Any, names: Sequence[str]) -> dict[str, Any]:
        return {
            "classes": tf.tile(tf.constant([names]), [tf.shape(scores)[0], 1]),
            "scores": scores,
        }

    def serving_default(**raw: Any) -> dict[str, Any]:
        scores = served.score(raw)
        return named(scores, names) if task == "multiclass" else {"score": scores}

    def classify(inputs: Any) -> dict[str, Any]:
        scores = served.score(tf.io.parse_example(inputs, parse))
        if task == "multiclass":
            return named(scores, names)
        return named(tf.stack([1 - scores, scores], axis=1), ["0", "1"])

    def regress(inputs: Any) -> dict[str, Any]:
        return {"outputs": served.score(tf.io.parse_example(inputs, parse))}

    raw = {name: tf.TensorSpec([None], dtype, name=name) for name, dtype in dtypes.items()}
    serialized = tf.TensorSpec([None], tf.string, name="inputs")
    made = {"serving_default": _traced(serving_default, **raw)}
    if task != "regression":
        made["classify"] = _traced(classify, serialized)
    if task != "multiclass":
        made["regress"] = _traced(regress, serialized)
    return made


def _traced(call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
    # Without AutoGraph: there is no Python branch in it that depends on a tensor.
    return tf.function(call, autograph=False).get_concrete_function(*args, **kwargs)


def _name_methods(folder: Path, methods: Sequence[str]) -> None:
    """Say which signature is for which call: a server may refuse Classify and Regress otherwise."""
    updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(str(folder))
    for signature in methods:
        updater.replace_method_name(signature_key=signature, method_name=METHODS[signature])
    updater.save()


def _write_warmup(
    path: Path, features: list[Feature], examples: pd.DataFrame, methods: Sequence[str]
) -> None:
    """Write what a server answers before it says AVAILABLE: each signature, in several sizes."""
    # The first import is what makes the others work with protobuf 4.
    from tensorflow_serving.apis import prediction_service_pb2_grpc  # noqa: F401, I001
    from tensorflow_serving.apis import prediction_log_pb2

    path.parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path)) as file:
        for size in sorted({min(rows, len(examples)) for rows in WARMUP_ROWS}):
            raw = columns(examples.head(size), features)
            record = prediction_log_pb2.PredictionLog()
            request = record.predict_log.request
            request.model_spec.signature_name = "serving_default"
            for name, values in raw.items():
                request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
            file.write(record.SerializeToString())
            for method in methods:
                record = prediction_log_pb2.PredictionLog()
                request = getattr(record, f"{method}_log").request
                request.model_spec.signature_name = method
                request.input.example_list.examples.extend(_examples(raw))
                file.write(record.SerializeToString())


def _examples(raw: Mapping[str, np.ndarray]) -> list[Any]:
    """Return the rows as tf.Examples, without the values that are missing."""
    return [
        tf.train.Example(features=tf.train.Features(feature=dict(_present(raw, row))))
        for row in range(len(next(iter(raw.values()))))
    ]


def _present(raw: Mapping[str, np.ndarray], row: int) -> Any:
    for name, values in raw.items():
        value = values[row]
        if values.dtype == np.float32 and not np.isnan(value):
            yield name, tf.train.Feature(float_list=tf.train.FloatList(value=[value]))
        elif values.dtype == np.int64 and value != MISSING["int64"]:
            yield name, tf.train.Feature(int64_list=tf.train.Int64List(value=[value]))
        elif values.dtype == object and value:
            text = tf.train.BytesList(value=[value.encode()])
            yield name, tf.train.Feature(bytes_list=text)
