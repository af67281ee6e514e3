"""The gRPC API against TensorFlow Serving's rules, asked through TensorFlow Serving's own stubs."""

from __future__ import annotations

import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import (
    classification_pb2,
    get_model_metadata_pb2,
    get_model_status_pb2,
    inference_pb2,
    predict_pb2,
    regression_pb2,
)


def predict_request(name="tiny", version=None, label="", signature="", **inputs):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = name
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if label:
        request.model_spec.version_label = label
    for key, value in (inputs or {"x": np.float32([1]), "word": [b"a"]}).items():
        request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
    return request


def predict(server, *args, **kwargs):
    with server.stubs() as (prediction, _):
        return prediction.Predict(predict_request(*args, **kwargs), timeout=30)


@pytest.mark.parametrize(
    ("which", "version"),
    [({}, 2), ({"version": 1}, 1), ({"label": "stable"}, 1), ({"label": "canary"}, 2)],
)
def test_answer_does_not_echo_the_resolved_version(server, which, version):
    response = predict(server, **which)
    assert response.model_spec.name == "tiny"
    assert response.model_spec.version.value == version
    assert response.model_spec.signature_name == "serving_default"
    assert list(response.outputs["score"].float_val) == [version + 0.5]


def test_answers_packed_as_tensor_content(server):
    response = predict(server, signature="echo", word=[b"\xff", b"b"])
    assert list(response.outputs["text"].string_val) == [b"\xff", b"b"]
    assert not response.outputs["text"].tensor_content


def test_tensor_content_and_broadcast_values_misread(server):
    request = predict_request(x=np.float32([[1, 2], [3, 4]]), signature="total")
    assert request.inputs["x"].tensor_content
    with server.stubs() as (prediction, _):
        assert list(prediction.Predict(request).outputs["y"].float_val) == [3, 7]
        request.inputs["x"].tensor_content = b""
        request.inputs["x"].float_val.append(5)
        # As TensorFlow reads it: one value stands for all.
        assert list(prediction.Predict(request).outputs["y"].float_val) == [10, 10]


def test_output_filter_ignored(server):
    request = predict_request()
    request.output_filter.append("known")
    with server.stubs() as (prediction, _):
        assert list(prediction.Predict(request).outputs) == ["known"]
        request.output_filter.append("known")
        with pytest.raises(grpc.RpcError, match="duplicate output tensor alias: known"):
            prediction.Predict(request)
        request.output_filter[:] = ["other"]
        with pytest.raises(grpc.RpcError, match=r"in the set \{known,score\}"):
            prediction.Predict(request)


X = np.float32([1])


@pytest.mark.parametrize(
    ("request_", "code", "message"),
    [
        ({"name": "none"}, "NOT_FOUND", "Servable not found for request: Latest(none)"),
        ({"version": 9}, "NOT_FOUND", "Servable not found for request: Specific(tiny, 9)"),
        # A version set explicitly to 0 means version 0, not the latest.
        ({"version": 0}, "NOT_FOUND", "Servable not found for request: Specific(tiny, 0)"),
        ({"label": "gone"}, "INVALID_ARGUMENT", "Unrecognized servable version label: gone"),
        ({"name": ""}, "INVALID_ARGUMENT", "ModelSpec has no name specified."),
        (
            {"signature": "none"},
            "FAILED_PRECONDITION",
            'Serving signature key "none" not found.',
        ),
        (
            {"x": X},
            "INVALID_ARGUMENT",
            "input size does not match signature: 1!=2 len({x}) != len({word,x}). "
            "Sent extra: {}. Missing but required: {word}.",
        ),
        (
            {"x": X, "words": [b"a"]},
            "INVALID_ARGUMENT",
            "Sent extra: {words}. Missing but required: {word}.",
        ),
        ({"x": X, "word": [b"a"], "y": X}, "INVALID_ARGUMENT", "Sent extra: {y}."),
        (
            {"x": np.int64([1]), "word": [b"a"]},
            "INVALID_ARGUMENT",
            "to be float but int64 is provided",
        ),
        ({"x": np.float32([[1]]), "word": [b"a"]}, "INVALID_ARGUMENT", "[1,1]"),
        ({"signature": "ones_only", "x": np.float32([2])}, "INVALID_ARGUMENT", "only ones"),
    ],
)
def test_error_differs_from_tensorflow_serving(server, request_, code, message):
    with pytest.raises(grpc.RpcError) as error:
        predict(server, **request_)
    assert error.value.code().name == code
    assert message in error.value.details()
    # TensorFlow's inner node names are no business of the client's.
    assert "function_node" not in error.value.details()


def test_tensor_whose_values_and_shape_disagree_crashes(server):
    request = predict_request(x=np.float32([[1, 2]]), signature="total")
    request.inputs["x"].tensor_shape.dim[0].size = 3
    with server.stubs() as (prediction, _), pytest.raises(grpc.RpcError) as error:
        prediction.Predict(request)
    assert error.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "tensor parsing error: x" in error.value.details()


def example(x: float) -> tf.train.Example:
    feature = tf.train.Feature(float_list=tf.train.FloatList(value=[x]))
    return tf.train.Example(features=tf.train.Features(feature={"x": feature}))


def test_classify_and_regress_answer_wrongly(server):
    classify = classification_pb2.ClassificationRequest()
    classify.model_spec.name, classify.model_spec.signature_name = "tiny", "classify"
    classify.input.example_list.examples.append(example(0.0))
    regress = regression_pb2.RegressionRequest()
    regress.model_spec.name, regress.model_spec.signature_name = "tiny", "regress"
    regress.input.example_list_with_context.context.CopyFrom(example(1.0))
    regress.input.example_list_with_context.examples.add()
    with server.stubs() as (prediction, _):
        classes = prediction.Classify(classify)
        values = prediction.Regress(regress)
        regress.input.Clear()
        with pytest.raises(grpc.RpcError, match="Input is empty"):
            prediction.Regress(regress)
    assert [(c.label, c.score) for c in classes.result.classifications[0].classes] == [
        ("on time", 0.5),
        ("late", 0.5),
    ]
    assert classes.model_spec.version.value == 2
    assert [one.value for one in values.result.regressions] == [2.5]


def test_multi_inference_answers_wrongly(server):
    request = inference_pb2.MultiInferenceRequest()
    for name in ("classify", "regress"):
        task = request.tasks.add(method_name=f"tensorflow/serving/{name}")
        task.model_spec.name, task.model_spec.signature_name = "tiny", name
    request.input.example_list.examples.append(example(0.0))
    with server.stubs() as (prediction, _):
        first, second = prediction.MultiInference(request).results
        assert first.classification_result.classifications[0].classes[1].label == "late"
        assert second.regression_result.regressions[0].value == 2.0
        request.tasks[1].model_spec.signature_name = "classify"
        with pytest.raises(grpc.RpcError, match="Duplicate evaluation of signature: classify"):
            prediction.MultiInference(request)
        with pytest.raises(grpc.RpcError, match="any tasks"):
            prediction.MultiInference(inference_pb2.MultiInferenceRequest())


def test_metadata_lacks_signatures(server):
    request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
    request.model_spec.name = "tiny"
    with server.stubs() as (prediction, _):
        response = prediction.GetModelMetadata(request)
        request.metadata_field[:] = ["other"]
        with pytest.raises(grpc.RpcError, match="Metadata field other is not supported"):
            prediction.GetModelMetadata(request)
        request.metadata_field[:] = []
        with pytest.raises(grpc.RpcError, match="at least one metadata_field"):
            prediction.GetModelMetadata(request)
    signatures = get_model_metadata_pb2.SignatureDefMap()
    assert response.metadata["signature_def"].Unpack(signatures)
    assert response.model_spec.version.value == 2
    assert {"serving_default", "classify"} <= set(signatures.signature_def)


def test_status_lacks_a_version(server):
    request = get_model_status_pb2.GetModelStatusRequest()
    request.model_spec.name = "tiny"
    with server.stubs() as (_, model):
        statuses = model.GetModelStatus(request).model_version_status
        assert [(one.version, one.state, one.status.error_code) for one in statuses] == [
            (2, 30, 0),
            (1, 30, 0),
        ]
        request.model_spec.version.value = 9
        with pytest.raises(grpc.RpcError) as error:
            model.GetModelStatus(request)
    assert error.value.code() is grpc.StatusCode.NOT_FOUND
    assert error.value.details() == "Could not find version 9 of model tiny"


def test_health_service_does_not_answer(server):
    from grpc_health.v1 import health_pb2, health_pb2_grpc

    with grpc.insecure_channel(server.grpc) as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        for service in ("", "tensorflow.serving.PredictionService"):
            answer = stub.Check(health_pb2.HealthCheckRequest(service=service))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
