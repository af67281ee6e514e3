"""The gRPC side: PredictionService, ModelService and, when asked for, the standard health service.

A threaded server: the asynchronous one of grpc-python gained nothing in measurements.
"""

# ruff: noqa: N802  (the methods bear the protocol's names)

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_management_pb2,
    model_service_pb2_grpc,
    prediction_service_pb2_grpc,
)

from serving.server import examples, inference, metrics
from serving.server.errors import Code, ServingError, as_serving_error, invalid
from serving.server.models import Models

_SERVICES = ("", "tensorflow.serving.PredictionService", "tensorflow.serving.ModelService")


def abort(context: grpc.ServicerContext, error: ServingError) -> None:
    """End the call with the error's code and message; always raises."""
    context.abort(grpc.StatusCode[error.code.name], error.message)


class PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers inference requests."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def Predict(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Run a signature on tensors."""
        return self._answer("Predict", request.model_spec, inference.predict, request, context)

    def Classify(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Run a classification signature on tf.Examples."""
        return self._answer("Classify", request.model_spec, examples.classify, request, context)

    def Regress(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Run a regression signature on tf.Examples."""
        return self._answer("Regress", request.model_spec, examples.regress, request, context)

    def MultiInference(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Run several classification and regression signatures on the same tf.Examples."""
        spec = request.tasks[0].model_spec if request.tasks else None
        return self._answer("MultiInference", spec, examples.multi_inference, request, context)

    def GetModelMetadata(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Return the signatures of a version."""
        try:
            return model_metadata(self._models, request)
        except ServingError as error:
            return abort(context, error)

    def _answer(
        self,
        api: str,
        spec: Any,
        answer: Callable[[Any, Any], Any],
        request: Any,
        context: grpc.ServicerContext,
    ) -> Any:
        start = time.perf_counter()
        name = spec.name if spec is not None else ""
        try:
            if spec is None:
                raise invalid("Inference request does not contain any tasks.")
            if context.time_remaining() == 0:
                raise ServingError(Code.DEADLINE_EXCEEDED, "Deadline exceeded while waiting")
            response = answer(self._models.find(spec), request)
        except Exception as error:
            failure = as_serving_error(error)
            metrics.REQUEST_COUNT.add(1, name, failure.code.name)
            return abort(context, failure)
        metrics.REQUEST_COUNT.add(1, name, "OK")
        metrics.REQUEST_LATENCY.observe((time.perf_counter() - start) * 1e6, name, api, "GRPC")
        return response


class ModelService(model_service_pb2_grpc.ModelServiceServicer):
    """Answers questions about models, and changes which are served."""

    def __init__(self, models: Models) -> None:
        self._models = models

    def GetModelStatus(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Return the state of one version or of all."""
        try:
            return model_status(self._models, request)
        except ServingError as error:
            return abort(context, error)

    def HandleReloadConfigRequest(self, request: Any, context: grpc.ServicerContext) -> Any:
        """Replace the whole configuration."""
        try:
            self._models.reload(request.config, context.time_remaining())
        except ServingError as error:
            return abort(context, error)
        return model_management_pb2.ReloadConfigResponse()


def model_status(
    models: Models, request: get_model_status_pb2.GetModelStatusRequest
) -> get_model_status_pb2.GetModelStatusResponse:
    """Answer GetModelStatus; a label in the request is ignored, as TensorFlow Serving does."""
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    spec = request.model_spec
    version = spec.version.value if spec.HasField("version") else None
    response = get_model_status_pb2.GetModelStatusResponse()
    for known in models.status(spec.name, version):
        status = response.model_version_status.add(version=known.number, state=int(known.state))
        if known.error:
            status.status.error_code = int(known.error.code)
            status.status.error_message = known.error.message
        else:
            status.status.error_code = int(Code.OK)
    return response


def model_metadata(
    models: Models, request: get_model_metadata_pb2.GetModelMetadataRequest
) -> get_model_metadata_pb2.GetModelMetadataResponse:
    """Answer GetModelMetadata, which knows one field: `signature_def`."""
    if not request.HasField("model_spec"):
        raise invalid("Missing ModelSpec")
    if not request.metadata_field:
        raise invalid("GetModelMetadataRequest must specify at least one metadata_field")
    for name in request.metadata_field:
        if name != "signature_def":
            raise invalid(f"Metadata field {name} is not supported")
    servable = models.find(request.model_spec)
    response = get_model_metadata_pb2.GetModelMetadataResponse()
    response.model_spec.name = servable.name
    response.model_spec.version.value = servable.version
    signatures = get_model_metadata_pb2.SignatureDefMap()
    for key, definition in servable.definitions.items():
        signatures.signature_def[key].CopyFrom(definition)
    response.metadata["signature_def"].Pack(signatures)
    return response


class GrpcServer:
    """A listening gRPC server.

    Raises OSError when the address cannot be had.
    """

    def __init__(self, models: Models, address: str, threads: int, healthcheck: bool) -> None:
        self._server = grpc.server(
            ThreadPoolExecutor(threads, thread_name_prefix="grpc"),
            options=[
                # A second server on the same port must fail, not share its traffic.
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", -1),
                ("grpc.max_send_message_length", -1),
            ],
        )
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
            PredictionService(models), self._server
        )
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(
            ModelService(models), self._server
        )
        self._health = health.HealthServicer() if healthcheck else None
        if self._health:
            health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
            for service in _SERVICES:
                self._health.set(service, health_pb2.HealthCheckResponse.SERVING)
        try:
            bound = self._server.add_insecure_port(address)
        except RuntimeError:
            bound = 0
        if not bound:
            raise OSError(f"cannot listen on {address} for gRPC")
        self._server.start()

    def stop(self, grace_s: float) -> Callable[[], object]:
        """Say NOT_SERVING and take no new call; what is returned waits for those under way."""
        if self._health:
            self._health.enter_graceful_shutdown()
        return self._server.stop(grace_s).wait
