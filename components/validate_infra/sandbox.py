"""sandbox: a candidate in a real model server of its own, of which nothing is left afterwards."""

from __future__ import annotations

import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from pydantic import JsonValue

from components.scoring import SAVED_MODEL
from components.validate_infra.memory import Watch, watched
from components.validate_infra.server_process import NoServer, ServerProcess, server_process
from components.verdict import Status
from serving.client import ModelServer, Prediction, ServerRefused, ServerUnreachable

VERSION = 1
ANSWERS_WITHIN_S = 30.0  # one request, of any size


class ServerTrouble(Exception):
    """The server did not come up with the candidate, or did not stay up.

    `name`: the check that so fails; `status`: FAILED when that is the candidate's doing, ERROR when
    somebody else may have done it; `values`: what the page shows of it.
    """

    def __init__(self, name: str, message: str, status: Status = Status.FAILED) -> None:
        super().__init__(message)
        self.name, self.status = name, status
        self.values: dict[str, JsonValue] = {}


class Sandbox:
    """A server that was started on a candidate; `wait` before asking `server` anything."""

    def __init__(self, name: str, folder: Path, process: ServerProcess, memory: Watch) -> None:
        self.name = name
        self.process = process
        self.memory = memory
        self.rest = f"http://127.0.0.1:{process.rest_port}"
        self.server = ModelServer(self.rest, f"127.0.0.1:{process.grpc_port}", ANSWERS_WITHIN_S)
        self._folder = folder

    @property
    def protocols(self) -> dict[str, Callable[..., Prediction]]:
        """Return how to ask for a prediction, by the name of the protocol."""
        return {"REST": self.server.predict, "gRPC": self.server.predict_grpc}

    def wait(self, limit_s: float) -> float:
        """Wait until the candidate serves; return the seconds it took from now.

        Raises ServerTrouble when the server crashes, hangs, refuses the candidate, or grows far
        beyond its memory; NoServer when it is not the candidate that keeps it from starting.
        """
        with ModelServer(self.rest, timeout_s=2) as asked:  # one that hangs need not answer at all
            return self._wait(asked, limit_s)

    def _wait(self, asked: ModelServer, limit_s: float) -> float:
        started = time.monotonic()
        while (waited := time.monotonic() - started) < limit_s:
            if self.process.exit_code() is not None:
                blameless = self.memory.overran or self.process.port_taken()
                if not (blameless or self._starts_empty(within_s=waited + 5)):
                    raise NoServer(f"without any model, too, the server {self.process.obituary()}")
                self.check_alive("while loading it")
            with suppress(ServerUnreachable, ServerRefused):  # refused: by a stranger on our port
                seen = asked.versions(self.name).get(VERSION)
                if seen and seen.state == "AVAILABLE":
                    return waited
                if seen and seen.error:
                    raise ServerTrouble("loads", self._told(f"the server refuses it: {seen.error}"))
            time.sleep(0.1)
        last = (self.process.log_tail(1) or "nothing")[-200:]
        raise ServerTrouble(
            "hangs",
            f"the server hangs: alive, and not serving it after {limit_s:g} s; its last words: "
            f"{self._told(last)}",
        )

    def idle(self) -> np.ndarray:
        """Return the seconds that requests take which ask nothing of the model, [100]."""
        ends = [time.perf_counter()]
        for _ in range(100):
            self.server.versions(self.name)
            ends.append(time.perf_counter())
        return np.diff(ends)

    def check_alive(self, when: str, patience_s: float = 0) -> None:
        """Raise ServerTrouble if the server is dead, or is so within `patience_s`.

        `when`: what it was about. Raises NoServer when another process has taken its ports.
        """
        code = self.process.exit_code(patience_s)
        if code is None:
            return
        if self.memory.overran:
            raise ServerTrouble(
                "memory",
                f"the server grew to {self.memory.peak_mb:,.0f} MB {when}, and was stopped; the "
                f"budget is {self.memory.budget_mb:,.0f} MB",
            )
        if self.process.port_taken():
            raise NoServer("another process took the sandbox's ports; run the step again")
        told = self._told(f"the server {self.process.obituary()} ({when})")
        if code == -signal.SIGKILL:  # no crash: the kernel when memory is out, or a person
            raise ServerTrouble("killed", f"{told}; has the machine memory enough?", Status.ERROR)
        raise ServerTrouble("crashes", told)

    def _starts_empty(self, within_s: float) -> bool:
        """Say whether the same server stays up for so long where there is no model to load."""
        empty = self._folder / "empty"
        empty.mkdir(exist_ok=True)
        with server_process(self.name, empty, self._folder / "empty.log") as process:
            return process.exit_code(within_s) is None

    def _told(self, words: str) -> str:
        """Return the server's words in one line, with paths as they are in the artifact."""
        inside = words.replace(f"{self._folder / self.name / str(VERSION)}", SAVED_MODEL)
        return " ".join(inside.split())


@contextmanager
def sandbox(
    saved_model: Path, name: str, folder: Path, log: Path, memory_mb: float
) -> Iterator[Sandbox]:
    """Start a server on `saved_model` under `name`; on leaving, it is gone and so is `folder`.

    The server is handed hard links in `folder`, on the same file system, and writes to `log`; far
    beyond `memory_mb` it is stopped. Raises NoServer when it cannot be started.
    """
    try:
        shutil.copytree(saved_model, folder / name / str(VERSION), copy_function=os.link)
        with (
            server_process(name, folder / name, log) as process,
            watched(process, memory_mb) as memory,
        ):
            candidate = Sandbox(name, folder, process, memory)
            with candidate.server:
                yield candidate
    finally:
        shutil.rmtree(folder, ignore_errors=True)
