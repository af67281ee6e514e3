"""Where the gateway and the model servers answer: from the environment, else as the stack wrote it.

SLUICE_GATEWAY_REST=http://127.0.0.1:8501
SLUICE_GATEWAY_GRPC=127.0.0.1:8500
SLUICE_MODEL_SERVERS=blue=http://127.0.0.1:8511|127.0.0.1:8510,green=http://…|…
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Server:
    """One server: the URL of its REST API, and `host:port` of its gRPC API."""

    rest: str
    grpc: str


@dataclass(frozen=True)
class Endpoints:
    """What predictions are asked of, and the servers behind it by colour."""

    gateway: Server
    servers: Mapping[str, Server]


DEFAULT = Endpoints(
    gateway=Server("http://127.0.0.1:8501", "127.0.0.1:8500"),
    servers={
        "blue": Server("http://127.0.0.1:8511", "127.0.0.1:8510"),
        "green": Server("http://127.0.0.1:8521", "127.0.0.1:8520"),
    },
)


def endpoints(memory: Path) -> Endpoints:
    """Return the addresses in force. `memory`: the file that `dump` gave the text of, if there.

    Raises ValueError, naming the variable or the file, when what is written there does not read.
    """
    known = _load(memory) if memory.exists() else DEFAULT
    gateway = Server(
        os.environ.get("SLUICE_GATEWAY_REST", known.gateway.rest),
        os.environ.get("SLUICE_GATEWAY_GRPC", known.gateway.grpc),
    )
    named = os.environ.get("SLUICE_MODEL_SERVERS")
    return Endpoints(gateway, _servers(named) if named else known.servers)


def dump(known: Endpoints) -> str:
    """Return the addresses as text for the file."""
    return json.dumps(asdict(known), indent=2) + "\n"


def _load(memory: Path) -> Endpoints:
    try:
        said = json.loads(memory.read_text())
        servers = {name: Server(**server) for name, server in said["servers"].items()}
        return Endpoints(Server(**said["gateway"]), servers)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{memory} does not read ({error}); write it anew: sluice up") from None


def _servers(text: str) -> dict[str, Server]:
    found = {}
    for entry in text.split(","):
        name, equals, addresses = entry.strip().partition("=")
        rest, bar, grpc = addresses.partition("|")
        if not (name and equals and rest and bar and grpc):
            raise ValueError(
                f"SLUICE_MODEL_SERVERS: {entry!r} is not NAME=REST_URL|GRPC_ADDRESS, "
                "such as blue=http://127.0.0.1:8511|127.0.0.1:8510"
            )
        found[name] = Server(rest, grpc)
    return found
