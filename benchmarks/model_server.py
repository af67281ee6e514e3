"""Requests per second, latency and CPU per request of the model server, over gRPC and REST.

    python -m benchmarks.model_server        # a table, and var/benchmarks/model_server.json; 50 s

One row a request, twelve columns of text and numbers as a flight has them, into a small net. The
load comes from this process, on the same cores: the figures are those of a server with neighbours.
"""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import platform
import socket
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import grpc
import httptools
import numpy as np
import psutil

from components import home
from serving import wire
from serving.client import ModelServer

TEXTS = ("carrier", "origin", "dest")
NUMBERS = tuple(f"number{i}" for i in range(9))
IN_FLIGHT = (1, 8, 64)
WARM_UP_S, MEASURE_S = 1.0, 4.0


@dataclass
class Result:
    """One row of the table."""

    protocol: str
    in_flight: int
    requests_per_s: float
    p50_ms: float
    p99_ms: float
    server_cpu_us: float


def save_model(path: Path) -> None:
    """Save a net with its preprocessing inside, as the pipelines do."""
    sys.modules.setdefault("keras", None)  # type: ignore[arg-type]
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    warnings.filterwarnings("ignore", category=FutureWarning, module="google.api_core")
    import tensorflow as tf

    class Net(tf.Module):
        def __init__(self) -> None:
            keys = tf.strings.as_string(tf.range(100))
            table = tf.lookup.KeyValueTensorInitializer(keys, tf.range(100, dtype=tf.int64))
            self.table = tf.lookup.StaticHashTable(table, 0)
            self.embedding = tf.Variable(tf.random.normal([100, 8]))
            self.hidden = tf.Variable(tf.random.normal([8 * len(TEXTS) + len(NUMBERS), 64]))
            self.out = tf.Variable(tf.random.normal([64, 1]))

        def __call__(self, **columns: tf.Tensor) -> dict[str, tf.Tensor]:
            texts = [tf.gather(self.embedding, self.table.lookup(columns[t])) for t in TEXTS]
            numbers = [columns[name][:, None] for name in NUMBERS]
            hidden = tf.nn.relu(tf.concat([*texts, *numbers], 1) @ self.hidden)
            return {"late": tf.sigmoid(tf.squeeze(hidden @ self.out, 1))}

    net = Net()
    columns = {name: tf.TensorSpec([None], tf.string, name) for name in TEXTS}
    columns |= {name: tf.TensorSpec([None], tf.float32, name) for name in NUMBERS}
    signature = tf.function(net.__call__).get_concrete_function(**columns)
    tf.saved_model.save(net, str(path), signatures=signature)


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[tuple[ModelServer, psutil.Process]]:
    """Start the server with its defaults and wait for the model."""
    saving = multiprocessing.get_context("spawn").Process(
        target=save_model, args=(folder / "bench" / "1",)
    )
    saving.start()
    saving.join()
    ports = []
    for _ in range(2):
        with socket.create_server(("127.0.0.1", 0)) as free:
            ports.append(free.getsockname()[1])
    flags = [f"--rest_api_port={ports[0]}", f"--port={ports[1]}", "--model_name=bench"]
    command = [sys.executable, "-m", "serving.server", *flags]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*command, f"--model_base_path={folder / 'bench'}"], stdout=log, stderr=log
        )
    try:
        with ModelServer(f"http://127.0.0.1:{ports[0]}", f"127.0.0.1:{ports[1]}") as server:
            server.wait_available("bench", 1, 60)
            yield server, psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


Ask = Callable[[], None]


@contextlib.contextmanager
def grpc_asker(server: ModelServer, columns: dict[str, list]) -> Iterator[Ask]:
    """Yield what sends one prepared Predict and waits for its answer."""
    request = wire.PredictRequest()
    request.model_spec.name = "bench"
    for name, values in columns.items():
        dtype = "DT_STRING" if name in TEXTS else "DT_FLOAT"
        wire.fill_tensor(request.inputs[name], values, dtype)
    body = request.SerializeToString()
    with grpc.insecure_channel(server.grpc) as channel:
        call = channel.unary_unary(wire.PREDICT)
        yield lambda: call(body, timeout=30)


@contextlib.contextmanager
def rest_asker(server: ModelServer, columns: dict[str, list]) -> Iterator[Ask]:
    """Yield the same over one HTTP connection that stays open."""
    body = json.dumps({"inputs": columns}).encode()
    head = (
        f"POST /v1/models/bench:predict HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    host, port = server.rest.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port))) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

        def ask() -> None:
            connection.sendall(head.encode() + body)
            answer = _Answer()
            while not answer.complete:
                answer.parser.feed_data(connection.recv(65536))
            if answer.parser.get_status_code() != 200:
                raise RuntimeError(f"HTTP {answer.parser.get_status_code()}")

        yield ask


class _Answer:
    def __init__(self) -> None:
        self.complete = False
        self.parser = httptools.HttpResponseParser(self)

    def on_message_complete(self) -> None:
        self.complete = True


def measure(protocol: str, make_asker, in_flight: int, process: psutil.Process) -> Result:
    """Keep `in_flight` requests under way for some seconds; any failed request raises."""
    barrier = threading.Barrier(in_flight + 1)
    measuring, done = threading.Event(), threading.Event()

    def keep_asking() -> list[float]:
        seconds = []
        with make_asker() as ask:
            barrier.wait()
            while not done.is_set():
                start = time.perf_counter()
                ask()
                if measuring.is_set():
                    seconds.append(time.perf_counter() - start)
        return seconds

    with ThreadPoolExecutor(in_flight) as pool:
        running = [pool.submit(keep_asking) for _ in range(in_flight)]
        barrier.wait()
        time.sleep(WARM_UP_S)
        before = sum(process.cpu_times()[:2])
        measuring.set()
        start = time.perf_counter()
        time.sleep(MEASURE_S)
        elapsed = time.perf_counter() - start
        cpu = sum(process.cpu_times()[:2]) - before
        done.set()
        seconds = np.concatenate([one.result() for one in running])
    p50, p99 = np.percentile(seconds, [50, 99]) * 1e3
    rate = len(seconds) / elapsed
    return Result(protocol, in_flight, rate, p50, p99, cpu / len(seconds) * 1e6)


def main() -> None:
    """Measure, print the table, write the JSON."""
    columns = {name: ["7"] for name in TEXTS} | {name: [0.5] for name in NUMBERS}
    with tempfile.TemporaryDirectory() as folder, serving(Path(folder)) as (server, process):
        results = [
            measure(protocol, partial(asker, server, columns), in_flight, process)
            for protocol, asker in (("gRPC", grpc_asker), ("REST", rest_asker))
            for in_flight in IN_FLIGHT
        ]
        resident_mb = process.memory_info().rss / 2**20
    print(f"{'':<6}{'in flight':>10}{'requests/s':>12}{'p50 ms':>8}{'p99 ms':>8}{'CPU µs/req':>12}")
    for r in results:
        print(
            f"{r.protocol:<6}{r.in_flight:>10}{r.requests_per_s:>12,.0f}{r.p50_ms:>8.2f}"
            f"{r.p99_ms:>8.2f}{r.server_cpu_us:>12.0f}"
        )
    print(f"server's memory: {resident_mb:.0f} MiB")
    path = home.var() / "benchmarks" / "model_server.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    machine = {"machine": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    told = {"results": [asdict(r) for r in results], "resident_mb": resident_mb, **machine}
    path.write_text(json.dumps(told, indent=2))
    print(f"written to {path}")


if __name__ == "__main__":
    main()
