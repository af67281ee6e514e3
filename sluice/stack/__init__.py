"""The local stack: PostgreSQL, Airflow, two model servers and the gateway, under one supervisor.

`up` starts what does not run and waits until it answers; `down` leaves nothing behind.
"""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from components.errors import UsageError, near_miss
from components.files import exclusive
from serving import gateway
from serving.endpoints import Endpoints
from serving.endpoints import endpoints as _endpoints
from sluice.airflow import Login
from sluice.stack import paths, programs, readiness, starting, supervision
from sluice.stack.ports import Ports, remembered


@dataclass(frozen=True)
class Part:
    """One program of the stack, and how it does."""

    name: str
    state: str
    pid: int | None
    uptime_s: float | None
    address: str


def up(*, serving_only: bool = False, out: Console | None = None) -> None:
    """Start the stack, or what of it does not run, and wait until each part does its work.

    `serving_only`: the model servers and the gateway. Raises SluiceError, with the last words of the
    part that did not come up.
    """
    out = out or Console(highlight=False, soft_wrap=True)
    paths.make()
    with exclusive(paths.state() / "up.lock"):
        starting.start(programs.SERVING if serving_only else programs.ALL, out)
    out.print(f"gateway  {endpoints().gateway.rest}, gRPC {endpoints().gateway.grpc}")
    if not serving_only:
        who = login()
        out.print(f"Airflow  {who.url}, user {who.user}, password {who.password}", markup=False)


def down() -> None:
    """Stop the stack. Requests under way are answered first; no process is left."""
    if not supervision.running() and not supervision.marked():
        Console().print("the stack is not running")
        return
    gateway.drain(programs.admin_socket())
    supervision.stop(last="database")
    Console().print("the stack is down")


def status() -> list[Part]:
    """Return how each part does. Without a supervisor all are stopped, or, if it died, unattended."""
    ports, known = remembered(paths.ports()), supervision.processes()
    unknown = {"statename": "UNATTENDED" if not known and supervision.marked() else "STOPPED"}
    return [_part(name, known.get(name, unknown), ports) for name in programs.ALL]


def print_status(parts: list[Part], out: Console) -> None:
    """Print how each part does."""
    table = Table("part", "state", "pid", "up", "address", box=None, pad_edge=False)
    for part in parts:
        colour = "green" if part.state == "running" else "yellow"
        up_for = f"{part.uptime_s / 60:.0f} min" if part.uptime_s is not None else ""
        table.add_row(
            part.name, f"[{colour}]{part.state}[/]", str(part.pid or ""), up_for, part.address
        )
    out.print(table)


def logs(name: str | None, *, follow: bool) -> None:
    """Print the last lines of one part's log, or of all; raise UsageError for an unknown part."""
    every = (*programs.ALL, "supervisor")
    if name is not None and name not in every:
        raise UsageError(f"no part {name!r}: there are {', '.join(every)}{near_miss(name, every)}")
    files = [str(f) for n in ([name] if name else every) if (f := paths.log(n)).exists()]
    if not files:
        raise UsageError(
            f"there is no log under {paths.logs()} yet: start the stack with `sluice up`"
        )
    command = ["tail", "-n", "40" if name else "8", *(["-F"] if follow else []), *files]
    subprocess.run(command, check=False)


def login() -> Login:
    """Return where Airflow answers, and as whom."""
    return readiness.login(remembered(paths.ports()))


def endpoints() -> Endpoints:
    """Return where the gateway and the model servers answer."""
    return _endpoints(programs.endpoints_file())


def _part(name: str, told: Mapping[str, object], ports: Ports) -> Part:
    state = str(told["statename"]).lower()
    running = state == "running"
    uptime = float(str(told["now"])) - float(str(told["start"])) if running else None
    return Part(
        name, state, int(str(told["pid"])) if running else None, uptime, _address(name, ports)
    )


def _address(name: str, ports: Ports) -> str:
    if name == "api-server":
        return f"http://{programs.HOST}:{ports.airflow}"
    if name == "gateway":
        return f"http://{programs.HOST}:{ports.rest}, gRPC {programs.HOST}:{ports.grpc}"
    if name in programs.COLOURS:
        rest, grpc = getattr(ports, f"{name}_rest"), getattr(ports, f"{name}_grpc")
        return f"http://{programs.HOST}:{rest}, gRPC {programs.HOST}:{grpc}"
    return f"unix:{paths.sockets()}" if name == "database" else ""
