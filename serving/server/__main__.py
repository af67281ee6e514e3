"""Run the model server: `python -m serving.server --help`.

SIGTERM and SIGINT end it gracefully: no new request is taken, those under way are answered.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import signal
import sys
import threading
import time
import warnings
from pathlib import Path

from serving.server import flags as command_line

GRACE_S = 10.0

log = logging.getLogger("serving.server")


def main() -> int:
    """Serve until told to stop; return the exit code."""
    started = time.monotonic()
    flags = command_line.parse()
    _set_up_logging()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    _keep_tensorflow_small()
    try:
        _serve(flags, stop, started)
    except _expected_errors() as error:
        log.error("Failed to start server. Error: %s", error)
        return 1
    return 0


def _set_up_logging() -> None:
    logging.basicConfig(
        format="%(asctime)s.%(msecs)03d %(levelname)s %(message)s",
        datefmt="%Y-%m-%d %H:%M:%S",
        level=logging.INFO,
        stream=sys.stderr,
    )
    for noisy in ("uvicorn", "tensorflow", "grpc", "absl"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def _keep_tensorflow_small() -> None:
    # `import tensorflow` looks for Keras and finds scikit-learn and pandas with it: 1.5 CPU seconds
    # and 150 MB that serving never uses. None here means "not installed".
    sys.modules.setdefault("keras", None)  # type: ignore[arg-type]
    # TensorFlow's C++ log repeats at length what its exceptions say.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    warnings.filterwarnings("ignore", category=FutureWarning, module="google.api_core")


def _expected_errors() -> tuple[type[Exception], ...]:
    from serving.server.errors import ServingError

    return (ServingError, OSError)


def _serve(flags: argparse.Namespace, stop: threading.Event, started: float) -> None:
    # Imported here because they import TensorFlow, which takes a few seconds: a mistyped flag is
    # answered at once.
    from serving.server.batching import Batching
    from serving.server.config import ModelServerConfig, single_model
    from serving.server.grpc_api import GrpcServer
    from serving.server.metrics import DEFAULT_PATH
    from serving.server.models import Models
    from serving.server.rest_api import RestApi, RestServer
    from serving.server.servable import Servable, load
    from serving.server.text_config import MonitoringConfig, parse
    from serving.server.versions import LoadPolicy, Versions
    from serving.server.warmup import warm_up

    batching = None
    if flags.enable_batching:
        file = flags.batching_parameters_file
        batching = Batching.from_file(file) if file else Batching()
    metrics_path = None
    if flags.monitoring_config_file:
        monitoring = parse(flags.monitoring_config_file, MonitoringConfig).prometheus_config
        metrics_path = (monitoring.path or DEFAULT_PATH) if monitoring.enable else None
    if flags.model_config_file:
        config = parse(flags.model_config_file, ModelServerConfig)
    else:
        config = single_model(flags.model_name, flags.model_base_path)

    def loader(name: str, version: int, path: Path) -> Servable:
        servable = load(name, version, path, batching)
        if flags.enable_model_warmup:
            warm_up(servable)
        return servable

    policy = LoadPolicy(
        threads=flags.num_load_threads,
        retries=flags.max_num_load_retries,
        retry_interval_s=flags.load_retry_interval_micros / 1e6,
    )
    models = Models(
        Versions(loader, policy),
        flags.file_system_poll_wait_seconds,
        flags.allow_version_labels_for_unavailable_models,
    )
    # A full collection walks all of TensorFlow's objects and stops every request for .4 s: they
    # never die, so they are taken out of its sight. Models come later and stay in it.
    gc.collect()
    gc.freeze()
    models.start(config)
    servers: list[GrpcServer | RestServer] = []
    try:
        if flags.port:
            address = f"{flags.host}:{flags.port}"
            servers.append(
                GrpcServer(
                    models, address, flags.grpc_max_threads, flags.enable_grpc_healthcheck_service
                )
            )
            log.info("Running ModelServer at %s ...", address)
        if flags.rest_api_port:
            api = RestApi(
                models,
                flags.rest_api_num_threads,
                flags.rest_api_timeout_in_ms / 1000,
                metrics_path,
            )
            servers.append(RestServer(api, flags.host, flags.rest_api_port))
            log.info("Exporting HTTP/REST API at:%s:%d ...", flags.host, flags.rest_api_port)
        log.info("ready after %.1f s", time.monotonic() - started)
        stop.wait()
        log.info("stopping: requests under way get %.0f s", GRACE_S)
    finally:
        for server in servers:
            server.stop(GRACE_S)
        models.stop()


if __name__ == "__main__":
    sys.exit(main())
