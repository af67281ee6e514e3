"""One error type for both protocols: a canonical code and a message, as TensorFlow Serving's."""

from __future__ import annotations

import re
from enum import IntEnum


class Code(IntEnum):
    """The canonical codes shared by gRPC, TensorFlow and `StatusProto.error_code`."""

    OK = 0
    CANCELLED = 1
    UNKNOWN = 2
    INVALID_ARGUMENT = 3
    DEADLINE_EXCEEDED = 4
    NOT_FOUND = 5
    ALREADY_EXISTS = 6
    PERMISSION_DENIED = 7
    RESOURCE_EXHAUSTED = 8
    FAILED_PRECONDITION = 9
    ABORTED = 10
    OUT_OF_RANGE = 11
    UNIMPLEMENTED = 12
    INTERNAL = 13
    UNAVAILABLE = 14
    DATA_LOSS = 15
    UNAUTHENTICATED = 16


_HTTP_STATUS = {
    Code.OK: 200,
    Code.INVALID_ARGUMENT: 400,
    Code.FAILED_PRECONDITION: 400,
    Code.OUT_OF_RANGE: 400,
    Code.UNAUTHENTICATED: 401,
    Code.PERMISSION_DENIED: 403,
    Code.NOT_FOUND: 404,
    Code.ALREADY_EXISTS: 409,
    Code.ABORTED: 409,
    Code.RESOURCE_EXHAUSTED: 429,
    Code.CANCELLED: 499,
    Code.UNIMPLEMENTED: 501,
    Code.UNAVAILABLE: 503,
    Code.DEADLINE_EXCEEDED: 504,
}


class ServingError(Exception):
    """What a client is told: `code` and `message`."""

    def __init__(self, code: Code, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message

    def __str__(self) -> str:
        return f"{self.code.name}: {self.message}"

    @property
    def http_status(self) -> int:
        """The HTTP status that TensorFlow Serving answers for this code."""
        return _HTTP_STATUS.get(self.code, 500)


def invalid(message: str) -> ServingError:
    """Return the commonest error of all."""
    return ServingError(Code.INVALID_ARGUMENT, message)


# TensorFlow wraps its messages in the names of nodes that the caller never wrote.
_NODES = re.compile(r"\{\{function_node [^}]*\}\}\s*")
_OPERATION = re.compile(r"\s*\[Op:\w+\](?: name:.*)?\s*$", re.DOTALL)


def as_serving_error(error: Exception) -> ServingError:
    """Return `error` as a ServingError; TensorFlow's own errors keep their code."""
    if isinstance(error, ServingError):
        return error
    code = getattr(error, "error_code", None)
    if isinstance(code, int):
        message = str(getattr(error, "message", error))
        return ServingError(Code(code), _OPERATION.sub("", _NODES.sub("", message)))
    if isinstance(error, FileNotFoundError):
        return ServingError(Code.NOT_FOUND, str(error))
    if isinstance(error, MemoryError):
        return ServingError(Code.RESOURCE_EXHAUSTED, "The request needs more memory than there is.")
    return ServingError(Code.INTERNAL, f"{type(error).__name__}: {error}")
