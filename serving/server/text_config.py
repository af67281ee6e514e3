"""Configuration files in protobuf text form, as TensorFlow Serving's flags take them.

Two of their messages are missing from the published Python stubs and are described here.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from google.protobuf import (
    descriptor_pb2,
    descriptor_pool,
    message_factory,
    text_format,
    wrappers_pb2,
)

from serving.server.errors import Code, ServingError, invalid

_PACKAGE = "sluice.serving"
_FILE = descriptor_pb2.FileDescriptorProto(
    name="sluice/serving/text_config.proto",
    package=_PACKAGE,
    syntax="proto3",
    dependency=["google/protobuf/wrappers.proto"],
)
text_format.Parse(
    """
    message_type {
      name: "BatchingParameters"
      field { name: "max_batch_size" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL
              type_name: ".google.protobuf.Int64Value" }
      field { name: "batch_timeout_micros" number: 2 type: TYPE_MESSAGE label: LABEL_OPTIONAL
              type_name: ".google.protobuf.Int64Value" }
      field { name: "max_enqueued_batches" number: 3 type: TYPE_MESSAGE label: LABEL_OPTIONAL
              type_name: ".google.protobuf.Int64Value" }
      field { name: "num_batch_threads" number: 4 type: TYPE_MESSAGE label: LABEL_OPTIONAL
              type_name: ".google.protobuf.Int64Value" }
      field { name: "allowed_batch_sizes" number: 6 type: TYPE_INT64 label: LABEL_REPEATED }
      field { name: "enable_large_batch_splitting" number: 8 type: TYPE_MESSAGE
              label: LABEL_OPTIONAL type_name: ".google.protobuf.BoolValue" }
    }
    message_type {
      name: "PrometheusConfig"
      field { name: "enable" number: 1 type: TYPE_BOOL label: LABEL_OPTIONAL }
      field { name: "path" number: 2 type: TYPE_STRING label: LABEL_OPTIONAL }
    }
    message_type {
      name: "MonitoringConfig"
      field { name: "prometheus_config" number: 1 type: TYPE_MESSAGE label: LABEL_OPTIONAL
              type_name: ".sluice.serving.PrometheusConfig" }
    }
    """,
    _FILE,
)
_POOL = descriptor_pool.DescriptorPool()
_POOL.AddSerializedFile(wrappers_pb2.DESCRIPTOR.serialized_pb)
_POOL.AddSerializedFile(_FILE.SerializeToString())


def _message(name: str) -> Any:
    return message_factory.GetMessageClass(_POOL.FindMessageTypeByName(f"{_PACKAGE}.{name}"))


BatchingParameters = _message("BatchingParameters")
MonitoringConfig = _message("MonitoringConfig")


def parse(path: Path, message_class: Any) -> Any:
    """Read a text file into `message_class`; raises ServingError naming file, place and problem."""
    try:
        return text_format.Parse(path.read_text(), message_class())
    except OSError as error:
        raise ServingError(Code.NOT_FOUND, f"{path}: {error.strerror}") from error
    except text_format.ParseError as error:
        raise invalid(f"Invalid protobuf file: '{path}': {error}") from error
