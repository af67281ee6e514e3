"""Classify, Regress, MultiInference: signatures over tf.Examples, their results as messages."""

from __future__ import annotations

from itertools import zip_longest

import numpy as np
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    classification_pb2,
    inference_pb2,
    input_pb2,
    model_pb2,
    regression_pb2,
)

from serving.server import metrics
from serving.server.errors import Code, ServingError, invalid
from serving.server.inference import CLASSIFY, REGRESS, echo, run
from serving.server.servable import DEFAULT_SIGNATURE, Servable, Signature


def classify(
    servable: Servable, request: classification_pb2.ClassificationRequest
) -> classification_pb2.ClassificationResponse:
    """Answer Classify: per example, its classes with label and score."""
    response = classification_pb2.ClassificationResponse()
    _check_nonempty_signature(servable, request.model_spec)
    _classify(servable, request.model_spec, _examples(servable, request.input), response.result)
    echo(response.model_spec, servable, request.model_spec)
    return response


def regress(
    servable: Servable, request: regression_pb2.RegressionRequest
) -> regression_pb2.RegressionResponse:
    """Answer Regress: one value per example."""
    response = regression_pb2.RegressionResponse()
    _check_nonempty_signature(servable, request.model_spec)
    _regress(servable, request.model_spec, _examples(servable, request.input), response.result)
    echo(response.model_spec, servable, request.model_spec)
    return response


def multi_inference(
    servable: Servable, request: inference_pb2.MultiInferenceRequest
) -> inference_pb2.MultiInferenceResponse:
    """Answer MultiInference: several classify and regress signatures over the same examples."""
    response = inference_pb2.MultiInferenceResponse()
    _check_tasks(request)
    examples = _examples(servable, request.input)
    for task in request.tasks:
        result = response.results.add()
        _check_nonempty_signature(servable, task.model_spec)
        if task.method_name == CLASSIFY:
            _classify(servable, task.model_spec, examples, result.classification_result)
        elif task.method_name == REGRESS:
            _regress(servable, task.model_spec, examples, result.regression_result)
        else:
            raise ServingError(
                Code.UNIMPLEMENTED, f"Unsupported signature method_name: {task.method_name}"
            )
        echo(result.model_spec, servable, task.model_spec)
    return response


def _check_tasks(request: inference_pb2.MultiInferenceRequest) -> None:
    if not request.tasks:
        raise invalid("Inference request does not contain any tasks.")
    specs = [task.model_spec for task in request.tasks]
    if not all(spec.name for spec in specs):
        raise invalid("Found ModelSpec with an empty model name.")
    if len({spec.name for spec in specs}) > 1:
        raise invalid("All ModelSpecs in a MultiInferenceRequest must access the same model name.")
    names = [spec.signature_name or DEFAULT_SIGNATURE for spec in specs]
    for name in names:
        if names.count(name) > 1:
            raise invalid(f"Duplicate evaluation of signature: {name}")


def _check_nonempty_signature(servable: Servable, spec: model_pb2.ModelSpec) -> None:
    name = spec.signature_name or DEFAULT_SIGNATURE
    if name not in servable.signatures:
        raise invalid(f"No signature was found with the name: {name}")


def _examples(servable: Servable, given: input_pb2.Input) -> np.ndarray:
    """Return the request's tf.Examples, serialized, the shared context merged into each."""
    kind = given.WhichOneof("kind")
    if kind == "example_list_with_context":
        context = given.example_list_with_context.context.SerializeToString()
        examples = given.example_list_with_context.examples
    else:
        context, examples = b"", given.example_list.examples
    if not examples:
        raise invalid("Input is empty.")
    metrics.EXAMPLE_COUNTS.observe(len(examples), servable.name)
    metrics.EXAMPLE_COUNT_TOTAL.add(len(examples), servable.name)
    # Concatenated messages merge when they are parsed.
    return np.array([context + example.SerializeToString() for example in examples], object)


def _example_signature(
    servable: Servable, spec: model_pb2.ModelSpec, method: str, kind: str
) -> Signature:
    signature = servable.signatures[spec.signature_name or DEFAULT_SIGNATURE]
    if signature.method_name != method:
        raise invalid(
            f"Expected {kind} signature method_name to be {method}. Was: {signature.method_name}"
        )
    if len(signature.inputs) != 1:
        raise invalid("Expected one input Tensor.")
    if "inputs" not in signature.inputs:
        raise ServingError(
            Code.FAILED_PRECONDITION,
            f"No {kind} inputs found in SignatureDef: {signature.definition}",
        )
    return signature


def _classify(
    servable: Servable,
    spec: model_pb2.ModelSpec,
    examples: np.ndarray,
    result: classification_pb2.ClassificationResult,
) -> None:
    signature = _example_signature(servable, spec, CLASSIFY, "classification")
    _check_classify_outputs(signature.definition)
    outputs = run(servable, signature, {"inputs": examples}, "Classify")
    classes, scores = outputs.get("classes"), outputs.get("scores")
    _check_table("classes", classes, object, len(examples))
    _check_table("scores", scores, np.float32, len(examples))
    if classes is not None and scores is not None and classes.shape != scores.shape:
        raise invalid(
            "Tensors class and score should match in dim_size(1). Got "
            f"{classes.shape[1]} vs. {scores.shape[1]}"
        )
    for row in range(len(examples)):
        labels = [] if classes is None else [_text(label) for label in classes[row]]
        values = [] if scores is None else scores[row].tolist()
        message = result.classifications.add()
        for label, value in zip_longest(labels, values):
            message.classes.add(label=label, score=value)


def _text(label: bytes) -> str:
    # The protocol's labels are text.
    return label.decode("utf-8", "replace")


def _check_table(name: str, table: np.ndarray | None, dtype: type, rows: int) -> None:
    if table is None:
        return
    if table.ndim != 2:
        raise invalid(
            "Expected Tensor shape: [batch_size num_classes] but got "
            f"[{','.join(map(str, table.shape))}]"
        )
    if table.dtype != dtype:
        wanted = "DT_STRING" if dtype is object else "DT_FLOAT"
        raise invalid(f"Expected {name} Tensor of {wanted}. Got: {table.dtype}")
    if len(table) != rows:
        raise invalid(f"Expected {name} output batch size of {rows}. Got: {len(table)}")


def _check_classify_outputs(definition: meta_graph_pb2.SignatureDef) -> None:
    if len(definition.outputs) not in (1, 2):
        raise invalid(f"Expected one or two output Tensors, found {len(definition.outputs)}")
    if not {"classes", "scores"} & set(definition.outputs):
        raise ServingError(
            Code.FAILED_PRECONDITION,
            'Expected classification signature outputs to contain at least one of "classes" or '
            f'"scores". Signature was: {definition}',
        )


def _regress(
    servable: Servable,
    spec: model_pb2.ModelSpec,
    examples: np.ndarray,
    result: regression_pb2.RegressionResult,
) -> None:
    signature = _example_signature(servable, spec, REGRESS, "regression")
    if len(signature.definition.outputs) != 1:
        raise invalid("Expected one output Tensor.")
    if "outputs" not in signature.definition.outputs:
        raise ServingError(
            Code.FAILED_PRECONDITION,
            f"No regression outputs found in SignatureDef: {signature.definition}",
        )
    values = run(servable, signature, {"inputs": examples}, "Regress")["outputs"]
    if not (values.ndim == 1 or (values.ndim == 2 and values.shape[1] == 1)):
        raise invalid(
            "Expected output Tensor shape to be either [batch_size] or [batch_size, 1] but got "
            f"[{','.join(map(str, values.shape))}]"
        )
    if len(values) != len(examples):
        raise invalid(
            f"Input batch size did not match output batch size: {len(examples)} vs. {len(values)}"
        )
    if values.dtype != np.float32:
        raise invalid(f"Expected output Tensor of DT_FLOAT.  Got: {values.dtype}")
    for value in values.ravel().tolist():
        result.regressions.add().value = value
