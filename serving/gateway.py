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
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROUTES, BOOTSTRAP = "routes.json", "bootstrap.json"
LARGEST_REQUEST = 16 * 2**20  # bytes of a body; more is answered 413
TYPES = "type.googleapis.com/envoy"
# What clients may ask of the servers. Reloading their configuration is not among it.
GRPC_PATHS = (
    "/tensorflow.serving.PredictionService/",
    "/tensorflow.serving.ModelService/GetModelStatus",
)
REST_PATH = "/v1/models/"
Json = dict[str, Any]


@dataclass(frozen=True)
class Colour:
    """One model server behind the gateway."""

    name: str
    host: str
    rest_port: int
    grpc_port: int


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
    grpc = [_route(path, f"{first}_or_other_grpc", "unavailable,") for path in GRPC_PATHS]
    host = {
        "name": "all",
        "domains": ["*"],
        "routes": [*grpc, _route(REST_PATH, f"{first}_or_other_rest", "")],
    }
    routes = {
        "@type": f"{TYPES}.config.route.v3.RouteConfiguration",
        "name": "serving",
        "virtual_hosts": [host],
    }
    _write(folder / ROUTES, {"version_info": first, "resources": [routes]})


def _route(prefix: str, cluster: str, more: str) -> Json:
    return {
        "match": {"prefix": prefix},
        "route": {
            "cluster": cluster,
            "timeout": "60s",
            "retry_policy": {
                "retry_on": f"{more}reset,connect-failure,refused-stream,retriable-status-codes",
                "retriable_status_codes": [503],
                "num_retries": 2,
                "retry_priority": {
                    "name": "envoy.retry_priorities.previous_priorities",
                    "typed_config": {
                        "@type": f"{TYPES}.extensions.retry.priority.previous_priorities.v3"
                        ".PreviousPrioritiesConfig",
                        "update_frequency": 1,
                    },
                },
            },
        },
    }


def _bootstrap(folder: Path, gateway: Gateway) -> Json:
    names = [colour.name for colour in gateway.colours]
    aggregates = [
        _aggregate(f"{first}_or_other_{kind}", [f"{n}_{kind}" for n in _first(first, names)])
        for first in names
        for kind in ("rest", "grpc")
    ]
    servers = [
        _server(colour, kind, gateway.model)
        for colour in gateway.colours
        for kind in ("rest", "grpc")
    ]
    return {
        "node": {"id": "gateway", "cluster": "sluice"},
        "admin": {"address": {"pipe": {"path": str(gateway.admin), "mode": 0o600}}},
        "static_resources": {
            "listeners": [
                _listener("rest", gateway.host, gateway.rest_port, folder),
                _listener("grpc", gateway.host, gateway.grpc_port, folder),
            ],
            "clusters": [*servers, *aggregates],
        },
        "overload_manager": {
            "resource_monitors": [
                {
                    "name": "envoy.resource_monitors.global_downstream_max_connections",
                    "typed_config": {
                        "@type": f"{TYPES}.extensions.resource_monitors.downstream_connections.v3"
                        ".DownstreamConnectionsConfig",
                        "max_active_downstream_connections": 10000,
                    },
                }
            ]
        },
    }


def _listener(name: str, host: str, port: int, folder: Path) -> Json:
    watched = {"path": str(folder / ROUTES), "watched_directory": {"path": str(folder)}}
    manager = {
        "@type": f"{TYPES}.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": name,
        "rds": {
            "route_config_name": "serving",
            "config_source": {"resource_api_version": "V3", "path_config_source": watched},
        },
        "generate_request_id": True,
        "always_set_request_id_in_response": True,
        "preserve_external_request_id": True,
        # The shape of TensorFlow Serving's own errors.
        "local_reply_config": {"body_format": {"json_format": {"error": "%LOCAL_REPLY_BODY%"}}},
        "http_filters": [
            _filter("buffer", {"max_request_bytes": LARGEST_REQUEST}),
            _filter("router", {}),
        ],
    }
    return {
        "name": name,
        "address": _address(host, port),
        "enable_reuse_port": False,  # a second gateway must fail to start, not share the port
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }


def _filter(name: str, settings: Json) -> Json:
    config = {"@type": f"{TYPES}.extensions.filters.http.{name}.v3.{name.capitalize()}", **settings}
    return {"name": f"envoy.filters.http.{name}", "typed_config": config}


def _server(colour: Colour, kind: str, model: str) -> Json:
    """Return the cluster of one server's REST or gRPC port; its health is asked for on REST."""
    port = colour.rest_port if kind == "rest" else colour.grpc_port
    endpoint = {
        "address": _address(colour.host, port),
        "health_check_config": {"port_value": colour.rest_port},
    }
    cluster: Json = {
        "name": f"{colour.name}_{kind}",
        "type": "STRICT_DNS",
        "connect_timeout": "1s",
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
        "load_assignment": {
            "cluster_name": f"{colour.name}_{kind}",
            "endpoints": [{"lb_endpoints": [{"endpoint": endpoint}]}],
        },
        "health_checks": [
            {
                "timeout": "2s",
                "interval": "1s",
                "no_traffic_interval": "1s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                # A server that answers is up, also before a model's first release (404).
                "http_health_check": {
                    "path": f"{REST_PATH}{model}",
                    "expected_statuses": [{"start": 200, "end": 500}],
                },
            }
        ],
    }
    if kind == "grpc":
        cluster["typed_extension_protocol_options"] = {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": f"{TYPES}.extensions.upstreams.http.v3.HttpProtocolOptions",
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        }
        cluster["health_checks"][0]["http_health_check"]["codec_client_type"] = "HTTP1"
    return cluster


def _aggregate(name: str, clusters: list[str]) -> Json:
    return {
        "name": name,
        "connect_timeout": "1s",
        "lb_policy": "CLUSTER_PROVIDED",
        # With the default of 3 retries at once, requests were lost when a server died.
        "circuit_breakers": {"thresholds": [{"max_retries": 256}]},
        "cluster_type": {
            "name": "envoy.clusters.aggregate",
            "typed_config": {
                "@type": f"{TYPES}.extensions.clusters.aggregate.v3.ClusterConfig",
                "clusters": clusters,
            },
        },
    }


def _first(first: str, names: list[str]) -> list[str]:
    return [first, *(name for name in names if name != first)]


def _address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}


def _write(path: Path, message: Json) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    aside.write_text(json.dumps(message, indent=1))
    aside.replace(path)
