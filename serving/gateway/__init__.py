"""The gateway: Envoy on TensorFlow Serving's own ports, in front of a blue and a green model server.

    <folder>/bootstrap.json   listeners and clusters; read once, at the start
    <folder>/routes.json      who gets the requests; watched, replaced by one rename

Both listeners name one route configuration, so one rename moves REST and gRPC together. Requests go
to an aggregate cluster of one colour with the other behind it: when a server dies, its requests are
repeated on the other. That is safe because a prediction changes nothing.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx

from serving.gateway import clusters, listeners, routes
from serving.gateway.colour import Colour
from serving.gateway.envoy import Json

ROUTES, BOOTSTRAP = "routes.json", "bootstrap.json"


@dataclass(frozen=True)
class Gateway:
    """Where the gateway listens, and what stands behind it. `model` is what health checks ask for."""

    host: str
    rest_port: int
    grpc_port: int
    colours: Sequence[Colour]
    model: str
    admin: Path  # a unix socket, for this user alone


def write(folder: Path, gateway: Gateway, first: str) -> Path:
    """Write both files, the requests going to colour `first`; return the path of the bootstrap."""
    write_routes(folder, gateway, first)
    _write(folder / BOOTSTRAP, _bootstrap(folder, gateway))
    return folder / BOOTSTRAP


def write_routes(folder: Path, gateway: Gateway, first: str) -> None:
    """Send all requests to a colour, and to the others only when it fails; a running Envoy follows."""
    if first not in [colour.name for colour in gateway.colours]:
        raise ValueError(f"there is no model server {first!r} behind the gateway")
    served = {"version_info": first, "resources": [routes.routes(first)]}
    _write(folder / ROUTES, served)


def drain(admin: Path, patience_s: float = 5) -> None:
    """Let a gateway answer what it has begun, before it is stopped: SIGTERM alone cuts that off."""
    if not admin.exists():
        return
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(admin)), timeout=5) as envoy:
            envoy.post("http://envoy/drain_listeners?graceful&skip_exit")
            until = time.monotonic() + patience_s
            while _under_way(envoy) and time.monotonic() < until:
                time.sleep(0.1)
    except httpx.TransportError:
        return  # it was killed, and left its socket


def _under_way(envoy: httpx.Client) -> int:
    """Return the requests that the gateway is answering, the one that asks apart."""
    told = envoy.get("http://envoy/stats?filter=http.*downstream_rq_active").text
    lines = [line.rsplit(":", 1) for line in told.splitlines()]
    return sum(int(count) for name, count in lines if not name.startswith("http.admin."))


def _bootstrap(folder: Path, gateway: Gateway) -> Json:
    return {
        "node": {"id": "gateway", "cluster": "sluice"},
        "admin": {"address": {"pipe": {"path": str(gateway.admin), "mode": 0o600}}},
        "static_resources": {
            "listeners": [
                listeners.listener("rest", gateway.host, gateway.rest_port, folder / ROUTES),
                listeners.listener("grpc", gateway.host, gateway.grpc_port, folder / ROUTES),
            ],
            "clusters": clusters.clusters(gateway.colours, gateway.model),
        },
        "overload_manager": listeners.OVERLOAD,
    }


def _write(path: Path, message: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(json.dumps(message, indent=1))
    aside.replace(path)
