"""The served model is the trained one: by every signature, for any rows, also damaged ones."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from training_house import House, rows

from components import scoring, transform
from components.columns import MISSING, columns
from components.errors import SluiceError
from components.train import network, saved_model, weights
from components.train.preprocessing import Preprocessing


@pytest.fixture(scope="module")
def house(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        yield House.at(tmp_path_factory.mktemp("house"), patch)


@pytest.fixture(scope="module")
def model(house):
    return house.train()


@pytest.fixture(scope="module")
def scorer(model):
    return scoring.load(model)


@pytest.fixture(scope="module")
def signatures(model):
    served = tf.saved_model.load(str(model.file(scoring.SAVED_MODEL)))
    return {"served": served, **served.signatures}  # signatures alone let go of the variables


FRAME = rows("2013-01-05", 300)


def test_served_scores_are_those_of_the_trained_net(house, model, scorer):
    constants = transform.load(model)
    net = network.build(house.spec, constants)
    net.set_weights(list(weights.read(model).values()))
    layers = Preprocessing(constants)
    raw = {n: tf.constant(v) for n, v in columns(FRAME, constants.features).items()}
    expected = network.score(net, layers.split(*layers(raw))).numpy()
    assert expected.std() > 0.01
    assert np.abs(scorer.scores(FRAME) - expected).max() <= 1e-6


def test_all_signatures_agree(scorer, signatures):
    scores = scorer.scores(FRAME)
    examples = saved_model._examples(columns(FRAME, scorer.features))
    serialized = tf.constant([example.SerializeToString() for example in examples])
    classified = signatures["classify"](inputs=serialized)
    regressed = signatures["regress"](inputs=serialized)
    assert np.abs(classified["scores"][:, 1] - scores).max() <= 1e-6
    assert np.allclose(tf.reduce_sum(classified["scores"], axis=1), 1)
    assert (classified["classes"].numpy() == [b"0", b"1"]).all()
    assert np.abs(regressed["outputs"] - scores).max() <= 1e-6


def test_signatures_are_of_the_shapes_and_methods_that_servers_ask_for(model, signatures):
    default = signatures["serving_default"]
    sent = {
        name: (s.dtype.name, s.shape) for name, s in default.structured_input_signature[1].items()
    }
    assert sent == {
        "distance": ("float32", [None]),
        "carrier": ("string", [None]),
        "minute": ("int64", [None]),
        "hour": ("int64", [None]),
    }
    assert {n: s.shape for n, s in default.structured_outputs.items()} == {"score": [None]}
    from tensorflow.core.protobuf import saved_model_pb2

    saved = saved_model_pb2.SavedModel.FromString(
        model.file("saved_model/saved_model.pb").read_bytes()
    )
    methods = {n: s.method_name for n, s in saved.meta_graphs[0].signature_def.items()}
    assert methods["serving_default"] == "tensorflow/serving/predict"
    assert methods["classify"] == "tensorflow/serving/classify"
    assert methods["regress"] == "tensorflow/serving/regress"


def test_column_that_an_example_lacks_is_a_missing_value(scorer, signatures):
    missing = scorer.scores(pd.DataFrame({f.name: [None] for f in scorer.features}))
    assert signatures["regress"](inputs=tf.constant([b""]))["outputs"].numpy() == missing


def test_unknown_missing_and_infinite_values_are_scored(scorer):
    odd = pd.DataFrame(
        {
            "distance": [np.nan, np.inf, -np.inf, 1e38, 0],
            "carrier": ["ZZ", None, "", "AA\0", "é" * 1000],
            "minute": [MISSING["int64"], 2**62, -1, 0, 5],
            "hour": [-1, 99, MISSING["int64"], 0, 2**40],
        }
    )
    scores = scorer.scores(odd)
    assert ((scores >= 0) & (scores <= 1)).all()


def test_warm_up_requests_are_answered_and_of_every_kind(model, signatures):
    from tensorflow_serving.apis import prediction_service_pb2_grpc  # noqa: F401, I001
    from tensorflow_serving.apis import prediction_log_pb2

    path = str(model.file(f"saved_model/{saved_model.WARMUP}"))
    sizes = {"predict_log": [], "classify_log": [], "regress_log": []}
    for record in tf.data.TFRecordDataset(path).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        kind = log.WhichOneof("log_type")
        request = getattr(log, kind).request
        signature = signatures[request.model_spec.signature_name]
        if kind == "predict_log":
            answer = signature(**{n: tf.make_ndarray(t) for n, t in request.inputs.items()})
        else:
            examples = request.input.example_list.examples
            answer = signature(inputs=tf.constant([e.SerializeToString() for e in examples]))
        outputs = next(iter(answer.values()))
        sizes[kind].append(outputs.shape[0])
    assert sizes == {kind: [1, 8, 64] for kind in sizes}


def test_score_of_a_row_depends_on_no_other_row(scorer, monkeypatch):
    scores = scorer.scores(FRAME)
    order = np.random.default_rng(1).permutation(len(FRAME))
    assert np.abs(scorer.scores(FRAME.iloc[order]) - scores[order]).max() <= 1e-6
    alone = [scorer.scores(FRAME.iloc[n : n + 1])[0] for n in range(20)]
    assert np.abs(alone - scores[:20]).max() <= 1e-6
    monkeypatch.setattr(scoring, "ROWS_AT_ONCE", 7)
    assert np.abs(scorer.scores(FRAME) - scores).max() <= 1e-6


def test_no_rows_no_scores(scorer):
    assert scorer.scores(FRAME.head(0)).shape == (0,)


def test_scores_of_files_are_in_the_order_of_their_rows(house, model, scorer):
    paths = [artifact.file("examples.parquet") for artifact in house.examples()]
    expected = np.concatenate([scorer.scores(frame) for frame in house.days.values()])
    assert np.array_equal(scoring.scores(model, paths), expected)


def test_error_for_a_frame_without_a_column(scorer):
    with pytest.raises(SluiceError, match="'hour' is not among"):
        scorer.scores(FRAME.drop(columns="hour"))


def test_error_for_a_model_that_does_not_load(model, tmp_path):
    from dataclasses import replace

    (tmp_path / "saved_model").mkdir()
    with pytest.raises(SluiceError, match="saved_model does not load"):
        scoring.load(replace(model, folder=tmp_path))
