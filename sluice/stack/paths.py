"""Where the stack keeps its state, all under `var/`, and the short folder that its sockets need."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

from components import home
from components.errors import SluiceError

NOBODY = 65534  # as whom root runs PostgreSQL, which refuses to run as root
LONGEST_SOCKET = 90  # of the kernel's 108 bytes, with room for the name


def state() -> Path:
    """Return the folder of the supervisor's own state."""
    return home.var() / "stack"


def logs() -> Path:
    """Return the folder with a log a component."""
    return home.var() / "log"


def log(name: str) -> Path:
    """Return the path of a component's log."""
    return logs() / f"{name}.log"


def secrets() -> Path:
    """Return the folder of what must not be read by others."""
    return home.var() / "secrets"


def serving() -> Path:
    """Return the folder of what is served: models, the servers' and the gateway's settings."""
    return home.var() / "serving"


def ports() -> Path:
    """Return the file that remembers the ports that the stack was last started on."""
    return state() / "ports.json"


def sockets() -> Path:
    """Return the folder of unix sockets: under var/, or a short one when that path is too long."""
    here = state() / "run"
    if len(str(here)) <= LONGEST_SOCKET:
        return here
    name = hashlib.sha256(str(home.home()).encode()).hexdigest()[:12]
    return Path("/tmp") / f"sluice-{os.getuid()}-{name}"  # not TMPDIR, which may differ by command


def make() -> None:
    """Make the folders; those with secrets and sockets for this user's eyes alone."""
    for folder in (state(), logs(), serving() / "models", logs() / "airflow"):
        folder.mkdir(parents=True, exist_ok=True)
    for folder, mode in ((secrets(), 0o700), (sockets(), 0o711)):
        folder.mkdir(parents=True, exist_ok=True)
        _insist_ours(folder)
        folder.chmod(mode)


def _insist_ours(folder: Path) -> None:
    """Raise SluiceError for a folder that somebody else made where anybody may: the short one."""
    ours = {os.getuid(), NOBODY} if os.getuid() == 0 else {os.getuid()}
    if folder.lstat().st_uid not in ours:
        raise SluiceError(f"{folder} belongs to somebody else, who could listen in: remove it")
