"""The pipelines of the house, and how each reads: a mistake becomes one line that says what to mend."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from components import home, rule
from components.errors import UsageError, near_miss
from components.files import sha256
from components.spec import NAME, Hyperparameter, Spec
from components.spec.checks import check
from components.spec.data import Source, SpanUnit, Window
from components.spec.gates import (
    DataGate,
    ModelGate,
    Serving,
    Silence,
    Threshold,
    WeakSlices,
)
from components.spec.training import OF_TRAIN, Range, Train, Tuning

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
    _model(folder / "model.py")
    read = [*(folder / f for f in FILES[1:]), contract, *(one.path for one in rule.rules(folder))]
    files = {home.short(file): sha256(file) for file in read}
    said = json.dumps(written, sort_keys=True, default=str)  # comments and order do not count
    files[home.short(folder / "pipeline.yaml")] = hashlib.sha256(said.encode()).hexdigest()
    with _mistakes_told(folder / "pipeline.yaml"):
        what = Spec.model_validate({**written, "name": name, "files": files})
        check(what)
        _suits_model(what)
        return what


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
    # Which of two ways to write it was meant is no key of the file.
    where = ".".join(str(part) for part in first["loc"] if part not in ("range", "values"))
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
        "tuning": Tuning,
        "range": Range,
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


def defaults(what: Spec) -> dict[str, Hyperparameter]:
    """Return what is in use, without a search, of every hyperparameter that is searched for.

    That is what pipeline.yaml says, or else the default in the definition of `model()`. Raises
    ValueError with `key: problem; remedy` for one that `model()` does not take, or has no default for.
    """
    model = _model(what.folder / "model.py").args
    named = [*model.posonlyargs, *model.args]
    given = dict(
        zip([a.arg for a in named[len(named) - len(model.defaults) :]], model.defaults, strict=True)
    )
    given |= {a.arg: d for a, d in zip(model.kwonlyargs, model.kw_defaults, strict=True) if d}
    takes = [a.arg for a in (*named[2:], *model.kwonlyargs)]
    space = what.tuning.space if what.tuning else {}
    for key, names in (("hyperparameters", what.hyperparameters), ("tuning.space", space)):
        for name in names:
            if name not in takes and not (key == "tuning.space" and name in OF_TRAIN):
                known = [*takes, *(OF_TRAIN if key == "tuning.space" else ())]
                raise ValueError(
                    f"{key}.{name}: model() in model.py takes no such thing; add a parameter to it, such "
                    f"as `{name}=1`{near_miss(name, known)}"
                )
    found: dict[str, Hyperparameter] = what.train.model_dump(include=set(OF_TRAIN))
    for name in takes:
        with suppress(KeyError, ValueError):
            found[name] = ast.literal_eval(given[name])
    found |= what.hyperparameters
    for name in space:
        if name not in found:
            raise ValueError(
                f"tuning.space.{name}: model() in model.py has no plain default for it, which a run "
                f"without a search would take; give it one, such as `{name}=1`"
            )
    return {name: found[name] for name in space}


def _suits_model(what: Spec) -> None:
    """Check that `model()` takes what it is told, and that a search can begin with what is in use."""
    for name, value in defaults(what).items():
        tried = what.tuning.outside(name, value) if what.tuning else ""
        if tried:
            raise ValueError(
                f"tuning.space.{name}: {value!r}, which is in use, is not among {tried}; a search begins "
                "with it: widen the space, or change the default"
            )


def _model(path: Path) -> ast.FunctionDef:
    """Return the definition of `model` in model.py, without running it; raise UsageError for none."""
    try:
        tree = ast.parse(path.read_text())
    except (SyntaxError, UnicodeDecodeError) as error:
        where = f" line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise UsageError(f"{home.short(path)}:{where} is not Python: {error}") from None
    defined = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    if "model" not in defined:
        hint = near_miss("model", defined)
        raise UsageError(
            f"{home.short(path)}: defines no function model(inputs, vocabulary_sizes) "
            f"that returns a compiled keras.Model{hint}"
        )
    return defined["model"]
