"""What one key of a spec alone cannot show: whether it agrees with the others, and with the schema.

Each raises ValueError with `key: problem; remedy`.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from components import home, metrics, schema
from components.errors import near_miss
from components.spec import Spec, Threshold
from components.spec.gates import DATA_CHECKS, OF_ROWS


def check(spec: Spec) -> None:
    """Check all of it."""
    contract = schema.load(spec.schema_path)
    columns = schema.columns(contract)
    _known("label", spec.label, columns)
    _classes(spec)
    _feeds_a_model(spec, contract)
    for column in spec.key:
        _known("key", column, columns)
    for slicing in spec.slices:
        for column in slicing:
            _known("slices", column, columns)
    _data_gate(spec, columns)
    for n, bound in enumerate(spec.thresholds):
        _threshold(f"thresholds.{n}", spec, bound)
    if spec.weak_slices.gate == "halt" and spec.task != "binary":
        raise ValueError(
            f"weak_slices.gate: a {spec.task} label's weak slices are not searched yet; take it out"
        )
    if spec.tuning and spec.tuning.holdout >= spec.window.train:
        raise ValueError(
            f"tuning.holdout: keeps all of the {spec.window.train} spans that train; keep fewer"
        )
    if spec.source.path is None and not spec.source.attach:
        raise ValueError("source: names no data; give `path`, or a database under `attach`")
    if spec.source.path is None and (spec.source.complete or spec.source.rows):
        raise ValueError("source: `complete` and `rows` are files under `path`; give `path`")


def _data_gate(spec: Spec, columns: Collection[str]) -> None:
    for column in spec.data_gate.sensitive:
        _known("data_gate.sensitive", column, columns)
    for n, silence in enumerate(spec.data_gate.silenced):
        _known(f"data_gate.silenced.{n}.check", silence.check, DATA_CHECKS)
        if silence.column is not None:
            rows = ["rows"] if silence.check in OF_ROWS else []
            of = [one.name for one in spec.rules] if silence.check == "rule" else columns
            _known(f"data_gate.silenced.{n}.column", silence.column, [*of, *rows])


def _threshold(where: str, spec: Spec, bound: Threshold) -> None:
    """Check that a bound is of a metric and a slicing that there are, and bounds something."""
    known = metrics.of(spec.task)
    _known(f"{where}.metric", bound.metric, known)
    if bound.metric == "example_count":
        raise ValueError(f"{where}.metric: of example_count there is `min_examples`; give that")
    if bound.metric == "equal_opportunity_difference" and not bound.slice:
        raise ValueError(
            f"{where}: {bound.metric} is a slice's, against overall; give it a `slice`"
        )
    if known[bound.metric].better is None and bound.worse_by_at_most is not None:
        raise ValueError(
            f"{where}.worse_by_at_most: {bound.metric} is neither better nor worse for "
            "being more; bound it by at_least or at_most"
        )
    if bound.slice and bound.slice not in spec.slices:
        listed = ", ".join("×".join(s) for s in spec.slices) or "none"
        hint = near_miss("×".join(bound.slice), ["×".join(s) for s in spec.slices])
        raise ValueError(
            f"{where}.slice: {'×'.join(bound.slice)!r} is not among `slices` ({listed}){hint}"
        )
    if bound.at_least is bound.at_most is bound.worse_by_at_most is None:
        raise ValueError(f"{where}: bounds nothing; add at_least, at_most or worse_by_at_most")


def _classes(spec: Spec) -> None:
    """Check that a multiclass label has its classes listed, and no other has any."""
    if spec.task != "multiclass":
        if spec.classes:
            raise ValueError("classes: are those of a label whose `task` is multiclass")
        return
    listed = [str(name) for name in spec.classes]
    if len(listed) < 2:
        raise ValueError(
            f"classes: the values of {spec.label!r}, at least two, in the order in which the "
            "model scores them; list them"
        )
    twice = next((name for n, name in enumerate(listed) if name in listed[:n]), None)
    if twice is not None:
        raise ValueError(f"classes: {twice!r} is listed twice; list each once")


def _feeds_a_model(spec: Spec, contract: Any) -> None:
    """Check that a model is fed some columns, that it learns from each, and not the answer."""
    path, fed = home.short(spec.schema_path), [f.name for f in schema.inputs(contract)]
    if not fed:
        raise ValueError(f"label: no column of {path} is expected in SERVING: nothing to feed")
    if spec.label in fed:
        raise ValueError(
            f"label: {spec.label!r} is fed to the model, which would then know the answer; "
            f'give it not_in_environment: "SERVING" in {path}'
        )
    learned = [f.name for f in contract.feature if schema.expected_in(contract, f, schema.TRAINING)]
    for column in fed:
        if column not in learned:
            raise ValueError(
                f"label: {column!r} is fed to a model that never learned from it; "
                f"expect it in TRAINING too, in {path}"
            )


def _known(where: str, name: str, known: Collection[str]) -> None:
    if name not in known:
        raise ValueError(
            f"{where}: there is no {name!r}; it must be one of {', '.join(sorted(known))}"
            f"{near_miss(name, known)}"
        )
