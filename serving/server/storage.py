"""Which versions a model's base path offers, and which of them its version policy wants."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from pathlib import Path

from tensorflow_serving.config import model_server_config_pb2

from serving.server.errors import invalid

log = logging.getLogger(__name__)

_INTEGER = re.compile(r"[+-]?[0-9]+")


def aspired_versions(config: model_server_config_pb2.ModelConfig) -> dict[int, Path]:
    """Return version → directory as the policy wants them; empty when nothing is there.

    Raises ServingError when the base path is missing: a share that is not mounted must not look
    like a model that was withdrawn.
    """
    base = Path(config.base_path)
    try:
        # Whatever is named like a version is one: completeness is the pusher's business, who
        # stages under another name and renames.
        children = sorted(base.iterdir())
    except OSError as error:
        raise invalid(
            f"Could not find base path {base} for servable {config.name} with error "
            f"{error.strerror}"
        ) from error
    versions: dict[int, Path] = {}
    for child in children:
        number = version_number(child.name)
        if number is None:
            continue
        if number in versions:
            log.warning(
                "%s: version %d is there twice; %s is used, %s ignored",
                *(config.name, number, child.name, versions[number].name),
            )
        versions[number] = child
    return _by_policy(config, versions)


def missing(config: model_server_config_pb2.ModelConfig, found: Mapping[int, Path]) -> str:
    """Return in words what the policy wants and the base path lacks, "" if nothing."""
    absent = sorted(set(config.model_version_policy.specific.versions) - set(found))
    if absent:
        numbers = ", ".join(map(str, absent))
        return f"{config.name}: no version {numbers} under {config.base_path}; waiting for it"
    if not found:
        return f"{config.name}: no version under {config.base_path}; waiting for one"
    return ""


def version_number(name: str) -> int | None:
    """Return the version that a directory name stands for, None when it is not an int64."""
    if not _INTEGER.fullmatch(name):
        return None
    number = int(name)
    return number if -(2**63) <= number < 2**63 else None


def _by_policy(
    config: model_server_config_pb2.ModelConfig, versions: Mapping[int, Path]
) -> dict[int, Path]:
    policy = config.model_version_policy
    choice = policy.WhichOneof("policy_choice") or "latest"
    if choice == "all":
        wanted = set(versions)
    elif choice == "specific":
        wanted = set(policy.specific.versions)
    else:
        wanted = set(sorted(versions)[-max(policy.latest.num_versions, 1) :])
    return {version: path for version, path in versions.items() if version in wanted}
