"""Which versions serve: loading, swapping, unloading, and what a request is answered by.

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
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import IntEnum
from pathlib import Path

from tensorflow_serving.apis import model_pb2

from serving.server import config as configuration
from serving.server.errors import Code, ServingError, as_serving_error, invalid
from serving.server.servable import Servable
from serving.server.storage import aspired_versions

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

    def __str__(self) -> str:
        return f"{self.model}/{self.number}"


@dataclass(frozen=True)
class LoadPolicy:
    """How versions are loaded: threads, further tries after a failure, seconds between tries."""

    threads: int = 1
    retries: int = 5
    retry_interval_s: float = 60.0


class Models:
    """The models of one server. All methods are safe to call from many threads."""

    def __init__(
        self,
        loader: Loader,
        policy: LoadPolicy,
        poll_wait_s: float = 1.0,
        allow_labels_for_unavailable: bool = False,
    ) -> None:
        self._load_servable = loader
        self._policy = policy
        self._poll_wait_s = poll_wait_s
        self._allow_labels_for_unavailable = allow_labels_for_unavailable
        # Reentrant: dropping the last reference to a servable may call back into _ended.
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._configs: dict[str, configuration.ModelConfig] = {}
        self._versions: dict[str, dict[int, Version]] = {}
        # Replaced as a whole and never changed in place, so that requests read them unlocked.
        self._serving: Mapping[str, Mapping[int, Servable]] = {}
        self._labels: Mapping[str, Mapping[str, int]] = {}
        self._loads = ThreadPoolExecutor(max(policy.threads, 1), thread_name_prefix="load")
        self._wake = threading.Event()
        self._stopping = False
        self._poller = threading.Thread(target=self._poll_forever, name="poll", daemon=True)
        self._poll_trouble = ""

    # What requests ask

    def find(self, spec: model_pb2.ModelSpec) -> Servable:
        """Return the servable that a request names; raises ServingError when none serves."""
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        choice = spec.WhichOneof("version_choice")
        if choice == "version":
            return self.specific(spec.name, spec.version.value)
        if choice == "version_label":
            return self.labelled(spec.name, spec.version_label)
        return self.latest(spec.name)

    def latest(self, name: str) -> Servable:
        """Return the highest version that serves."""
        versions = self._serving.get(name)
        if not versions:
            raise _not_found(f"Latest({name})")
        return versions[max(versions)]

    def specific(self, name: str, version: int) -> Servable:
        """Return exactly this version."""
        servable = self._serving.get(name, {}).get(version)
        if servable is None:
            raise _not_found(f"Specific({name}, {version})")
        return servable

    def labelled(self, name: str, label: str) -> Servable:
        """Return the version that a label points at."""
        version = self._labels.get(name, {}).get(label)
        if version is None:
            raise invalid(f"Unrecognized servable version label: {label}")
        return self.specific(name, version)

    def status(self, name: str, version: int | None = None) -> list[Version]:
        """Return the model's versions, highest first; raises NOT_FOUND when there is none."""
        with self._lock:
            versions = dict(self._versions.get(name, {}))
        if version is not None:
            if version not in versions:
                raise ServingError(
                    Code.NOT_FOUND, f"Could not find version {version} of model {name}"
                )
            return [versions[version]]
        if not versions:
            raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {name}")
        return [versions[number] for number in sorted(versions, reverse=True)]

    # What operators ask

    def start(self, config: configuration.ModelServerConfig) -> None:
        """Take the first configuration and begin to poll; raises ServingError if it is invalid."""
        self._take(config)
        self._poller.start()

    def stop(self) -> None:
        """Stop polling and loading. Versions in memory go on serving until the process ends."""
        with self._lock:
            self._stopping = True
            for versions in self._versions.values():
                for version in versions.values():
                    version.withdrawn.set()
        self._wake.set()
        self._loads.shutdown(wait=False, cancel_futures=True)

    def reload(self, config: configuration.ModelServerConfig, timeout_s: float | None) -> None:
        """Replace the whole configuration: models that it does not name are unloaded.

        Returns when every model that is new has a version serving. Raises ServingError when the
        configuration is invalid (nothing has changed then), or when a new model fails to load or
        is not there within `timeout_s` (the configuration stays in force then).
        """
        new = self._take(config)
        self._wake.set()
        with self._changed:
            self._changed.wait_for(lambda: all(map(self._settled, new)), timeout_s)
            missing = [name for name in new if name not in self._serving]
        if missing:
            raise ServingError(
                Code.UNKNOWN, f"Some models did not become available: {{{', '.join(missing)}}}"
            )

    def _take(self, config: configuration.ModelServerConfig) -> set[str]:
        """Put a configuration in force and return the names of models that are new."""
        models = configuration.validate(config)
        with self._lock:
            available = {name: set(versions) for name, versions in self._serving.items()}
            self._labels = configuration.check_labels(
                models, available, self._labels, self._allow_labels_for_unavailable
            )
            new = set(models) - set(self._configs)
            for name in set(self._configs) - set(models):
                log.info("%s is no longer configured", name)
                self._aspire(name, {})
            self._configs = models
        return new

    def _settled(self, name: str) -> bool:
        versions = self._versions.get(name, {}).values()
        wanted = [version for version in versions if not version.withdrawn.is_set()]
        return (
            name in self._serving
            or name not in self._configs
            or (bool(wanted) and all(version.state is State.END for version in wanted))
        )

    # What the file system says

    def _poll_forever(self) -> None:
        while not self._stopping:
            self._wake.clear()
            self._poll()
            # Zero means once, then again only when the configuration changes.
            self._wake.wait(self._poll_wait_s or None)

    def _poll(self) -> None:
        with self._lock:
            configs = dict(self._configs)
        try:
            # One missing base path stops the round for all models, as in TensorFlow Serving.
            found = {name: aspired_versions(config) for name, config in configs.items()}
            trouble = "; ".join(
                f"{name}: no version under {configs[name].base_path}; waiting for one"
                for name, versions in found.items()
                if not versions
            )
        except ServingError as error:
            found, trouble = {}, f"{error.message}; waiting for it (all models wait with it)"
        if trouble != self._poll_trouble:
            self._poll_trouble = trouble
            if trouble:
                log.warning("%s", trouble)
        with self._lock:
            for name, versions in found.items():
                # Unless a reload came in between.
                if self._configs.get(name) is configs[name]:
                    self._aspire(name, versions)

    def _aspire(self, name: str, wanted: Mapping[int, Path]) -> None:
        """Load what is wanted and not there; release what is not wanted."""
        versions = self._versions.setdefault(name, {})
        for version in versions.values():
            if version.number not in wanted:
                version.withdrawn.set()
        for number, path in wanted.items():
            known = versions.get(number)
            if known is None or (known.withdrawn.is_set() and known.state is State.END):
                versions[number] = Version(name, number, path)
                self._loads.submit(self._load, versions[number])
            elif known.state is State.AVAILABLE:
                known.withdrawn.clear()
        self._release(name)

    # One version's life

    def _load(self, version: Version) -> None:
        self._enter(version, State.LOADING)
        start, servable = time.monotonic(), None
        for attempt in range(self._policy.retries + 1):
            if version.withdrawn.is_set():
                break
            try:
                servable = self._load_servable(version.model, version.number, version.path)
                break
            except Exception as error:
                version.error = as_serving_error(error)
                log.error(
                    "%s failed to load (try %d of %d) from %s: %s",
                    *(version, attempt + 1, self._policy.retries + 1, version.path),
                    " ".join(str(version.error).split()),
                )
            if attempt < self._policy.retries:
                version.withdrawn.wait(self._policy.retry_interval_s)
        with self._lock:
            if servable is None or version.withdrawn.is_set():
                self._enter(version, State.END)
                return
            version.error, version.servable = None, servable
            weakref.finalize(servable, self._ended, version).atexit = False
            self._publish(
                version.model, {**self._serving.get(version.model, {}), version.number: servable}
            )
            self._enter(version, State.AVAILABLE, f" in {time.monotonic() - start:.2f} s")
            del servable
            self._release(version.model)

    def _release(self, name: str) -> None:
        """Unload what nobody wants, unless that would leave a wanted model without a version."""
        versions = self._versions[name].values()
        wanted = [version for version in versions if not version.withdrawn.is_set()]
        if wanted and not any(version.state is State.AVAILABLE for version in wanted):
            return
        for version in versions:
            if version.withdrawn.is_set() and version.state is State.AVAILABLE:
                serving = self._serving[name]
                self._publish(name, {n: s for n, s in serving.items() if n != version.number})
                self._enter(version, State.UNLOADING)
                # Requests under way hold the servable; with the last of them it is gone.
                version.servable = None
                del serving

    def _ended(self, version: Version) -> None:
        with self._lock:
            self._enter(version, State.END)
            if not self._stopping:
                # TensorFlow's objects refer to each other in circles; memory waits for this.
                self._loads.submit(gc.collect)

    def _publish(self, name: str, versions: Mapping[int, Servable]) -> None:
        others = {n: v for n, v in self._serving.items() if n != name}
        self._serving = {**others, name: versions} if versions else others

    def _enter(self, version: Version, state: State, note: str = "") -> None:
        with self._changed:
            version.state = state
            self._changed.notify_all()
        log.info("%s %s%s", version, state.name, note)


def _not_found(request: str) -> ServingError:
    return ServingError(Code.NOT_FOUND, f"Servable not found for request: {request}")
