"""Classes and numbers go the whole way, too: from a span's rows to a server, or to a gate that is shut."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components import gates, home, ledger, metrics, plan, runs, spans
from components.errors import Halted
from components.validate_infra.server_process import server_process
from serving.client import ModelServer

NAME = "made"
SPAN = "2013-01-03"
YAML = """
source: {{path: "var/arrivals/{{span}}"}}
span: {{first: 2013-01-01}}
window: {{train: 2, evaluate: 1}}
label: answer
task: {task}
key: [id]
slices: [[kind]]
train: {{epochs: 30, batch_size: 32}}
data_gate: {{leak: 1}}
thresholds:
{thresholds}
serving: {{name: made, latency_ms: 5000}}
"""
THRESHOLDS: dict[str, str] = {
    "multiclass": """
  - {metric: accuracy, at_least: 0.6, worse_by_at_most: 0.1}
  - {metric: auc, slice: [kind], at_least: 0.6}
classes: [low, middle, high]
""",
    "regression": """
  - {metric: rmse, at_most: 8, worse_by_at_most: 1}
  - {metric: bias, slice: [kind], at_least: -5, at_most: 5}
""",
}
SCHEMA = """
feature {{ name: "id" type: BYTES not_in_environment: "SERVING" }}
feature {{ name: "size" type: FLOAT }}
feature {{ name: "kind" type: BYTES }}
feature {{ name: "answer" type: {type} not_in_environment: "SERVING" }}
default_environment: "TRAINING"
default_environment: "SERVING"
"""
MODEL = """
import keras
from keras import layers

def model(inputs, vocabulary_sizes):
    kind = layers.CategoryEncoding(vocabulary_sizes["kind"], output_mode="one_hot")(inputs["kind"])
    x = layers.Concatenate()([inputs["size"], kind])
    x = layers.Dense(16, activation="relu")(x)
    net = keras.Model(inputs, layers.Dense({outputs}, activation={activation!r})(x))
    net.compile(optimizer=keras.optimizers.Adam({rate}), loss={loss!r})
    return net
"""
NETS = {
    "multiclass": {
        "outputs": 3,
        "activation": "softmax",
        "loss": "sparse_categorical_crossentropy",
    },
    "regression": {"outputs": 1, "activation": None, "loss": "mean_squared_error"},
}


def rows(span: str, task: str, count: int = 400) -> pd.DataFrame:
    """Return a day's rows, of which a net can learn the answer; one in ten has none."""
    draw = np.random.default_rng(int(span.replace("-", "")))
    size, kind = draw.uniform(0, 30, count), draw.choice(["a", "b"], count)
    number = size + 5 * (kind == "b") + draw.normal(0, 2, count)
    answer = pd.Series(number.astype("float32"), dtype="Float32")
    if task == "multiclass":
        answer = pd.cut(number, [-99, 12, 22, 99], labels=["low", "middle", "high"]).astype(object)
        answer = pd.Series(answer)
    answer[draw.random(count) < 0.1] = None
    ids = [f"{span} {n}" for n in range(count)]
    return pd.DataFrame({"id": ids, "size": size.astype("float32"), "kind": kind, "answer": answer})


def settle(task: metrics.Task) -> None:
    """Write the pipeline, and the rows of three days."""
    folder = home.pipelines() / NAME
    kind = "BYTES" if task == "multiclass" else "FLOAT"
    write(folder / "pipeline.yaml", YAML.format(task=task, thresholds=THRESHOLDS[task].strip("\n")))
    write(folder / "ingest.sql", "SELECT * FROM read_parquet($source || '/rows.parquet')")
    write(folder / "model.py", MODEL.format(rate=0.03, **NETS[task]))
    write(home.schemas() / f"{NAME}.pbtxt", SCHEMA.format(type=kind))
    for day in [*spans.before(SPAN, 2), SPAN]:
        path = home.home() / "var" / "arrivals" / day / "rows.parquet"
        path.parent.mkdir(parents=True)
        rows(day, task).to_parquet(path, index=False)


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def run() -> runs.Run:
    """Do every step of the span's run, as a driver does."""
    begun = plan.ingest(NAME, SPAN).run
    for step in plan.PLAN:
        plan.perform(step, NAME, begun.id)
    return begun


@pytest.fixture(params=["multiclass", "regression"])
def served(request, tmp_path, monkeypatch) -> Iterator[tuple[str, ModelServer]]:
    """A house with a pipeline of the task, and a server on its models folder."""
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    settle(request.param)
    base = home.models(NAME)
    base.mkdir(parents=True)
    with server_process(NAME, base, home.var() / "server.log") as process:
        rest, grpc = f"http://127.0.0.1:{process.rest_port}", f"127.0.0.1:{process.grpc_port}"
        monkeypatch.setenv("SLUICE_GATEWAY_REST", rest)
        monkeypatch.setenv("SLUICE_GATEWAY_GRPC", grpc)
        monkeypatch.setenv("SLUICE_MODEL_SERVERS", f"blue={rest}|{grpc}")
        until = time.monotonic() + 300
        while "ready" not in process.log_tail():
            assert time.monotonic() < until, process.log_tail()
            time.sleep(0.05)
        with ModelServer(rest, grpc) as server:
            yield request.param, server


def test_a_good_model_is_released_and_a_worse_one_halts_at_the_model_gate(served):
    task, server = served
    first = run()
    release = ledger.of_fingerprint(NAME, first.fingerprint)
    assert release is not None
    assert set(release.metrics) == metrics.of(task).keys()
    golden = gates.read(runs.artifact(first, "validate_infra")).evidence["golden"]
    answers_as_it_was_judged(task, server, golden)

    write(home.pipelines() / NAME / "model.py", MODEL.format(rate=0.0, **NETS[task]))
    with pytest.raises(Halted) as halted:
        run()
    assert halted.value.verdict.gate == "model"
    assert ("accuracy" if task == "multiclass" else "rmse") in halted.value.verdict.reason
    assert ledger.baseline(NAME) == release  # what served goes on serving


def answers_as_it_was_judged(task: str, server: ModelServer, golden: dict[str, Any]) -> None:
    """Hold the server's answers, by either protocol, against the golden one."""
    asked = {name: [value] for name, value in golden["row"].items()}
    for predict in (server.predict, server.predict_grpc):
        outputs = predict(NAME, asked).outputs
        if task == "regression":
            assert outputs["score"] == pytest.approx([golden["score"]], rel=1e-5)
        else:
            assert outputs["scores"][0] == pytest.approx(golden["score"], abs=1e-5)
            assert outputs["classes"].tolist() == [[b"low", b"middle", b"high"]]
    signatures = {name for name in server.metadata(NAME) if not name.startswith("__")}
    assert signatures == {"serving_default", "classify" if task == "multiclass" else "regress"}
