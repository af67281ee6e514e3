"""server_process: a model server as a child of this process, that never outlives it.

The server is TensorFlow Serving's binary when `SLUICE_MODEL_SERVER` names it (a command, such as
`tensorflow_model_server`), and Sluice's own server of the same protocol otherwise.
"""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from components.errors import SluiceError

# The kernel kills the server when the thread that started it dies, `kill -9` included. Python runs
# this and becomes the server: a hook between fork and exec is not safe beside TensorFlow's threads.
_DIE_WITH_US = """
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() == int(sys.argv[1]):
    os.execvp(sys.argv[2], sys.argv[2:])
"""


class NoServer(SluiceError):
    """No server could be started at all, which says nothing about any model."""


@dataclass(frozen=True)
class ServerProcess:
    """A server that was started, on free ports of the loopback, and writes its own `log`."""

    process: subprocess.Popen[bytes]
    grpc_port: int
    rest_port: int
    log: Path

    def exit_code(self, patience_s: float = 0) -> int | None:
        """Return its exit code if it is dead or is so within `patience_s`; negative for a signal."""
        try:
            return self.process.wait(patience_s)
        except subprocess.TimeoutExpired:
            return None

    def obituary(self) -> str:
        """Return how it died, and its last words."""
        code = self.process.poll() or 0
        how = f"by {signal.Signals(-code).name}" if code < 0 else f"with exit code {code}"
        said = [line for line in self.log_tail().splitlines() if line.strip()]
        return f"died {how}: {said[-1][:500] if said else 'it said nothing'}"

    def port_taken(self) -> bool:
        """Say whether somebody answers on its ports; of a dead server's, that is another process."""
        return any(map(_answers, (self.grpc_port, self.rest_port)))

    def memory_mb(self) -> float:
        """Return the resident memory of it and what it started, in MB; 0 once it is dead."""
        try:
            process = psutil.Process(self.process.pid)
            family = [process, *process.children(recursive=True)]
            return float(sum(p.memory_info().rss for p in family)) / 2**20
        except psutil.NoSuchProcess:
            return 0.0

    def kill(self) -> None:
        """Kill it and all that it started; it may be dead already."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)

    def log_tail(self, lines: int = 40) -> str:
        """Return the end of its log."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


@contextmanager
def server_process(model: str, base_path: Path, log: Path) -> Iterator[ServerProcess]:
    """Start a server for one model, and kill it on leaving.

    A version that does not load is not tried again. Raises NoServer when none can be started.
    """
    grpc, rest = _free_ports()
    called = [
        *_command(),
        f"--port={grpc}",
        f"--rest_api_port={rest}",
        f"--model_name={model}",
        f"--model_base_path={base_path}",
        "--num_load_threads=1",
        "--max_num_load_retries=0",
    ]
    shim = [sys.executable, "-I", "-S", "-c", _DIE_WITH_US, str(os.getpid())]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*shim, *called],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            # On the CPU: training, in this process, may hold all of a GPU's memory.
            env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
            start_new_session=True,  # a Ctrl-C is for us, and we take its whole group along
        )
    started = ServerProcess(process, grpc, rest, log)
    try:
        yield started
    finally:
        started.kill()
        process.wait()


def chosen() -> str:
    """Return the command that names the server, empty for Sluice's own."""
    return os.environ.get("SLUICE_MODEL_SERVER", "")


def _command() -> list[str]:
    """Return the command of the model server; raise NoServer when there is none."""
    named = shlex.split(chosen())
    if not named:
        if importlib.util.find_spec("serving.server") is None:
            raise NoServer("there is no model server: install all of Sluice, or name a binary")
        return [sys.executable, "-m", "serving.server"]
    binary = shutil.which(named[0])
    if binary is None:
        raise NoServer(
            f"SLUICE_MODEL_SERVER names {named[0]!r}, which is no command here; "
            "install it, or unset the variable to use Sluice's own server"
        )
    return [binary, *named[1:]]


def _free_ports() -> tuple[int, int]:
    """Return two ports of the loopback that are free now; raise NoServer when there are none."""
    try:
        with socket.socket() as one, socket.socket() as other:
            one.bind(("127.0.0.1", 0))
            other.bind(("127.0.0.1", 0))
            return one.getsockname()[1], other.getsockname()[1]
    except OSError as error:
        raise NoServer(f"no free port on 127.0.0.1 for a model server: {error}") from error


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
