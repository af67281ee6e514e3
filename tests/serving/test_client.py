"""The client: one-line errors, the right names, types and versions, whatever the server."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pytest
from server_process import free_port, model_config
from tiny_models import publish

from serving.client import ModelServer, ServerRefused, ServerUnreachable, VersionStatus

COLUMNS = {"x": [1.0, 2.0], "word": ["a", "zz"]}


def test_client_imports_tensorflow():
    code = (
        "import sys, serving.client, serving.wire; "
        "sys.exit(any(m in sys.modules for m in ('tensorflow', 'grpc', 'httpx', 'pandas')))"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_predicting_over_grpc_imports_tensorflow(server):
    code = f"""
import sys
from serving.client import ModelServer
columns = {COLUMNS!r}
assert ModelServer({server.rest!r}, {server.grpc!r}).predict_grpc("tiny", columns).version == 2
sys.exit("tensorflow" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("version", [None, 1])
def test_rest_and_grpc_answer_differently(client, version):
    rest = client.predict("tiny", COLUMNS, version)
    grpc = client.predict_grpc("tiny", COLUMNS, version)
    assert rest.version == version
    assert grpc.version == (version or 2)
    assert rest.outputs.keys() == grpc.outputs.keys() == {"score", "known"}
    for name, values in rest.outputs.items():
        np.testing.assert_array_equal(values.astype(grpc.outputs[name].dtype), grpc.outputs[name])


def test_lone_output_has_no_name(client):
    for predict in (client.predict, client.predict_grpc):
        outputs = predict("tiny", {"x": [[1, 2]]}, signature="total").outputs
        assert {name: values.tolist() for name, values in outputs.items()} == {"y": [3.0]}


def test_bytes_change_on_the_way(client):
    words = ["é", b"\xff\x00", "NaN"]
    for predict in (client.predict_grpc, client.predict):
        outputs = predict("tiny", {"word": words}, signature="echo").outputs
        assert outputs["text_bytes"].tolist() == ["é".encode(), b"\xff\x00", b"NaN"]


@pytest.mark.parametrize(
    "x", [[1, 2], (1.0, 2.0), np.float64([1, 2]), np.int8([1, 2]), np.float32([1, 2])]
)
def test_columns_of_other_types_refused(client, x):
    for predict in (client.predict, client.predict_grpc):
        outputs = predict("tiny", {"x": x, "word": np.array(["a", "b"])}, 1).outputs
        assert outputs["score"].tolist() == [1.5, 2.0]


def test_nan_lost_on_the_way(client):
    for predict in (client.predict, client.predict_grpc):
        score = predict("tiny", {"x": [float("nan")], "word": ["a"]}).outputs["score"]
        assert np.isnan(score).all()


@pytest.mark.parametrize(
    ("inputs", "message"),
    [({"i": [1.5], "b": [True]}, "float64 values where int32 is expected"),
     ({"i": [2**40], "b": [True]}, "do not fit into int32"),
     ({"i": [1], "b": [1]}, "int64 values where bool is expected")],
)  # fmt: skip
def test_lossy_values_sent_over_grpc(client, inputs, message):
    with pytest.raises(ServerRefused, match=message):
        client.predict_grpc("tiny", inputs, signature="strict")


def test_unknown_model_has_versions(client):
    assert client.versions("none") == {}
    assert client.versions("tiny") == dict.fromkeys((2, 1), VersionStatus("AVAILABLE"))


def test_metadata_lacks_a_signature(client):
    assert client.metadata("tiny")["total"]["inputs"]["x"]["dtype"] == "DT_FLOAT"


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda c: c.predict("none", COLUMNS), "Servable not found for request: Latest(none)"),
        (lambda c: c.predict("tiny", COLUMNS, 9), "Specific(tiny, 9)"),
        (lambda c: c.predict("tiny", {"x": [1]}), "Missing named input: word"),
        (lambda c: c.predict_grpc("tiny", {"x": [1]}), "Missing but required: {word}"),
        (lambda c: c.predict_grpc("tiny", COLUMNS, 9), "Specific(tiny, 9)"),
        (lambda c: c.predict_grpc("tiny", COLUMNS, signature="totl"), "there are: "),
        (lambda c: c.wait_available("tiny", 9, 0.2), "version 9 of tiny is not known there"),
    ],
)
def test_refusal_without_reason(client, ask, message):
    with pytest.raises(ServerRefused) as error:
        ask(client)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    assert "127.0.0.1" in str(error.value)


def test_nobody_there_taken_for_a_refusal():
    with ModelServer(f"http://127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}") as client:
        for ask in (
            lambda: client.versions("tiny"),
            lambda: client.wait_available("tiny", 1, 0.2),
            lambda: client.predict("tiny", COLUMNS),
        ):
            with pytest.raises(ServerUnreachable, match="is the server up"):
                ask()


def test_grpc_half_down_taken_for_a_refusal(server):
    for grpc, error, message in (
        (f"127.0.0.1:{free_port()}", ServerUnreachable, "UNAVAILABLE"),
        (None, ValueError, "no gRPC address"),
    ):
        with ModelServer(server.rest, grpc) as client, pytest.raises(error, match=message):
            client.predict_grpc("tiny", COLUMNS)


def test_waiting_ends_before_the_version_is_there(server, client, tiny, fresh):
    name, base = fresh
    publish(tiny[1], base, 1)
    server.reload(model_config(name, base))
    publisher = threading.Timer(0.3, publish, (tiny[2], base, 2))
    publisher.start()
    client.wait_available(name, 2, 60)
    publisher.join()
    assert client.predict_grpc(name, COLUMNS).version == 2


def test_version_that_failed_is_waited_for(server, client, tiny, fresh):
    name, base = fresh
    publish(tiny[1], base, 1)
    server.reload(model_config(name, base))
    (base / "2").mkdir()
    with pytest.raises(ServerRefused, match="failed to load: Could not find SavedModel"):
        client.wait_available(name, 2, 60)


def test_page_that_is_no_model_server_parsed():
    class Page(BaseHTTPRequestHandler):
        def do_GET(self):
            body = b"<html>hello</html>" if "html" in self.path else json.dumps([1]).encode()
            self.send_response(500)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as page:
        threading.Thread(target=page.serve_forever, daemon=True).start()
        with ModelServer(f"http://127.0.0.1:{page.server_port}") as client:
            with pytest.raises(ServerRefused, match="HTTP 500 without JSON"):
                client.versions("html")
            with pytest.raises(ServerRefused, match="HTTP 500"):
                client.versions("list")
        page.shutdown()
