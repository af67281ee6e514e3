"""The models of one server: what is configured, what the file system offers, who answers."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping

from tensorflow_serving.apis import model_pb2

from serving.server.config import ModelConfig, ModelServerConfig, check_labels, validate
from serving.server.errors import Code, ServingError, invalid
from serving.server.servable import Servable
from serving.server.storage import aspired_versions, missing
from serving.server.versions import Version, Versions

log = logging.getLogger(__name__)


class Models:
    """Configured models over the versions in memory. Safe to call from many threads."""

    def __init__(
        self, versions: Versions, poll_wait_s: float, allow_labels_for_unavailable: bool
    ) -> None:
        self._versions = versions
        self._poll_wait_s = poll_wait_s
        self._allow_labels_for_unavailable = allow_labels_for_unavailable
        self._lock = threading.Lock()
        self._configs: Mapping[str, ModelConfig] = {}
        self._labels: Mapping[str, Mapping[str, int]] = {}
        self._poller = threading.Thread(target=self._poll_forever, name="poll", daemon=True)
        self._wake = threading.Event()
        self._stopping = False
        self._trouble = ""

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

    def latest(self, model: str) -> Servable:
        """Return the highest version that serves."""
        versions = self._versions.serving.get(model)
        if not versions:
            raise _not_found(f"Latest({model})")
        return versions[max(versions)]

    def specific(self, model: str, version: int) -> Servable:
        """Return exactly this version."""
        servable = self._versions.serving.get(model, {}).get(version)
        if servable is None:
            raise _not_found(f"Specific({model}, {version})")
        return servable

    def labelled(self, model: str, label: str) -> Servable:
        """Return the version that a label points at."""
        version = self._labels.get(model, {}).get(label)
        if version is None:
            raise invalid(f"Unrecognized servable version label: {label}")
        return self.specific(model, version)

    def status(self, model: str, version: int | None = None) -> list[Version]:
        """Return the model's versions, highest first; raises NOT_FOUND when there is none."""
        versions = self._versions.of(model)
        if version is not None:
            if version not in versions:
                raise ServingError(
                    Code.NOT_FOUND, f"Could not find version {version} of model {model}"
                )
            return [versions[version]]
        if not versions:
            raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {model}")
        return [versions[number] for number in sorted(versions, reverse=True)]

    def start(self, config: ModelServerConfig) -> None:
        """Take the first configuration, load what is there, and begin to poll.

        Returns when each model that has versions serves one, or none of them loaded at its first
        try: a server that answers before that would refuse what it has. Raises ServingError if
        the configuration is invalid.
        """
        try:
            self._take(config)
        except ServingError as error:
            if error.code is not Code.FAILED_PRECONDITION:
                raise
            hint = "nothing is at start; --allow_version_labels_for_unavailable_models lets it wait"
            raise ServingError(error.code, f"{error.message} ({hint})") from error
        self._poll()
        there = [model for model in self._configs if self._versions.of(model)]
        self._versions.wait_settled(there, self._has_failed, None)
        self._poller.start()

    def _has_failed(self, model: str) -> bool:
        return all(version.error for version in self._versions.of(model).values())

    def stop(self) -> None:
        """Stop polling and loading; what is in memory serves until the process ends."""
        self._stopping = True
        self._wake.set()
        self._poller.join(1)
        self._versions.stop()

    def reload(self, config: ModelServerConfig, timeout_s: float | None) -> None:
        """Replace the whole configuration: models that it does not name are unloaded.

        Returns when every model that is new serves. Raises ServingError when the configuration is
        invalid (nothing has changed then), or when a new model fails to load or is not there
        within `timeout_s` (the configuration is in force then).
        """
        new = self._take(config)
        self._wake.set()
        self._versions.wait_settled(new, lambda model: model not in self._configs, timeout_s)
        absent = sorted(model for model in new if model not in self._versions.serving)
        if absent:
            raise ServingError(
                Code.UNKNOWN, f"Some models did not become available: {{{', '.join(absent)}}}"
            )

    def _take(self, config: ModelServerConfig) -> set[str]:
        """Put a configuration in force and return the names of the models that are new."""
        models = validate(config)
        with self._lock:
            available = {name: set(known) for name, known in self._versions.serving.items()}
            self._labels = check_labels(
                models, available, self._labels, self._allow_labels_for_unavailable
            )
            gone, new = set(self._configs) - set(models), set(models) - set(self._configs)
            self._configs = models
            for model in sorted(gone):
                log.info("%s is no longer configured", model)
                self._versions.aspire(model, {})
        return new

    def _poll_forever(self) -> None:
        while not self._stopping:
            self._wake.clear()
            self._poll()
            # Zero means once, and again only when the configuration changes.
            self._wake.wait(self._poll_wait_s or None)

    def _poll(self) -> None:
        configs = self._configs
        try:
            # One missing base path stops the round for all models, as in TensorFlow Serving.
            found = {model: aspired_versions(config) for model, config in configs.items()}
            self._report(missing(configs[model], versions) for model, versions in found.items())
        except ServingError as error:
            self._report([f"{error.message}; waiting for it, and all models with it"])
            return
        with self._lock:
            # Unless a reload came in between.
            if self._configs is configs:
                for model, versions in found.items():
                    self._versions.aspire(model, versions)

    def _report(self, troubles: Iterable[str]) -> None:
        trouble = "; ".join(filter(None, troubles))
        if trouble and trouble != self._trouble:
            log.warning("%s", trouble)
        self._trouble = trouble


def _not_found(request: str) -> ServingError:
    return ServingError(Code.NOT_FOUND, f"Servable not found for request: {request}")
