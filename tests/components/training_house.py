"""A house with one pipeline of made rows: numbers, categories, missing values, and a label to learn.

Everything in it is the real code, from the statistics to the SavedModel; only the rows are few.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components import home, pipelines, spans, spec, store
from components.store import Artifact

NAME = "made"
SPAN = "2013-01-04"
DAYS = spans.before(SPAN, 3)
YAML = """
source: {{path: "var/arrivals/{{span}}"}}
span: {{first: 2013-01-01}}
window: {{train: 3, evaluate: 1}}
label: late
key: [id]
train: {{{train}}}
thresholds: [{{metric: auc, at_least: 0.5}}]
serving: {{name: made}}
"""
SCHEMA = """
feature { name: "id" type: BYTES not_in_environment: "SERVING" }
feature { name: "distance" type: FLOAT }
feature { name: "carrier" type: BYTES }
feature { name: "minute" type: INT }
feature { name: "hour" type: INT int_domain { is_categorical: true } }
feature { name: "late" type: INT not_in_environment: "SERVING" }
default_environment: "TRAINING"
default_environment: "SERVING"
"""
MODEL = """
import keras
from keras import layers

def model(inputs, vocabulary_sizes):
    embedded = [
        layers.Flatten()(layers.Embedding(size, 2, name=f"embed_{name}")(inputs[name]))
        for name, size in vocabulary_sizes.items()
    ]
    x = layers.Concatenate()([inputs["distance"], inputs["minute"], *embedded])
    x = layers.Dropout(0.2)(layers.Dense(8, activation="relu")(x))
    x = layers.BatchNormalization()(x)
    net = keras.Model(inputs, layers.Dense(1, activation="sigmoid", dtype="float32")(x))
    net.compile(optimizer=keras.optimizers.Adam(0.01), loss="binary_crossentropy")
    return net
"""


def rows(span: str, n: int = 120) -> pd.DataFrame:
    """Return the rows of a day: long and Delta's flights are late, one in ten has a value missing."""
    rng = np.random.default_rng(int(span.replace("-", "")))
    distance = rng.uniform(100, 2000, n).astype(np.float32)
    carrier = rng.choice(["AA", "UA", "DL"], n, p=[0.5, 0.3, 0.2]).astype(object)
    late = distance / 2000 + (carrier == "DL") + rng.normal(0, 0.3, n) > 0.9
    distance[rng.random(n) < 0.1] = np.nan
    carrier[rng.random(n) < 0.1] = None
    return pd.DataFrame(
        {
            "id": [f"{span} {i}" for i in range(n)],
            "distance": distance,
            "carrier": carrier,
            "minute": pd.array(rng.integers(0, 1440, n), "Int64"),
            "hour": pd.array(rng.integers(5, 9, n), "Int64"),
            "late": pd.array(late.astype(int), "Int64"),
        }
    )


@dataclass
class House:
    """A house in `folder`, with a spec whose `train` settings and `model.py` a test may set."""

    folder: Path
    settings: str = "epochs: 3, batch_size: 32"
    days: dict[str, pd.DataFrame] = field(default_factory=lambda: {d: rows(d) for d in DAYS})

    @classmethod
    def at(cls, folder: Path, patch: pytest.MonkeyPatch) -> House:
        patch.setenv("SLUICE_HOME", str(folder))
        house = cls(folder)
        house.write("schemas/made.pbtxt", SCHEMA)
        house.write("pipelines/made/ingest.sql", "SELECT 1")
        house.write("pipelines/made/model.py", MODEL)
        return house

    def write(self, path: str, text: str) -> None:
        (home.home() / path).parent.mkdir(parents=True, exist_ok=True)
        (home.home() / path).write_text(text)

    @property
    def spec(self) -> spec.Spec:
        self.write("pipelines/made/pipeline.yaml", YAML.format(train=self.settings))
        return pipelines.load(NAME)

    def examples(self) -> list[Artifact]:
        return [self.taken_in(day, frame) for day, frame in self.days.items()]

    def taken_in(self, day: str, frame: pd.DataFrame) -> Artifact:
        def build(draft: store.Draft) -> dict:
            frame.to_parquet(draft.folder / "examples.parquet", index=False)
            return {"rows": len(frame)}

        content = str(pd.util.hash_pandas_object(frame).sum())
        return store.once("examples", NAME, day, inputs={"content": content}, build=build)

    def statistics(self) -> list[Artifact]:
        from components.describe import describe

        return [describe(self.spec, examples) for examples in self.examples()]

    def transform(self, statistics: Sequence[Artifact] | None = None) -> Artifact:
        from components.transform import transform

        return transform(self.spec, SPAN, self.statistics() if statistics is None else statistics)

    def train(self, baseline: Artifact | None = None) -> Artifact:
        from components.train import train

        return train(self.spec, SPAN, self.examples(), self.transform(), baseline)
