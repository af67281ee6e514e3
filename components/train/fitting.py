"""fitting: the epochs of a training, which a crash can interrupt and not change.

The order of an epoch's rows is drawn from the seed and the epoch's number alone, and after each
epoch all that changes (weights, optimizer, random layers' seeds) is on the disk. So a training that
was killed and begun again ends, on a CPU, with the same bits as one that never was.
"""

from __future__ import annotations

import json
import logging
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np
import tensorflow as tf

from components.errors import SluiceError
from components.spec import Train
from components.train.preprocessing import Preprocessing

log = logging.getLogger(__name__)

Epoch = dict[str, float]  # loss and metrics of one epoch, and its seconds


@dataclass(frozen=True)
class Rows:
    """What the preprocessing made of the window, once: numbers and indexes [n, ·], labels [n, 1]."""

    numbers: Any
    indexes: Any
    labels: Any

    def __len__(self) -> int:
        return int(self.labels.shape[0])


def fit(
    net: Any,
    preprocessing: Preprocessing,
    rows: Rows,
    train: Train,
    resume: Path,
    logs: Path,
    also: Sequence[keras.callbacks.Callback] = (),
) -> list[Epoch]:
    """Train the net in place, from the last epoch that `resume` holds; return every epoch's figures.

    Writes TensorBoard scalars to `logs`; `also` are told of every epoch. Raises SluiceError when the
    loss is not a number.
    """
    with net.distribute_strategy.scope():
        net.optimizer.build(net.trainable_variables)
    checkpoint = _Checkpoint(net, resume / "epoch.npz")
    history = checkpoint.restore()
    if history:
        log.info("resuming after epoch %d/%d", len(history), train.epochs)
    epochs = _Epochs(checkpoint, history, train.epochs, logs)
    try:
        if len(history) < train.epochs:
            net.fit(
                _batches(net, preprocessing, rows, train, first=len(history)),
                initial_epoch=len(history),
                epochs=train.epochs,
                steps_per_epoch=math.ceil(len(rows) / train.batch_size),
                callbacks=[epochs, *also],
                shuffle=False,  # the batches come shuffled
                verbose=0,
            )
    finally:
        epochs.writer.close()
    return history


def strategy() -> Any:
    """Return how to spread the training: over all GPUs if there are several, else no spreading."""
    several = len(tf.config.list_logical_devices("GPU")) > 1
    return tf.distribute.MirroredStrategy() if several else tf.distribute.get_strategy()


def _batches(net: Any, preprocessing: Preprocessing, rows: Rows, train: Train, first: int) -> Any:
    """Return the batches of all epochs from `first` on, each epoch in an order of its own."""

    @tf.autograph.experimental.do_not_convert
    def order(epoch: Any) -> Any:
        seed = tf.stack([tf.cast(train.seed, tf.int64), epoch])
        shuffled = tf.random.experimental.stateless_shuffle(tf.range(len(rows)), seed=seed)
        return tf.data.Dataset.from_tensor_slices(shuffled).batch(train.batch_size)

    @tf.autograph.experimental.do_not_convert
    def gathered(which: Any) -> Any:
        numbers, indexes = tf.gather(rows.numbers, which), tf.gather(rows.indexes, which)
        fed = preprocessing.split(numbers, indexes)
        return {name: fed[name] for name in net.input}, tf.gather(rows.labels, which)

    orders = tf.data.Dataset.range(first, train.epochs).flat_map(order)
    return orders.map(gathered).prefetch(2)


class _Checkpoint:
    """Everything that training changes, after the last whole epoch."""

    def __init__(self, net: Any, path: Path) -> None:
        self._path = path
        self._variables = [*net.variables, *net.optimizer.variables]

    def save(self, history: list[Epoch]) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        state = {f"{n:04d}": np.asarray(v) for n, v in enumerate(self._variables)}
        aside = self._path.with_name("epoch.next.npz")
        np.savez(aside, history=np.array(json.dumps(history)), **state)
        aside.replace(self._path)

    def restore(self) -> list[Epoch]:
        """Put everything back; return the history of the epochs done, none if there is no state."""
        try:
            with self._path.open("rb") as opened, np.load(opened) as file:
                history = json.loads(str(file["history"]))
                state = [file[f"{n:04d}"] for n in range(len(self._variables))]
            if [s.shape for s in state] != [tuple(v.shape) for v in self._variables]:
                raise ValueError("it is of another net")
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, EOFError, BadZipFile) as error:
            log.warning("%s cannot be read (%s): training begins anew", self._path, error)
            return []
        for variable, value in zip(self._variables, state, strict=True):
            variable.assign(value)
        return history


class _Epochs(keras.callbacks.Callback):
    """After each epoch: stop on a loss that is no number, keep the state, tell how far it is."""

    def __init__(
        self, checkpoint: _Checkpoint, history: list[Epoch], epochs: int, logs: Path
    ) -> None:
        super().__init__()
        self._checkpoint, self._history, self._epochs = checkpoint, history, epochs
        self.writer = tf.summary.create_file_writer(str(logs))
        for number, figures in enumerate(history, 1):
            self._show(number, figures)

    def on_epoch_begin(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        self._started = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        figures = {name: float(value) for name, value in (logs or {}).items()}
        if not math.isfinite(figures["loss"]):
            raise SluiceError(
                f"training: the loss of epoch {epoch + 1} is {figures['loss']}; "
                "lower the learning rate in model.py, or look for a log or a division of 0 in it"
            )
        figures["seconds"] = round(time.monotonic() - self._started, 3)
        self._history.append(figures)
        self._checkpoint.save(self._history)
        self._show(epoch + 1, figures)
        left = figures["seconds"] * (self._epochs - epoch - 1)
        told = ", ".join(
            f"{name} {value:.4f}" for name, value in figures.items() if name != "seconds"
        )
        log.info(
            "epoch %d/%d: %s, %.1f s, %.0f s to go",
            epoch + 1,
            self._epochs,
            told,
            figures["seconds"],
            left,
        )

    def _show(self, number: int, figures: Epoch) -> None:
        with self.writer.as_default(step=number):
            for name, value in figures.items():
                tf.summary.scalar(name, value)
        self.writer.flush()
