"""What a pipeline's owner writes: `pipelines/<name>/pipeline.yaml`, validated when it is read.

A mistake becomes one line that names the file, the key, the problem and the remedy.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from components import home, schema, spans
from components.errors import UsageError, near_miss
from components.store import sha256

# Every metric that a threshold may name, and which way is better (0: nearer to 1 is better).
METRICS: dict[str, Literal[-1, 0, 1]] = {
    "auc": 1,
    "accuracy": 1,
    "precision": 1,
    "recall": 1,
    "calibration": 0,
    "loss": -1,
}
NAME = r"[A-Za-z][A-Za-z0-9_-]*"
EVERY_MORNING = "0 6 * * *"
ARRIVAL = "arrival"
ONCE_A_DAY = r"([0-5]?\d) ([01]?\d|2[0-3]) \* \* \*"
FILES = ("pipeline.yaml", "ingest.sql", "model.py")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Source(_Part):
    """Where a span's rows come from; DuckDB reads it through `ingest.sql`.

    `path`: a file, folder, glob or URI with `{span}` in it, relative to the house; `$source` in the
    SQL. `complete`: the file beside the data that says a span is whole. `rows`: the file or glob
    under `path` whose every row must come out of the SQL, as an example or as a counted reject.
    `attach`: databases by alias, as DuckDB's ATTACH takes them.
    """

    path: str | None = None
    complete: str | None = None
    rows: str | None = None
    attach: dict[str, str] = Field(default_factory=dict)

    def of(self, span: str) -> str | None:
        """Return the path of one span: absolute for a local path, a URI as it stands."""
        if self.path is None:
            return None
        path = self.path.replace("{span}", span)
        return path if "://" in path else str(home.home() / path)


class SpanUnit(_Part):
    """The unit of arrival, the earliest span there is, and the last one of a source that is closed.

    No window looks before `first`; no schedule asks for what comes after `last`.
    """

    unit: Literal["day"] = "day"
    first: str
    last: str | None = None

    @field_validator("first", "last", mode="before")
    @classmethod
    def _is_a_span(cls, value: Any) -> str | None:
        if value is None:
            return None
        key = str(value)  # YAML reads an unquoted 2013-01-01 as a date
        try:
            spans.parse(key)
        except UsageError as error:
            raise ValueError(str(error)) from None
        return key


class Window(_Part):
    """How many spans a model is trained on, and how many later ones judge it."""

    train: int = Field(ge=1)
    evaluate: int = Field(ge=1)

    @property
    def length(self) -> int:
        """Return the spans of the whole window."""
        return self.train + self.evaluate


class Train(_Part):
    """How the model is trained; what it is stands in `model.py`."""

    epochs: int = Field(default=10, ge=1)
    batch_size: int = Field(default=256, ge=1)
    seed: int = Field(default=1, ge=0)
    warm_start: bool = False  # begin from the baseline's weights
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = "float32"
    xla: bool = False


class Threshold(_Part):
    """A bound on a metric: overall, or in every slice of one slicing.

    `worse_by_at_most`: how much worse than the baseline the candidate may be, in the metric's own
    unit. Slices of fewer than `min_examples` examples are reported and not judged.
    """

    metric: str
    slice: tuple[str, ...] = ()
    at_least: float | None = None
    at_most: float | None = None
    worse_by_at_most: Annotated[float, Field(ge=0)] | None = None
    min_examples: int = Field(default=100, ge=1)


class Serving(_Part):
    """The model's name on the servers, and the budget the infra gate holds it to.

    `latency_ms`: the 99th percentile of one-row predictions; `memory_mb`: the server's resident
    memory with the model loaded.
    """

    name: str = Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]*$")
    latency_ms: float = Field(default=100, gt=0)
    memory_mb: float = Field(default=2000, gt=0)


class Spec(_Part):
    """One pipeline, as its owner described it."""

    name: str
    description: str = ""
    source: Source
    span: SpanUnit
    schedule: str = EVERY_MORNING  # a time of the day as cron in UTC, or `arrival`
    window: Window
    label: str
    key: Annotated[tuple[str, ...], Field(min_length=1)]
    slices: tuple[Annotated[tuple[str, ...], Field(min_length=1)], ...] = ()
    train: Train = Train()
    thresholds: Annotated[tuple[Threshold, ...], Field(min_length=1)]
    serving: Serving
    files: dict[str, str]  # path within the house → digest of what it says

    @field_validator("schedule")
    @classmethod
    def _is_once_a_day(cls, value: str) -> str:
        if value != ARRIVAL and not re.fullmatch(ONCE_A_DAY, value):
            raise ValueError(
                "must be one minute and hour of every day in UTC, since a span is a day, such as "
                f"{EVERY_MORNING!r}; or {ARRIVAL!r}, to run when data is announced"
                f"{near_miss(value, [ARRIVAL])}"
            )
        return value

    @property
    def folder(self) -> Path:
        """Return the pipeline's folder."""
        return home.pipelines() / self.name

    @property
    def schema_path(self) -> Path:
        """Return the path of the data contract."""
        return home.schemas() / f"{self.name}.pbtxt"

    def window_of(self, span: str) -> list[str]:
        """Return the keys of the spans that a run for `span` may use, oldest first, it last."""
        return [*spans.before(span, self.window.length - 1, first=self.span.first), span]

    def check(self) -> Self:
        """Check what one key alone cannot show; raise ValueError with `key: problem; remedy`."""
        contract = schema.load(self.schema_path)
        columns = schema.columns(contract)
        self._known("label", self.label, columns)
        self._feeds_a_model(contract)
        for column in self.key:
            self._known("key", column, columns)
        for slicing in self.slices:
            for column in slicing:
                self._known("slices", column, columns)
        for n, bound in enumerate(self.thresholds):
            where = f"thresholds.{n}"
            self._known(f"{where}.metric", bound.metric, METRICS)
            if bound.slice and bound.slice not in self.slices:
                listed = ", ".join("×".join(s) for s in self.slices) or "none"
                hint = near_miss("×".join(bound.slice), ["×".join(s) for s in self.slices])
                raise ValueError(
                    f"{where}.slice: {'×'.join(bound.slice)!r} is not among `slices` ({listed}){hint}"
                )
            if bound.at_least is bound.at_most is bound.worse_by_at_most is None:
                raise ValueError(
                    f"{where}: bounds nothing; add at_least, at_most or worse_by_at_most"
                )
        if self.source.path is None and not self.source.attach:
            raise ValueError("source: names no data; give `path`, or a database under `attach`")
        if self.source.path is None and (self.source.complete or self.source.rows):
            raise ValueError("source: `complete` and `rows` are files under `path`; give `path`")
        return self

    def _feeds_a_model(self, contract: Any) -> None:
        """Check that a model is fed some columns, that it learns from each, and not the answer."""
        path, fed = _short(self.schema_path), [f.name for f in schema.inputs(contract)]
        if not fed:
            raise ValueError(f"label: no column of {path} is expected in SERVING: nothing to feed")
        if self.label in fed:
            raise ValueError(
                f"label: {self.label!r} is fed to the model, which would then know the answer; "
                f'give it not_in_environment: "SERVING" in {path}'
            )
        learned = [
            f.name for f in contract.feature if schema.expected_in(contract, f, schema.TRAINING)
        ]
        for column in fed:
            if column not in learned:
                raise ValueError(
                    f"label: {column!r} is fed to a model that never learned from it; "
                    f"expect it in TRAINING too, in {path}"
                )

    @staticmethod
    def _known(where: str, name: str, known: Any) -> None:
        if name not in known:
            raise ValueError(
                f"{where}: there is no {name!r}; it must be one of {', '.join(sorted(known))}"
                f"{near_miss(name, known)}"
            )


def names() -> list[str]:
    """Return the names of the pipelines in the house: every folder with a pipeline.yaml."""
    return sorted(path.parent.name for path in home.pipelines().glob("*/pipeline.yaml"))


def load(name: str) -> Spec:
    """Read and validate one pipeline; raise UsageError with one line that says what to mend."""
    folder = home.pipelines() / name
    if not folder.is_dir():
        known = names()
        listed = f"there are {', '.join(known)}" if known else f"{home.pipelines()} holds none"
        raise UsageError(f"no pipeline {name!r}: {listed}{near_miss(name, known)}")
    if not re.fullmatch(NAME, name):
        raise UsageError(
            f"{_short(folder)}: the folder names the pipeline, the DAG and its store; "
            "write it in letters, digits, `_` and `-`, a letter first"
        )
    for file in (*(folder / f for f in FILES), home.schemas() / f"{name}.pbtxt"):
        if not file.is_file():
            raise UsageError(f"{_short(file)}: the file is missing; every pipeline has one")
    path = folder / "pipeline.yaml"
    try:
        written = yaml.safe_load(path.read_text())
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{_short(path)}: is not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(written, dict):
        raise UsageError(f"{_short(path)}: must be a mapping of keys such as `source`, `window`")
    for ours in ("name", "files"):
        if ours in written:
            raise UsageError(f"{_short(path)}: {ours}: unknown key; the folder names the pipeline")
    _defines_model(folder / "model.py")
    files = {_short(folder / f): sha256(folder / f) for f in FILES[1:]}
    files[_short(home.schemas() / f"{name}.pbtxt")] = sha256(home.schemas() / f"{name}.pbtxt")
    said = json.dumps(written, sort_keys=True, default=str)  # comments and order do not count
    files[_short(path)] = hashlib.sha256(said.encode()).hexdigest()
    try:
        return Spec.model_validate({**written, "name": name, "files": files}).check()
    except ValidationError as error:
        raise UsageError(f"{_short(path)}: {_told(error)}") from None
    except ValueError as error:
        raise UsageError(f"{_short(path)}: {error}") from None


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
    }
    model = parts[str(loc[0])] if loc else Spec
    return sorted(
        set(model.model_fields) - {"name", "files"} if model is Spec else model.model_fields
    )


def _defines_model(path: Path) -> None:
    """Check without running it that model.py defines `model`; raise UsageError."""
    try:
        tree = ast.parse(path.read_text())
    except (SyntaxError, UnicodeDecodeError) as error:
        where = f" line {error.lineno}" if isinstance(error, SyntaxError) else ""
        raise UsageError(f"{_short(path)}:{where} is not Python: {error}") from None
    defined = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    if "model" not in defined:
        hint = near_miss("model", defined)
        raise UsageError(
            f"{_short(path)}: defines no function model(inputs, vocabulary_sizes) "
            f"that returns a compiled keras.Model{hint}"
        )


def _short(path: Path) -> str:
    return str(path.relative_to(home.home()))
