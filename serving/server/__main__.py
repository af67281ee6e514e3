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
from typing import TYPE_CHECKING

from serving.server import flags as command_line
from serving.server.errors import ServingError
from serving.server.sockets import address, listen

if TYPE_CHECKING:
    from serving.server.grpc_api import GrpcServer
    from serving.server.models import Models
    from serving.server.rest_api import RestServer
    from serving.server.servable import Servable

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
        _check_ports(flags)
        models = _start_models(flags)
        servers = _start_servers(flags, models)
    except (ServingError, OSError) as error:
        log.error("Failed to start server. Error: %s", error)
        return 1
    log.info("ready after %.1f s", time.monotonic() - started)
    stop.wait()
    log.info("stopping: requests under way get %.0f s", GRACE_S)
    models.stop()
    for wait in [server.stop(GRACE_S) for server in servers]:
        wait()
    log.info("stopped")
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


def _check_ports(flags: argparse.Namespace) -> None:
    """Raise OSError for a port that is taken, before the import of TensorFlow makes us wait."""
    for name in ("port", "rest_api_port"):
        port = getattr(flags, name)
        try:
            if port:
                listen(flags.host, port).close()
        except OSError as error:
            raise OSError(
                f"--{name}: cannot listen on {address(flags.host, port)} "
                f"({os.strerror(error.errno or 0)}); stop whoever does, or choose another port"
            ) from error


# What follows imports TensorFlow, which takes seconds: only now, so that a mistake in the flags is
# answered at once.


def _start_models(flags: argparse.Namespace) -> Models:
    from serving.server.batching import Batching
    from serving.server.config import ModelServerConfig, single_model
    from serving.server.models import Models
    from serving.server.servable import load
    from serving.server.text_config import parse
    from serving.server.versions import LoadPolicy, Versions
    from serving.server.warmup import warm_up

    if flags.model_config_file:
        config = parse(flags.model_config_file, ModelServerConfig)
    else:
        config = single_model(flags.model_name, flags.model_base_path)
    batching = None
    if flags.enable_batching:
        file = flags.batching_parameters_file
        batching = Batching.from_file(file) if file else Batching()

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
    return models


def _start_servers(flags: argparse.Namespace, models: Models) -> list[GrpcServer | RestServer]:
    from serving.server.grpc_api import GrpcServer
    from serving.server.metrics import DEFAULT_PATH
    from serving.server.rest_api import RestApi, RestServer
    from serving.server.text_config import MonitoringConfig, parse

    metrics_path = None
    if flags.monitoring_config_file:
        prometheus = parse(flags.monitoring_config_file, MonitoringConfig).prometheus_config
        metrics_path = (prometheus.path or DEFAULT_PATH) if prometheus.enable else None
    servers: list[GrpcServer | RestServer] = []
    if flags.port:
        where = address(flags.host, flags.port)
        healthcheck = flags.enable_grpc_healthcheck_service
        servers.append(GrpcServer(models, where, flags.grpc_max_threads, healthcheck))
        log.info("Running ModelServer at %s ...", where)
    if flags.rest_api_port:
        timeout_s = flags.rest_api_timeout_in_ms / 1000
        api = RestApi(models, flags.rest_api_num_threads, timeout_s, metrics_path)
        servers.append(RestServer(api, listen(flags.host, flags.rest_api_port)))
        where = address(flags.host, flags.rest_api_port)
        log.info("Exporting HTTP/REST API at:%s ...", where)
    return servers


if __name__ == "__main__":
    code = main()
    logging.shutdown()
    # Threads may be deep inside a model; the interpreter would wait for them beyond the grace.
    os._exit(code)
