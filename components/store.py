"""Artifacts: what a step made, whole or not there at all, under a name that its inputs decide.

    var/store/<pipeline>/<kind>/<span>/<key>/        the finished artifact: files, manifest.json
                                       <key>.draft/  being written; worth nothing
                                       <key>.resume/ kept over a crash (training checkpoints)
                                       <key>.lock    one writer at a time

`key` is a digest of inputs and parameters, so a retry finds what the first try finished. A draft
becomes an artifact by one rename, after everything in it, the manifest last, is on the disk.
"""

from __future__ import annotations

import hashlib
import json
import logging
import resource
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, JsonValue

from components import home, provenance, records
from components.errors import SluiceError
from components.files import exclusive, flush, sha256, write_atomically

log = logging.getLogger(__name__)

MANIFEST = "manifest.json"


class Manifest(BaseModel):
    """What an artifact is, what it was made of, by which code, at what cost."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: str
    pipeline: str
    span: str
    key: str
    inputs: dict[str, str]  # name → digest of the artifact or file that went in
    parameters: dict[str, JsonValue]
    files: dict[str, str]  # relative path → sha256
    digest: str  # of `files`: the artifact's identity
    facts: dict[str, JsonValue]  # what the step has to say: counts, metrics
    code: str  # commit and digest of the source that ran
    packages: dict[str, str]
    finished: datetime
    seconds: float
    cpu_seconds: float
    peak_memory_mb: float  # of the process that ran the step, imports included


@dataclass(frozen=True)
class Artifact:
    """A finished artifact in its folder."""

    folder: Path
    manifest: Manifest

    @property
    def digest(self) -> str:
        """Return the digest of its files."""
        return self.manifest.digest

    @property
    def facts(self) -> dict[str, JsonValue]:
        """Return what the step had to say about it."""
        return self.manifest.facts

    def file(self, name: str) -> Path:
        """Return the path of one of its files or folders; raise SluiceError when it has none."""
        path = self.folder / name
        if not path.exists():
            raise SluiceError(
                f"{self.folder} holds no {name!r}: it was made by other code; remove it and run again"
            )
        return path


@dataclass(frozen=True)
class Draft:
    """Where a step writes. `folder` becomes the artifact; `resume` outlives a crash until then."""

    folder: Path
    resume: Path


def root(pipeline: str) -> Path:
    """Return the folder of everything that is known of a pipeline."""
    return home.var() / "store" / pipeline


def once(
    kind: str,
    pipeline: str,
    span: str,
    *,
    inputs: Mapping[str, str],
    parameters: Mapping[str, JsonValue] | None = None,
    build: Callable[[Draft], Mapping[str, JsonValue]],
    again: Callable[[Artifact], bool] = lambda artifact: False,
) -> Artifact:
    """Return the artifact of these inputs, building it only if it is not there whole.

    `build` writes into the draft's folder and returns the facts for the manifest. When it raises,
    nothing is left but its `resume` folder. An artifact that is torn, or of which `again` says that
    it wants making again, is set aside and built anew.
    """
    parameters = dict(parameters or {})
    key = _key(kind, pipeline, span, inputs, parameters)
    folder = root(pipeline) / kind / span / key
    with exclusive(folder.with_suffix(".lock")):
        if folder.exists():
            found = _whole(folder)
            if found and not again(found):
                return found
            folder.rename(folder.with_suffix(f".aside-{time.time_ns()}"))
        draft = Draft(folder.with_suffix(".draft"), folder.with_suffix(".resume"))
        shutil.rmtree(draft.folder, ignore_errors=True)
        draft.folder.mkdir(parents=True)
        wall, cpu = time.monotonic(), _cpu_seconds()
        try:
            facts = build(draft)
            files = {name: sha256(draft.folder / name) for name in _files(draft.folder)}
            manifest = Manifest(
                kind=kind,
                pipeline=pipeline,
                span=span,
                key=key,
                inputs=dict(inputs),
                parameters=parameters,
                files=files,
                digest=digest_of(files),
                facts=dict(facts),
                code=provenance.code(),
                packages=provenance.packages(),
                finished=datetime.now(UTC),
                seconds=round(time.monotonic() - wall, 3),
                cpu_seconds=round(_cpu_seconds() - cpu, 3),
                peak_memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            )
            write_atomically(draft.folder / MANIFEST, records.text(manifest, indent=2))
            for name in files:
                flush(draft.folder / name)
            draft.folder.rename(folder)
            flush(folder.parent)
        except BaseException:
            shutil.rmtree(draft.folder, ignore_errors=True)
            raise
        shutil.rmtree(draft.resume, ignore_errors=True)
        return Artifact(folder, manifest)


def load(folder: Path) -> Artifact:
    """Return the artifact in `folder`; raise SluiceError unless every file is there, unchanged."""
    try:
        manifest = records.parse(Manifest, (folder / MANIFEST).read_bytes())
    except FileNotFoundError:
        raise SluiceError(f"{folder} is no finished artifact: it has no {MANIFEST}") from None
    except (ValueError, OSError) as error:
        problem = str(error).splitlines()[0]
        raise SluiceError(f"{folder / MANIFEST} cannot be read: {problem}") from error
    for name, digest in manifest.files.items():
        path = folder / name
        if not path.is_file() or sha256(path) != digest:
            raise SluiceError(f"{path} is missing or not what was written: the artifact is torn")
    if digest_of(manifest.files) != manifest.digest:
        raise SluiceError(
            f"{folder / MANIFEST} does not add up: its digest is not that of its files"
        )
    return Artifact(folder, manifest)


def find(kind: str, pipeline: str, span: str, digest: str) -> Artifact:
    """Return the artifact with this digest; raise SluiceError when the store has none, whole."""
    for manifest in sorted((root(pipeline) / kind / span).glob(f"*/{MANIFEST}")):
        found = _whole(manifest.parent)
        if found and found.digest == digest:
            return found
    raise SluiceError(
        f"the store has no whole {kind} of {pipeline} {span} with digest {digest[:12]}"
    )


def _whole(folder: Path) -> Artifact | None:
    try:
        return load(folder)
    except SluiceError as torn:
        log.warning("%s; set aside, and made again", torn)
        return None


def _key(
    kind: str,
    pipeline: str,
    span: str,
    inputs: Mapping[str, str],
    parameters: Mapping[str, JsonValue],
) -> str:
    """Return the 16 hex digits that name an artifact of these inputs."""
    identity = [kind, pipeline, span, dict(inputs), dict(parameters)]
    return hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]


def digest_of(parts: Mapping[str, str]) -> str:
    """Return one sha256 for a mapping of names to digests, whatever its order."""
    return hashlib.sha256(json.dumps(dict(parts), sort_keys=True).encode()).hexdigest()


def point(pointer: Path, artifact: Artifact) -> None:
    """Make `pointer` name this artifact: how the latest of several for a span is known."""
    write_atomically(pointer, str(artifact.folder.relative_to(root(artifact.manifest.pipeline))))


def pointed(pipeline: str, pointer: Path) -> Artifact | None:
    """Return the artifact that `pointer` names, whole, or None when there is no pointer."""
    try:
        return load(root(pipeline) / pointer.read_text())
    except FileNotFoundError:
        return None
    except ValueError as error:  # such as bytes that are no text
        raise SluiceError(f"{pointer} is torn: {error}") from error


def _files(folder: Path) -> list[str]:
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file())


def _cpu_seconds() -> float:
    """Return the CPU seconds of this process and the children it has waited for."""
    own, children = (
        resource.getrusage(resource.RUSAGE_SELF),
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime
