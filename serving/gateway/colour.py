"""A model server behind the gateway goes by a colour."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Colour:
    """One model server behind the gateway."""

    name: str
    host: str
    rest_port: int
    grpc_port: int
