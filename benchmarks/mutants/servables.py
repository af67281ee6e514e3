"""Faults that only a server shows: signatures, shapes, time, memory, and answers to unusual requests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.mutants import nets
from benchmarks.mutants.ground import MEMORY_MB, Ground
from benchmarks.mutants.mutant import MUTANTS, Mutant
from components import home
from components.columns import MISSING
from components.scoring import SAVED_MODEL
from components.store import Artifact
from components.train import saved_model
from components.train.preprocessing import Preprocessing
from components.train.saved_model import Served

KIND = "serving"
DEFAULT = "serving_default"
WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"

Raw = dict[str, Any]


def resaved(
    name: str,
    answer: Callable[[Any, Raw], Raw],
    ground: Ground,
    *,
    signature: str = DEFAULT,
    takes: Callable[[Raw], Raw] = dict,
    afterwards: Callable[[Path], None] = lambda folder: None,
) -> Artifact:
    """Return the sound model with one signature, `answer(score, raw)` of what it `takes`.

    `afterwards`: what is done to the model's folder.
    """
    import tensorflow as tf

    served = Served(Preprocessing(ground.constants), nets.net_of(ground))
    specs = {
        f.name: tf.TensorSpec([None], tf.as_dtype(f.dtype), name=f.name)
        for f in ground.constants.features
    }

    def call(**given: Any) -> Raw:
        rows = tf.shape(next(iter(given.values())))
        raw = {
            name: tf.cast(given[name], spec.dtype)
            if name in given
            else tf.fill(rows, tf.constant(MISSING[spec.dtype.name], spec.dtype))
            for name, spec in specs.items()
        }
        return answer(served.score, raw)

    def write(folder: Path) -> None:
        shutil.rmtree(folder / SAVED_MODEL)
        traced = tf.function(call, autograph=False).get_concrete_function(**takes(specs))
        others = saved_model.signatures(served, ground.constants.features)
        del others[DEFAULT]
        served.extra = getattr(answer, "state", None)
        whole = {} if answer is plain and signature == DEFAULT and takes is dict else others
        tf.saved_model.save(
            served, str(folder / SAVED_MODEL), signatures={**whole, signature: traced}
        )
        afterwards(folder)

    return ground.artifact(name, write)


def plain(score: Any, raw: Raw) -> Raw:
    return {"score": score(raw)}


def renamed(score: Any, raw: Raw) -> Raw:
    return {"probability": score(raw)}


def of_two_axes(score: Any, raw: Raw) -> Raw:
    return {"score": score(raw)[:, None]}


def doubles(score: Any, raw: Raw) -> Raw:
    import tensorflow as tf

    return {"score": tf.cast(score(raw), tf.float64)}


def one_for_all(score: Any, raw: Raw) -> Raw:
    return {"score": score(raw)[:1]}


def slow(score: Any, raw: Raw) -> Raw:
    import tensorflow as tf

    turns = tf.while_loop(
        lambda n, held: n < 50,
        lambda n, held: [n + 1, tf.matmul(held, held) / 1000],
        [tf.constant(0), tf.ones([1000, 1000])],
    )
    return {"score": score(raw) + 0 * turns[1][0, 0]}


def nan_for_the_unknown(score: Any, raw: Raw) -> Raw:
    import tensorflow as tf

    return {"score": tf.where(raw["carrier"] == "", float("nan"), score(raw))}


def nan_for_missing(score: Any, raw: Raw) -> Raw:
    import tensorflow as tf

    return {"score": tf.where(tf.math.is_nan(raw["pressure"]), float("nan"), score(raw))}


def of_its_batch(score: Any, raw: Raw) -> Raw:
    import tensorflow as tf

    said = score(raw)
    rows = tf.cast(tf.size(said), tf.float32)
    return {"score": tf.clip_by_value(said + 0.0005 * (said - tf.reduce_sum(said) / rows), 0, 1)}


def drawing_lots(score: Any, raw: Raw) -> Raw:
    import tensorflow as tf

    said = score(raw)
    return {"score": tf.clip_by_value(said + tf.random.normal(tf.shape(said), stddev=1e-3), 0, 1)}


def endless(score: Any, raw: Raw) -> Raw:
    import tensorflow as tf

    stuck = tf.reduce_any(raw["carrier"] == "")
    turns = tf.while_loop(lambda n: stuck | (n < 1), lambda n: [n + 1], [tf.constant(0)])
    return {"score": score(raw) * tf.cast(turns[0], tf.float32)}


def of_python(score: Any, raw: Raw) -> Raw:
    import tensorflow as tf

    said = tf.py_function(lambda held: held, [score(raw)], tf.float32)
    return {"score": tf.ensure_shape(said, [None])}


def lookup_refuses(score: Any, raw: Raw) -> Raw:
    """Refuse a whole request for one destination that it does not know."""
    import tensorflow as tf

    with tf.control_dependencies(
        [tf.debugging.assert_less(tf.strings.length(raw["dest"]), 5, "unknown destination")]
    ):
        return {"score": tf.identity(score(raw))}


def heavy(name: str, megabytes: int, ground: Ground) -> Artifact:
    """Return the sound model with a table that nothing needs."""
    import tensorflow as tf

    table = tf.Variable(tf.ones([megabytes, 2**18]))

    def answer(score: Any, raw: Raw) -> Raw:
        return {"score": score(raw) + 0 * table[0, 0]}

    answer.state = table  # type: ignore[attr-defined]
    return resaved(name, answer, ground)


def eating(name: str, ground: Ground) -> Artifact:
    """Return a model that keeps 32 MB of each request for ever."""
    import tensorflow as tf

    eaten = tf.Variable(tf.ones([1]), shape=[None])

    def answer(score: Any, raw: Raw) -> Raw:
        grown = eaten.assign(tf.concat([eaten, tf.ones([2**23])], 0))
        return {"score": score(raw) + 0 * grown[-1]}

    answer.state = eaten  # type: ignore[attr-defined]
    return resaved(name, answer, ground)


def waiting(name: str, ground: Ground) -> Artifact:
    """Return the sound model with a vocabulary beside it that never arrives: a pipe without a writer."""
    import tensorflow as tf

    words = home.var() / "words.txt"
    words.write_text("UA\n")
    place = tf.lookup.TextFileIndex
    by = tf.lookup.TextFileInitializer(
        str(words), tf.string, place.WHOLE_LINE, tf.int64, place.LINE_NUMBER
    )
    table = tf.lookup.StaticHashTable(by, -1)

    def answer(score: Any, raw: Raw) -> Raw:
        return {"score": score(raw) + 0 * tf.cast(table.lookup(raw["carrier"]), tf.float32)}

    answer.state = table  # type: ignore[attr-defined]

    def pipe(folder: Path) -> None:
        (asset := folder / SAVED_MODEL / "assets" / words.name).unlink()
        os.mkfifo(asset)

    return resaved(name, answer, ground, afterwards=pipe)


def without(specs: Raw, name: str) -> Raw:
    return {n: spec for n, spec in specs.items() if n != name}


def with_another(specs: Raw) -> Raw:
    import tensorflow as tf

    return {**specs, "dep_delay": tf.TensorSpec([None], tf.float32, name="dep_delay")}


def retyped(specs: Raw) -> Raw:
    import tensorflow as tf

    return {**specs, "minute": tf.TensorSpec([None], tf.float32, name="minute")}


def torn(folder: Path) -> None:
    graph = folder / SAVED_MODEL / "saved_model.pb"
    os.truncate(graph, graph.stat().st_size // 2)


def weights_lost(folder: Path) -> None:
    for shard in (folder / SAVED_MODEL / "variables").glob("*.data-*"):
        os.truncate(shard, shard.stat().st_size // 2)


def stray_warm_up(folder: Path) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis import (
        prediction_log_pb2,
        prediction_service_pb2_grpc,  # noqa: F401
    )

    record = prediction_log_pb2.PredictionLog()
    record.predict_log.request.inputs["altitude"].CopyFrom(tf.make_tensor_proto([1.0]))
    with tf.io.TFRecordWriter(str(folder / SAVED_MODEL / WARM_UP)) as file:
        file.write(record.SerializeToString())


ANSWERS: dict[str, Callable[[Any, Raw], Raw]] = {
    "classify and regress lost": plain,
    "output renamed": renamed,
    "output of another shape": of_two_axes,
    "output of another dtype": doubles,
    "one answer for the whole request": one_for_all,
    "slow: fifty large products a request": slow,
    "NaN where a reading is missing": nan_for_missing,
    "NaN where the carrier is missing": nan_for_the_unknown,
    "answers that depend on the batch": of_its_batch,
    "answers that draw lots": drawing_lots,
    "hangs where the carrier is missing": endless,
    "refuses an unknown destination": lookup_refuses,
    "Python inside": of_python,
}
FILES: dict[str, Callable[[Path], None]] = {
    "graph torn": torn,
    "weights torn": weights_lost,
    "warm-up of another model": stray_warm_up,
}
MAKERS: dict[str, Callable[[Ground], Artifact]] = {
    "signature of another name": partial(resaved, "signature", plain, signature="predict"),
    "an input fewer": partial(resaved, "fewer", plain, takes=partial(without, name="visib")),
    "an input more": partial(resaved, "more", plain, takes=with_another),
    "an input of another dtype": partial(resaved, "retyped", plain, takes=retyped),
    "beyond the memory budget": partial(heavy, "heavy", int(0.5 * MEMORY_MB)),
    "eats memory when asked": partial(eating, "eating"),
    "waits for a vocabulary for ever": partial(waiting, "waiting"),
}


def _make(name: str, ground: Ground, answer: Callable[[Any, Raw], Raw]) -> Artifact:
    return resaved(name, answer, ground)


for _name, _answer in ANSWERS.items():
    _resaved = partial(_make, _name, answer=_answer)
    MUTANTS.append(Mutant(_name, KIND, _resaved, serves=True))
for _name, _write in FILES.items():
    _edited = partial(lambda name, write, ground: ground.artifact(name, write), _name, _write)
    MUTANTS.append(Mutant(_name, KIND, _edited, serves=True))
for _name, _maker in MAKERS.items():
    MUTANTS.append(Mutant(_name, KIND, _maker, serves=True))
