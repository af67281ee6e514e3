"""The command line: TensorFlow Serving's flags, as many as really do something here."""

from __future__ import annotations

import argparse
import difflib
import importlib.metadata
import os
from collections.abc import Sequence
from pathlib import Path

_EPILOG = """\
Every directory under the base path whose name is a number is a version; the highest one serves
unless a version policy says otherwise. Stage a new version under another name on the same file
system and rename it. A base path that does not exist yet is waited for.
"""


class _Parser(argparse.ArgumentParser):
    def parse_args(self, args=None, namespace=None):  # type: ignore[override,no-untyped-def]
        known, unknown = self.parse_known_args(args, namespace)
        if unknown:
            name = unknown[0].split("=")[0]
            near = difflib.get_close_matches(name, self._option_string_actions, n=1)
            hint = f"; did you mean {near[0]}?" if near else "; see --help for those there are"
            self.error(f"unknown flag {name}{hint}")
        return known


def _boolean(text: str) -> bool:
    if text.lower() not in ("true", "false", "1", "0"):
        raise argparse.ArgumentTypeError(f"{text!r} is neither true nor false")
    return text.lower() in ("true", "1")


def _count(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError(f"{text} is negative")
    return number


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    """Return the flags; exits with 2 and a line that says why when they make no sense."""
    parser = _parser()
    flags = parser.parse_args(arguments)
    if not flags.model_config_file and not flags.model_base_path:
        parser.error("one of --model_base_path and --model_config_file is needed")
    if not flags.port and not flags.rest_api_port:
        parser.error("--port and --rest_api_port are both 0: nothing to listen on")
    if flags.port == flags.rest_api_port:
        parser.error("--rest_api_port cannot be same as --port")
    if flags.batching_parameters_file and not flags.enable_batching:
        parser.error("--batching_parameters_file needs --enable_batching")
    return flags


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="python -m serving.server",
        description="Serve TensorFlow SavedModels by TensorFlow Serving's protocol.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    threads = 4 * (os.cpu_count() or 1)

    def switch(name: str, default: bool, text: str) -> None:
        parser.add_argument(
            f"--{name}", nargs="?", const=True, default=default, type=_boolean, help=text
        )

    def number(name: str, default: int, text: str) -> None:
        parser.add_argument(
            f"--{name}", default=default, type=_count, help=f"{text} (default {default})"
        )

    def file(name: str, text: str) -> None:
        parser.add_argument(f"--{name}", type=Path, metavar="FILE", help=text)

    parser.add_argument(
        "--version", action="version", version=_version(), help="print the versions and exit"
    )
    parser.add_argument(
        "--host", default="127.0.0.1", help="address to listen on (default 127.0.0.1; not a flag of "
        "TensorFlow Serving, which listens everywhere)"
    )  # fmt: skip
    number("port", 8500, "gRPC port; 0 is off")
    number("rest_api_port", 0, "REST port; 0 is off")
    parser.add_argument("--model_name", default="default", help="name of the one model")
    parser.add_argument("--model_base_path", default="", help="absolute path of its versions")
    file("model_config_file", "ModelServerConfig in text form; replaces the two flags above")
    number("file_system_poll_wait_seconds", 1, "seconds between looks for new versions; 0: once")
    number("max_num_load_retries", 5, "further tries to load a version that failed")
    number("load_retry_interval_micros", 60_000_000, "microseconds between tries")
    number("num_load_threads", 1, "threads that load versions")
    switch("enable_model_warmup", True, "replay assets.extra/tf_serving_warmup_requests first")
    switch("enable_batching", False, "gather rows of several requests into one run")
    file("batching_parameters_file", "BatchingParameters in text form")
    file("monitoring_config_file", "MonitoringConfig in text form; switches on the metrics page")
    switch("enable_grpc_healthcheck_service", False, "answer grpc.health.v1.Health")
    switch("allow_version_labels_for_unavailable_models", False,
           "let a new label point at a version that is not loaded yet")  # fmt: skip
    number("grpc_max_threads", threads, "gRPC requests answered at once")
    number("rest_api_num_threads", threads, "REST requests answered at once")
    number("rest_api_timeout_in_ms", 30_000, "milliseconds after which a REST request is 504")
    return parser


def _version() -> str:
    installed = importlib.metadata.version
    return (
        f"protocol of TensorFlow Serving {installed('tensorflow-serving-api')}, "
        f"TensorFlow {installed('tensorflow')}"
    )
