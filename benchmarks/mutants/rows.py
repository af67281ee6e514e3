"""Faults of the rows that train: what an upstream system, a join or a label does wrong.

Each changes every span of the training window. Delivered so, the data gate looks at the first of them;
`inside` the training, after the gate, only the model can show it.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from benchmarks.mutants.ground import Change, Ground
from benchmarks.mutants.mutant import MUTANTS, Mutant
from components.store import Artifact
from demo import feed

LABEL = "late"
WEATHER = ["temp", "dewp", "humid", "wind_speed", "precip", "pressure", "visib"]


def draw(span: str) -> np.random.Generator:
    """Return the chance of a span: the same each time."""
    return np.random.default_rng(int(span.replace("-", "")))


def flip(rows: pd.DataFrame, which: np.ndarray) -> pd.DataFrame:
    """Turn the label around where it is known."""
    rows.loc[which, LABEL] = 1 - rows.loc[which, LABEL]
    return rows


def labels_flipped_at_jfk(rows: pd.DataFrame, span: str) -> pd.DataFrame:
    return flip(rows, rows["origin"].to_numpy() == "JFK")


def labels_flipped(rows: pd.DataFrame, span: str) -> pd.DataFrame:
    return flip(rows, np.ones(len(rows), bool))


def labels_flipped_in_a_fifth(rows: pd.DataFrame, span: str) -> pd.DataFrame:
    return flip(rows, draw(span).random(len(rows)) < 0.2)


def labels_of_another_rule(rows: pd.DataFrame, span: str, over: int) -> pd.DataFrame:
    """Call late what came in more than `over` minutes after its time."""
    flown = feed.flights(span).to_pandas()
    flown["minute"] = flown["hour"] * 60 + flown["minute"]
    key = ["carrier", "flight", "origin", "minute"]
    delay = rows[key].merge(flown[[*key, "arr_delay"]].drop_duplicates(key), "left")["arr_delay"]
    rows[LABEL] = (delay > over).astype("float64").where(delay.notna()).to_numpy()
    return rows


def labels_a_row_off(rows: pd.DataFrame, span: str) -> pd.DataFrame:
    rows[LABEL] = rows[LABEL].shift(1)
    return rows


def labels_always_late(rows: pd.DataFrame, span: str) -> pd.DataFrame:
    rows.loc[rows["carrier"] == "UA", LABEL] = 1.0
    return rows


def shuffled(rows: pd.DataFrame, span: str, columns: list[str]) -> pd.DataFrame:
    order = draw(span).permutation(len(rows))
    rows[columns] = rows[columns].to_numpy()[order]
    return rows.astype({c: "float32" for c in columns if c in WEATHER})


def celsius(rows: pd.DataFrame, span: str) -> pd.DataFrame:
    for column in ("temp", "dewp"):
        rows[column] = ((rows[column] - 32) / 1.8).astype("float32")
    return rows


def constant_weather(rows: pd.DataFrame, span: str) -> pd.DataFrame:
    for column in WEATHER:
        rows[column] = rows[column].iloc[0] if rows[column].notna().iloc[0] else 0.0
    return rows


def leaked(rows: pd.DataFrame, span: str) -> pd.DataFrame:
    """Write into the wind what nobody knows before the flight is over."""
    noise = draw(span).normal(0, 2, len(rows))
    rows["wind_speed"] = (20 * rows[LABEL].fillna(0) + 10 + noise).astype("float32")
    return rows


def duplicated(rows: pd.DataFrame, span: str) -> pd.DataFrame:
    return pd.concat([rows, rows], ignore_index=True)


def one_airport(rows: pd.DataFrame, span: str) -> pd.DataFrame:
    return rows[rows["origin"] == "EWR"].reset_index(drop=True)


def without_the_late(rows: pd.DataFrame, span: str) -> pd.DataFrame:
    """Lose nine in ten of the late flights."""
    lost = (rows[LABEL] == 1) & (draw(span).random(len(rows)) < 0.9)
    return rows[~lost].reset_index(drop=True)


FAULTS: dict[str, Change] = {
    "labels flipped at one airport (JFK)": labels_flipped_at_jfk,
    "labels flipped": labels_flipped,
    "labels flipped at random, 20 %": labels_flipped_in_a_fifth,
    "label of yesterday's rule: over 0 min": partial(labels_of_another_rule, over=0),
    "label of yesterday's rule: over 60 min": partial(labels_of_another_rule, over=60),
    "label a row off": labels_a_row_off,
    "label always late for one carrier (UA)": labels_always_late,
    "time of day shuffled": partial(shuffled, columns=["hour", "minute"]),
    "weather shuffled": partial(shuffled, columns=WEATHER),
    "weather constant": constant_weather,
    "temperatures in °C": celsius,
    "a column that knows the answer": leaked,
    "every row twice": duplicated,
    "one airport only": one_airport,
    "late flights lost, 90 %": without_the_late,
}
# Once the data gate has let rows in, faults that a sampling or a join within the training could make.
INSIDE = (
    "labels flipped at one airport (JFK)",
    "labels flipped",
    "labels flipped at random, 20 %",
    "label a row off",
    "label always late for one carrier (UA)",
    "time of day shuffled",
    "weather shuffled",
    "a column that knows the answer",
    "every row twice",
    "one airport only",
    "late flights lost, 90 %",
)
HARMLESS = {"every row twice": "the same rows twice are a second round of epochs"}


def _trained(name: str, change: Change, ground: Ground) -> Artifact:
    examples = ground.changed(name, change)
    constants = ground.constants_from(ground.window()[0])
    return ground.train(name, examples, constants=constants)


def _delivered(name: str, change: Change, ground: Ground) -> Artifact:
    examples = ground.changed(name, change)
    return ground.train(name, examples)


for _name, _change in FAULTS.items():
    MUTANTS.append(Mutant(_name, "rows", partial(_delivered, _name, _change), arrives=_change))
for _name in INSIDE:
    _make = partial(_trained, _name, FAULTS[_name])
    MUTANTS.append(Mutant(_name, "training", _make, harmless=HARMLESS.get(_name, "")))
