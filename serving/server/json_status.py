"""Status and metadata in JSON, as TensorFlow Serving prints its messages."""

from __future__ import annotations

from typing import Any

import google.protobuf
from google.protobuf import json_format
from tensorflow_serving.apis import get_model_metadata_pb2, get_model_status_pb2

from serving.server.errors import Code

# protobuf 5.26 renamed the option that writes fields at their defaults.
_WITH_DEFAULTS: dict[str, Any] = (
    {"including_default_value_fields": True}
    if int(google.protobuf.__version__.split(".")[0]) < 5
    else {"always_print_fields_with_no_presence": True}
)


def status_json(response: Any) -> dict[str, Any]:
    """Return a GetModelStatusResponse with enums and int64 as strings."""
    state_name = get_model_status_pb2.ModelVersionStatus.State.Name
    return {
        "model_version_status": [
            {
                "version": str(status.version),
                "state": state_name(status.state),
                "status": {
                    "error_code": Code(status.status.error_code).name,
                    "error_message": status.status.error_message,
                },
            }
            for status in response.model_version_status
        ]
    }


def metadata_json(response: Any) -> dict[str, Any]:
    """Return a GetModelMetadataResponse, its signatures unpacked, defaults written out."""
    signatures = get_model_metadata_pb2.SignatureDefMap()
    response.metadata["signature_def"].Unpack(signatures)
    return {
        "model_spec": _message_json(response.model_spec),
        "metadata": {"signature_def": _message_json(signatures)},
    }


def _message_json(message: Any) -> dict[str, Any]:
    return json_format.MessageToDict(message, preserving_proto_field_name=True, **_WITH_DEFAULTS)
