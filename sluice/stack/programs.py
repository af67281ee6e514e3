"""The programs of the stack, and the files that they are started with."""

from __future__ import annotations

import sys
from pathlib import Path

from components import home, pipelines
from components.errors import UsageError
from components.files import write_atomically
from serving import gateway
from serving.endpoints import Endpoints, Server, dump
from sluice.stack import database, paths
from sluice.stack.ports import Ports
from sluice.stack.settings import Program

HOST = "127.0.0.1"
COLOURS = ("blue", "green")
SERVING = (*COLOURS, "gateway")
AIRFLOW = ("database", "api-server", "scheduler", "dag-processor", "triggerer")
ALL = (*AIRFLOW, *SERVING)
BIN = Path(sys.executable).parent


def all_programs(ports: Ports) -> list[Program]:
    """Return every program of the stack, in the order in which they are shown."""
    database_server = Program("database", database.command(), stop="INT")
    # Forked tasks are safer, and smaller, the fewer threads their parent has.
    forks = {"OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}
    airflow = [
        _airflow(ports, "api-server"),
        _airflow(ports, "scheduler", "--skip-serve-logs", **forks),
        _airflow(ports, "dag-processor"),
        _airflow(ports, "triggerer", "--skip-serve-logs"),
    ]
    return [database_server, *airflow, *(_model_server(ports, c) for c in COLOURS), _gateway(ports)]


def listener(port: str) -> str:
    """Return the program that listens on a port of this name."""
    if port == "airflow":
        return "api-server"
    return port.split("_")[0] if "_" in port else "gateway"


def _airflow(ports: Ports, name: str, *flags: str, **environment: str) -> Program:
    url = f"http://{HOST}:{ports.airflow}"
    settings = {
        "AIRFLOW__API__PORT": str(ports.airflow),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "PYTHONPATH": str(home.home()),
        "TF_CPP_MIN_LOG_LEVEL": "2",
        "KERAS_HOME": str(home.var() / "keras"),  # else a file in the user's own folder
    }
    return Program(
        name, [str(BIN / "airflow"), name, *flags], settings | environment, patience_s=30
    )


def _model_server(ports: Ports, colour: str) -> Program:
    flags = {
        "port": getattr(ports, f"{colour}_grpc"),
        "rest_api_port": getattr(ports, f"{colour}_rest"),
        "model_config_file": _models_config(),
        "monitoring_config_file": _monitoring_config(),
        "max_num_load_retries": 0,  # a version that does not load is known to be broken at once
        "enable_grpc_healthcheck_service": "true",
    }
    command = [sys.executable, "-m", "serving.server", *(f"--{k}={v}" for k, v in flags.items())]
    return Program(colour, command, {"PYTHONPATH": str(home.home())})


def _gateway(ports: Ports) -> Program:
    bootstrap = _gateway_folder() / gateway.BOOTSTRAP
    flags = ["--concurrency", "2", "--disable-hot-restart", "--log-level", "warning"]
    return Program("gateway", [str(BIN / "envoy"), "-c", str(bootstrap), *flags])


def write_settings(ports: Ports) -> bool:
    """Write what the servers and the gateway read; say whether the list of models has changed."""
    names = serving_names()
    colours = [
        gateway.Colour(c, HOST, getattr(ports, f"{c}_rest"), getattr(ports, f"{c}_grpc"))
        for c in COLOURS
    ]
    settings = gateway.Gateway(
        HOST, ports.rest, ports.grpc, colours, names[0] if names else "none", admin_socket()
    )
    gateway.write(_gateway_folder(), settings, COLOURS[0])
    write_atomically(endpoints_file(), dump(_endpoints(ports)))
    write_atomically(_monitoring_config(), "prometheus_config { enable: true }\n")
    models = "".join(
        f'  config {{ name: "{name}" base_path: "{home.models(name)}" model_platform: "tensorflow" }}\n'
        for name in names
    )
    for name in names:
        home.models(name).mkdir(parents=True, exist_ok=True)
    text = f"model_config_list {{\n{models}}}\n"
    changed = not _models_config().exists() or _models_config().read_text() != text
    write_atomically(_models_config(), text)
    return changed


def serving_names() -> list[str]:
    """Return the name on the servers of every pipeline whose spec reads."""
    names = set()
    for name in pipelines.names():
        try:
            names.add(pipelines.load(name).serving.name)
        except UsageError:
            continue  # a broken spec shows in Airflow; it takes no other pipeline with it
    return sorted(names)


def endpoints_file() -> Path:
    """Return the file from which commands learn where the gateway and the servers answer."""
    return paths.state() / "endpoints.json"


def admin_socket() -> Path:
    """Return the gateway's admin socket."""
    return paths.sockets() / "envoy.sock"


def _endpoints(ports: Ports) -> Endpoints:
    def at(rest: int, grpc: int) -> Server:
        return Server(f"http://{HOST}:{rest}", f"{HOST}:{grpc}")

    servers = {c: at(getattr(ports, f"{c}_rest"), getattr(ports, f"{c}_grpc")) for c in COLOURS}
    return Endpoints(at(ports.rest, ports.grpc), servers)


def _gateway_folder() -> Path:
    return paths.serving() / "gateway"


def _models_config() -> Path:
    return paths.serving() / "models.config"


def _monitoring_config() -> Path:
    return paths.serving() / "monitoring.config"
