"""The supervisor: what runs, and the wire to it. Whatever dies is started again."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from http.client import HTTPException
from typing import Any

import psutil
from supervisor.xmlrpc import Faults, SupervisorTransport

from components import home
from components.errors import SluiceError
from sluice.stack import settings
from sluice.stack.settings import MARK, mark

LOOPBACK = "127.0.0.1,localhost"
ALIVE = ("RUNNING", "STARTING", "BACKOFF")  # in the supervisor's hands: it runs, or will


def start() -> None:
    """Start the supervisor, with none of its programs; raise SluiceError when it does not answer."""
    done = subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(settings.file())],
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
        with _wire() as supervisor:
            return bool(supervisor.getState()["statecode"] == 1)
    except (OSError, HTTPException, xmlrpc.client.Error):
        return False


def processes() -> dict[str, dict[str, Any]]:
    """Return what the supervisor knows of each program, by name; empty when it is not running."""
    try:
        with _wire() as supervisor:
            return {told["name"]: told for told in supervisor.getAllProcessInfo()}
    except (OSError, HTTPException):
        return {}


def up(name: str) -> bool:
    """Say whether a program runs, and did not die in its first second."""
    return bool(processes().get(name, {}).get("statename") == "RUNNING")


def ensure(name: str) -> None:
    """Start a program unless it runs, or is being started again; raise SluiceError if it cannot be."""
    if processes()[name]["statename"] not in ALIVE:
        _order("startProcess", name, False)


def restart(name: str) -> None:
    """Stop a program and start it again."""
    _order("stopProcess", name, True)
    _order("startProcess", name, False)


def stop(last: str) -> None:
    """Stop all programs, `last` after the others, which need it, and the supervisor; leave nothing."""
    if running():
        for name, told in processes().items():
            if name != last and told["statename"] in ALIVE:
                _order("stopProcess", name, False)
        _until(lambda: all(n == last or not p["pid"] for n, p in processes().items()))
        _order("shutdown")
        _until(lambda: _leader() is None)
    sweep()


def sweep() -> None:
    """End every process of the stack: also a task, which leaves its parent's group and outlives it."""
    for patience_s, how in ((20, _ask_to_end), (10, psutil.Process.kill)):
        left = marked()
        for process in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                how(process)
        psutil.wait_procs(left, timeout=patience_s)
    for trace in (settings.socket(), settings.pidfile()):
        trace.unlink(missing_ok=True)


def marked() -> list[psutil.Process]:
    """Return this stack's processes, the supervisor included; not the one that asks.

    They carry the mark in their environment. Airflow's API server and tasks write their title over
    it: those are in the supervisor's session. PostgreSQL's leave that too: those have a parent.
    """
    every = [process for process in psutil.process_iter() if process.pid != os.getpid()]
    session = _session()
    found = {p.pid: p for p in every if _carries_mark(p) or (session and _is_in(session, p))}
    while more := {p.pid: p for p in every if p.pid not in found and _parent(p) in found}:
        found |= more
    return list(found.values())


def environment() -> dict[str, str]:
    """Return this environment without what would turn Airflow or Python elsewhere, and with the mark."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AIRFLOW_", "PYTHON"))}
    here = {MARK: mark(), "SLUICE_HOME": str(home.home()), "AIRFLOW_HOME": str(home.home())}
    # A company's proxy does not reach this machine's loopback.
    direct = ",".join(filter(None, [kept.get("no_proxy", kept.get("NO_PROXY")), LOOPBACK]))
    return kept | here | {"no_proxy": direct, "NO_PROXY": direct}


def _leader() -> psutil.Process | None:
    """Return the supervisor's process while it lives."""
    try:
        process = psutil.Process(int(settings.pidfile().read_text()))
    except (OSError, ValueError, psutil.Error):
        return None
    return process if _carries_mark(process) else None


def _session() -> int | None:
    """Return the supervisor's session, or None when its number may be another's by now.

    The kernel gives a session's number to nobody else while a process is in it.
    """
    try:
        session = int(settings.pidfile().read_text())
        process = psutil.Process(session)
        others = process.status() != psutil.STATUS_ZOMBIE and not _carries_mark(process)
    except (OSError, ValueError):
        return None
    except psutil.Error:
        others = False
    return None if others else session


def _carries_mark(process: psutil.Process) -> bool:
    try:
        return process.environ().get(MARK) == mark()
    except psutil.Error:
        return False


def _is_in(session: int, process: psutil.Process) -> bool:
    try:
        return os.getsid(process.pid) == session and process.cwd() == str(home.home())
    except (OSError, psutil.Error):
        return False


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.Error:
        return 0


def _ask_to_end(process: psutil.Process) -> None:
    """Ask a process to end; PostgreSQL would take SIGTERM to mean when its last client has gone."""
    process.send_signal(signal.SIGINT if process.name() == "postgres" else signal.SIGTERM)


def _until(true: Callable[[], bool]) -> None:
    """Wait until a thing is so, for as long as the most patient program may take to stop."""
    until = time.monotonic() + 60
    while not true() and time.monotonic() < until:
        time.sleep(0.1)


def _order(method: str, *words: Any) -> None:
    """Have the supervisor do a thing, unless it is so already; raise SluiceError when it cannot."""
    try:
        with _wire() as supervisor:
            getattr(supervisor, method)(*words)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode not in (Faults.ALREADY_STARTED, Faults.NOT_RUNNING):
            raise SluiceError(f"the supervisor could not {method} {words}: {fault}") from None


@contextlib.contextmanager
def _wire() -> Iterator[Any]:
    """Yield the supervisor's own interface; raise OSError when nobody answers."""
    transport = SupervisorTransport(None, None, f"unix://{settings.socket()}")
    try:
        yield xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport).supervisor
    finally:
        transport.close()
