"""The local stack: PostgreSQL, Airflow, two model servers and the gateway, under one supervisor.

`up` starts what does not run and waits until it answers; `down` leaves nothing behind.
"""

from __future__ import annotations

import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

import httpx
from rich.console import Console
from rich.table import Table

from components import provenance
from components.errors import SluiceError, UsageError, near_miss
from components.store import exclusive, write_atomically
from serving.endpoints import Endpoints
from serving.endpoints import endpoints as _endpoints
from sluice.airflow import Login
from sluice.stack import database, paths, programs, readiness, secrets, supervision
from sluice.stack import ports as _ports
from sluice.stack.ports import Ports

PATIENCE_S = 300  # for one program, on a busy machine
# Ready in this order: tasks that were started before the API server answered have died.
ORDER = (
    *programs.COLOURS,
    "database",
    "api-server",
    "scheduler",
    "dag-processor",
    "triggerer",
    "gateway",
)


@dataclass(frozen=True)
class Part:
    """One program of the stack, and how it does."""

    name: str
    state: str
    pid: int | None
    uptime_s: float | None
    address: str


def up(*, serving_only: bool = False, out: Console | None = None) -> None:
    """Start the stack, or what of it does not run, and wait until each part does its work."""
    out = out or Console(highlight=False, soft_wrap=True)
    started = time.monotonic()
    paths.make()
    with exclusive(paths.state() / "up.lock"):
        wanted = [n for n in ORDER if n in programs.SERVING] if serving_only else list(ORDER)
        ports = _begin(wanted)
        models_changed = programs.write_settings(ports)
        running = {
            n for n, told in supervision.processes().items() if told["statename"] == "RUNNING"
        }
        if not serving_only:
            database.prepare()
        early = [n for n in wanted if n in (*programs.COLOURS, "database")]
        for name in early:  # they need nothing from each other: let them start together
            supervision.ensure(name)
        for name in wanted:
            if name == "api-server":
                _migrate(out)
            supervision.ensure(name)
            _await(name, ports, out)
            if name == "api-server":
                readiness.make_pools(ports)
                for rest in wanted:  # the others wait only for this one
                    supervision.ensure(rest)
        if models_changed:
            for colour in programs.COLOURS:
                if colour in running:  # one after the other: the gateway asks the other meanwhile
                    supervision.restart(colour)
                    _await(colour, ports, out)
    seconds = time.monotonic() - started
    word = (
        "up already"
        if running >= set(wanted) and not models_changed
        else f"up after {seconds:.0f} s"
    )
    out.print(f"the stack is {word}: `sluice status`, `sluice logs`, `sluice down`")


def down() -> None:
    """Stop the stack. Requests under way are answered first; no process is left."""
    if not supervision.running() and not supervision.marked():
        Console().print("the stack is not running")
        return
    _drain()
    supervision.stop(last="database")
    Console().print("the stack is down")


def status() -> list[Part]:
    """Return how each part does; all of them stopped when the supervisor is not there."""
    ports = _ports.remembered(_memory())
    known = supervision.processes()
    return [
        _part(name, known.get(name, {}), ports) for name in (*programs.AIRFLOW, *programs.SERVING)
    ]


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
    every = (*programs.AIRFLOW, *programs.SERVING, "supervisor")
    if name is not None and name not in every:
        raise UsageError(f"no part {name!r}: there are {', '.join(every)}{near_miss(name, every)}")
    files = [str(f) for n in ([name] if name else every) if (f := supervision.log(n)).exists()]
    if not files:
        raise UsageError(
            f"there is no log under {paths.logs()} yet: start the stack with `sluice up`"
        )
    command = ["tail", "-n", "40" if name else "8", *(["-F"] if follow else []), *files]
    subprocess.run(command, check=False)


def login() -> Login:
    """Return where Airflow answers, and as whom."""
    return readiness.login(_ports.remembered(_memory()))


def endpoints() -> Endpoints:
    """Return where the gateway and the model servers answer."""
    return _endpoints(programs.endpoints_file())


def _begin(wanted: list[str]) -> Ports:
    """See to it that a supervisor runs that knows the programs; return the ports in force."""
    alive = supervision.running()
    if alive:
        ports = _ports.remembered(_memory())
    else:
        supervision.sweep()  # what a killed supervisor left behind
        ports = _ports.load(_memory())
    idle = [n for n in wanted if supervision.processes().get(n, {}).get("pid", 0) == 0]
    _ports.insist_free(ports, [p for p in Ports.model_fields if _part_of(p) in idle])
    if not alive:
        _ports.remember(_memory(), ports)
        secrets.make()
        supervision.write(programs.all_programs(ports))
        supervision.start()
    return ports


def _part_of(port: str) -> str:
    """Return the program that listens on a port."""
    if port == "airflow":
        return "api-server"
    return port.split("_")[0] if "_" in port else "gateway"


def _await(name: str, ports: Ports, out: Console) -> None:
    """Wait until a program does its work; raise SluiceError with its last words when it does not."""
    started = time.monotonic()
    with out.status(f"{name} …"):
        while not readiness.ready(name, ports):
            state = supervision.processes().get(name, {}).get("statename", "gone")
            if state in ("FATAL", "gone") or time.monotonic() - started > PATIENCE_S:
                raise SluiceError(
                    f"{name} does not come up ({state.lower()}):\n{_last_words(name)}"
                )
            time.sleep(0.2)
    out.print(f"  [green]✓[/] {name:<15} {time.monotonic() - started:5.1f} s")


def _migrate(out: Console) -> None:
    """Bring Airflow's tables to its version, once a version: it costs ten seconds to find nothing to do."""
    stamp, version = paths.state() / "migrated", provenance.packages().get("apache-airflow", "")
    if stamp.exists() and stamp.read_text() == version:
        return
    started = time.monotonic()
    with out.status("Airflow's tables …"), supervision.log("migrate").open("w") as log:
        command = [str(programs.BIN / "airflow"), "db", "migrate"]
        done = subprocess.run(command, env=supervision.environment(), stdout=log, stderr=log)
    if done.returncode:
        raise SluiceError(f"Airflow's tables could not be made:\n{_last_words('migrate')}")
    write_atomically(stamp, version)
    out.print(f"  [green]✓[/] {'tables':<15} {time.monotonic() - started:5.1f} s")


def _last_words(name: str) -> str:
    path = supervision.log(name)
    lines = path.read_text(errors="replace").splitlines()[-15:] if path.exists() else []
    return "\n".join(f"    {line}" for line in lines) + f"\n  the whole log: {path}"


def _drain() -> None:
    """Let the gateway finish what it has begun: SIGTERM alone would cut it off."""
    admin = programs.admin_socket()
    if not admin.exists():
        return
    try:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(admin)), timeout=5) as envoy:
            envoy.post("http://envoy/drain_listeners?graceful&skip_exit")
            until = time.monotonic() + 5
            while time.monotonic() < until and _active(envoy):
                time.sleep(0.1)
    except httpx.HTTPError:
        pass  # it is not running


def _active(envoy: httpx.Client) -> int:
    """Return the requests that the gateway is answering."""
    told = envoy.get("http://envoy/stats?filter=downstream_rq_active").text
    return sum(
        int(line.rsplit(":", 1)[1]) for line in told.splitlines() if "http.admin" not in line
    )


def _part(name: str, told: dict[str, object], ports: Ports) -> Part:
    state = str(told.get("statename", "STOPPED")).lower()
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


def _memory() -> Path:
    return paths.state() / "ports.json"
