"""The process: flags, starting before the first release, time-outs, batching, a clean end."""

from __future__ import annotations

import ipaddress
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
from server_process import eventually, free_port, model_config, model_list, running
from tiny_models import publish

from serving.client import ServerRefused, ServerUnreachable

COLUMNS = {"x": [1.0], "word": ["a"]}
ROOT = Path(__file__).parents[2]


def start_and_fail(*flags: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-m", "serving.server", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    return done.returncode, done.stderr.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model_nam=x"], "unknown flag --model_nam; did you mean --model_name?"),
        (["--qqq"], "unknown flag --qqq; see --help"),
        ([], "one of --model_base_path and --model_config_file is needed"),
        (["--model_base_path=/m", "--port=0"], "nothing to listen on"),
        (["--model_base_path=/m", "--rest_api_port=8500"], "cannot be same as --port"),
        (["--model_base_path=/m", "--enable_batching=perhaps"], "neither true nor false"),
        (["--model_base_path=/m", "--batching_parameters_file=/b"], "needs --enable_batching"),
        (["--model_base_path=/m", "--port=-1"], "-1 is negative"),
    ],
)
def test_wrong_flag_taken(capsys, flags, message):
    from serving.server import flags as command_line

    with pytest.raises(SystemExit) as end:
        command_line.parse(flags)
    assert end.value.code == 2
    assert message in capsys.readouterr().err


def test_label_at_start_gives_no_remedy(tmp_path):
    config = tmp_path / "models.config"
    config.write_text(
        model_list(model_config("m", tmp_path, 'version_labels { key: "a" value: 1 }'))
    )
    code, line = start_and_fail(f"--model_config_file={config}")
    assert code == 1
    assert "Request to assign label to version 1 of model m" in line
    assert "--allow_version_labels_for_unavailable_models" in line


def test_two_servers_share_a_port(server):
    for flag, port in (("port", server.grpc_port), ("rest_api_port", server.rest_port)):
        other = {"port": free_port(), flag: port}
        code, line = start_and_fail(
            "--model_base_path=/m", *[f"--{name}={value}" for name, value in other.items()]
        )
        assert code == 1
        assert "Failed to start server. Error: " in line
        assert f"--{flag}: cannot listen on 127.0.0.1:{port} (Address already in use)" in line


def test_server_needs_a_model_to_start_and_ends_unclean(tiny, tmp_path):
    base = tmp_path / "later" / "tiny"
    flags = (
        "--model_name=tiny",
        f"--model_base_path={base}",
        "--max_num_load_retries=3",
        "--load_retry_interval_micros=600000000",
        "--rest_api_timeout_in_ms=3000",
        "--rest_api_num_threads=2",
    )
    with running(tmp_path, *flags) as server, server.client() as client:
        process = psutil.Process(server.process.pid)

        def cpu_s() -> float:
            return sum(process.cpu_times()[:2])

        assert client.versions("tiny") == {}
        with pytest.raises(ServerRefused, match="Servable not found for request: Latest"):
            client.predict_grpc("tiny", COLUMNS)
        eventually(lambda: f"Could not find base path {base}" in server.log_text())
        # No metrics page unless configured.
        assert server.ask("/monitoring/prometheus/metrics")[0] == 404

        # A broken first version stays LOADING through its retries; withdrawing it ends them.
        staged = publish(tiny[1], base, ".staged")
        (staged / "saved_model.pb").unlink()
        staged.rename(base / "1")
        eventually(lambda: "tiny/1 failed to load (try 1 of 4)" in server.log_text())
        assert client.versions("tiny")[1].state == "LOADING"
        publish(tiny[2], base, 2)
        client.wait_available("tiny", 2, 60)
        eventually(lambda: client.versions("tiny")[1].state == "END")
        assert client.predict("tiny", COLUMNS).outputs["score"] == [2.5]

        # Requests that take too long are 504; meanwhile the server still says that it is well.
        slow, idle = {"signature_name": "slow", "inputs": [4.0]}, cpu_s()
        with ThreadPoolExecutor(2) as pool:
            overdue = [pool.submit(server.ask, "/v1/models/tiny:predict", slow) for _ in range(2)]
            eventually(lambda: cpu_s() > idle + 0.5)
            assert server.ask("/v1/models/tiny/metadata")[0] == 200
            assert not any(ask.done() for ask in overdue)
            answers = [ask.result(timeout=30) for ask in overdue]
        assert [(status, "Timed out" in one["error"]) for status, one in answers] == [
            (504, True)
        ] * 2

        # Requests under way are answered when the server is told to stop.
        def ask_slowly(predict, seconds: float) -> list[float]:
            return predict("tiny", {"seconds": [seconds]}, 2, "slow").outputs["seconds"].tolist()

        predicts = (client.predict, client.predict_grpc)
        assert [ask_slowly(predict, 0.0) for predict in predicts] == [[0.0], [0.0]]
        with ThreadPoolExecutor(2) as pool:
            busy = cpu_s()
            late = [pool.submit(ask_slowly, predict, 1.5) for predict in predicts]
            eventually(lambda: cpu_s() > busy + 0.5)
            server.process.send_signal(signal.SIGTERM)
            assert [ask.result(timeout=30) for ask in late] == [[1.5], [1.5]]
        assert server.process.wait(60) == 0
        with pytest.raises(ServerUnreachable):
            client.versions("tiny")
        log = server.log_text()
    assert "Traceback" not in log


def test_server_imports_what_it_never_uses(server):
    mapped = {one.path for one in psutil.Process(server.process.pid).memory_maps()}
    packages = {part for path in mapped for part in Path(path).parts}
    assert "tensorflow" in packages
    # Keras would bring scikit-learn and pandas.
    assert not packages & {"sklearn", "pandas", "pyarrow", "tfx_bsl", "apache_beam"}


def test_server_listens_beyond_loopback(server):
    listening = [
        ipaddress.ip_address(one.laddr.ip.removeprefix("::ffff:"))
        for one in psutil.Process(server.process.pid).net_connections()
        if one.status == psutil.CONN_LISTEN
    ]
    assert [address.is_loopback for address in listening] == [True, True]


def test_batching_changes_answers_or_loses_requests(tiny, tmp_path):
    publish(tiny[1], tmp_path / "tiny", 1)
    parameters = tmp_path / "batching.config"
    parameters.write_text(
        "max_batch_size { value: 8 } batch_timeout_micros { value: 20000 } "
        "num_batch_threads { value: 2 } max_enqueued_batches { value: 100 } "
        "allowed_batch_sizes: 4 allowed_batch_sizes: 8"
    )
    flags = (
        "--model_name=tiny",
        f"--model_base_path={tmp_path / 'tiny'}",
        "--enable_batching",
        f"--batching_parameters_file={parameters}",
        "--grpc_max_threads=16",
    )
    with running(tmp_path, *flags) as server, server.client() as client:
        client.wait_available("tiny", 1, 60)
        rng = np.random.default_rng(7)
        sizes = rng.integers(1, 5, 200)
        words = [rng.choice(["a", "b", "zz"], size).tolist() for size in sizes]
        xs = [rng.normal(size=size).astype(np.float32) for size in sizes]
        asks = [client.predict, client.predict_grpc]

        def ask(i: int):
            return asks[i % 2]("tiny", {"x": xs[i], "word": words[i]}, 1).outputs

        with ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(ask, range(len(sizes))))
        for x, word, answer in zip(xs, words, answers, strict=True):
            np.testing.assert_allclose(answer["score"], x / 2 + 1, rtol=1e-6)
            assert answer["known"].tolist() == [{"a": 1, "b": 2}.get(w, -1) for w in word]

        status, answer = server.ask(
            "/v1/models/tiny:predict", {"inputs": {"x": [1, 2], "word": ["a"]}}
        )
        assert status == 400
        assert "equal 0th-dimension size" in answer["error"]
        status, answer = server.ask(
            "/v1/models/tiny:predict", {"signature_name": "scalar", "inputs": 1}
        )
        assert status == 400
        assert "at least one dimension" in answer["error"]
        # More rows than a batch holds are refused, as long as splitting is not switched on.
        status, answer = server.ask(
            "/v1/models/tiny:predict", {"inputs": {"x": [1] * 9, "word": ["a"] * 9}}
        )
        assert status == 400
        assert "8" in answer["error"]


def test_bad_batching_parameters_taken(tmp_path):
    from serving.server.batching import Batching
    from serving.server.errors import ServingError

    file = tmp_path / "batching.config"
    for text, message in (
        ("max_batch_size { value: 8 } allowed_batch_sizes: 4", "end with max_batch_size 8"),
        ("max_batch_sise { value: 8 }", "max_batch_sise"),
    ):
        file.write_text(text)
        with pytest.raises(ServingError, match=message):
            Batching.from_file(file)
    with pytest.raises(ServingError, match="No such file"):
        Batching.from_file(tmp_path / "gone")


def test_request_right_after_the_start_finds_no_model(tiny, tmp_path):
    publish(tiny[1], tmp_path / "base", 1)
    flags = ("--model_name=tiny", f"--model_base_path={tmp_path / 'base'}")
    with running(tmp_path, *flags) as server, server.client() as client:
        assert client.versions("tiny")[1].state == "AVAILABLE"


def test_broken_version_keeps_the_ports_closed_while_it_is_tried_again(tmp_path):
    (tmp_path / "base" / "1").mkdir(parents=True)
    flags = ("--model_name=tiny", f"--model_base_path={tmp_path / 'base'}")  # 5 more, 60 s apart
    with running(tmp_path, *flags) as server, server.client() as client:
        assert client.versions("tiny")[1].state == "LOADING"
