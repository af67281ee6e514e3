"""Secrets: generated at the first start, mode 0600, never in git; the first writer wins."""

from __future__ import annotations

import base64
import json
import os
import secrets
import tempfile
from pathlib import Path

from sluice.stack import paths

USER = "admin"


def make() -> None:
    """Generate whatever secret is not there yet."""
    _once("jwt-secret", secrets.token_urlsafe(48))
    _once("api-secret-key", secrets.token_urlsafe(48))
    _once("fernet-key", base64.urlsafe_b64encode(secrets.token_bytes(32)).decode())
    _once("airflow-passwords.json", json.dumps({USER: secrets.token_urlsafe(9)}))


def password() -> str:
    """Return the password of Airflow's `admin`."""
    told = json.loads((paths.secrets() / "airflow-passwords.json").read_text())
    return str(told[USER])


def write(name: str, text: str) -> None:
    """Write what only this user may read, replacing what was there."""
    path = paths.secrets() / name
    aside = _aside(path, text)
    aside.replace(path)


def _once(name: str, text: str) -> None:
    path = paths.secrets() / name
    if path.exists():
        return
    aside = _aside(path, text)
    try:
        os.link(aside, path)
    except FileExistsError:
        pass  # another start was first: its secret counts
    finally:
        aside.unlink()


def _aside(path: Path, text: str) -> Path:
    """Write `text` beside `path`, under a name of its own; such files are their owner's alone."""
    handle, aside = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    with os.fdopen(handle, "w") as file:
        file.write(text)
    return Path(aside)
