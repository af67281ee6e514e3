"""Small SavedModels with one signature for each thing that the protocol can do."""

from __future__ import annotations

import shutil
from pathlib import Path

import tensorflow as tf

FLOATS = tf.TensorSpec([None], tf.float32, "x")
STRINGS = tf.TensorSpec([None], tf.string, "word")
EXAMPLES = tf.TensorSpec([None], tf.string, "inputs")


class Tiny(tf.Module):
    """`score = x / 2 + version`, so that every answer tells who gave it."""

    def __init__(self, version: int) -> None:
        super().__init__()
        self.version = tf.Variable(float(version))
        self.lengths = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2], value_dtype=tf.int64), -1
        )

    @tf.function(input_signature=[FLOATS, STRINGS])
    def score(self, x, word):
        return {"score": x / 2 + self.version, "known": self.lengths.lookup(word)}

    @tf.function(input_signature=[tf.TensorSpec([None, 2], tf.float32, "x")])
    def total(self, x):
        return {"y": tf.reduce_sum(x, 1)}

    @tf.function(
        input_signature=[tf.TensorSpec([None], tf.int32, "i"), tf.TensorSpec([None], tf.bool, "b")]
    )
    def strict(self, i, b):
        return {"i": i, "b": b}

    @tf.function(input_signature=[STRINGS])
    def echo(self, word):
        return {"text": word, "text_bytes": word}

    @tf.function(input_signature=[tf.TensorSpec([], tf.float32, "x")])
    def scalar(self, x):
        return {"y": x * 2}

    @tf.function(input_signature=[FLOATS])
    def ones_only(self, x):
        tf.debugging.assert_equal(x, 1.0, message="only ones")
        return {"y": tf.identity(x)}

    @tf.function(input_signature=[tf.TensorSpec([None], tf.float64, "seconds")])
    def slow(self, seconds):
        end = tf.timestamp() + tf.reduce_max(seconds)
        late = tf.while_loop(lambda now: now < end, lambda _: [tf.timestamp()], [tf.timestamp()])
        return {"seconds": seconds + 0 * late[0]}

    def _x(self, examples):
        spec = {"x": tf.io.FixedLenFeature([], tf.float32)}
        return tf.io.parse_example(examples, spec)["x"]

    @tf.function(input_signature=[EXAMPLES])
    def classify(self, inputs):
        late = tf.sigmoid(self._x(inputs))
        labels = tf.tile([["on time", "late"]], [tf.shape(inputs)[0], 1])
        return {"classes": labels, "scores": tf.stack([1 - late, late], 1)}

    @tf.function(input_signature=[EXAMPLES])
    def regress(self, inputs):
        return {"outputs": self._x(inputs) / 2 + self.version}


def save(path: Path, version: int) -> Path:
    """Save Tiny of this version at `path`."""
    tiny = Tiny(version)
    signatures = {
        "serving_default": tiny.score,
        **{
            name: getattr(tiny, name)
            for name in ("total", "strict", "echo", "scalar", "ones_only", "slow")
        },
        **{name: getattr(tiny, name) for name in ("classify", "regress")},
    }
    tf.saved_model.save(tiny, str(path), signatures=signatures)
    updater = tf.compat.v1.saved_model.signature_def_utils.MethodNameUpdater(str(path))
    for name in ("classify", "regress"):
        updater.replace_method_name(name, f"tensorflow/serving/{name}")
    updater.save(str(path))
    return path


def publish(model: Path, base: Path, version: int | str) -> Path:
    """Put a copy of a saved model under `base` as a release does: staged aside, then renamed."""
    base.mkdir(parents=True, exist_ok=True)
    staged = base / f".staged-{version}"
    shutil.copytree(model, staged)
    return staged.rename(base / str(version))


def write_warmup(model: Path, *logs) -> None:
    """Put PredictionLogs, or raw bytes, into the model as its warm-up records."""
    target = model / "assets.extra" / "tf_serving_warmup_requests"
    target.parent.mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(target)) as writer:
        for log in logs:
            writer.write(log if isinstance(log, bytes) else log.SerializeToString())
