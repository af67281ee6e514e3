"""weights: a net's weights on the disk, and a net that begins from those of the baseline."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import keras
import numpy as np

from components import transform
from components.store import Artifact
from components.transform import Constants

FILE = "weights.npz"
Indexes = tuple[list[int], list[int]]  # of the same categories: now, and then


def save(net: Any, path: Path) -> None:
    """Write the weights by name, in the same bytes for the same weights."""
    np.savez(path, **{name: np.asarray(weight) for name, weight in _named(net).items()})


def read(model: Artifact) -> dict[str, np.ndarray]:
    """Return the weights of a model by name, in the net's order."""
    with model.file(FILE).open("rb") as opened, np.load(opened) as file:
        return {name: file[name] for name in file.files}


def warm_start(net: Any, constants: Constants, baseline: Artifact) -> str:
    """Give the net the baseline's weights, all or none; return in words what came of it.

    The rows of an embedding follow their categories; a category new to the vocabulary keeps the
    row that the net was built with.
    """
    old, new = read(baseline), _named(net)
    if list(old) != list(new):
        return "cold: the baseline's net has other layers"
    moved = _moved(net, constants, transform.load(baseline))
    embeddings = _embeddings(net)
    lost = moved.keys() - embeddings.values()
    if lost:
        return f"cold: no embedding of {min(lost)!r} shows where its changed vocabulary went"
    start = {}
    for name, weight in new.items():
        follow = moved.get(embeddings.get(weight.path, ""))
        values = _follow(np.asarray(weight).copy(), old[name], *follow) if follow else old[name]
        if values is None or values.shape != tuple(weight.shape):
            return f"cold: {name} was {old[name].shape}, and is {tuple(weight.shape)}"
        start[name] = values
    for name, values in start.items():
        new[name].assign(values)
    return f"warm: from the model of {baseline.manifest.span}"


def _named(net: Any) -> dict[str, Any]:
    """Return the weights by name; the number keeps two of one name apart."""
    return {f"{n:03d} {weight.path}": weight for n, weight in enumerate(net.weights)}


def _embeddings(net: Any) -> dict[str, str]:
    """Return the path of each embedding's weight → the column that it embeds."""
    direct = {
        layer.embeddings.path: layer.input.name
        for layer in net.layers
        if isinstance(layer, keras.layers.Embedding) and len(layer._inbound_nodes) == 1
    }
    return {path: column for path, column in direct.items() if column in net.input}


def _moved(net: Any, now: Constants, then: Constants) -> dict[str, Indexes]:
    """Return for each changed vocabulary that the net is fed where its categories are and were."""
    had = {column.name: column.vocabulary for column in then.categories}
    moved = {}
    for column in now.categories:
        old = had.get(column.name, ())
        if column.name in net.input and column.vocabulary != old:
            index = {value: n for n, value in enumerate(old, 1)}
            pairs = [(n, index[v]) for n, v in enumerate(column.vocabulary, 1) if v in index]
            moved[column.name] = ([0, *(n for n, _ in pairs)], [0, *(o for _, o in pairs)])
    return moved


def _follow(
    drawn: np.ndarray, old: np.ndarray, now: list[int], then: list[int]
) -> np.ndarray | None:
    """Return the rows as drawn, the known ones replaced; None when the tables do not fit."""
    if drawn.shape[1:] != old.shape[1:] or max(now) >= len(drawn) or max(then) >= len(old):
        return None
    drawn[now] = old[then]
    return drawn
