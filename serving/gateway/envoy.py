"""How Envoy's configuration spells what several parts of it need."""

from __future__ import annotations

from typing import Any

TYPES = "type.googleapis.com/envoy"
Json = dict[str, Any]


def address(host: str, port: int) -> Json:
    """Return the address of a TCP port."""
    return {"socket_address": {"address": host, "port_value": port}}
