"""A house apart, for tests and benchmarks: the product's files in another folder, on free ports."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sluice.stack.ports import Ports, variable

REPOSITORY = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class House:
    """A house, its ports, and the environment in which its commands run."""

    root: Path
    ports: Ports
    environment: dict[str, str]

    def command(self, *words: str) -> list[str]:
        """Return a `sluice` command of this house."""
        return [sys.executable, "-m", "sluice.cli", *words]

    def run(self, *words: str, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a `sluice` command in this house, and return what it said."""
        return subprocess.run(
            self.command(*words),
            env=self.environment,
            cwd=self.root,
            text=True,
            capture_output=True,
            timeout=timeout,
        )


def free_ports() -> Ports:
    """Return ports that nothing listens on, all different."""
    with ExitStack() as held:
        found = []
        for _ in Ports.model_fields:
            probe = held.enter_context(socket.socket())
            probe.bind(("127.0.0.1", 0))
            found.append(probe.getsockname()[1])
    return Ports(**dict(zip(Ports.model_fields, found, strict=True)))


@contextmanager
def house(root: Path) -> Iterator[House]:
    """Yield a house with the product's files; whatever runs in it is stopped in the end."""
    listed = ["git", "-C", str(REPOSITORY), "ls-files", "-co", "--exclude-standard", "-z"]
    tracked = subprocess.run(listed, capture_output=True, text=True, check=True).stdout
    for name in filter(None, tracked.split("\0")):
        if (REPOSITORY / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPOSITORY / name, root / name)
    (root / ".venv").symlink_to(Path(sys.executable).parent.parent)
    ports = free_ports()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("SLUICE_", "AIRFLOW_"))}
    chosen = {variable(name): str(port) for name, port in ports.model_dump().items()}
    here = House(root, ports, {**kept, **chosen, "SLUICE_HOME": str(root), "PYTHONPATH": str(root)})
    try:
        yield here
    finally:
        here.run("down")
