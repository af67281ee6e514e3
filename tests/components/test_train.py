"""Training: the same bits each time, also after a kill -9; and a clear no to what teaches nothing."""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from training_house import MODEL, NAME, SPAN, House

from components import files, store
from components.errors import SluiceError
from components.train import network, weights

SETTINGS = "epochs: 60, batch_size: 64"
CHILD = f"""
import logging
import sys
from pathlib import Path

from training_house import House

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")

House(Path(), settings={SETTINGS!r}).train()
"""


@pytest.fixture
def house(tmp_path, monkeypatch) -> House:
    return House.at(tmp_path, monkeypatch)


def test_killed_training_resumes_to_the_bits_of_one_that_never_was(tmp_path, monkeypatch, caplog):
    """Also what makes it reproducible: the epochs before the kill ran in another process."""
    house = House.at(tmp_path / "whole", monkeypatch)
    house.settings = SETTINGS
    house.transform()
    shutil.copytree(house.folder, tmp_path / "killed")
    whole = house.train()

    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "killed"))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(p for p in sys.path if p))
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", CHILD], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        assert any(line.startswith("epoch 3/60") for line in child.stdout)
        child.kill()
    assert child.returncode == -signal.SIGKILL
    train = store.root(NAME) / "train" / SPAN
    assert not list(train.glob("*/manifest.json"))

    with caplog.at_level(logging.INFO):
        resumed = house.train()
    done = [r.args[0] for r in caplog.records if r.msg.startswith("resuming after")]
    assert len(done) == 1
    assert 3 <= done[0] < 60
    assert resumed.folder.is_relative_to(tmp_path / "killed")
    assert files.sha256(resumed.file(weights.FILE)) == files.sha256(whole.file(weights.FILE))
    assert not list(train.glob("*.resume"))


def test_manifest_traces_the_model_to_its_rows_and_says_what_was_left_out(house):
    first = house.days[min(house.days)]
    first["late"] = first["late"].mask(first.index < 7)
    model = house.train()
    assert model.manifest.inputs == {
        **{f"examples/{e.manifest.span}": e.digest for e in house.examples()},
        "transform": house.transform().digest,
        "model.py": files.sha256(house.folder / "pipelines/made/model.py"),
    }
    assert model.manifest.parameters["label"] == "late"
    told = json.loads(model.file("training.json").read_text())
    assert (told["rows"], told["rows_without_label"], len(told["history"])) == (353, 7, 3)
    assert "7 rows without a label left out" in str(model.facts["summary"])
    assert list(model.file("tensorboard").iterdir())
    assert house.train() == model  # once


def test_nothing_is_left_of_a_training_whose_loss_is_not_a_number(house):
    broken = MODEL.replace("Adam(0.01)", "SGD(1e30)").replace("BatchNorm", "LayerNorm")
    house.write("pipelines/made/model.py", broken)
    with pytest.raises(SluiceError, match=r"loss of epoch \d is nan; lower the learning rate"):
        house.train()
    assert not list((store.root(NAME) / "train").glob("*/*/*"))


def test_error_in_a_loss_of_model_py_tells_its_line(house):
    own = (
        MODEL.replace('"binary_crossentropy"', "loss")
        + """
def loss(truth, answer):
    return keras.ops.mean(truth - answer.latitude)
"""
    )
    house.write("pipelines/made/model.py", own)
    with pytest.raises(
        SluiceError, match=r"^pipelines/made/model\.py line 18: AttributeError: .*latitude"
    ):
        house.train()


@pytest.mark.parametrize(
    ("label", "told"),
    [
        (pd.array([1] * 120, "Int64"), "all 120 labels are 1 in the window"),
        (pd.array([None] * 120, "Int64"), "no row has a label"),
        (["no", "yes"] * 60, "could not convert string to float: 'no'; make it 0 or 1"),
        (pd.array([0, 2] * 60, "Int64"), "holds 2; make it 0 or 1"),
        (np.tile(np.float32([0, 0.5]), 60), r"holds 0\.5; make it 0 or 1"),
    ],
)
def test_error_for_labels_that_teach_nothing(house, label, told):
    house.days = {day: frame.assign(late=label) for day, frame in list(house.days.items())[:1]}
    with pytest.raises(SluiceError, match=rf"label 'late'.*{told}"):
        house.train()


def test_error_for_a_window_without_rows(house):
    transform = house.transform()
    house.days = {day: frame.head(0) for day, frame in house.days.items()}
    from components.train import train

    with pytest.raises(SluiceError, match="no row has a label"):
        train(house.spec, SPAN, house.examples(), transform, None)
    with pytest.raises(SluiceError, match="no span to train on"):
        train(house.spec, SPAN, [], transform, None)


def test_error_for_examples_without_the_label(house):
    transform = house.transform()
    house.days = {day: frame.drop(columns="late") for day, frame in house.days.items()}
    from components.train import train

    with pytest.raises(SluiceError, match=r"examples\.parquet lacks a column"):
        train(house.spec, SPAN, house.examples(), transform, None)


def test_warm_start_takes_the_baseline_up_and_is_another_model(house):
    baseline = house.train()
    cold = house.train(baseline)
    assert cold == baseline  # the spec does not ask for it: the baseline is no input
    house.settings = "epochs: 3, batch_size: 32, warm_start: true"
    first = house.train()  # there is no baseline yet
    warm = house.train(baseline)
    assert warm.manifest.inputs["baseline"] == baseline.digest
    assert warm.facts["start"] == "warm: from the model of 2013-01-04"
    assert first.facts["start"] == "cold: there is no baseline"
    assert float(str(warm.facts["loss"])) < float(str(first.facts["loss"]))


def test_several_devices_and_mixed_precision_make_a_model_that_serves_in_float32(house):
    """MirroredStrategy over two devices of one CPU, in a process of its own: devices are for good."""
    house.transform()
    child = """
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from components import scoring, train
from training_house import House

mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
train.strategy = lambda: mirrored
with pytest.MonkeyPatch.context() as patch:
    house = House.at(Path(sys.argv[1]), patch)
    house.settings = "epochs: 3, batch_size: 50, precision: mixed_bfloat16, xla: true"
    model = house.train()
    scores = scoring.load(model).scores(house.days["2013-01-03"])
assert mirrored.num_replicas_in_sync == 2
assert scores.dtype == np.float32 and scores.std() > 0.01, scores
assert model.facts["loss"] < 0.7, model.facts
"""
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", child, str(house.folder)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]


def test_importing_the_step_leaves_no_trace(house):
    """The pipeline's code is not importable by anyone else, and the precision is put back."""
    import keras

    from components import transform

    before = keras.config.dtype_policy().name
    network.build(house.spec, transform.load(house.transform()), precision="mixed_bfloat16")
    assert keras.config.dtype_policy().name == before
    assert not [m for m in sys.modules if "pipeline_made" in m]
    assert Path(house.folder / "pipelines/made").is_dir()
