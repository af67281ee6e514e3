"""Which requests the gateway takes, and to which servers they go."""

from __future__ import annotations

from serving.gateway.envoy import TYPES, Json

# What clients may ask of the servers. Reloading their configuration is not among it.
GRPC_PATHS = (
    "/tensorflow.serving.PredictionService/",
    "/tensorflow.serving.ModelService/GetModelStatus",
)
REST_PATH = "/v1/models/"
NOTHING_ELSE: Json = {
    "match": {"prefix": "/"},
    "direct_response": {
        "status": 404,
        "body": {"inline_string": f"nothing is served here: ask {REST_PATH}NAME"},
    },
}


def routes(first: str) -> Json:
    """Return the routes of REST and gRPC to a colour, and to the others when it fails."""
    # Cancelled: what a server says of the requests that it leaves unanswered when it goes.
    more = "unavailable,cancelled,"
    grpc = [_route(path, f"{first}_or_other_grpc", more) for path in GRPC_PATHS]
    rest = _route(REST_PATH, f"{first}_or_other_rest", "")
    host = {"name": "all", "domains": ["*"], "routes": [*grpc, rest, NOTHING_ELSE]}
    return {
        "@type": f"{TYPES}.config.route.v3.RouteConfiguration",
        "name": "serving",
        "virtual_hosts": [host],
    }


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
