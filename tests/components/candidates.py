"""Candidates for the tiny house: one that is fine, and each of the ways in which one is not."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from tiny_house import NAME

from components import store
from components.schema import Feature
from components.transform import Category, Constants, Number

SPAN = "2013-01-03"
FEATURES = [Feature("distance", "number", "float32"), Feature("carrier", "category", "string")]
CONSTANTS = Constants(
    columns=(
        Number(name="distance", dtype="float32", mean=900, std_dev=600, min=80, max=4983),
        Category(
            name="carrier", dtype="string", vocabulary=("UA", "AA"), complete=True, distinct=2
        ),
    ),
    rows=100,
)


def rows(n: int = 40) -> pd.DataFrame:
    """Return rows as they lie in examples: with an id, a label, and values missing here and there."""
    numbers = np.arange(n)
    distance = np.where(numbers % 7 == 3, np.nan, 100.0 + 50 * numbers).astype(np.float32)
    carrier = [None if i % 11 == 5 else ("UA", "AA", "VX")[i % 3] for i in range(n)]
    ids = [f"flight {i}" for i in range(n)]
    return pd.DataFrame({"id": ids, "distance": distance, "carrier": carrier, "late": numbers % 2})


def examples(n: int = 40) -> store.Artifact:
    def build(draft: store.Draft) -> dict:
        rows(n).to_parquet(draft.folder / "examples.parquet")
        return {}

    return store.once("examples", NAME, SPAN, inputs={"rows": str(n)}, build=build)


def candidate(export: Callable[[Path], None], name: str) -> store.Artifact:
    """Return a model artifact whose SavedModel `export` writes to the folder it is given."""

    def build(draft: store.Draft) -> dict:
        export(draft.folder / "saved_model")
        (draft.folder / "constants.json").write_text(CONSTANTS.model_dump_json())
        return {"summary": name}

    return store.once("train", NAME, SPAN, inputs={"candidate": name}, build=build)


def fine(folder: Path) -> None:
    """Write a small net by the very export of the project, warm-up records included."""
    import keras

    from components.train.preprocessing import Preprocessing, inputs
    from components.train.saved_model import export

    keras.utils.set_random_seed(1)
    taken = inputs(CONSTANTS)
    coded = keras.layers.CategoryEncoding(3, output_mode="one_hot")(taken["carrier"])
    joined = keras.layers.Concatenate()([taken["distance"], coded])
    score = keras.layers.Dense(1, activation="sigmoid")(joined)
    net = keras.Model(taken, score)
    export(Preprocessing(CONSTANTS), net, CONSTANTS.features, folder, rows())


def torn(folder: Path) -> None:
    """Write a model whose graph lost its second half."""
    fine(folder)
    graph = folder / "saved_model.pb"
    os.truncate(graph, graph.stat().st_size // 2)


def hanging(folder: Path) -> None:
    """Write a model whose vocabulary never arrives: a pipe that nobody writes to."""
    import tensorflow as tf

    words = folder.with_name("words.txt")
    words.write_text("UA\n")
    place = tf.lookup.TextFileIndex
    by = tf.lookup.TextFileInitializer(
        str(words), tf.string, place.WHOLE_LINE, tf.int64, place.LINE_NUMBER
    )
    table = tf.lookup.StaticHashTable(by, -1)

    def answer(module, distance, carrier):
        known = tf.cast(table.lookup(carrier), tf.float32)
        return {"score": tf.sigmoid(_known(distance) / 1000 + known)}

    _answering(folder, answer, holds=table)
    words.unlink()
    (folder / "assets" / words.name).unlink()
    os.mkfifo(folder / "assets" / words.name)


def failing_warm_up(folder: Path) -> None:
    """Write a model with a warm-up request that it cannot answer: for a column it does not take."""
    import tensorflow as tf
    from tensorflow_serving.apis import (
        prediction_log_pb2,
        prediction_service_pb2_grpc,  # noqa: F401
    )

    fine(folder)
    record = prediction_log_pb2.PredictionLog()
    record.predict_log.request.inputs["altitude"].CopyFrom(tf.make_tensor_proto([1.0]))
    with tf.io.TFRecordWriter(str(folder / "assets.extra/tf_serving_warmup_requests")) as file:
        file.write(record.SerializeToString())


def wrong_in_use(folder: Path) -> None:
    """Write a model that loads and takes what it should; it answers NaN, is slow, and is huge."""
    import tensorflow as tf

    class Wrong(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.huge = tf.Variable(tf.ones([64, 2**20]))  # 256 MB

        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.float32, "distance"),
                tf.TensorSpec([None], tf.string, "carrier"),
            ]
        )
        def score(self, distance, carrier):
            slow = tf.ones([500, 500])
            for _ in tf.range(20):
                slow = tf.matmul(slow, slow) / 500
            held = self.huge[0, 0] * slow[0, 0] * tf.sigmoid(distance / 1000)
            return {"score": tf.where(carrier == "", float("nan"), held)}

    wrong = Wrong()
    tf.saved_model.save(wrong, str(folder), signatures={"serving_default": wrong.score})


def _answering(folder: Path, answer: Callable, holds=None, **state) -> None:
    """Write a model that takes what it should; `answer(module, distance, carrier)` are its outputs.

    `holds`: what `answer` uses beside; `state`: name → the first value of a variable for it.
    """
    import tensorflow as tf

    class Answering(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.holds = holds
            for name, first in state.items():
                shape = tf.TensorShape([None] * len(first.shape))
                setattr(self, name, tf.Variable(first, shape=shape))

        @tf.function(
            input_signature=[
                tf.TensorSpec([None], tf.float32, "distance"),
                tf.TensorSpec([None], tf.string, "carrier"),
            ]
        )
        def score(self, distance, carrier):
            return answer(self, distance, carrier)

    module = Answering()
    tf.saved_model.save(module, str(folder), signatures={"serving_default": module.score})


def plain(folder: Path) -> None:
    """Write a model with one signature, that answers right."""
    import tensorflow as tf

    _answering(folder, lambda _, distance, __: {"score": tf.sigmoid(_known(distance) / 1000)})


def drawing_lots(folder: Path) -> None:
    """Write a model whose answers are another each time."""
    import tensorflow as tf

    _answering(folder, lambda _, distance, __: {"score": tf.random.uniform(tf.shape(distance))})


def depending_on_neighbours(folder: Path) -> None:
    """Write a model that standardises by the rows of the request."""
    import tensorflow as tf

    def answer(_, distance, __):
        known = _known(distance)
        return {"score": tf.sigmoid(known - tf.reduce_mean(known))}

    _answering(folder, answer)


def hanging_when_asked(folder: Path) -> None:
    """Write a model that comes to no end over a carrier that it does not know."""
    import tensorflow as tf

    def answer(_, distance, carrier):
        unknown = tf.reduce_any(carrier == "never seen before")
        turns = tf.while_loop(lambda n: unknown | (n < 1), lambda n: [n + 1], [tf.constant(0)])
        return {"score": tf.sigmoid(_known(distance)) * tf.cast(turns[0], tf.float32)}

    _answering(folder, answer)


def eating_memory(folder: Path) -> None:
    """Write a model that keeps 64 MB of each request for ever."""
    import tensorflow as tf

    def answer(module, distance, __):
        module.eaten.assign(tf.concat([module.eaten, tf.ones([2**24])], 0))
        return {"score": tf.sigmoid(_known(distance)) + 0 * module.eaten[-1]}

    _answering(folder, answer, eaten=tf.ones([1]))


def _known(distance):
    import tensorflow as tf

    return tf.where(tf.math.is_nan(distance), 0.0, distance)
