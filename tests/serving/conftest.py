"""Real servers for the tests: started once, on free ports, with small SavedModels."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest
from server_process import RunningServer, model_list, running, tiny_config

from serving.client import ModelServer


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    """Two saved versions of the tiny model."""
    import tiny_models

    folder = tmp_path_factory.mktemp("saved")
    return {version: tiny_models.save(folder / str(version), version) for version in (1, 2)}


@pytest.fixture(scope="session")
def server(
    tiny: dict[int, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RunningServer]:
    """A server of `tiny` 1 and 2, labelled stable and canary, as most tests want it."""
    import tiny_models

    folder = tmp_path_factory.mktemp("server")
    for version, saved in tiny.items():
        tiny_models.publish(saved, folder / "tiny", version)
    config = folder / "models.config"
    config.write_text(model_list(tiny_config(folder / "tiny")))
    monitoring = folder / "monitoring.config"
    monitoring.write_text("prometheus_config { enable: true }")
    flags = (
        f"--model_config_file={config}",
        f"--monitoring_config_file={monitoring}",
        "--allow_version_labels_for_unavailable_models",
        "--enable_grpc_healthcheck_service=true",
        "--max_num_load_retries=0",
        "--num_load_threads=2",
    )
    with running(folder, *flags) as started:
        started.bases["tiny"] = folder / "tiny"
        with started.client() as client:
            for version in tiny:
                client.wait_available("tiny", version, 60)
        yield started


_names = itertools.count(1)


@pytest.fixture
def fresh(tmp_path: Path) -> tuple[str, Path]:
    """A model name and a base path that no other test uses."""
    base = tmp_path / "base"
    base.mkdir()
    return f"model{next(_names)}", base


@pytest.fixture
def client(server: RunningServer) -> Iterator[ModelServer]:
    """A client of the server."""
    with server.client() as client:
        yield client
