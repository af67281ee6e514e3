"""The scripts that run around and inside the containers, run for real."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

DOCKER = Path(__file__).resolve().parents[2] / "docker"


def make_secrets(folder: Path) -> subprocess.CompletedProcess[str]:
    script = folder / "secrets.sh"
    shutil.copy(DOCKER / "secrets.sh", script)
    return subprocess.run([script], check=True, capture_output=True, text=True)


def test_a_password_that_is_short_or_open_to_others(tmp_path: Path):
    make_secrets(tmp_path)
    (secret,) = (tmp_path / "secrets").iterdir()
    assert secret.name == "postgres_password"
    assert len(secret.read_text()) == 64
    assert set(secret.read_text()) <= set("0123456789abcdef")
    assert secret.stat().st_mode & 0o777 == 0o444  # for the container's user
    assert secret.parent.stat().st_mode & 0o077 == 0  # and for nobody else


def test_a_second_run_that_locks_everybody_out_of_the_database(tmp_path: Path):
    make_secrets(tmp_path)
    secret = tmp_path / "secrets" / "postgres_password"
    before = secret.read_text()
    assert make_secrets(tmp_path).stdout == ""
    assert secret.read_text() == before


@contextmanager
def api_server(pages: Mapping[str, str]) -> Iterator[str]:
    """Answer with these pages, by path, on a free port; yield the URL."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path in pages else 404)
            self.end_headers()
            self.wfile.write(pages.get(self.path, "").encode())

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def healthy(part: str, url: str) -> int:
    command = [sys.executable, "-S", str(DOCKER / "healthy.py"), part, url]
    return subprocess.run(command, timeout=60, capture_output=True).returncode


BEATS = """{"metadatabase": {"status": "healthy"}, "dag_processor": {"status": "healthy"},
 "scheduler": {"status": "unhealthy", "latest_scheduler_heartbeat": "2013-02-08T06:10:00Z"},
 "triggerer": {"status": null, "latest_triggerer_heartbeat": null}}"""


@pytest.mark.parametrize(
    ("part", "code"),
    [("dag-processor", 0), ("scheduler", 1), ("triggerer", 1), ("typo", 1), ("api-server", 1)],
)
def test_a_dead_part_taken_for_a_live_one(part: str, code: int):
    with api_server({"/api/v2/monitor/health": BEATS}) as url:
        assert healthy(part, url) == code


def test_an_api_server_to_which_tasks_cannot_report():
    with api_server({"/execution/health": '{"status": "healthy"}'}) as url:
        assert healthy("api-server", url) == 0
        assert healthy("scheduler", url) == 1


def test_an_api_server_that_is_down_or_talks_nonsense():
    with api_server({"/api/v2/monitor/health": "<html>"}) as url:
        assert healthy("scheduler", url) == 1
    assert healthy("scheduler", url) == 1


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(DOCKER)
    (tmp_path / "var" / "serving" / "models").mkdir(parents=True)
    return tmp_path


def test_settings_that_envoy_refuses(house: Path):
    import prepare

    prepare.write_settings()
    bootstrap = house / "var" / "serving" / "gateway" / "bootstrap.json"
    command = [Path(sys.executable).parent / "envoy", "--mode", "validate", "-c", bootstrap]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert f"'{bootstrap}' OK" in done.stderr + done.stdout


def test_a_gateway_that_nobody_outside_its_container_can_reach(house: Path):
    import prepare

    prepare.write_settings()
    told = json.loads((house / "var/serving/gateway/bootstrap.json").read_text())
    listeners = [one["address"]["socket_address"] for one in told["static_resources"]["listeners"]]
    assert {(one["address"], one["port_value"]) for one in listeners} == {
        ("0.0.0.0", 8501),
        ("0.0.0.0", 8500),
    }


def test_a_list_that_names_a_model_before_its_first_version(house: Path):
    import list_models

    models = house / "var" / "serving" / "models"
    (models / "flights" / "7").mkdir(parents=True)
    (models / "trains" / ".staged-1").mkdir(parents=True)
    (models / "boats").mkdir()
    (models / "stray-file").touch()
    config = text_format.Parse(list_models.models_config(), ModelServerConfig())
    (model,) = config.model_config_list.config
    assert (model.name, model.base_path) == ("flights", str(models / "flights"))
    assert model.model_platform == "tensorflow"


def test_an_empty_list_that_a_model_server_could_not_read(house: Path):
    import list_models

    config = text_format.Parse(list_models.models_config(), ModelServerConfig())
    assert config.WhichOneof("config") == "model_config_list"
