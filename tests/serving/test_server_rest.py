"""The REST API against TensorFlow Serving's rules: forms, literals, errors, status, metadata."""

from __future__ import annotations

import gzip
import json
import math

import pytest

PREDICT = "/v1/models/tiny:predict"
ROW = {"x": 1.0, "word": "a"}
COLUMNS = {"x": [1.0], "word": ["a"]}


@pytest.mark.parametrize(
    ("path", "body", "answer"),
    [
        (PREDICT, {"instances": [ROW]}, {"predictions": [{"known": 1, "score": 2.5}]}),
        (PREDICT, {"inputs": COLUMNS}, {"outputs": {"known": [1], "score": [2.5]}}),
        (
            "/v1/models/tiny/versions/1:predict",
            {"inputs": COLUMNS},
            {"outputs": {"known": [1], "score": [1.5]}},
        ),
        (
            "/v1/models/tiny/labels/stable:predict",
            {"inputs": COLUMNS},
            {"outputs": {"known": [1], "score": [1.5]}},
        ),
        (
            "/V1/Models/tiny:PREDICT",
            {"inputs": COLUMNS},
            {"outputs": {"known": [1], "score": [2.5]}},
        ),
        # Keys that the signature lacks pass in column form only.
        (
            PREDICT,
            {"inputs": {**COLUMNS, "more": [1]}},
            {"outputs": {"known": [1], "score": [2.5]}},
        ),
        # One input may come bare, one output leaves unnamed.
        (
            PREDICT,
            {"signature_name": "total", "instances": [[1, 2.5], [3, 4]]},
            {"predictions": [3.5, 7.0]},
        ),
        (
            PREDICT,
            {"signature_name": "total", "instances": [{"x": [1, 2.5]}]},
            {"predictions": [3.5]},
        ),
        (PREDICT, {"signature_name": "total", "inputs": [[1, 2]]}, {"outputs": [3.0]}),
        (PREDICT, {"signature_name": "scalar", "inputs": 3}, {"outputs": 6.0}),
        (PREDICT, {"signature_name": "total", "inputs": {"x": [[1, 2]]}}, {"outputs": [3.0]}),
        # Text and bytes.
        (
            PREDICT,
            {"signature_name": "echo", "instances": [{"b64": "w6k="}, "é"]},
            {
                "predictions": [
                    {"text": "é", "text_bytes": {"b64": "w6k="}},
                    {"text": "é", "text_bytes": {"b64": "w6k="}},
                ]
            },
        ),
        (
            PREDICT,
            {"signature_name": "strict", "inputs": {"i": [-(2**31)], "b": [True]}},
            {"outputs": {"b": [True], "i": [-(2**31)]}},
        ),
        (
            "/v1/models/tiny:classify",
            {"signature_name": "classify", "examples": [{"x": 0.0}]},
            {"results": [[["on time", 0.5], ["late", 0.5]]]},
        ),
        (
            "/v1/models/tiny/versions/1:regress",
            {"signature_name": "regress", "examples": [{"x": 1.5}, {"x": [2.5]}]},
            {"results": [1.75, 2.25]},
        ),
        (
            "/v1/models/tiny:regress",
            {"signature_name": "regress", "context": {"x": 3.5}, "examples": [{}, {"x": 0.5}]},
            {"results": [3.75, 2.25]},
        ),
    ],
)
def test_answer_differs_from_tensorflow_serving(server, path, body, answer):
    assert server.ask(path, body) == (200, answer)


def _predict(**body):
    return PREDICT, body


@pytest.mark.parametrize(
    ("request_", "status", "message"),
    [
        (
            ("/v1/models/none:predict", {"inputs": COLUMNS}),
            404,
            "Servable not found for request: Latest(none)",
        ),
        (
            ("/v1/models/tiny/versions/9:predict", {"inputs": COLUMNS}),
            404,
            "Servable not found for request: Specific(tiny, 9)",
        ),
        (
            ("/v1/models/tiny/versions/0:predict", {"inputs": COLUMNS}),
            404,
            "Servable not found for request: Specific(tiny, 0)",
        ),
        (
            ("/v1/models/tiny/versions/9223372036854775808:predict", {}),
            400,
            "Failed to convert version: 9223372036854775808 to numeric.",
        ),
        (
            ("/v1/models/tiny/labels/gone:predict", {"inputs": COLUMNS}),
            400,
            "Unrecognized servable version label: gone",
        ),
        (("/v1/models/tiny:explain", {}), 400, "Malformed request: POST /v1/models/tiny:explain"),
        (("/v1/models/tiny/versions/x:predict", {}), 400, "Malformed request: POST"),
        (("/v1/nothing", None), 400, "Malformed request: GET /v1/nothing"),
        (("/v1/models", None), 400, "Missing model name in request."),
        (("/v1/models/none", None), 404, "Could not find any versions of model none"),
        (("/v1/models/tiny/versions/9", None), 404, "Could not find version 9 of model tiny"),
        (("/v1/models/none/metadata", None), 404, "Servable not found for request: Latest(none)"),
        (("/elsewhere", None), 404, "/elsewhere"),
        ((PREDICT, b""), 400, "JSON Parse error: The document is empty"),
        ((PREDICT, b"{"), 400, "JSON Parse error: "),
        ((PREDICT, b"\xff"), 400, "JSON Parse error: "),
        ((PREDICT, b"[1]"), 400, "Is not object"),
        ((PREDICT, b"[" * 100_000), 400, "JSON Parse error: "),
        (_predict(), 400, "Missing 'inputs' or 'instances' key"),
        (_predict(inputs={}, instances=[]), 400, "only one of 'inputs' or 'instances' keys"),
        (_predict(instances={}), 400, "Excepting 'instances' to be an list/array"),
        (_predict(instances=[]), 400, "No values in 'instances' array"),
        (_predict(instances=[1]), 400, "instances is a plain list, but expecting list of objects"),
        (_predict(instances=[ROW, 1]), 400, "Expecting object but got list at item 1"),
        (_predict(instances=[{"x": 1.0}]), 400, "keys must be equal to: word,x"),
        (_predict(instances=[{**ROW, "y": 1}]), 400, "does not have named input: y"),
        (_predict(inputs={"x": [1.0]}), 400, "Missing named input: word in 'inputs' object."),
        (_predict(inputs=[1.0]), 400, "inputs is a plain value/list, but expecting an object"),
        (
            _predict(instances=[ROW, {"x": "1", "word": "a"}]),
            400,
            "Failed to process element: 1 key: x of 'instances' list. Error: INVALID_ARGUMENT: "
            'JSON Value: "1" Type: String is not of expected type: float',
        ),
        (
            _predict(instances=[ROW, {"x": [1.0], "word": "a"}]),
            400,
            "Expecting shape [] but got: [1]",
        ),
        (
            _predict(signature_name="total", instances=[[1, 2], [1]]),
            400,
            "Failed to process element: 1 of 'instances' list. Error: INVALID_ARGUMENT: "
            "Expecting tensor size: 2 but got: 1",
        ),
        (
            _predict(signature_name="total", inputs=[[1, 2], [1]]),
            400,
            "Encountered list at unexpected size: 1 at level: 1 expected size: 2",
        ),
        (
            _predict(signature_name="total", inputs=[[1, 2], 1]),
            400,
            "found at incorrect level: 2 in the JSON DOM. Expected at level: 2",
        ),
        (
            _predict(signature_name="total", inputs=[[1, [2]]]),
            400,
            "Encountered list at unexpected level: 2 expected < 2",
        ),
        (_predict(signature_name="total", inputs=[[1, 2, 3]]), 400, "[1,3]"),
        (
            _predict(signature_name="none", inputs=[1]),
            400,
            'Serving signature name: "none" not found in signature def',
        ),
        (
            _predict(signature_name=1, inputs=[1]),
            400,
            "'signature_name' key must be a string value.",
        ),
        (
            _predict(signature_name="strict", inputs={"i": [1.0], "b": [True]}),
            400,
            "JSON Value: 1.0 Type: Number is not of expected type: int32",
        ),
        (_predict(signature_name="strict", inputs={"i": [2**31], "b": [True]}), 400, "int32"),
        (
            _predict(signature_name="strict", inputs={"i": [1], "b": [1]}),
            400,
            "JSON Value: 1 Type: Number is not of expected type: bool",
        ),
        (
            _predict(signature_name="strict", inputs={"i": [True], "b": [True]}),
            400,
            "Type: True is not of expected type: int32",
        ),
        (_predict(inputs={"x": [None], "word": ["a"]}), 400, "Type: Null is not of expected type"),
        (
            _predict(inputs={"x": [2**24], "word": ["a"]}),
            400,
            "Cannot convert JSON value: 16777216 to float without loss of precision.",
        ),
        (_predict(inputs={"x": [1e39], "word": ["a"]}), 400, "without loss of precision."),
        (_predict(inputs={"x": [1.0], "word": [1]}), 400, "is not of expected type: string"),
        (_predict(inputs={"x": [1.0], "word": [{"b64": "?"}]}), 400, "Unable to base64 decode"),
        (
            _predict(inputs={"x": [1.0], "word": [{"b65": "aa"}]}),
            400,
            "not formatted correctly for base64 data",
        ),
        ((PREDICT, b'{"inputs": {"x": [1], "word": ["\\ud800"]}}'), 400, "surrogate"),
        (_predict(signature_name="ones_only", inputs=[2.0]), 400, "only ones"),
        (
            ("/v1/models/tiny:classify", {"signature_name": "classify"}),
            400,
            "key 'examples' is expected and was not found",
        ),
        (
            ("/v1/models/tiny:classify", {"signature_name": "classify", "examples": []}),
            400,
            "'examples' value is an empty array",
        ),
        (
            ("/v1/models/tiny:classify", {"examples": [{"x": 1.0}]}),
            400,
            "Expected classification signature method_name to be tensorflow/serving/classify. "
            "Was: tensorflow/serving/predict",
        ),
        (
            ("/v1/models/tiny:regress", {"signature_name": "none", "examples": [{}]}),
            400,
            "No signature was found with the name: none",
        ),
        (
            (
                "/v1/models/tiny:regress",
                {"signature_name": "regress", "examples": [{"x": [1.0, "a"]}]},
            ),
            400,
            "Unexpected element type in feature: x expecting type: float",
        ),
        (
            ("/v1/models/tiny:regress", {"signature_name": "regress", "examples": [{"x": None}]}),
            400,
            "Feature: x has element with unexpected JSON type: Null",
        ),
        # The default signature is a predict signature; the wrong feature type fails in the graph.
        (
            ("/v1/models/tiny:regress", {"signature_name": "regress", "examples": [{"x": 1}]}),
            400,
            "",
        ),
    ],
)
def test_error_differs_from_tensorflow_serving(server, request_, status, message):
    path, body = request_
    got, answer = server.ask(path, body)
    assert list(answer) == ["error"]
    assert message in answer["error"]
    assert got == status


def test_row_answers_refused_when_outputs_have_no_rows(server):
    status, answer = server.ask(
        "/v1/models/tiny:predict", {"signature_name": "scalar", "instances": [1]}
    )
    assert status == 400
    assert "expects []" in answer["error"]


def test_nan_and_infinity_tokens_lost(server):
    body = b'{"inputs": {"x": [NaN, Infinity, -Infinity], "word": ["a", "a", "a"]}}'
    status, answer = server.ask(PREDICT, body)
    assert status == 200
    nan, plus, minus = answer["outputs"]["score"]
    assert math.isnan(nan)
    assert (plus, minus) == (math.inf, -math.inf)


def test_float32_leaves_with_noise_digits(server):
    status, answer = server.ask(
        "/v1/models/tiny/versions/1:predict", {"inputs": {"x": [-1.6], "word": ["a"]}}
    )
    assert (status, json.dumps(answer["outputs"]["score"])) == (200, "[0.19999999]")


def test_gzip_body_not_inflated(server):
    body = gzip.compress(json.dumps({"inputs": COLUMNS}).encode())
    status, answer = server.ask(PREDICT, body, **{"Content-Encoding": "gzip"})
    assert (status, answer["outputs"]["score"]) == (200, [2.5])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"plain", "not gzip"),
        (gzip.compress(b"0" * (101 << 20)), "more than"),
        (gzip.compress(b"{}")[:-9], "early"),
    ],
    ids=["plain", "bomb", "torn"],
)
def test_bad_gzip_body_taken(server, body, message):
    status, answer = server.ask(PREDICT, body, **{"Content-Encoding": "gzip"})
    assert status == 400
    assert message in answer["error"]


def test_status_not_as_tensorflow_serving_prints_it(server):
    ok = {"error_code": "OK", "error_message": ""}
    both = [{"version": version, "state": "AVAILABLE", "status": ok} for version in ("2", "1")]
    assert server.ask("/v1/models/tiny") == (200, {"model_version_status": both})
    assert server.ask("/v1/models/tiny/versions/1") == (200, {"model_version_status": both[1:]})
    # A label is ignored here, even one that does not exist.
    assert server.ask("/v1/models/tiny/labels/gone") == (200, {"model_version_status": both})


def test_metadata_not_as_tensorflow_serving_prints_it(server):
    status, answer = server.ask("/v1/models/tiny/labels/stable/metadata")
    assert status == 200
    assert answer["model_spec"] == {"name": "tiny", "version": "1", "signature_name": ""}
    signature = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert signature["inputs"]["x"]["tensor_shape"] == {
        "dim": [{"size": "-1", "name": ""}],
        "unknown_rank": False,
    }


def test_metrics_missing_or_renamed(server):
    server.ask("/v1/models/counted:predict", {"inputs": COLUMNS})
    server.ask(PREDICT, {"inputs": COLUMNS})
    server.ask("/v1/models/tiny:regress", {"signature_name": "regress", "examples": [{"x": 1.5}]})
    page = server.text("/monitoring/prometheus/metrics")
    assert ':tensorflow:serving:request_count{model_name="counted",status="NOT_FOUND"} 1' in page
    for line in (
        "# TYPE :tensorflow:serving:request_count counter",
        "# TYPE :tensorflow:serving:request_latency histogram",
        ':tensorflow:serving:request_count{model_name="tiny",status="OK"}',
        ':request_latency_bucket{model_name="tiny",API="Predict",entrypoint="REST",le="10"}',
        ':request_latency_bucket{model_name="tiny",API="Predict",entrypoint="REST",le="+Inf"}',
        ':request_latency_sum{model_name="tiny",API="Predict",entrypoint="REST"}',
        ':runtime_latency_count{model_name="tiny",API="Regress",runtime="TF2"}',
        ':request_example_count_total{model="tiny"}',
        ':request_example_counts_count{model="tiny"}',
    ):
        assert line in page
