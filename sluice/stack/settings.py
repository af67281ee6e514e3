"""The supervisor's settings: which programs it keeps, and where it tells of them."""

from __future__ import annotations

import configparser
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from components import home
from sluice.stack import paths

MARK = "SLUICE_STACK"  # in the environment of every process of the stack, and of its children


@dataclass(frozen=True)
class Program:
    """One process to keep alive. `stop`: the signal that ends it; `patience_s`: how long it may take."""

    name: str
    command: list[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    stop: str = "TERM"
    patience_s: int = 20


def write(programs: list[Program]) -> None:
    """Write the supervisor's configuration."""
    conf = configparser.RawConfigParser()
    conf["unix_http_server"] = {"file": str(socket()), "chmod": "0700"}
    conf["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    conf["supervisord"] = {
        "logfile": _escaped(paths.logs() / "supervisor.log"),
        "pidfile": _escaped(pidfile()),
        "childlogdir": _escaped(paths.logs()),
        "directory": _escaped(home.home()),
    }
    for program in programs:
        environment = {MARK: mark(), **program.environment}
        conf[f"program:{program.name}"] = {
            "command": _escaped(" ".join(_quoted(word) for word in program.command)),
            "environment": ",".join(f'{k}="{_escaped(v)}"' for k, v in environment.items()),
            "autostart": "false",
            "autorestart": "true",
            "startsecs": "1",
            "startretries": "20",
            "stopsignal": program.stop,
            "stopwaitsecs": str(program.patience_s),
            "stopasgroup": "true" if program.stop == "TERM" else "false",
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": _escaped(paths.log(program.name)),
            "stdout_logfile_maxbytes": "20MB",
            "stdout_logfile_backups": "2",
        }
    with file().open("w") as out:
        conf.write(out)


def mark() -> str:
    """Return what tells this house's stack from another's."""
    return hashlib.sha256(str(home.home()).encode()).hexdigest()[:16]


def socket() -> Path:
    """Return the socket on which the supervisor listens."""
    return paths.sockets() / "supervisor.sock"


def pidfile() -> Path:
    """Return the file with the supervisor's process id, which is its session's too."""
    return paths.state() / "supervisord.pid"


def file() -> Path:
    """Return the settings' own path."""
    return paths.state() / "supervisord.conf"


def _escaped(value: object) -> str:
    return str(value).replace("%", "%%")


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '\\"') + '"' if not word or set(word) & set(" '\"\t") else word
