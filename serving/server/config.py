"""The model server's configuration: which models, where, which versions, which labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePath
from typing import TypeAlias

from tensorflow_serving.config import model_server_config_pb2

from serving.server.errors import Code, ServingError, invalid

ModelConfig: TypeAlias = model_server_config_pb2.ModelConfig
ModelServerConfig: TypeAlias = model_server_config_pb2.ModelServerConfig

PLATFORM = "tensorflow"


def single_model(name: str, base_path: str) -> ModelServerConfig:
    """Return the configuration that `--model_name` and `--model_base_path` stand for."""
    config = ModelServerConfig()
    config.model_config_list.config.add(name=name, base_path=base_path, model_platform=PLATFORM)
    return config


def validate(config: ModelServerConfig) -> dict[str, ModelConfig]:
    """Return the configured models by name; raises ServingError for what cannot be served."""
    if config.WhichOneof("config") != "model_config_list":
        raise invalid(
            "ServerModelConfig type not supported by HandleReloadConfigRequest."
            " Only ModelConfigList is currently supported"
        )
    models: dict[str, ModelConfig] = {}
    for model in config.model_config_list.config:
        if model.name in models:
            raise invalid(f"Illegal to list model {model.name} multiple times in config list")
        _check(model)
        models[model.name] = model
    return models


def _check(model: ModelConfig) -> None:
    # The deprecated enum says TENSORFLOW with 1.
    platform = PLATFORM if model.model_type == 1 else model.model_platform
    if not platform:
        raise invalid(
            "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
            f"ModelServerConfig::model_platform (model {model.name}: set model_platform: "
            f'"{PLATFORM}").'
        )
    if platform != PLATFORM:
        raise invalid(f"Model {model.name} requests unsupported platform {platform}")
    if not PurePath(model.base_path).is_absolute():
        raise invalid(
            f"Expected model {model.name} to have an absolute path or URI; got base_path()="
            f"{model.base_path}"
        )
    if model.HasField("logging_config"):
        raise invalid(
            f"No request-logger-creator provided. (model {model.name}: logging_config is not "
            "supported; log requests in front of the server)"
        )


def check_labels(
    models: Mapping[str, ModelConfig],
    available: Mapping[str, set[int]],
    current: Mapping[str, Mapping[str, int]],
    allow_unavailable: bool,
) -> dict[str, dict[str, int]]:
    """Return model → label → version; raises FAILED_PRECONDITION for a version not yet serving.

    `allow_unavailable` lets a new label point at a version that is still to come; moving an
    existing label stays forbidden, or its clients would fail meanwhile.
    """
    labels: dict[str, dict[str, int]] = {}
    for name, model in models.items():
        for label, version in model.version_labels.items():
            moved = current.get(name, {}).get(label, version) != version
            if version not in available.get(name, set()) and (moved or not allow_unavailable):
                raise ServingError(
                    Code.FAILED_PRECONDITION,
                    f"Request to assign label to version {version} of model {name}, which is not "
                    "currently available for inference",
                )
            labels.setdefault(name, {})[label] = version
    return labels
