"""A real server process for tests, and short ways to ask it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from serving.client import ModelServer

START_S = 120.0


def free_port() -> int:
    """Return a port that nobody listens on just now."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def eventually(condition: Callable[[], Any], timeout_s: float = 60.0) -> Any:
    """Return the first true answer of `condition`; fail when there is none in time."""
    deadline = time.monotonic() + timeout_s
    while not (answer := condition()):
        assert time.monotonic() < deadline, f"not within {timeout_s} s: {condition}"
        time.sleep(0.02)
    return answer


@dataclass
class RunningServer:
    """A server process, and short ways to ask it."""

    process: subprocess.Popen
    rest_port: int
    grpc_port: int
    log: Path
    bases: dict[str, Path] = field(default_factory=dict)

    @property
    def rest(self) -> str:
        return f"http://127.0.0.1:{self.rest_port}"

    @property
    def grpc(self) -> str:
        return f"127.0.0.1:{self.grpc_port}"

    def client(self) -> ModelServer:
        return ModelServer(self.rest, self.grpc)

    def ask(self, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """GET, or POST a body (bytes as they are, anything else as JSON): status and JSON."""
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        request = urllib.request.Request(self.rest + path, data, headers)
        with contextlib.closing(_open(request)) as answer:
            return answer.status, json.loads(answer.read())

    def text(self, path: str) -> str:
        with contextlib.closing(_open(urllib.request.Request(self.rest + path))) as answer:
            return answer.read().decode()

    @contextlib.contextmanager
    def stubs(self) -> Iterator[tuple[Any, Any]]:
        """Yield TensorFlow Serving's own stubs: PredictionService and ModelService."""
        from tensorflow_serving.apis import model_service_pb2_grpc, prediction_service_pb2_grpc

        with grpc.insecure_channel(self.grpc) as channel:
            yield (
                prediction_service_pb2_grpc.PredictionServiceStub(channel),
                model_service_pb2_grpc.ModelServiceStub(channel),
            )

    def reload(self, *configs: str) -> None:
        """Make the server serve tiny and these models (`model_config`), and no other."""
        from google.protobuf import text_format
        from tensorflow_serving.apis import model_management_pb2

        request = model_management_pb2.ReloadConfigRequest()
        text_format.Parse(model_list(tiny_config(self.bases["tiny"]), *configs), request.config)
        with self.stubs() as (_, model):
            model.HandleReloadConfigRequest(request, timeout=60)

    def log_text(self) -> str:
        return self.log.read_text()


def _open(request: urllib.request.Request) -> Any:
    try:
        return urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request)
    except urllib.error.HTTPError as error:
        return error


@contextlib.contextmanager
def running(folder: Path, *flags: str) -> Iterator[RunningServer]:
    """Start `python -m serving.server` with these flags, wait until it listens, end it."""
    log = folder / f"server-{time.monotonic_ns()}.log"
    rest_port, grpc_port = free_port(), free_port()
    ports = (f"--rest_api_port={rest_port}", f"--port={grpc_port}")
    with log.open("w") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "serving.server", *ports, *flags],
            stdout=out,
            stderr=subprocess.STDOUT,
            cwd=Path(__file__).parents[2],
            env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        )
    server = RunningServer(process, rest_port, grpc_port, log)
    try:
        eventually(lambda: "ready after" in log.read_text() or process.poll() is not None, START_S)
        assert process.poll() is None, log.read_text()
        yield server
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def tiny_config(base: Path) -> str:
    return model_config(
        "tiny",
        base,
        "model_version_policy { all {} } "
        'version_labels { key: "stable" value: 1 } version_labels { key: "canary" value: 2 }',
    )


def model_config(name: str, base: Path, more: str = "") -> str:
    """Return one model's ModelConfig as text."""
    return f'config {{ name: "{name}" base_path: "{base}" model_platform: "tensorflow" {more} }}'


def model_list(*configs: str) -> str:
    """Return a ModelServerConfig as text."""
    return f"model_config_list {{ {' '.join(configs)} }}"
