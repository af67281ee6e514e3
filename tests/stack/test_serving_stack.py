"""The serving half of the stack, for real: two model servers, Envoy, a supervisor, PostgreSQL."""

import dataclasses
import os
import signal
import socket
import stat
import subprocess
import time
from pathlib import Path

import httpx
import psutil
import pytest

from demo.house import house
from sluice.stack import paths, supervision

LOOPBACK = ("127.0.0.1", "::ffff:127.0.0.1", "::1")


@pytest.fixture(scope="module")
def here(tmp_path_factory):
    with house(tmp_path_factory.mktemp("house")) as made:
        up = made.run("up", "--serving-only")
        assert up.returncode == 0, up.stdout + up.stderr
        yield made


@pytest.fixture
def inside(here, monkeypatch):
    """Let this process look at the house's stack."""
    monkeypatch.setenv("SLUICE_HOME", str(here.root))
    return here


def until(true, seconds=90):
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.1)


def answered(here, path="/v1/models/flights"):
    try:
        return httpx.get(f"http://127.0.0.1:{here.ports.rest}{path}", timeout=10)
    except httpx.TransportError:
        return None


def test_nothing_listens_beyond_loopback(inside):
    listening = {
        connection.laddr.ip
        for process in supervision.marked()
        for connection in process.net_connections("inet")
        if connection.status == psutil.CONN_LISTEN
    }
    assert listening == {"127.0.0.1", "::ffff:127.0.0.1"}  # gRPC names IPv4's in IPv6's way


def test_up_again_is_quick_and_starts_nothing_anew(inside):
    before = {n: told["pid"] for n, told in supervision.processes().items()}
    again = inside.run("up", "--serving-only")
    assert again.returncode == 0
    assert "up already" in again.stdout
    assert {n: told["pid"] for n, told in supervision.processes().items()} == before


def test_before_a_first_release_the_gateway_answers_as_the_server_does(inside):
    answer = answered(inside, "/v1/models/flights")
    assert answer.status_code == 404
    assert "flights" in answer.json()["error"]


def test_what_is_not_for_clients_is_not_routed(inside):
    assert answered(inside, "/monitoring/prometheus/metrics").status_code == 404
    url = f"http://127.0.0.1:{inside.ports.grpc}/tensorflow.serving.ModelService/HandleReloadConfigRequest"
    assert (
        httpx.post(url, headers={"content-type": "application/grpc"}).headers["grpc-status"] == "12"
    )


def test_a_request_keeps_its_id_and_is_given_one(inside):
    url = f"http://127.0.0.1:{inside.ports.rest}/v1/models/flights"
    assert httpx.get(url, headers={"x-request-id": "mine"}).headers["x-request-id"] == "mine"
    assert httpx.get(url).headers["x-request-id"]


def test_too_large_a_body_is_413(inside):
    url = f"http://127.0.0.1:{inside.ports.rest}/v1/models/flights:predict"
    assert httpx.post(url, content=b"x" * (17 * 2**20), timeout=60).status_code == 413


def test_the_gateways_admin_is_a_socket_for_its_owner_alone(inside):
    mode = stat.S_IMODE((paths.sockets() / "envoy.sock").stat().st_mode)
    assert mode == 0o600


def test_a_killed_model_server_is_replaced_and_no_request_fails_meanwhile(inside):
    pid = supervision.processes()["blue"]["pid"]
    os.kill(pid, signal.SIGKILL)
    codes = []
    until(
        lambda: (
            codes.append(answered(inside).status_code)
            or supervision.processes()["blue"]["pid"] not in (0, pid)
        )
    )
    assert set(codes) == {404}


def test_status_tells_what_runs_and_where(inside):
    told = inside.run("status")
    assert told.returncode == 0
    assert f"http://127.0.0.1:{inside.ports.rest}" in told.stdout


def test_a_pipeline_that_comes_later_is_served_after_up(inside):
    for name in ("pipelines", "schemas"):
        for path in (inside.root / name).glob("flights*"):
            copy = path.with_name(path.name.replace("flights", "later"))
            subprocess.run(["cp", "-r", str(path), str(copy)], check=True)
    spec = inside.root / "pipelines" / "later" / "pipeline.yaml"
    spec.write_text(spec.read_text().replace("name: flights", "name: later"))
    up = inside.run("up", "--serving-only")
    assert up.returncode == 0, up.stderr
    config = (inside.root / "var/serving/models.config").read_text()
    assert 'name: "later"' in config


def test_down_leaves_nothing_even_after_the_supervisor_was_killed(tmp_path, monkeypatch):
    with house(tmp_path) as made:
        assert made.run("up", "--serving-only").returncode == 0
        monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
        os.kill(int((paths.state() / "supervisord.pid").read_text()), signal.SIGKILL)
        assert supervision.marked()
        assert made.run("down").returncode == 0
        assert supervision.marked() == []
        with pytest.raises(httpx.TransportError):
            httpx.get(f"http://127.0.0.1:{made.ports.rest}/", timeout=5)


def test_a_model_server_that_keeps_dying_is_told_with_its_last_words(tmp_path):
    with house(tmp_path) as made:
        (tmp_path / "serving/server/__main__.py").write_text("raise SystemExit('no heart for it')")
        up = made.run("up", "--serving-only", timeout=100)  # its patience is longer
        assert up.returncode == 1
        assert "blue does not come up (dying); mend what it says" in up.stderr
        assert "no heart for it" in up.stderr


def test_settings_that_cannot_be_written_are_told_without_a_traceback(tmp_path):
    with house(tmp_path) as made:
        (tmp_path / "var/serving/gateway/bootstrap.json").mkdir(parents=True)
        up = made.run("up", "--serving-only")
        assert up.returncode == 1
        assert "bootstrap.json" in up.stderr
        assert "Traceback" not in up.stderr


def test_a_taken_port_is_told_and_nothing_is_left_running(tmp_path, monkeypatch):
    with house(tmp_path) as made, socket.create_server(("127.0.0.1", made.ports.green_grpc)):
        up = made.run("up", "--serving-only")
        monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
        assert supervision.marked() == []
    assert up.returncode == 1
    assert len(up.stderr.splitlines()) == 1
    assert f"port {made.ports.green_grpc} (model server green, gRPC) is taken" in up.stderr
    assert "SLUICE_GREEN_GRPC_PORT=" in up.stderr


def test_another_port_than_the_running_stack_has_is_wrong_use(inside):
    asked = dataclasses.replace(
        inside, environment={**inside.environment, "SLUICE_REST_PORT": "1"}
    ).run("up", "--serving-only")
    assert asked.returncode == 2
    assert "sluice down, then sluice up" in asked.stderr


def test_the_sockets_move_where_the_path_is_short_enough(tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 60) / ("e" * 60)
    monkeypatch.setenv("SLUICE_HOME", str(deep))
    assert len(str(paths.sockets())) < paths.LONGEST_SOCKET
    assert paths.sockets() != Path(deep) / "var" / "stack" / "run"
