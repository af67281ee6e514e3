"""The REST side: a raw ASGI application on uvicorn with httptools.

Predictions run on a thread pool. Status, metadata and metrics are answered beside it, so that a
server whose models are all busy still says that it is well.
"""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any
from urllib.parse import unquote

import uvicorn
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.server import (
    grpc_api,
    inference,
    json_examples,
    json_requests,
    json_status,
    metrics,
)
from serving.server.errors import Code, ServingError, as_serving_error, invalid
from serving.server.models import Models
from serving.server.servable import DEFAULT_SIGNATURE, Servable

_TARGET = r"(?:/versions/(?P<version>[0-9]+)|/labels/(?P<label>[^/:]+))?"
_POST = re.compile(
    rf"/v1/models/(?P<name>[^/:]+){_TARGET}:(?P<method>classify|regress|predict)", re.IGNORECASE
)
_GET = re.compile(
    rf"/v1/models(?:/(?P<name>[^/:]+))?{_TARGET}(?P<metadata>/metadata)?", re.IGNORECASE
)
MAX_INFLATED_BYTES = 100 * 2**20
_JSON = b"application/json"
_TEXT = b"text/plain"

Answer = tuple[int, bytes, bytes]


class RestApi:
    """The ASGI application."""

    def __init__(
        self, models: Models, threads: int, timeout_s: float, metrics_path: str | None
    ) -> None:
        self._models = models
        self._timeout_s = timeout_s
        self._metrics_path = metrics_path
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="rest")

    async def __call__(self, scope: Any, receive: Callable, send: Callable) -> None:
        """Answer one request."""
        chunks, more = [], True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return
            chunks.append(message.get("body", b""))
            more = message.get("more_body", False)
        gzipped = any(
            key == b"content-encoding" and b"gzip" in value.lower()
            for key, value in scope["headers"]
        )
        path, body = scope["raw_path"].decode("latin-1"), b"".join(chunks)
        if scope["method"] == "GET":
            status, kind, answer = self.answer("GET", path, body)
        else:
            status, kind, answer = await self._on_pool(scope["method"], path, body, gzipped)
        headers = [(b"content-type", kind), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def _on_pool(self, *request: Any) -> Answer:
        work = asyncio.get_running_loop().run_in_executor(self._pool, self.answer, *request)
        try:
            return await asyncio.wait_for(work, self._timeout_s)
        except TimeoutError:
            limit = f"{self._timeout_s * 1000:.0f} ms (--rest_api_timeout_in_ms)"
            return _error(ServingError(Code.DEADLINE_EXCEEDED, f"Timed out after {limit}"))

    def answer(self, method: str, path: str, body: bytes, gzipped: bool = False) -> Answer:
        """Return status, content type and body for a request. Never raises."""
        try:
            if path == self._metrics_path:
                return 200, _TEXT, metrics.page().encode()
            if not path.lower().startswith("/v1/"):
                return _error(ServingError(Code.NOT_FOUND, f"No such page: {path}"))
            if method == "GET" and (match := _GET.fullmatch(path)):
                return 200, _JSON, self._describe(match)
            if method == "POST" and (match := _POST.fullmatch(path)):
                return 200, _JSON, self._infer(match, _inflate(body) if gzipped else body)
            raise invalid(f"Malformed request: {method} {path}")
        except Exception as error:
            return _error(as_serving_error(error))

    def _describe(self, match: re.Match[str]) -> bytes:
        if not match["name"]:
            raise invalid("Missing model name in request.")
        if not match["metadata"]:
            status = get_model_status_pb2.GetModelStatusRequest()
            _fill_spec(status.model_spec, match, with_label=False)
            return _dump(
                json_status.status_json(grpc_api.model_status(self._models, status)), indent=1
            )
        metadata = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        _fill_spec(metadata.model_spec, match)
        return _dump(
            json_status.metadata_json(grpc_api.model_metadata(self._models, metadata)), indent=1
        )

    def _infer(self, match: re.Match[str], body: bytes) -> bytes:
        start = time.perf_counter()
        name, method = unquote(match["name"]), match["method"].lower()
        try:
            document = json_requests.parse_object(body)
            servable = self._find(name, match)
            if method == "predict":
                answer = _predict(servable, document)
            elif method == "classify":
                answer = json_examples.classify(servable, document)
            else:
                answer = json_examples.regress(servable, document)
            written = _dump(answer)
        except Exception as error:
            metrics.REQUEST_COUNT.add(1, name, as_serving_error(error).code.name)
            raise
        metrics.REQUEST_COUNT.add(1, name, "OK")
        metrics.REQUEST_LATENCY.observe(
            (time.perf_counter() - start) * 1e6, name, method.capitalize(), "REST"
        )
        return written

    def _find(self, name: str, match: re.Match[str]) -> Servable:
        if match["version"]:
            return self._models.specific(name, _version(match["version"]))
        if match["label"]:
            return self._models.labelled(name, unquote(match["label"]))
        return self._models.latest(name)


def _predict(servable: Servable, document: dict[str, Any]) -> dict[str, Any]:
    name = json_requests.signature_name(document) or DEFAULT_SIGNATURE
    if name not in servable.signatures:
        raise invalid(f'Serving signature name: "{name}" not found in signature def')
    signature = inference.predict_signature(servable, name)
    rows, arrays = json_requests.read_predict(document, signature.inputs)
    outputs = inference.run(servable, signature, arrays, "Predict")
    if rows:
        return {"predictions": json_requests.to_rows(outputs)}
    return {"outputs": json_requests.to_columns(outputs)}


def _version(digits: str) -> int:
    if int(digits) >= 2**63:
        raise invalid(f"Failed to convert version: {digits} to numeric.")
    return int(digits)


def _fill_spec(spec: Any, match: re.Match[str], with_label: bool = True) -> None:
    spec.name = unquote(match["name"])
    if match["version"]:
        spec.version.value = _version(match["version"])
    elif match["label"] and with_label:
        spec.version_label = unquote(match["label"])


def _inflate(body: bytes) -> bytes:
    inflater = zlib.decompressobj(wbits=16 + zlib.MAX_WBITS)
    try:
        inflated = inflater.decompress(body, MAX_INFLATED_BYTES)
    except zlib.error as error:
        raise invalid(f"Request body is not gzip: {error}") from error
    if inflater.unconsumed_tail:
        raise invalid(f"Request body inflates to more than {MAX_INFLATED_BYTES} bytes")
    if not inflater.eof:
        raise invalid("Request body is not gzip: it ends early")
    return inflated


def _dump(value: Any, indent: int | None = None) -> bytes:
    text = json.dumps(value, ensure_ascii=False, indent=indent)
    return text.encode("utf-8", "surrogateescape")


def _error(error: ServingError) -> Answer:
    body = json.dumps({"error": error.message}).encode()
    return error.http_status, _JSON, body


class _Joining:
    """A transport that sends an answer's head together with its body.

    In two pieces, a server killed between them leaves half an answer, which no gateway can repeat.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport, self._head = transport, b""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Send data, or keep a head until its body comes: at once, or there is none."""
        if data.endswith(b"\r\n\r\n") and not self._head:
            self._head = data
            asyncio.get_running_loop().call_soon(self._flush)
        else:
            head, self._head = self._head, b""
            self._transport.write(head + data)

    def close(self) -> None:
        """Send what is kept, and close."""
        self._flush()
        self._transport.close()

    def _flush(self) -> None:
        if self._head:
            head, self._head = self._head, b""
            self._transport.write(head)


class _Protocol(HttpToolsProtocol):
    def connection_made(self, transport: Any) -> None:
        """Take a connection."""
        super().connection_made(_Joining(transport))  # type: ignore[arg-type]


class RestServer:
    """The application behind a listening socket, run by a thread of its own."""

    def __init__(self, api: RestApi, listener: socket.socket) -> None:
        # asyncio does this only for sockets that say TCP when they are made, as these do not; without
        # it the body of an answer waits 40 ms for the client to acknowledge the headers.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._server = uvicorn.Server(
            uvicorn.Config(
                api,
                http=_Protocol,
                loop="asyncio",
                ws="none",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                server_header=False,
                # Proxies keep connections open; closing an idle one races with its next request.
                timeout_keep_alive=3600,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [listener]}, name="rest", daemon=True
        )
        self._thread.start()

    def stop(self, grace_s: float) -> Callable[[], object]:
        """Take no new request; what is returned waits for those under way."""
        self._server.config.timeout_graceful_shutdown = int(grace_s)
        self._server.should_exit = True
        return partial(self._thread.join, grace_s + 1)
