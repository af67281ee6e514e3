"""Warm-up: replay the requests that ship inside a SavedModel before it is announced.

The first requests to a fresh model pay for graph optimization and lazy initialization; here nobody
waits for them. A record that fails fails the load, so broken records never reach production.
"""

from __future__ import annotations

import time

import tensorflow as tf
from google.protobuf.message import DecodeError
from tensorflow_serving.apis import prediction_log_pb2

from serving.server import examples, inference, metrics
from serving.server.errors import Code, ServingError, as_serving_error, invalid
from serving.server.servable import Servable

RECORDS = "assets.extra/tf_serving_warmup_requests"
MAX_RECORDS = 1_000


def warm_up(servable: Servable) -> int:
    """Replay the servable's warm-up records and return how many there were.

    Raises ServingError for a record that cannot be read or answered, or for more than 1,000.
    """
    path = servable.path / RECORDS
    if not path.is_file():
        return 0
    start, count, status = time.perf_counter(), 0, "OK"
    try:
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            count += 1
            if count > MAX_RECORDS:
                raise invalid(f"Number of warmup records exceeds the maximum ({MAX_RECORDS})")
            _replay(servable, record)
    except Exception as error:
        failure = as_serving_error(error)
        status = str(failure)
        hint = (
            ". Please verify your warmup data is in TFRecord format."
            if failure.code == Code.DATA_LOSS
            else ""
        )
        raise ServingError(
            failure.code, f"warm-up record {count} of {path}: {failure.message}{hint}"
        ) from error
    finally:
        metrics.WARMUP_LATENCY.observe(
            (time.perf_counter() - start) * 1e6, str(servable.path), status
        )
    return count


def _replay(servable: Servable, record: bytes) -> None:
    try:
        log = prediction_log_pb2.PredictionLog.FromString(record)
    except DecodeError as error:
        raise invalid("Failed to parse warmup record: not a PredictionLog") from error
    kind = log.WhichOneof("log_type")
    if kind == "predict_log":
        inference.predict(servable, log.predict_log.request)
    elif kind == "classify_log":
        examples.classify(servable, log.classify_log.request)
    elif kind == "regress_log":
        examples.regress(servable, log.regress_log.request)
    elif kind == "multi_inference_log":
        examples.multi_inference(servable, log.multi_inference_log.request)
    else:
        raise ServingError(Code.UNIMPLEMENTED, f"Unsupported log_type for warmup: {kind}")
