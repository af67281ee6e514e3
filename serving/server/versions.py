"""The life of versions in memory: loaded, swapped without a gap, unloaded.

A version goes START → LOADING → AVAILABLE → UNLOADING → END. A version that cannot be loaded goes
from LOADING to END with its error, and is not tried again while it stays wanted. The policy
preserves availability: the new version is loaded before the old one goes, and an old one stays for
as long as nothing that is wanted is available in its place.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path
from queue import SimpleQueue

from serving.server.errors import ServingError, as_serving_error
from serving.server.servable import Servable

log = logging.getLogger(__name__)

Loader = Callable[[str, int, Path], Servable]


class State(IntEnum):
    """The states of the protocol's ModelVersionStatus."""

    START = 10
    LOADING = 20
    AVAILABLE = 30
    UNLOADING = 40
    END = 50


@dataclass(eq=False)
class Version:
    """One version that is, was or shall be in memory."""

    model: str
    number: int
    path: Path
    state: State = State.START
    error: ServingError | None = None
    servable: Servable | None = None
    # Set when nobody wants the version any more: ends the wait between two tries to load it.
    withdrawn: threading.Event = field(default_factory=threading.Event)

    @property
    def wanted(self) -> bool:
        """Whether the version policy still asks for it."""
        return not self.withdrawn.is_set()

    def __str__(self) -> str:
        return f"{self.model}/{self.number}"


@dataclass(frozen=True)
class LoadPolicy:
    """How versions are loaded: threads, further tries after a failure, seconds between tries."""

    threads: int = 1
    retries: int = 5
    retry_interval_s: float = 60.0


class Versions:
    """All versions of all models. All methods are safe to call from many threads."""

    def __init__(self, loader: Loader, policy: LoadPolicy) -> None:
        self._loader = loader
        self._policy = policy
        self._changed = threading.Condition(threading.RLock())
        self._known: dict[str, dict[int, Version]] = {}
        self._threads = ThreadPoolExecutor(max(policy.threads, 1), thread_name_prefix="load")
        self._dropped: SimpleQueue[Version] = SimpleQueue()
        threading.Thread(target=self._end_dropped, name="unload", daemon=True).start()
        # model → version → servable. Replaced as a whole and never changed in place, so that
        # requests read it without a lock.
        self.serving: Mapping[str, Mapping[int, Servable]] = {}

    def of(self, model: str) -> dict[int, Version]:
        """Return what is known of a model's versions, those that ended included."""
        with self._changed:
            return dict(self._known.get(model, {}))

    def aspire(self, model: str, wanted: Mapping[int, Path]) -> None:
        """Load what is wanted and not there; release what is not wanted."""
        with self._changed:
            known = self._known.setdefault(model, {})
            for version in known.values():
                if version.number not in wanted:
                    version.withdrawn.set()
            for number, path in wanted.items():
                there = known.get(number)
                if there is None or (there.state is State.END and not there.wanted):
                    known[number] = Version(model, number, path)
                    self._threads.submit(self._load, known[number])
                elif there.state is State.AVAILABLE:
                    there.withdrawn.clear()
            self._release(known.values())

    def wait_settled(
        self, models: Iterable[str], given_up: Callable[[str], bool], timeout_s: float | None
    ) -> None:
        """Wait until each model serves, has failed in all its versions, or is given up."""

        def settled(model: str) -> bool:
            wanted = [version for version in self.of(model).values() if version.wanted]
            failed = bool(wanted) and all(version.state is State.END for version in wanted)
            return model in self.serving or failed or given_up(model)

        with self._changed:
            self._changed.wait_for(lambda: all(map(settled, models)), timeout_s)

    def stop(self) -> None:
        """Stop loading. Versions in memory go on serving until the process ends."""
        with self._changed:
            for versions in self._known.values():
                for version in versions.values():
                    version.withdrawn.set()
        self._threads.shutdown(wait=False, cancel_futures=True)

    def _load(self, version: Version) -> None:
        self._enter(version, State.LOADING)
        start = time.monotonic()
        servable = self._try_to_load(version)
        with self._changed:
            if servable is None or not version.wanted:
                self._enter(version, State.END)
                return
            # Called wherever the last request lets go: a SimpleQueue is safe even there.
            weakref.finalize(servable, self._dropped.put, version).atexit = False
            version.error, version.servable = None, servable
            self._publish(
                version.model, {**self.serving.get(version.model, {}), version.number: servable}
            )
            self._enter(version, State.AVAILABLE, f" in {time.monotonic() - start:.2f} s")
            self._release(self._known[version.model].values())

    def _try_to_load(self, version: Version) -> Servable | None:
        tries = self._policy.retries + 1
        for attempt in range(1, tries + 1):
            try:
                if version.wanted:
                    return self._loader(version.model, version.number, version.path)
            except Exception as error:
                with self._changed:
                    version.error = as_serving_error(error)
                    self._changed.notify_all()
                cause = " ".join(str(version.error).split())
                log.error("%s failed to load (try %d of %d): %s", version, attempt, tries, cause)
            if attempt < tries:
                version.withdrawn.wait(self._policy.retry_interval_s)
        return None

    def _release(self, versions: Collection[Version]) -> None:
        """Unload what nobody wants, unless a wanted model would be left without a version."""
        wanted = [version for version in versions if version.wanted]
        if wanted and not any(version.state is State.AVAILABLE for version in wanted):
            return
        for version in versions:
            if not version.wanted and version.state is State.AVAILABLE:
                others = dict(self.serving[version.model])
                del others[version.number]
                self._publish(version.model, others)
                self._enter(version, State.UNLOADING)
                # Requests under way hold the servable too; with the last of them it is gone.
                version.servable = None

    def _end_dropped(self) -> None:
        while True:
            self._enter(self._dropped.get(), State.END)
            # TensorFlow's objects refer to each other in circles; their memory waits for this.
            gc.collect()

    def _publish(self, model: str, versions: Mapping[int, Servable]) -> None:
        others = {name: known for name, known in self.serving.items() if name != model}
        self.serving = {**others, model: versions} if versions else others

    def _enter(self, version: Version, state: State, note: str = "") -> None:
        with self._changed:
            version.state = state
            self._changed.notify_all()
        log.info("%s %s%s", version, state.name, note)
