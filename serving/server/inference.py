"""Predict: run a servable's signature on tensors.

Requests and responses are the protocol's messages, so that gRPC and warm-up records take the same
way through here; REST comes with arrays and joins at `run`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
from tensorflow_serving.apis import model_pb2, predict_pb2

from serving.server import metrics, tensors
from serving.server.errors import Code, ServingError, invalid
from serving.server.servable import DEFAULT_SIGNATURE, Servable, Signature

PREDICT = "tensorflow/serving/predict"
CLASSIFY = "tensorflow/serving/classify"
REGRESS = "tensorflow/serving/regress"


def run(
    servable: Servable, signature: Signature, arrays: Mapping[str, np.ndarray], api: str
) -> dict[str, np.ndarray]:
    """Run a signature and record how long TensorFlow took."""
    start = time.perf_counter()
    outputs = signature.run(arrays)
    metrics.RUNTIME_LATENCY.observe((time.perf_counter() - start) * 1e6, servable.name, api, "TF2")
    return outputs


def predict_signature(servable: Servable, name: str) -> Signature:
    """Return the signature that Predict runs; raises FAILED_PRECONDITION when there is none."""
    name = name or DEFAULT_SIGNATURE
    signature = servable.signatures.get(name)
    if signature is None:
        raise ServingError(Code.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
    if signature.method_name not in (PREDICT, CLASSIFY, REGRESS):
        raise ServingError(
            Code.INTERNAL,
            "Expected prediction signature method_name to be one of "
            f"{{{PREDICT}, {CLASSIFY}, {REGRESS}}}. Was: {signature.method_name}",
        )
    return signature


def predict(servable: Servable, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:
    """Answer Predict: all outputs, or those that `output_filter` names."""
    signature = predict_signature(servable, request.model_spec.signature_name)
    wanted = _output_filter(signature, request.output_filter)
    arrays = {name: tensors.from_proto(name, proto) for name, proto in request.inputs.items()}
    outputs = run(servable, signature, arrays, "Predict")
    response = predict_pb2.PredictResponse()
    echo(response.model_spec, servable, request.model_spec)
    for name in wanted or outputs:
        tensors.to_proto(outputs[name], response.outputs[name])
    return response


def _output_filter(signature: Signature, names: Sequence[str]) -> list[str]:
    for name in names:
        if name not in signature.definition.outputs:
            raise invalid(
                f"output tensor alias not found in signature: {name} Outputs expected to be in "
                f"the set {{{','.join(sorted(signature.definition.outputs))}}}."
            )
        if list(names).count(name) > 1:
            raise invalid(f"duplicate output tensor alias: {name}")
    return list(names)


def echo(answer: model_pb2.ModelSpec, servable: Servable, asked: model_pb2.ModelSpec) -> None:
    """Write into `answer` which model, version and signature answered."""
    answer.name = servable.name
    answer.version.value = servable.version
    answer.signature_name = asked.signature_name or DEFAULT_SIGNATURE
