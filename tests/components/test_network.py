"""A mistake in a pipeline's `model.py` is told in one line, before an epoch is spent on it."""

from __future__ import annotations

import os

import numpy as np
import pytest
import tensorflow as tf
from training_house import MODEL, House

from components.errors import SluiceError
from components.train import network
from components.train.preprocessing import Preprocessing
from components.transform import Category, Constants, Number

DISTANCE = Number(name="distance", dtype="float32", mean=900, std_dev=500, min=0, max=2000)
MINUTE = Number(name="minute", dtype="int64", mean=600, std_dev=300, min=0, max=1439)


def category(name: str, *vocabulary) -> Category:
    dtype = "string" if isinstance(vocabulary[0], str) else "int64"
    return Category(
        name=name, dtype=dtype, vocabulary=vocabulary, complete=True, distinct=len(vocabulary)
    )


def constants(*carriers: str) -> Constants:
    columns = (DISTANCE, category("carrier", *carriers), MINUTE, category("hour", 5, 6, 7))
    return Constants(columns=columns, rows=1)


CONSTANTS = constants("AA", "UA", "DL")


@pytest.fixture
def house(tmp_path, monkeypatch) -> House:
    return House.at(tmp_path, monkeypatch)


def refusal(house: House, model: str, task: str = "binary", classes: tuple = ()) -> str:
    house.write("pipelines/made/model.py", model)
    spec = house.spec.model_copy(update={"task": task, "classes": classes})
    rows = Preprocessing(CONSTANTS)
    raw = {"distance": [1.0], "carrier": ["AA"], "minute": [1], "hour": [5]}
    tensors = {f.name: tf.constant(raw[f.name], f.dtype) for f in CONSTANTS.features}
    with pytest.raises(SluiceError) as caught:
        network.probe(spec, network.build(spec, CONSTANTS), rows.split(*rows(tensors)))
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(old: str, new: str) -> str:
    assert old in MODEL
    return MODEL.replace(old, new)


@pytest.mark.parametrize(
    ("model", "told"),
    [
        (changed('inputs["minute"]', 'inputs["minutes"]'), "line 10: KeyError: 'minutes'"),
        (changed("import keras\n", "import kerass\n"), "line 2: ModuleNotFoundError"),
        (changed("    return net", "    raise SystemExit(0)"), "line 15: SystemExit"),
        (changed("(inputs, vocabulary_sizes)", "(inputs)"), "TypeError: model() takes 1"),
        (changed("    return net", "    return None"), "returned NoneType; return a compiled"),
        (changed("    net.compile", "    lambda: net.compile"), "not compiled; call its compile"),
        (changed("Dense(1,", "Dense(2,"), "output is of shape (None, 2); it must be one number"),
        (
            changed("keras.Model(inputs,", "keras.Model(list(inputs.values()),"),
            "does not take the inputs it was given; make it as keras.Model(inputs, output)",
        ),
        (changed('dtype="float32"', 'dtype="float16"'), 'last layer dtype="float32"'),
        (
            changed('"sigmoid"', 'lambda x: x * float("nan")'),
            "answers nan where a probability belongs",
        ),
        (changed('"sigmoid"', "lambda x: x + 7"), 'Dense(1, activation="sigmoid")'),
    ],
)
def test_error_tells_file_line_and_remedy(house, model, told):
    message = refusal(house, model)
    assert message.startswith("pipelines/made/model.py")
    assert told in message


def test_net_may_leave_columns_out(house):
    fewer = changed(
        "keras.Model(inputs,", 'keras.Model({k: inputs[k] for k in inputs if k != "hour"},'
    ).replace("vocabulary_sizes.items()", '[("carrier", vocabulary_sizes["carrier"])]')
    house.write("pipelines/made/model.py", fewer)
    net = network.build(house.spec, CONSTANTS)
    assert set(net.input) == {"distance", "minute", "carrier"}


def test_same_seed_same_weights_and_another_seed_others(house):
    def built() -> list[np.ndarray]:
        return network.build(house.spec, CONSTANTS).get_weights()

    first, again = built(), built()
    assert all(np.array_equal(a, b) for a, b in zip(first, again, strict=True))
    house.settings = "seed: 2"
    assert not all(np.array_equal(a, b) for a, b in zip(first, built(), strict=True))


def test_an_edit_of_one_digit_is_the_model_that_is_built(house, monkeypatch):
    """Python would take its cached bytecode for it: the size and the second are the same."""
    monkeypatch.setattr("sys.dont_write_bytecode", False)
    path = house.folder / "pipelines/made/model.py"
    second = path.stat().st_mtime
    widths = []
    for width in ("Dense(8,", "Dense(9,"):
        house.write("pipelines/made/model.py", changed("Dense(8,", width))
        os.utime(path, (second, second))
        net = network.build(house.spec, CONSTANTS)
        widths.append(max(layer.units for layer in net.layers if hasattr(layer, "units")))
    assert widths == [8, 9]
    assert not (path.parent / "__pycache__").exists()


SIGMOID = 'Dense(1, activation="sigmoid", dtype="float32")'
CROSS = 'loss="binary_crossentropy"'
SPARSE = 'loss="sparse_categorical_crossentropy"'


@pytest.mark.parametrize(
    ("task", "last", "loss", "told"),
    [
        (
            "multiclass",
            "Dense(1)",
            SPARSE,
            "it must be one number for each of the 3 classes, (None, 3)",
        ),
        ("multiclass", "Dense(3)", SPARSE, 'Dense(3, activation="softmax")'),
        ("multiclass", 'Dense(3, "sigmoid")', SPARSE, "of a row add up to "),
        (
            "multiclass",
            'Dense(3, "softmax")',
            'loss="categorical_crossentropy"',
            "the loss 'categorical_crossentropy' is not for a multiclass label; compile the net with "
            "'sparse_categorical_crossentropy'",
        ),
        (
            "multiclass",
            'Dense(3, "softmax")',
            "loss=keras.losses.MeanSquaredError()",
            "is not for a",
        ),
        ("regression", SIGMOID, CROSS, "'binary_crossentropy' is not for a regression label"),
        ("regression", "Dense(2)", 'loss="mse"', "it must be one number a row, (None, 1)"),
        ("binary", SIGMOID, SPARSE, "is not for a binary label"),
    ],
)
def test_a_net_that_does_not_suit_its_task_is_refused(house, task, last, loss, told):
    classes = ("a", "b", "c") if task == "multiclass" else ()
    model = changed(SIGMOID, last).replace(CROSS, loss)
    assert told in refusal(house, model, task, classes)
