"""The stack's ports: from the environment, else as last time, else TensorFlow Serving's and Airflow's."""

from __future__ import annotations

import json
import os
import socket
from pathlib import Path

import psutil
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from components.errors import SluiceError, UsageError
from components.files import write_atomically


class Ports(BaseModel):
    """One port for each thing that listens, all on 127.0.0.1. Each has its environment variable."""

    model_config = ConfigDict(frozen=True)

    rest: int = Field(default=8501, description="gateway, REST")
    grpc: int = Field(default=8500, description="gateway, gRPC")
    blue_rest: int = Field(default=8511, description="model server blue, REST")
    blue_grpc: int = Field(default=8510, description="model server blue, gRPC")
    green_rest: int = Field(default=8521, description="model server green, REST")
    green_grpc: int = Field(default=8520, description="model server green, gRPC")
    airflow: int = Field(default=8080, description="Airflow")


def variable(name: str) -> str:
    """Return the environment variable that sets a port: `SLUICE_REST_PORT` for `rest`."""
    return f"SLUICE_{name.upper()}_PORT"


def load(memory: Path) -> Ports:
    """Return the ports to start on; raise UsageError for a variable that names no port."""
    said = remembered(memory).model_dump()
    for name in Ports.model_fields:
        given = os.environ.get(variable(name))
        if given is None:
            continue
        if not (given.isdigit() and 0 < int(given) < 65536):
            raise UsageError(f"{variable(name)}={given!r} is not a port: give a number up to 65535")
        said[name] = int(given)
    twice = sorted(port for port in said.values() if list(said.values()).count(port) > 1)
    if twice:
        raise UsageError(
            f"port {twice[0]} is given to two parts; set another SLUICE_…_PORT for one"
        )
    return Ports(**said)


def remembered(memory: Path) -> Ports:
    """Return the ports that the stack was last started on: those it listens on while it runs."""
    try:
        return Ports.model_validate_json(memory.read_bytes())
    except FileNotFoundError:
        return Ports()
    except ValidationError as error:
        raise SluiceError(f"{memory} is torn; remove it: {str(error).splitlines()[0]}") from None


def remember(memory: Path, ports: Ports) -> None:
    """Keep the ports for the commands that follow, which then need no environment."""
    write_atomically(memory, json.dumps(ports.model_dump(), indent=2) + "\n")


def insist_free(ports: Ports, names: list[str]) -> None:
    """Raise SluiceError for the first port that is taken: which, for what, by whom, what to set."""
    for name in names:
        port = getattr(ports, name)
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                told = Ports.model_fields[name].description
                raise SluiceError(
                    f"port {port} ({told}) is taken{_holder(port)}; end that, "
                    f"or choose another: {variable(name)}={port + 1000} make up"
                ) from None


def _holder(port: int) -> str:
    """Return ` by NAME (pid N)`, as far as this user may know."""
    try:
        for connection in psutil.net_connections("tcp"):
            local = connection.laddr
            if (
                local
                and local.port == port
                and connection.status == psutil.CONN_LISTEN
                and connection.pid
            ):
                return f" by {psutil.Process(connection.pid).name()} (pid {connection.pid})"
    except psutil.Error:
        pass
    return ""
