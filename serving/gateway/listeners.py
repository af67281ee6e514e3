"""Where the gateway listens, and what it does with every request."""

from __future__ import annotations

from pathlib import Path

from serving.gateway.envoy import TYPES, Json, address

LARGEST_REQUEST = 16 * 2**20  # bytes of a body; more is answered 413
OVERLOAD: Json = {
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
}


def listener(name: str, host: str, port: int, routes: Path) -> Json:
    """Return the listener of one port, which takes its routes from a watched file."""
    watched = {"path": str(routes), "watched_directory": {"path": str(routes.parent)}}
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
        # What is matched is what the server sees: no way around the listed paths by dots.
        "normalize_path": True,
        "merge_slashes": True,
        # The shape of TensorFlow Serving's own errors.
        "local_reply_config": {"body_format": {"json_format": {"error": "%LOCAL_REPLY_BODY%"}}},
        "http_filters": [
            _filter("buffer", {"max_request_bytes": LARGEST_REQUEST}),
            _filter("router", {}),
        ],
    }
    return {
        "name": name,
        "address": address(host, port),
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
