"""The supervisor: what runs, and the wire to it. Whatever dies is started again."""

from __future__ import annotations

import configparser
import contextlib
import hashlib
import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from typing import Any

import psutil

from components import home
from components.errors import SluiceError
from sluice.stack import paths

MARK = "SLUICE_STACK"  # in the environment of every process of the stack, and of its children
UP = ("RUNNING", "STARTING")


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
    conf["unix_http_server"] = {"file": str(_socket()), "chmod": "0700"}
    conf["rpcinterface:supervisor"] = {
        "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface"
    }
    conf["supervisord"] = {
        "logfile": _escaped(paths.logs() / "supervisor.log"),
        "pidfile": _escaped(paths.state() / "supervisord.pid"),
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
            "startsecs": "2",
            "startretries": "20",
            "stopsignal": program.stop,
            "stopwaitsecs": str(program.patience_s),
            "stopasgroup": "true" if program.stop == "TERM" else "false",
            "killasgroup": "true",
            "redirect_stderr": "true",
            "stdout_logfile": _escaped(log(program.name)),
            "stdout_logfile_maxbytes": "20MB",
            "stdout_logfile_backups": "2",
        }
    with _conf().open("w") as file:
        conf.write(file)


def start() -> None:
    """Start the supervisor, with none of its programs; raise SluiceError when it does not answer."""
    done = subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(_conf())],
        env=environment(),
        capture_output=True,
        text=True,
        cwd=home.home(),
    )
    until = time.monotonic() + 30
    while not running():
        if done.returncode or time.monotonic() > until:
            raise SluiceError(f"the supervisor did not start: {done.stdout} {done.stderr}".strip())
        time.sleep(0.1)


def running() -> bool:
    """Say whether the supervisor answers."""
    try:
        return bool(_wire().getState()["statecode"] == 1)
    except (OSError, HTTPException, xmlrpc.client.Error):
        return False


def processes() -> dict[str, dict[str, Any]]:
    """Return what the supervisor knows of each program, by name; empty when it is not running."""
    try:
        return {told["name"]: told for told in _wire().getAllProcessInfo()}
    except (OSError, HTTPException):
        return {}


def ensure(name: str) -> None:
    """Start a program unless it runs."""
    if processes()[name]["statename"] not in UP:
        _wire().startProcess(name, False)


def restart(name: str) -> None:
    """Stop a program and start it again."""
    if processes()[name]["statename"] in UP:
        _wire().stopProcess(name, True)
    _wire().startProcess(name, False)


def stop() -> None:
    """Stop all programs and the supervisor, and whatever of theirs is left, however it came about."""
    if running():
        _wire().shutdown()
        until = time.monotonic() + 90
        while time.monotonic() < until and _supervisor_alive():
            time.sleep(0.1)
    sweep()


def sweep() -> None:
    """End every process that carries the stack's mark: tasks leave their parents' group."""
    left = marked()
    for process in left:
        _signal(process, "terminate")
    _, stubborn = psutil.wait_procs(left, timeout=20)
    for process in stubborn:
        _signal(process, "kill")
    psutil.wait_procs(stubborn, timeout=10)
    _socket().unlink(missing_ok=True)


def marked() -> list[psutil.Process]:
    """Return this stack's processes, the supervisor included; not the one that asks."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and process.environ().get(MARK) == mark():
                found.append(process)
        except psutil.Error:
            continue
    return found


def mark() -> str:
    """Return what tells this house's stack from another's."""
    return hashlib.sha256(str(home.home()).encode()).hexdigest()[:16]


def log(name: str) -> Path:
    """Return the path of a program's log."""
    return paths.logs() / f"{name}.log"


def environment() -> dict[str, str]:
    """Return this environment without what would turn Airflow or Python elsewhere, and with the mark."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW_", "PYTHON"))}
    return kept | {MARK: mark(), "SLUICE_HOME": str(home.home()), "AIRFLOW_HOME": str(home.home())}


def _supervisor_alive() -> bool:
    try:
        pid = int((paths.state() / "supervisord.pid").read_text())
        return psutil.Process(pid).environ().get(MARK) == mark()
    except (OSError, ValueError, psutil.Error):
        return False


def _signal(process: psutil.Process, how: str) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        getattr(process, how)()


def _wire() -> Any:
    from supervisor.xmlrpc import SupervisorTransport

    transport = SupervisorTransport(None, None, f"unix://{_socket()}")
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor


def _socket() -> Path:
    return paths.sockets() / "supervisor.sock"


def _conf() -> Path:
    return paths.state() / "supervisord.conf"


def _escaped(value: object) -> str:
    return str(value).replace("%", "%%")


def _quoted(word: str) -> str:
    return '"' + word.replace('"', '\\"') + '"' if not word or set(word) & set(" '\"\t") else word
