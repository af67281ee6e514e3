"""fleet: the model servers behind the gateway, and when all of them serve a version."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any

import numpy as np

from components import scoring
from components.answers import furthest
from components.errors import SluiceError
from components.golden import asked_as
from serving.client import ModelServer, ServerRefused, ServerUnreachable
from serving.endpoints import Endpoints

AVAILABLE_WITHIN_S = 300.0
ANSWERS_WITHIN_S = 60.0
NOTICED_WITHIN_S = 10.0  # servers look at their base path once a second
# Wide enough for a server on other hardware than the one the model was judged on.
RECOGNISED_WITHIN = 1e-3


class NotTaken(SluiceError):
    """The servers do not serve the version; the message carries their own words."""


class Fleet:
    """The servers of one model. Use it as a context: it holds connections."""

    def __init__(self, where: Endpoints, model: str) -> None:
        self.model = model
        self._where = where
        self._open = ExitStack()
        self._gateway = self._open.enter_context(
            ModelServer(where.gateway.rest, where.gateway.grpc, timeout_s=10)
        )
        self._servers = {
            colour: self._open.enter_context(ModelServer(s.rest, s.grpc, timeout_s=10))
            for colour, s in where.servers.items()
        }

    def __enter__(self) -> Fleet:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._open.close()

    def ended(self, version: int) -> set[str]:
        """Return which servers remember a version as ended, from an earlier try.

        Raises SluiceError, naming the addresses, when any server or the gateway does not answer.
        """
        remembered, silent = set(), []
        for name, server in {"gateway": self._gateway, **self._servers}.items():
            try:
                seen = server.versions(self.model).get(version)
            except ServerUnreachable:
                silent.append(f"{name} at {server.rest}")
            except ServerRefused:  # a gateway that has no server yet
                continue
            else:
                if seen and seen.state == "END":
                    remembered.add(name)
        if silent:
            raise SluiceError(
                f"no answer from {', '.join(silent)}; nothing was moved: start the servers with "
                "`make up`, then push again"
            )
        return remembered

    def wait_available(self, version: int, ended: set[str]) -> None:
        """Wait until every server says AVAILABLE; raise NotTaken with the words of one that will not.

        `ended`: the servers that may still tell of an earlier try.
        """
        for colour, server in self._servers.items():
            try:
                if colour in ended:
                    self._noticed(server, version)
                server.wait_available(self.model, version, AVAILABLE_WITHIN_S)
            except (ServerRefused, ServerUnreachable) as error:
                raise NotTaken(f"{colour}: {error}") from error

    def wait_answering(self, version: int, golden: Mapping[str, Any]) -> None:
        """Wait until the gateway answers with this version what the model said of a golden row.

        `golden`: `row` and `score`, of a class each where there are some, out of the infra gate's
        evidence. Raises NotTaken.
        """
        row, known = asked_as(golden["row"]), np.array([golden["score"]], float)
        trouble = ""
        for _ in _patiently(ANSWERS_WITHIN_S):
            try:
                answer = self._gateway.predict_grpc(self.model, row)
            except (ServerRefused, ServerUnreachable) as error:
                trouble = str(error)
                continue
            if answer.version != version:
                trouble = f"version {answer.version} answers there"
                continue
            given = scoring.of(answer.outputs)
            if not _alike(given, known):
                raise NotTaken(
                    f"gateway: version {version} answers {given} to the golden row, and the approved "
                    f"model {golden['score']}: other files are served than were pushed"
                )
            return
        raise NotTaken(
            f"gateway {self._where.gateway.grpc}: no answer from version {version} in "
            f"{ANSWERS_WITHIN_S:g} s: {trouble}"
        )

    def _noticed(self, server: ModelServer, version: int) -> None:
        """Give a server the time to look at its base path again."""
        for _ in _patiently(NOTICED_WITHIN_S):
            seen = server.versions(self.model).get(version)
            if seen and seen.state != "END":
                return


def _alike(given: np.ndarray | None, known: np.ndarray) -> bool:
    """Say whether an answer is that of the model which gave the known one."""
    if given is None or given.size != known.size:
        return False
    return bool(furthest(given.reshape(known.shape), known)[0] <= RECOGNISED_WITHIN)


def _patiently(seconds: float) -> Iterator[None]:
    """Yield now, and again each time a little later, until `seconds` have passed."""
    until, pause = time.monotonic() + seconds, 0.05
    while True:
        yield
        if time.monotonic() + pause > until:
            return
        time.sleep(pause)
        pause = min(2 * pause, 1.0)
