"""Talk to a model server by TensorFlow Serving's protocol; which server it is cannot be told.

    server = ModelServer(rest="http://127.0.0.1:8501", grpc="127.0.0.1:8500")
    server.wait_available("flights", version=7, timeout_s=60)
    server.predict("flights", {"carrier": ["AA"], "distance": [1089.0]}).outputs["late"]

Retries: readiness only. `wait_available` asks again, backing off to once a second, because a server
that starts or loads cannot be told from one that is down. A prediction is asked once: who repeats
it decides what a failure means.

Light to import: neither TensorFlow nor its stubs.
"""

from __future__ import annotations

import base64
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

DEFAULT_SIGNATURE = "serving_default"
_BACK_OFF_S = (0.05, 1.0)


class ServerUnreachable(ConnectionError):
    """Nobody answered, or not in time."""


class ServerRefused(RuntimeError):
    """The server answered with an error, or did not bring a version up."""


@dataclass(frozen=True)
class VersionStatus:
    """State of a version (START, LOADING, AVAILABLE, UNLOADING, END) and its error, "" if none."""

    state: str
    error: str = ""


@dataclass(frozen=True)
class Prediction:
    """Arrays by output name, and the version that made them where the protocol tells it."""

    outputs: dict[str, np.ndarray]
    version: int | None


class ModelServer:
    """One server, by its REST URL and, for `predict_grpc`, its gRPC address.

    Every method raises ServerUnreachable when nobody answers within `timeout_s`, and ServerRefused
    with the server's own message when it answers with an error. Safe to use from many threads.
    """

    def __init__(self, rest: str, grpc: str | None = None, timeout_s: float = 30.0) -> None:
        self.rest = rest.rstrip("/")
        self.grpc = grpc
        self._timeout_s = timeout_s
        self._signatures: dict[tuple[str, int, str], dict[str, Any]] = {}

    def __enter__(self) -> ModelServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections; the next call opens new ones."""
        for name in ("_http", "_channel"):
            if name in self.__dict__:
                self.__dict__.pop(name).close()

    def versions(self, model: str) -> dict[int, VersionStatus]:
        """Return the state of each version that the server knows, {} for an unknown model."""
        url = f"{self.rest}/v1/models/{model}"
        status, answer = self._ask("GET", url)
        if status == 404:
            return {}
        self._expect_ok("GET", url, status, answer)
        return {
            int(one["version"]): VersionStatus(
                one["state"], one.get("status", {}).get("error_message", "")
            )
            for one in answer.get("model_version_status", [])
        }

    def wait_available(self, model: str, version: int, timeout_s: float) -> None:
        """Return once the version is AVAILABLE.

        Raises ServerRefused with the server's message as soon as loading has failed, or when the
        version is not available after `timeout_s`; ServerUnreachable when nobody answered at all.
        """
        deadline = time.monotonic() + timeout_s
        pause, longest = _BACK_OFF_S
        while True:
            unreachable, seen = None, None
            try:
                seen = self.versions(model).get(version)
            except ServerUnreachable as error:
                unreachable = error
            if seen and seen.state == "AVAILABLE":
                return
            where = f"{self.rest}: version {version} of {model}"
            if seen and seen.state == "END" and seen.error:
                raise ServerRefused(
                    f"{where} failed to load: {_one_line(seen.error)}; "
                    "fix the model and push it under a new version"
                )
            if time.monotonic() + pause > deadline:
                if unreachable:
                    raise unreachable
                state = f"is {seen.state}" if seen else "is not known there"
                trouble = f" ({_one_line(seen.error)})" if seen and seen.error else ""
                raise ServerRefused(
                    f"{where} {state} after {timeout_s:g} s{trouble}; "
                    "look into the server's log and at its base path"
                )
            time.sleep(pause)
            pause = min(2 * pause, longest)

    def metadata(self, model: str, version: int | None = None) -> dict[str, Any]:
        """Return the model's signatures by name, as `signature_def` JSON."""
        url = f"{self.rest}{_path(model, version)}/metadata"
        status, answer = self._ask("GET", url)
        self._expect_ok("GET", url, status, answer)
        return answer["metadata"]["signature_def"]["signature_def"]

    def predict(
        self,
        model: str,
        columns: Mapping[str, Any],
        version: int | None = None,
        signature: str | None = None,
    ) -> Prediction:
        """Predict over REST, in column form: one list or array per input, equal in length.

        REST does not tell which version answered: `Prediction.version` is the one asked for.
        """
        url = f"{self.rest}{_path(model, version)}:predict"
        request: dict[str, Any] = {"inputs": {k: _jsonable(v) for k, v in columns.items()}}
        if signature:
            request["signature_name"] = signature
        status, answer = self._ask("POST", url, json.dumps(request).encode())
        self._expect_ok("POST", url, status, answer)
        outputs = answer["outputs"]
        if not isinstance(outputs, dict):
            # A lone output comes without its name.
            (name,) = self._signature(model, version, signature)["outputs"]
            outputs = {name: outputs}
        return Prediction({name: _array(value) for name, value in outputs.items()}, version)

    def predict_grpc(
        self,
        model: str,
        columns: Mapping[str, Any],
        version: int | None = None,
        signature: str | None = None,
    ) -> Prediction:
        """Predict over gRPC; `Prediction.version` is the version that the server says answered.

        Columns are sent as the signature's types; those that it lacks are ignored, as over REST.
        """
        import grpc

        from serving import wire

        where = f"{self.grpc}{_path(model, version)}:Predict"
        request = wire.PredictRequest()
        request.model_spec.name = model
        request.model_spec.signature_name = signature or ""
        if version is not None:
            request.model_spec.version.value = version
        inputs = self._signature(model, version, signature)["inputs"]
        for name, values in columns.items():
            if name not in inputs:
                continue
            try:
                wire.fill_tensor(request.inputs[name], values, inputs[name]["dtype"])
            except (TypeError, ValueError, KeyError) as error:
                raise ServerRefused(f"{where}: input {name}: {error}") from error
        call = self._channel.unary_unary(
            wire.PREDICT,
            request_serializer=wire.PredictRequest.SerializeToString,
            response_deserializer=wire.PredictResponse.FromString,
        )
        try:
            response = call(request, timeout=self._timeout_s)
        except grpc.RpcError as error:
            code, details = error.code(), _one_line(error.details() or "")
            if code in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
                raise ServerUnreachable(
                    f"{where}: no answer ({code.name}: {details}); is the server up?"
                ) from error
            raise ServerRefused(f"{where}: {code.name}: {details}") from error
        outputs = {name: wire.read_tensor(tensor) for name, tensor in response.outputs.items()}
        return Prediction(outputs, response.model_spec.version.value)

    def _signature(self, model: str, version: int | None, signature: str | None) -> dict[str, Any]:
        name = signature or DEFAULT_SIGNATURE
        if version is not None and (model, version, name) in self._signatures:
            return self._signatures[model, version, name]
        signatures = self.metadata(model, version)
        if name not in signatures:
            there = ", ".join(key for key in signatures if not key.startswith("__"))
            raise ServerRefused(
                f"{self.rest}{_path(model, version)}: no signature {name!r}; there are: {there}"
            )
        if version is not None:
            # A version never changes; what "the latest" means does.
            self._signatures[model, version, name] = signatures[name]
        return signatures[name]

    def _ask(self, method: str, url: str, body: bytes | None = None) -> tuple[int, Any]:
        import httpx

        try:
            response = self._http.request(method, url, content=body)
        except httpx.HTTPError as error:
            raise ServerUnreachable(
                f"{method} {url}: no answer ({type(error).__name__}: {_one_line(str(error))}); "
                "is the server up and the address right?"
            ) from error
        try:
            # The server writes bytes that are not UTF-8 as they are; so they are read.
            text = response.content.decode("utf-8", "surrogateescape")
            return response.status_code, json.loads(text)
        except ValueError as error:
            raise ServerRefused(
                f"{method} {url}: HTTP {response.status_code} without JSON; is this a model server?"
            ) from error

    def _expect_ok(self, method: str, url: str, status: int, answer: Any) -> None:
        if status != 200:
            message = answer.get("error", answer) if isinstance(answer, dict) else answer
            raise ServerRefused(f"{method} {url}: HTTP {status}: {_one_line(str(message))}")

    @cached_property
    def _http(self) -> Any:
        import httpx

        # One line a request is httpx's idea of INFO; it would bury what a task has to say.
        logging.getLogger("httpx").setLevel(logging.WARNING)
        # No proxy from the environment: model servers are neighbours.
        return httpx.Client(timeout=self._timeout_s, trust_env=False)

    @cached_property
    def _channel(self) -> Any:
        import grpc

        if self.grpc is None:
            raise ValueError(f"{self.rest} has no gRPC address; give ModelServer one (grpc=…)")
        options = [
            ("grpc.max_receive_message_length", -1),
            ("grpc.max_send_message_length", -1),
            ("grpc.enable_http_proxy", 0),
        ]
        return grpc.insecure_channel(self.grpc, options=options)


def _path(model: str, version: int | None) -> str:
    return f"/v1/models/{model}" + (f"/versions/{version}" if version is not None else "")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _jsonable(values: Any) -> Any:
    if isinstance(values, bytes):
        return {"b64": base64.b64encode(values).decode()}
    if isinstance(values, list | tuple):
        return [_jsonable(value) for value in values]
    if isinstance(values, str | int | float | bool) or values is None:
        return values
    return _jsonable(np.asarray(values).tolist())


def _array(value: Any) -> np.ndarray:
    decoded = np.array(_decoded(value), object)
    leaf = decoded.flat[0] if decoded.size else 0.0
    return decoded if isinstance(leaf, bytes) else np.array(value)


def _decoded(value: Any) -> Any:
    if isinstance(value, list):
        return [_decoded(item) for item in value]
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return value.encode("utf-8", "surrogateescape") if isinstance(value, str) else value
