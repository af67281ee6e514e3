"""trial: one training of the search, watched epoch by epoch on the spans that are held out."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import tensorflow as tf

from components import home, store
from components import transform as constants_of
from components.columns import columns
from components.spec import Spec
from components.train import network
from components.train.fitting import Rows, fit, strategy
from components.train.preprocessing import Preprocessing
from components.train.rows import fed, labelled
from components.transform import Constants

ROWS_AT_ONCE = 16_384  # through the net, when it is judged


class Pruned(Exception):
    """The trial is not worth its next epoch."""


@dataclass(frozen=True)
class Data:
    """What all trials share: the rows that train, those that are held out, preprocessed alike."""

    constants: Constants
    preprocessing: Preprocessing
    train: Rows
    judge: Rows


def prepared(
    spec: Spec,
    train: Sequence[store.Artifact],
    judge: Sequence[store.Artifact],
    transform: store.Artifact,
) -> Data:
    """Read and preprocess the rows, once for all trials."""
    if not tf.config.list_physical_devices("GPU"):
        tf.config.experimental.enable_op_determinism()
    constants = constants_of.load(transform)
    preprocessing = Preprocessing(constants)

    def rows(examples: Sequence[store.Artifact]) -> Rows:
        frame, labels, _ = labelled(spec, constants, examples)
        return fed(preprocessing, columns(frame, constants.features), labels)

    return Data(constants, preprocessing, rows(train), rows(judge))


def train_one(spec: Spec, data: Data, watch: Callable[[float], None]) -> None:
    """Train one net; call `watch` with its loss on the held-out rows after every epoch.

    What `watch` raises ends the training. Raises SluiceError as a training does.
    """
    net = network.build(spec, data.constants, precision=spec.train.precision, strategy=strategy())
    judged = _batches(net, data)

    class Watch(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
            watch(float(net.evaluate(judged, verbose=0, return_dict=True)["loss"]))

    aside = home.var() / "tmp"
    aside.mkdir(parents=True, exist_ok=True)
    with (
        network.blamed(spec.folder / "model.py", always=False, but=Pruned),
        tempfile.TemporaryDirectory(dir=aside, prefix=f"{spec.name}-trial-") as folder,
    ):
        logs = Path(folder)
        fit(net, data.preprocessing, data.train, spec.train, logs, logs, also=(Watch(),))


def _batches(net: keras.Model, data: Data) -> tf.data.Dataset:
    """Return the held-out rows as the net takes them."""
    fed = data.preprocessing.split(data.judge.numbers, data.judge.indexes)
    rows = {name: fed[name] for name in net.input}
    return tf.data.Dataset.from_tensor_slices((rows, data.judge.labels)).batch(ROWS_AT_ONCE)
