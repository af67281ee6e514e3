"""Faults of a finished net: its weights, its preprocessing's constants, and what it is fed."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.mutants.ground import EVALUATE, Ground
from benchmarks.mutants.mutant import MUTANTS, Mutant
from components import transform as constants_of
from components.store import Artifact
from components.train import network, saved_model, weights
from components.train.preprocessing import Preprocessing
from components.transform import Constants

Columns = dict[str, Any]


# --- weights


def scaled(held: dict[str, np.ndarray], by: float) -> dict[str, np.ndarray]:
    return {name: by * weight for name, weight in held.items()}


def noisy(held: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(1)
    return {n: w + draw.normal(0, 2 * w.std() + 1e-9, w.shape) for n, w in held.items()}


def with_nan(held: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {
        n: np.where(np.arange(w.size).reshape(w.shape) == 0, np.nan, w) for n, w in held.items()
    }


def halved(held: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: weight.astype("float16").astype("float32") for name, weight in held.items()}


def untrained(held: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    draw = np.random.default_rng(2)
    return {n: draw.normal(0, 0.05, w.shape) for n, w in held.items()}


def bias(held: dict[str, np.ndarray], by: float) -> dict[str, np.ndarray]:
    last = list(held)[-1]
    return {**held, last: held[last] + by}


def inverted(held: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    kernel, offset = list(held)[-2:]
    return {**held, kernel: -held[kernel], offset: -held[offset]}


def constant(held: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    kernel = list(held)[-2]
    return {**held, kernel: 0 * held[kernel]}


def without_airport(held: dict[str, np.ndarray], row: int) -> dict[str, np.ndarray]:
    (name,) = (n for n in held if "embed_origin" in n)
    table = held[name].copy()
    table[row] = 0
    return {**held, name: table}


def destinations_rolled(held: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    (name,) = (n for n in held if "embed_hour" in n)
    return {**held, name: np.roll(held[name], 5, axis=0)}


WEIGHTS: dict[str, Callable[[dict[str, np.ndarray]], dict[str, np.ndarray]]] = {
    "weights × 10": partial(scaled, by=10),
    "weights × 0.1": partial(scaled, by=0.1),
    "noise on the weights, twice their spread": noisy,
    "NaN in the weights": with_nan,
    "an untrained net": untrained,
    "last bias + 1": partial(bias, by=1.0),
    "last bias − 0.5": partial(bias, by=-0.5),
    "predictions inverted": inverted,
    "predictions constant": constant,
    "embedding of one airport zeroed": partial(without_airport, row=1),
    "embeddings of the hours out of step": destinations_rolled,
    "weights in float16": halved,
}
HARMLESS = {"weights in float16": "eleven bits are enough: no score moves by 0.001"}


# --- constants


def edited(constants: Constants, **changes: Callable[[Any], dict[str, Any]]) -> Constants:
    """Return the constants with the columns of some kind changed: `numbers`, `categories` or a name."""
    columns = []
    for column in constants.columns:
        change = changes.get(column.name) or changes.get(column.kind)
        columns.append(column.model_copy(update=change(column)) if change else column)
    return constants.model_copy(update={"columns": tuple(columns)})


def shifted_vocabulary(constants: Constants, old: Constants) -> Constants:
    return edited(constants, category=lambda c: {"vocabulary": c.vocabulary[1:] + c.vocabulary[:1]})


def raw_numbers(constants: Constants, old: Constants) -> Constants:
    return edited(constants, number=lambda c: {"mean": 0.0, "std_dev": 1.0})


def old_vocabulary(constants: Constants, old: Constants) -> Constants:
    then = {c.name: c.vocabulary for c in old.categories}
    return edited(constants, category=lambda c: {"vocabulary": then[c.name]})


def old_numbers(constants: Constants, old: Constants) -> Constants:
    then = {c.name: c for c in old.numbers}
    return edited(
        constants, number=lambda c: then[c.name].model_dump(exclude={"kind", "name", "dtype"})
    )


def of_celsius(constants: Constants, old: Constants) -> Constants:
    def change(c: Any) -> dict[str, Any]:
        return {f: (getattr(c, f) - 32) / 1.8 for f in ("mean", "min", "max")} | {
            "std_dev": c.std_dev / 1.8
        }

    return edited(constants, temp=change, dewp=change)


def variance_for_deviation(constants: Constants, old: Constants) -> Constants:
    return edited(constants, number=lambda c: {"std_dev": c.std_dev**2})


CONSTANTS: dict[str, Callable[[Constants, Constants], Constants]] = {
    "vocabulary shifted by one": shifted_vocabulary,
    "vocabulary of another window": old_vocabulary,
    "preprocessing left out: raw numbers": raw_numbers,
    "standardised by another month's statistics": old_numbers,
    "standardised in °C, asked in °F": of_celsius,
    "divided by the variance": variance_for_deviation,
}


# --- what it is fed


def zeroed(columns: Columns, names: list[str]) -> Columns:
    import tensorflow as tf

    return columns | {name: tf.zeros_like(columns[name]) for name in names}


def rolled(columns: Columns, names: list[str]) -> Columns:
    """Give each row its neighbour's value."""
    import tensorflow as tf

    return columns | {name: tf.roll(columns[name], 1, axis=0) for name in names}


def swapped(columns: Columns, one: str, other: str) -> Columns:
    import tensorflow as tf

    dtypes = {name: columns[name].dtype for name in (one, other)}
    return columns | {
        one: tf.cast(columns[other], dtypes[one]),
        other: tf.cast(columns[one], dtypes[other]),
    }


def uppercase_lost(columns: Columns) -> Columns:
    import tensorflow as tf

    return columns | {
        name: tf.strings.lower(columns[name]) for name in ("carrier", "origin", "dest")
    }


def jfk_turned_around(score: Any, raw: Columns) -> Any:
    import tensorflow as tf

    return tf.where(raw["origin"] == "JFK", 1 - score, score)


def small_airport_constant(score: Any, raw: Columns) -> Any:
    import tensorflow as tf

    return tf.where(raw["origin"] == "LGA", 0.2 * tf.ones_like(score), score)


FED: dict[str, Callable[[Columns], Columns]] = {
    "hour and minute zeroed when serving": partial(zeroed, names=["hour", "minute"]),
    "weather zeroed when serving": partial(
        zeroed, names=["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
    ),
    "a row's weather is its neighbour's when serving": partial(
        rolled, names=["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]
    ),
    "temp and dewp swapped when serving": partial(swapped, one="temp", other="dewp"),
    "hour and weekday swapped when serving": partial(swapped, one="hour", other="weekday"),
    "codes in lower case when serving": uppercase_lost,
}
SAID: dict[str, Callable[[Any, Columns], Any]] = {
    "scores turned around at one airport (JFK)": jfk_turned_around,
    "one score for one airport (LGA)": small_airport_constant,
}


class Fed(Preprocessing):
    """Preprocessing of columns that something has changed on the way."""

    def __init__(self, constants: Constants, change: Callable[[Columns], Columns]) -> None:
        super().__init__(constants)
        self._change = change

    def __call__(self, columns: Any) -> tuple[Any, Any]:
        """Return the matrices of the changed columns."""
        return super().__call__(self._change(dict(columns)))


def net_of(ground: Ground, change: Any = None) -> Any:
    """Return the sound net, with its weights changed."""
    net = network.build(ground.spec, ground.constants)
    held = weights.read(ground.sound)
    net.set_weights(list((change(held) if change else held).values()))
    return net


def with_weights(name: str, change: Any, ground: Ground) -> Artifact:
    """Return the sound model with other weights."""

    def write(folder: Path) -> None:
        served = saved_model.Served(Preprocessing(ground.constants), net_of(ground, change))
        ground.write(folder, served)

    return ground.artifact(name, write)


def with_constants(name: str, change: Any, ground: Ground) -> Artifact:
    """Return the sound net behind another preprocessing."""

    def write(folder: Path) -> None:
        first = list(ground.examples.values())[:EVALUATE]
        old = constants_of.load(ground.constants_from(first))
        changed = change(ground.constants, old)
        ground.write(folder, saved_model.Served(Preprocessing(changed), net_of(ground)))
        (folder / constants_of.FILE).write_text(changed.model_dump_json(indent=2))

    return ground.artifact(name, write)


def with_scores(name: str, change: Any, ground: Ground) -> Artifact:
    """Return the sound model, its scores changed by what it was asked."""

    class Said(saved_model.Served):
        def score(self, raw: Any) -> Any:
            return change(super().score(raw), raw)

    def write(folder: Path) -> None:
        ground.write(folder, Said(Preprocessing(ground.constants), net_of(ground)))

    return ground.artifact(name, write)


def with_feed(name: str, change: Any, ground: Ground) -> Artifact:
    """Return the sound net, fed with columns changed on the way."""

    def write(folder: Path) -> None:
        ground.write(folder, saved_model.Served(Fed(ground.constants, change), net_of(ground)))

    return ground.artifact(name, write)


def add(table: dict[str, Any], make: Callable[..., Artifact], kind: str) -> None:
    for name, change in table.items():
        harmless = HARMLESS.get(name, "")
        MUTANTS.append(Mutant(name, kind, partial(make, name, change), harmless=harmless))


add(WEIGHTS, with_weights, "weights")
add(CONSTANTS, with_constants, "preprocessing")
add(FED, with_feed, "preprocessing")
add(SAID, with_scores, "weights")
