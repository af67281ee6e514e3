"""A log of served rows reads as clients sent them, whole, whoever wrote it; or it does not read."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components import home, schema, served, spec
from components.columns import columns
from components.errors import SluiceError, UsageError
from components.schema import Feature

DAY = "2013-02-07"
INT_MISSING = np.iinfo(np.int64).min


@pytest.fixture
def features(flights: spec.Spec) -> list[Feature]:
    return schema.inputs(schema.load(flights.schema_path))


@pytest.fixture
def frame(features: list[Feature]) -> pd.DataFrame:
    """Three rows: an ordinary one, one with everything missing, another ordinary one."""
    values = {"string": ["AA", None, "UA"], "int64": [7, None, 9], "float32": [1.5, None, 2.25]}
    types = {"string": object, "int64": "Int64", "float32": "float32"}
    return pd.DataFrame({f.name: pd.array(values[f.dtype], types[f.dtype]) for f in features})


def rows(what: spec.Spec) -> dict[str, list]:
    log = served.find("flights", DAY)
    assert log is not None
    return served.read(what, log).to_pydict()


def expected(features: list[Feature]) -> dict[str, list]:
    values = {"string": ["AA", None, "UA"], "int64": [7, None, 9], "float32": [1.5, None, 2.25]}
    return {feature.name: values[feature.dtype] for feature in features}


def test_what_a_client_sends_reads_back_with_its_missing_values(
    flights: spec.Spec, features: list[Feature], frame: pd.DataFrame
) -> None:
    served.write("flights", DAY, columns(frame, features))
    assert rows(flights) == expected(features)


def test_lists_as_the_client_takes_them_can_be_written_and_other_columns_are_not_read(
    flights: spec.Spec, features: list[Feature], frame: pd.DataFrame
) -> None:
    sent = {name: values.tolist() for name, values in columns(frame, features).items()}
    served.write("flights", DAY, {**sent, "version": [3, 3, 3], "score": [0.1, 0.2, 0.3]})
    assert rows(flights) == expected(features)


def test_many_files_are_one_log_and_one_more_is_another(
    flights: spec.Spec, features: list[Feature], frame: pd.DataFrame
) -> None:
    sent = columns(frame, features)
    served.write("flights", DAY, sent)
    first = served.find("flights", DAY)
    served.write("flights", DAY, sent)
    second = served.find("flights", DAY)
    assert len(rows(flights)["carrier"]) == 6
    assert first
    assert second
    assert first.digest != second.digest
    assert second == served.find("flights", DAY)
    assert served.read(flights, first).num_rows == 3  # as it lay there when it was found


def test_other_types_of_the_same_kind_are_read(flights: spec.Spec, features: list[Feature]) -> None:
    path = served.write(
        "flights",
        DAY,
        {
            "carrier": pa.array(["AA", "", "UA"]).dictionary_encode(),
            "origin": pa.array([b"JFK", b"\xff", None], pa.large_binary()),
            "dest": pa.nulls(3),
            "distance": pa.array([100, 200, 300], pa.int16()),
            "hour": pa.array([7.0, np.nan, 9.0]),
            "minute": pa.array([7, INT_MISSING, 9]),
            "temp": pa.array([1.5, float("nan"), None], pa.float64()),
        },
    )
    assert pq.read_schema(path).field("hour").type == pa.float64()
    found = rows(flights)
    assert found["carrier"] == ["AA", None, "UA"]
    assert found["origin"] == ["JFK", "�", None]  # anyone may send it, so it shuts no gate
    assert found["dest"] == [None] * 3
    assert found["distance"] == [100.0, 200.0, 300.0]
    assert found["hour"] == found["minute"] == [7, None, 9]
    assert found["temp"] == [1.5, None, None]
    assert found["weekday"] == found["precip"] == [None] * 3  # never sent
    assert list(found) == [feature.name for feature in features]


@pytest.mark.parametrize(
    ("column", "values", "told"),
    [
        ("distance", ["100", "200"], "takes float32: it is of type string"),
        ("carrier", [1, 2], "takes string: it is of type int64"),
        ("hour", [7.5, 8.0], "takes int64"),
        ("hour", [True, False], "takes int64: it is of type bool"),
    ],
)
def test_what_no_client_can_have_sent_is_an_error_that_names_file_and_column(
    flights: spec.Spec, column: str, values: list, told: str
) -> None:
    path = served.write("flights", DAY, {column: values})
    with pytest.raises(SluiceError) as raised:
        rows(flights)
    assert home.short(path) in str(raised.value)
    assert f"column {column!r}" in str(raised.value)
    assert told in str(raised.value)


@pytest.mark.parametrize("content", [b"", b"PAR1 torn", b"carrier,hour\nAA,7\n"])
def test_a_file_that_is_no_parquet_is_an_error_that_names_it(
    flights: spec.Spec, content: bytes
) -> None:
    path = served.write("flights", DAY, {"hour": [7]})
    path.write_bytes(content)
    with pytest.raises(SluiceError, match=f"{home.short(path)} cannot be read as served rows"):
        rows(flights)


def test_a_file_of_other_columns_is_an_error(flights: spec.Spec) -> None:
    served.write("flights", DAY, {"Carrier": ["AA"]})
    with pytest.raises(SluiceError, match="none of the columns that the model is fed"):
        rows(flights)


def test_nothing_half_written_is_seen(flights: spec.Spec) -> None:
    with pytest.raises(pa.ArrowException):
        served.write("flights", DAY, {"hour": [7], "minute": [1, 2]})
    folder = home.var() / "served" / "flights" / DAY
    assert list(folder.iterdir()) == []
    (folder / ".being-written.parquet").write_bytes(b"PAR1")
    (folder / "_SUCCESS").touch()
    assert served.find("flights", DAY) is None
    served.write("flights", DAY, {"hour": [7]})
    assert rows(flights)["hour"] == [7]


def test_no_log_is_none_and_a_day_that_is_none_is_refused(flights: spec.Spec) -> None:
    assert served.find("flights", DAY) is None
    with pytest.raises(UsageError, match="is not a day"):
        served.write("flights", "today", {"hour": [7]})


# TensorFlow Serving's own log. What is written into a SavedModel to warm it up is one.


@pytest.fixture
def requests(features: list[Feature], frame: pd.DataFrame) -> Path:
    """A log of three requests, one to each signature, of the same three rows."""
    from components.train import saved_model

    path = home.var() / "served" / "flights" / DAY / "requests.tfrecord"
    saved_model._write_warmup(path, features, frame, list(saved_model.METHODS))
    return path


def logged(path: Path, *records: object) -> None:
    import tensorflow as tf

    with tf.io.TFRecordWriter(str(path)) as file:
        for record in records:
            file.write(record.SerializeToString())  # type: ignore[attr-defined]


def of_model(name: str, path: Path) -> list:
    """Return the requests in a log as if they had been sent to the model of this name."""
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    found = []
    for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
        log = prediction_log_pb2.PredictionLog.FromString(record)
        getattr(log, log.WhichOneof("log_type")).request.model_spec.name = name
        found.append(log)
    return found


def test_tensorflow_servings_own_log_reads_as_the_same_rows(
    flights: spec.Spec, features: list[Feature], requests: Path
) -> None:
    found = rows(flights)
    sent = list(zip(*expected(features).values(), strict=True))
    # To each of the three signatures one request of a row, and one of three.
    assert Counter(zip(*found.values(), strict=True)) == Counter(3 * (sent[:1] + sent))


def test_requests_of_another_model_are_left_out(flights: spec.Spec, requests: Path) -> None:
    logged(requests, *of_model("flights", requests), *of_model("fog", requests))
    assert len(rows(flights)["carrier"]) == 12
    logged(requests, *of_model("fog", requests))
    assert rows(flights)["carrier"] == []


def test_examples_sent_through_predict_or_with_a_shared_context_are_rows_too(
    flights: spec.Spec, requests: Path
) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis import prediction_log_pb2

    def example(**values: str) -> tf.train.Example:
        made = tf.train.Example()
        for name, value in values.items():
            made.features.feature[name].bytes_list.value.append(value.encode())
        return made

    by_predict = prediction_log_pb2.PredictionLog()
    by_predict.predict_log.request.inputs["inputs"].CopyFrom(
        tf.make_tensor_proto([example(carrier="AA", origin="JFK").SerializeToString()])
    )
    shared = prediction_log_pb2.PredictionLog()
    given = shared.regress_log.request.input.example_list_with_context
    given.context.CopyFrom(example(origin="LGA", carrier="UA"))
    given.examples.extend([example(dest="IAH"), example(dest="BOS", carrier="DL")])
    logged(requests, by_predict, shared)
    found = rows(flights)
    assert list(zip(found["carrier"], found["origin"], found["dest"], strict=True)) == [
        ("AA", "JFK", None),
        ("UA", "LGA", "IAH"),
        ("DL", "LGA", "BOS"),
    ]


def test_a_log_that_is_torn_or_of_other_calls_is_an_error_that_names_it(
    flights: spec.Spec, requests: Path
) -> None:
    from tensorflow_serving.apis import prediction_log_pb2

    whole = requests.read_bytes()
    requests.write_bytes(whole[:-10])
    with pytest.raises(SluiceError, match=f"{home.short(requests)} is no log of requests"):
        rows(flights)
    other = prediction_log_pb2.PredictionLog()
    other.session_run_log.SetInParent()
    logged(requests, *of_model("flights", requests.with_name(_kept(requests, whole))), other)
    with pytest.raises(SluiceError, match="session_run_log"):
        rows(flights)


def _kept(requests: Path, content: bytes) -> str:
    aside = requests.with_name(".whole")
    aside.write_bytes(content)
    return aside.name
