"""The pipelines of the house, and how each reads: a mistake becomes one line that says what to mend."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from components import home, rule
from components.errors import UsageError, near_miss
from components.files import sha256
from components.spec import (
    NAME,
    DataGate,
    ModelGate,
    Serving,
    Silence,
    Source,
    SpanUnit,
    Spec,
    Threshold,
    Train,
    WeakSlices,
    Window,
)

FILES = ("pipeline.yaml", "ingest.sql", "model.py")


def names() -> list[str]:
    """Return the names of the pipelines in the house: every folder with a pipeline.yaml."""
    return sorted(path.parent.name for path in home.pipelines().glob("*/pipeline.yaml"))


def load(name: str) -> Spec:
    """Read and validate one pipeline; raise UsageError with one line that says what to mend."""
    folder, contract = _folder(name, FILES), home.schemas() / f"{name}.pbtxt"
    if not contract.is_file():
        raise UsageError(
            f"{home.short(contract)}: the file is missing; every pipeline has one, and "
            f"`sluice schema infer {name} --spans FIRST..LAST` drafts it"
        )
    written = _written(folder / "pipeline.yaml")
    _defines_model(folder / "model.py")
    read = [*(folder / f for f in FILES[1:]), contract, *(one.path for one in rule.rules(folder))]
    files = {home.short(file): sha256(file) for file in read}
    said = json.dumps(written, sort_keys=True, default=str)  # comments and order do not count
    files[home.short(folder / "pipeline.yaml")] = hashlib.sha256(said.encode()).hexdigest()
    with _mistakes_told(folder / "pipeline.yaml"):
        return Spec.model_validate({**written, "name": name, "files": files}).check()


def outline(name: str) -> Spec:
    """Read a pipeline that may have no schema and no model yet: its pipeline.yaml, on its own terms.

    No column that it names is looked for, and `files` is empty. Raises UsageError as `load` does.
    """
    path = _folder(name, FILES[:2]) / "pipeline.yaml"
    with _mistakes_told(path):
        return Spec.model_validate({**_written(path), "name": name, "files": {}})


def _folder(name: str, files: Sequence[str]) -> Path:
    """Return a pipeline's folder, with these files in it."""
    folder = home.pipelines() / name
    if not folder.is_dir():
        known = names()
        listed = f"there are {', '.join(known)}" if known else f"{home.pipelines()} holds none"
        raise UsageError(f"no pipeline {name!r}: {listed}{near_miss(name, known)}")
    if not re.fullmatch(NAME, name):
        raise UsageError(
            f"{home.short(folder)}: the folder names the pipeline, the DAG and its store; "
            "write it in letters, digits, `_` and `-`, a letter first"
        )
    for file in files:
        if not (folder / file).is_file():
            told = "the file is missing; every pipeline has one"
            raise UsageError(f"{home.short(folder / file)}: {told}")
    return folder


def _written(path: Path) -> dict[str, Any]:
    """Return what a pipeline.yaml says."""
    try:
        written = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(
            f"{home.short(path)}: is not YAML: {' '.join(str(error).split())}"
        ) from None
    if not isinstance(written, dict):
        raise UsageError(
            f"{home.short(path)}: must be a mapping of keys such as `source`, `window`"
        )
    for ours in ("name", "files"):
        if ours in written:
            raise UsageError(
                f"{home.short(path)}: {ours}: unknown key; the folder names the pipeline"
            )
    return written


@contextmanager
def _mistakes_told(path: Path) -> Iterator[None]:
    """Tell in one line what does not hold of a pipeline.yaml; raise UsageError."""
    try:
        yield
    except ValidationError as error:
        raise UsageError(f"{home.short(path)}: {_told(error)}") from None
    except ValueError as error:
        raise UsageError(f"{home.short(path)}: {error}") from None


def _told(error: ValidationError) -> str:
    """Return pydantic's first complaint as `key: problem; remedy`."""
    first, *rest = error.errors()
    where = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        known = _fields(first["loc"][:-1])
        told = f"{where}: unknown key; it must be one of {', '.join(known)}"
        told += near_miss(str(first["loc"][-1]), known)
    elif first["type"] == "missing":
        told = f"{where}: is missing; add it"
    else:
        given = json.dumps(first["input"], default=str)
        told = f"{where}: {first['msg'].removeprefix('Value error, ')}; it is {given[:80]}"
    return told + (f" (and {len(rest)} more)" if rest else "")


def _fields(loc: tuple[int | str, ...]) -> list[str]:
    """Return the keys allowed at a place in the file."""
    parts: dict[str, type[BaseModel]] = {
        "source": Source,
        "span": SpanUnit,
        "window": Window,
        "train": Train,
        "thresholds": Threshold,
        "serving": Serving,
        "data_gate": DataGate,
        "model_gate": ModelGate,
        "weak_slices": WeakSlices,
        "silenced": Silence,
    }
    named = [part for part in loc if isinstance(part, str)]
    model = parts[named[-1]] if named else Spec
    return sorted(
        set(model.model_fields) - {"name", "files"} if model is Spec else model.model_fields
    )


def _defines_model(path: Path) -> None:
    """Check without running it that model.py defines `model`; raise UsageError."""
    try:
        tree = ast.parse(path.read_text())
    except (SyntaxError, UnicodeDecodeError) as error:
        where = f" line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise UsageError(f"{home.short(path)}:{where} is not Python: {error}") from None
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    if "model" not in defined:
        hint = near_miss("model", defined)
        raise UsageError(
            f"{home.short(path)}: defines no function model(inputs, vocabulary_sizes) "
            f"that returns a compiled keras.Model{hint}"
        )
