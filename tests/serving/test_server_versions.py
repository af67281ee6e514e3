"""Versions: swapped without a failed request, labelled, refused, warmed up, withdrawn."""

from __future__ import annotations

import itertools
import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
import tensorflow as tf
from server_process import eventually, model_config
from tensorflow_serving.apis import (
    predict_pb2,
    prediction_log_pb2,
)
from tiny_models import publish, write_warmup

COLUMNS = {"x": [1.0], "word": ["a"]}


def failure(client, name: str, version: int) -> str:
    """Return the error of a version once the server has given it up."""

    def failed() -> str:
        one = client.versions(name).get(version)
        return one.error if one and one.state == "END" else ""

    return eventually(failed)


def states(client, name: str) -> dict[int, str]:
    return {number: one.state for number, one in client.versions(name).items()}


def test_request_fails_while_versions_swap(server, client, tiny, fresh):
    name, base = fresh
    publish(tiny[1], base, 1)
    server.reload(model_config(name, base))
    done = threading.Event()
    seen: set[int] = set()

    def keep_asking(ask) -> int:
        for count in itertools.count(1):
            outputs = ask(name, COLUMNS).outputs
            seen.add(round(float(outputs["score"][0]) - 0.5))
            if done.is_set():
                return count
        raise AssertionError

    asks = [client.predict, client.predict_grpc] * 2
    with ThreadPoolExecutor(len(asks)) as pool:
        counts = [pool.submit(keep_asking, ask) for ask in asks]
        for version in (2, 3, 4, 5):
            publish(tiny[1 + version % 2], base, version)
            client.wait_available(name, version, 60)
            eventually(lambda last=version - 1: states(client, name)[last] == "END")
        done.set()
        total = sum(count.result() for count in counts)
    assert seen == {1, 2}
    assert total > 100
    assert states(client, name) == {5: "AVAILABLE", **dict.fromkeys((4, 3, 2, 1), "END")}


def test_broken_version_takes_the_old_one_down(server, client, tiny, fresh):
    name, base = fresh
    publish(tiny[1], base, 1)
    server.reload(model_config(name, base))
    torn = publish(tiny[2], base, ".torn-2")
    (torn / "variables" / "variables.index").unlink()
    torn.rename(base / "2")
    assert "variables" in failure(client, name, 2)
    assert client.predict(name, COLUMNS).outputs["score"] == [1.5]
    assert states(client, name) == {2: "END", 1: "AVAILABLE"}
    # Further broken ones: no such file inside, garbage inside, a file where a folder should be.
    (base / ".3").mkdir()
    (base / ".3").rename(base / "3")
    assert "Could not find SavedModel" in failure(client, name, 3)
    publish(tiny[2], base, ".4")
    (base / ".4" / "saved_model.pb").write_bytes(b"torn")
    (base / ".4").rename(base / "4")
    assert "Can't parse" in failure(client, name, 4)
    (base / "5").write_text("no model")
    assert "Could not find SavedModel" in failure(client, name, 5)
    assert client.predict(name, COLUMNS).outputs["score"] == [1.5]
    # A good one under a new number mends it.
    publish(tiny[2], base, 6)
    client.wait_available(name, 6, 60)
    assert client.predict_grpc(name, COLUMNS).version == 6
    eventually(lambda: states(client, name)[1] == "END")


def test_names_that_are_no_version_are_loaded(server, client, tiny, fresh):
    name, base = fresh
    for odd in (".staged-7", "tmp", "1.0", "0x1", "9223372036854775808", "٣", "1_0", ""):
        if odd:
            publish(tiny[1], base, odd)
    publish(tiny[1], base, "007")
    server.reload(model_config(name, base, "model_version_policy { all {} }"))
    assert states(client, name) == {7: "AVAILABLE"}


def test_version_policies_serve_other_versions(server, client, tiny, fresh):
    name, base = fresh
    for version in (1, 2, 3):
        publish(tiny[1], base, version)

    def serving() -> set[int]:
        return {number for number, state in states(client, name).items() if state == "AVAILABLE"}

    for policy, expected in (
        ("latest { num_versions: 2 }", {2, 3}),
        ("specific { versions: 1 }", {1}),
        ("specific { versions: 1 versions: 3 versions: 9 }", {1, 3}),
        ("all {}", {1, 2, 3}),
        ("latest {}", {3}),
    ):
        server.reload(model_config(name, base, f"model_version_policy {{ {policy} }}"))
        eventually(lambda expected=expected: serving() == expected)
    assert f"{name}: no version 9 under {base}" in server.log_text()


def test_label_moves_to_a_version_not_yet_serving(server, client, tiny, fresh):
    name, base = fresh
    publish(tiny[1], base, 1)
    publish(tiny[2], base, 2)

    def config(versions: str, stable: int) -> str:
        return model_config(
            name,
            base,
            f"model_version_policy {{ specific {{ {versions} }} }} "
            f'version_labels {{ key: "stable" value: {stable} }}',
        )

    def stable() -> float:
        status, answer = server.ask(f"/v1/models/{name}/labels/stable:predict", {"inputs": COLUMNS})
        assert status == 200, answer
        return answer["outputs"]["score"][0]

    server.reload(config("versions: 1", 1))
    assert stable() == 1.5
    with pytest.raises(grpc.RpcError) as refused:
        server.reload(config("versions: 1 versions: 2", 2))
    assert refused.value.code() is grpc.StatusCode.FAILED_PRECONDITION
    assert refused.value.details() == (
        f"Request to assign label to version 2 of model {name}, which is not currently "
        "available for inference"
    )
    assert stable() == 1.5
    # Two steps: first the version, then the label.
    server.reload(config("versions: 1 versions: 2", 1))
    client.wait_available(name, 2, 60)
    server.reload(config("versions: 1 versions: 2", 2))
    assert stable() == 2.5


def test_models_absent_from_a_reload_go_on_serving(server, client, tiny, fresh):
    name, base = fresh
    publish(tiny[1], base, 1)
    server.reload(model_config(name, base))
    assert states(client, name) == {1: "AVAILABLE"}
    server.reload()
    eventually(lambda: states(client, name) == {1: "END"})
    status, answer = server.ask(f"/v1/models/{name}:predict", {"inputs": COLUMNS})
    assert (status, answer["error"]) == (404, f"Servable not found for request: Latest({name})")
    # And back again under the same number.
    server.reload(model_config(name, base))
    assert client.predict_grpc(name, COLUMNS).version == 1


@pytest.mark.parametrize(
    ("config", "code", "message"),
    [
        ('config { name: "m" base_path: "rel" model_platform: "tensorflow" }',
         "INVALID_ARGUMENT", "Expected model m to have an absolute path"),
        ('config { name: "m" base_path: "/m" }', "INVALID_ARGUMENT", "model_platform"),
        ('config { name: "m" base_path: "/m" model_platform: "caffe" }',
         "INVALID_ARGUMENT", "unsupported platform caffe"),
        ('config { name: "tiny" base_path: "/m" model_platform: "tensorflow" }',
         "INVALID_ARGUMENT", "Illegal to list model tiny multiple times"),
        ('config { name: "m" base_path: "/m" model_platform: "tensorflow" logging_config {} }',
         "INVALID_ARGUMENT", "logging"),
    ],
)  # fmt: skip
def test_bad_configuration_taken(server, client, config, code, message):
    with pytest.raises(grpc.RpcError) as refused:
        server.reload(config)
    assert refused.value.code().name == code
    assert message in refused.value.details()
    assert states(client, "tiny") == {2: "AVAILABLE", 1: "AVAILABLE"}


def test_reload_hangs_on_a_model_that_cannot_load(server, client, fresh):
    name, base = fresh
    (base / "1").mkdir()
    with pytest.raises(grpc.RpcError, match=f"did not become available: {{{name}}}"):
        server.reload(model_config(name, base))
    assert client.predict("tiny", COLUMNS, version=1).outputs["score"] == [1.5]


def test_empty_base_path_keeps_serving(server, client, tiny, fresh):
    name, base = fresh
    version = publish(tiny[1], base, 1)
    server.reload(model_config(name, base))
    shutil.rmtree(version)
    eventually(lambda: states(client, name) == {1: "END"})


def test_missing_base_path_unloads(server, client, tiny, fresh):
    name, base = fresh
    publish(tiny[1], base, 1)
    server.reload(model_config(name, base))
    base.rename(base.with_name("away"))
    eventually(lambda: f"Could not find base path {base}" in server.log_text())
    assert states(client, name) == {1: "AVAILABLE"}
    base.with_name("away").rename(base)
    publish(tiny[2], base, 2)
    client.wait_available(name, 2, 60)


def predict_log(word: bytes = b"a", signature: str = "") -> prediction_log_pb2.PredictionLog:
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "whatever it was called"
    request.model_spec.signature_name = signature
    request.inputs["x"].CopyFrom(tf.make_tensor_proto([1.0]))
    request.inputs["word"].CopyFrom(tf.make_tensor_proto([word]))
    return prediction_log_pb2.PredictionLog(
        predict_log=prediction_log_pb2.PredictLog(request=request)
    )


def test_warm_up_records_not_replayed(server, client, tiny, fresh):
    name, base = fresh
    write_warmup(publish(tiny[1], base, 1), *[predict_log()] * 3)
    server.reload(model_config(name, base))
    page = server.text("/monitoring/prometheus/metrics")
    warmed = f'model_warmup_latency_count{{model_path="{base / "1"}",status="OK"}} 1'
    assert warmed in page
    assert f':runtime_latency_count{{model_name="{name}",API="Predict",runtime="TF2"}} 3' in page


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([predict_log(), predict_log(signature="none")], "warm-up record 2 of"),
        ([b"\xff\xff"], "not a PredictionLog"),
        ([prediction_log_pb2.PredictionLog()], "Unsupported log_type"),
        ([predict_log()] * 1001, "exceeds the maximum (1000)"),
    ],
    ids=["failing", "garbage", "empty", "too many"],
)
def test_bad_warm_up_record_lets_the_version_through(server, client, tiny, fresh, records, message):
    name, base = fresh
    publish(tiny[1], base, 1)
    server.reload(model_config(name, base))
    staged = publish(tiny[2], base, ".staged")
    write_warmup(staged, *records)
    staged.rename(base / "2")
    assert message in failure(client, name, 2)
    assert client.predict_grpc(name, COLUMNS).version == 1


def test_torn_warm_up_file_lets_the_version_through(server, client, tiny, fresh):
    name, base = fresh
    publish(tiny[1], base, 1)
    server.reload(model_config(name, base))
    staged = publish(tiny[2], base, ".staged")
    write_warmup(staged, predict_log(), predict_log())
    records = staged / "assets.extra" / "tf_serving_warmup_requests"
    records.write_bytes(records.read_bytes()[:-5])
    staged.rename(base / "2")
    assert "verify your warmup data is in TFRecord format" in failure(client, name, 2)


def test_unloaded_versions_stay_in_memory(server, client, tiny, fresh):
    psutil = pytest.importorskip("psutil")
    name, base = fresh

    def resident_after(versions) -> int:
        for version in versions:
            publish(tiny[1], base, version)
            # A reload looks at the file system at once.
            server.reload(model_config(name, base))
            client.wait_available(name, version, 60)
            eventually(
                lambda current=version: all(
                    state == ("AVAILABLE" if number == current else "END")
                    for number, state in states(client, name).items()
                )
            )
        return psutil.Process(server.process.pid).memory_info().rss

    first = resident_after(range(1, 5))
    second = resident_after(range(5, 15))
    # Without a collection after each, ten swaps of this small model keep 11 MiB.
    assert second - first < 4 * 2**20
