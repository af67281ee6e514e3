"""An epoch sees every row once, in an order of its own; what a crash left is used whole or not."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.spec import Train
from components.train.fitting import Rows, _batches, _Checkpoint
from components.train.preprocessing import Preprocessing
from components.transform import Constants, Number

COLUMN = Number(name="x", dtype="float32", mean=0, std_dev=1, min=0, max=100)
ROWS = 23


def net(width: int = 4) -> keras.Model:
    taken = {"x": keras.Input((1,), name="x")}
    hidden = keras.layers.Dense(width, name="hidden")(taken["x"])
    made = keras.Model(taken, keras.layers.Dense(1, name="last")(hidden))
    made.compile(optimizer="adam", loss="mse")
    made.optimizer.build(made.trainable_variables)
    return made


def orders(seed: int, first: int = 0) -> list[list[int]]:
    """Return the rows that each epoch from `first` on sees, in order; a row's number is its x."""
    numbers = tf.range(ROWS, dtype=tf.float32)[:, None]
    rows = Rows(numbers, tf.zeros([ROWS, 0], tf.int32), numbers)
    train = Train(epochs=4, batch_size=5, seed=seed)
    layers = Preprocessing(Constants(columns=(COLUMN,), rows=ROWS))
    seen: list[int] = []
    for fed, labels in _batches(net(), layers, rows, train, first):
        assert np.array_equal(fed["x"], labels)
        assert fed["x"].shape[0] <= 5
        seen += fed["x"][:, 0].numpy().astype(int).tolist()
    return [seen[n : n + ROWS] for n in range(0, len(seen), ROWS)]


def test_each_epoch_sees_every_row_once_in_another_order():
    epochs = orders(seed=1)
    assert [sorted(epoch) for epoch in epochs] == [list(range(ROWS))] * 4
    assert len({tuple(epoch) for epoch in epochs}) == 4


def test_order_of_an_epoch_is_that_of_its_number_and_the_seed():
    assert orders(seed=1, first=2) == orders(seed=1)[2:]
    assert orders(seed=2) != orders(seed=1)


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "resume" / "epoch.npz"
    trained = net()
    trained.fit({"x": np.ones((8, 1))}, np.ones((8, 1)), verbose=0)
    _Checkpoint(trained, path).save([{"loss": 0.5}])
    return trained, path


def test_restored_state_is_all_that_training_changed(saved):
    trained, path = saved
    fresh = net()
    assert _Checkpoint(fresh, path).restore() == [{"loss": 0.5}]
    for then, now in ((trained, fresh), (trained.optimizer, fresh.optimizer)):
        for before, after in zip(then.variables, now.variables, strict=True):
            assert np.array_equal(before, after), before.path


def test_torn_state_is_passed_over(saved, caplog):
    _, path = saved
    path.write_bytes(path.read_bytes()[:-200])
    fresh = net()
    before = fresh.get_weights()
    assert _Checkpoint(fresh, path).restore() == []
    assert "training begins anew" in caplog.text
    assert all(np.array_equal(a, b) for a, b in zip(before, fresh.get_weights(), strict=True))


def test_state_of_another_net_is_passed_over(saved, caplog):
    _, path = saved
    assert _Checkpoint(net(width=5), path).restore() == []
    assert "it is of another net" in caplog.text


def test_no_state_no_history(tmp_path):
    assert _Checkpoint(net(), tmp_path / "epoch.npz").restore() == []
