"""The servers behind the gateway: each by itself, and each with the others behind it."""

from __future__ import annotations

from collections.abc import Sequence

from serving.gateway.colour import Colour
from serving.gateway.envoy import TYPES, Json, address
from serving.gateway.routes import REST_PATH

KINDS = ("rest", "grpc")


def clusters(colours: Sequence[Colour], model: str) -> list[Json]:
    """Return each server's clusters, and for each colour the aggregate that falls back on the others."""
    names = [colour.name for colour in colours]
    aggregates = [
        _aggregate(f"{first}_or_other_{kind}", [f"{n}_{kind}" for n in _first(first, names)])
        for first in names
        for kind in KINDS
    ]
    return [*(_server(c, kind, model) for c in colours for kind in KINDS), *aggregates]


def _server(colour: Colour, kind: str, model: str) -> Json:
    """Return the cluster of one server's REST or gRPC port; its health is asked for on REST."""
    port = colour.rest_port if kind == "rest" else colour.grpc_port
    endpoint = {
        "address": address(colour.host, port),
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
