"""TensorFlow Serving's own request log, a TFRecord of `PredictionLog`, as rows of columns.

Importing it imports TensorFlow, so that is done where such a log is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
from google.protobuf.message import DecodeError

from components import home
from components.columns import MISSING, NUMPY
from components.errors import SluiceError
from components.schema import Feature

# The calls whose rows are tf.Examples.
OF_EXAMPLES = ("classify_log", "regress_log", "multi_inference_log")


def read(path: Path, features: list[Feature], model: str) -> pa.Table:
    """Return what was asked of `model`: a row for each of Predict's, or for each tf.Example.

    Requests of another model are left out. Raises SluiceError for a file that is torn, or that holds
    what has no such rows.
    """
    sent: dict[str, list[np.ndarray]] = {feature.name: [] for feature in features}
    examples: list[bytes] = []
    try:
        for log in _logs(path):
            request = getattr(log, log.WhichOneof("log_type")).request
            if _of(log, request) not in ("", model):
                continue
            if log.HasField("predict_log"):
                inputs = {name: tf.make_ndarray(held) for name, held in request.inputs.items()}
                if inputs.keys() & sent.keys():
                    _append(sent, inputs, features)
                else:  # of a signature over tf.Examples
                    examples += [one for held in inputs.values() for one in held.ravel()]
            else:
                examples += _serialized(request.input)
        if examples:
            parsed = tf.io.parse_example(examples, _parsing(features))
            _append(sent, {name: held.numpy() for name, held in parsed.items()}, features)
    except (tf.errors.OpError, DecodeError, ValueError, TypeError) as error:
        raise SluiceError(
            f"{home.short(path)} is no log of requests to {model}: {' '.join(str(error).split())}; "
            "take it away, or have what logs requests write it again"
        ) from error
    return pa.table({f.name: _column(sent[f.name], f) for f in features})


def _column(parts: list[np.ndarray], feature: Feature) -> pa.Array:
    return pa.array(np.concatenate(parts) if parts else np.empty(0, NUMPY[feature.dtype]))


def _logs(path: Path) -> Iterator[Any]:
    """Yield the `PredictionLog`s of a file; raise ValueError for a call that has no columns."""
    # The first import is what makes the other work with protobuf 4.
    from tensorflow_serving.apis import prediction_service_pb2_grpc  # noqa: F401, I001
    from tensorflow_serving.apis import prediction_log_pb2

    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        if log.WhichOneof("log_type") not in ("predict_log", *OF_EXAMPLES):
            raise ValueError(f"a {log.WhichOneof('log_type') or 'nothing'} says of no column")
        yield log


def _of(log: Any, request: Any) -> str:
    """Return the model that was asked, "" where the log does not say."""
    asked = request.tasks[0] if log.HasField("multi_inference_log") else request
    return str(asked.model_spec.name or log.log_metadata.model_spec.name)


def _append(
    sent: dict[str, list[np.ndarray]], rows: dict[str, np.ndarray], features: list[Feature]
) -> None:
    """Add rows to the columns; what they lack is missing in them."""
    count = max((held.size for held in rows.values()), default=0)
    for feature in features:
        held = rows.get(feature.name)
        if held is None:
            held = np.full(count, MISSING[feature.dtype], NUMPY[feature.dtype])
        sent[feature.name].append(held.reshape(count))


def _serialized(given: Any) -> Iterator[bytes]:
    """Yield the tf.Examples of an `Input`, the context that they share merged in."""
    yield from (example.SerializeToString() for example in given.example_list.examples)
    shared = given.example_list_with_context
    for example in shared.examples:
        whole = type(example).FromString(shared.context.SerializeToString())
        whole.MergeFrom(example)
        yield whole.SerializeToString()


def _parsing(features: list[Feature]) -> dict[str, Any]:
    """Return how the model itself reads an Example."""
    return {
        f.name: tf.io.FixedLenFeature([], tf.as_dtype(f.dtype), default_value=MISSING[f.dtype])
        for f in features
    }
