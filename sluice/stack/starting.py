"""Starting the stack: each part in its turn, and each awaited until it does its work."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence

from rich.console import Console

from components import provenance
from components.errors import SluiceError, UsageError
from components.files import write_atomically
from sluice.stack import database, paths, programs, readiness, secrets, settings, supervision
from sluice.stack import ports as chosen
from sluice.stack.ports import Ports

PATIENCE_S = 300  # for one program, on a busy machine
DEATHS = 3  # of a program that is awaited, before it is given up


class Progress:
    """Tells what has come up, each part once, and how long after the start."""

    def __init__(self, out: Console) -> None:
        self.out, self._started, self._told = out, time.monotonic(), set[str]()

    @property
    def seconds(self) -> float:
        """Return the seconds since the start."""
        return time.monotonic() - self._started

    def done(self, name: str) -> None:
        """Print that a part is up."""
        if name not in self._told:
            self._told.add(name)
            self.out.print(f"  [green]✓[/] {name:<15} {self.seconds:5.1f} s")


def start(wanted: Sequence[str], out: Console) -> None:
    """Start what of `wanted` does not run, and wait for all of it; raise SluiceError if it fails."""
    progress = Progress(out)
    ports = _begin(wanted)
    models_changed = programs.write_settings(ports)
    before = [name for name in wanted if supervision.up(name)]
    for name in programs.SERVING:  # they need nothing of Airflow's
        supervision.ensure(name)
    if "api-server" in wanted:
        _start_database(ports, progress)
        supervision.ensure("api-server")
        _await("api-server", ports, progress)
        readiness.make_pools(ports)
    for name in wanted:  # tasks started before the API server answered have died
        supervision.ensure(name)
    for name in wanted:
        _await(name, ports, progress)
    if models_changed:
        for colour in (c for c in programs.COLOURS if c in before):
            supervision.restart(colour)  # one after the other: the gateway asks the other meanwhile
            _await(colour, ports, progress)
    already = before == list(wanted) and not models_changed
    out.print(f"the stack is up {'already' if already else f'after {progress.seconds:.0f} s'}")


def _start_database(ports: Ports, progress: Progress) -> None:
    database.prepare()
    supervision.ensure("database")
    _await("database", ports, progress)
    _migrate(progress)


def _begin(wanted: Sequence[str]) -> Ports:
    """See to it that a supervisor runs that knows the programs; return the ports in force."""
    alive = supervision.running()
    if alive:
        ports = chosen.remembered(paths.ports())
        if chosen.load(paths.ports()) != ports:
            raise UsageError(
                "the stack runs on other ports than the environment asks for; "
                "to move it: sluice down, then sluice up"
            )
    else:
        supervision.sweep()  # what a killed supervisor left behind
        ports = chosen.load(paths.ports())
    known = supervision.processes()
    idle = [name for name in wanted if not known.get(name, {}).get("pid")]
    chosen.insist_free(ports, [p for p in Ports.model_fields if programs.listener(p) in idle])
    if not alive:
        chosen.remember(paths.ports(), ports)
        secrets.make()
        settings.write(programs.all_programs(ports))
        supervision.start()
    return ports


def _await(name: str, ports: Ports, progress: Progress) -> None:
    """Wait until a program does its work; raise SluiceError with its last words when it does not."""
    until, starts = time.monotonic() + PATIENCE_S, set()
    with progress.out.status(f"{name} …"):
        while not (supervision.up(name) and readiness.ready(name, ports)):
            told = supervision.processes().get(name, {"statename": "gone", "start": 0})
            starts.add(told["start"])
            state = "dying" if len(starts) > DEATHS else told["statename"].lower()
            if state in ("dying", "fatal", "gone") or time.monotonic() > until:
                raise SluiceError(
                    f"{name} does not come up ({state}); mend what it says, then repeat "
                    f"`sluice up`; `sluice down` stops the rest\n{_last_words(name)}"
                )
            time.sleep(0.3)
    progress.done(name)


def _migrate(progress: Progress) -> None:
    """Bring Airflow's tables to its version, once a version: finding nothing to do takes 10 s."""
    stamp, version = (
        database.data() / "migrated-to",
        provenance.packages().get("apache-airflow", ""),
    )
    if stamp.exists() and stamp.read_text() == version:
        return
    with progress.out.status("Airflow's tables …"), paths.log("migrate").open("w") as log:
        command = [str(programs.BIN / "airflow"), "db", "migrate"]
        done = subprocess.run(command, env=supervision.environment(), stdout=log, stderr=log)
    if done.returncode:
        raise SluiceError(f"Airflow's tables could not be made\n{_last_words('migrate')}")
    write_atomically(stamp, version)
    progress.done("tables")


def _last_words(name: str) -> str:
    path = paths.log(name)
    lines = path.read_text(errors="replace").splitlines()[-15:] if path.exists() else []
    return "\n".join([*(f"    {line}" for line in lines), f"  the whole log: {path}"])
