"""memory: what the server takes with the candidate, while it loads and while it is asked."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import JsonValue

from components.validate_infra.server_process import ServerProcess
from components.verdict import Check, Status

EVERY_S = 0.25
RUNAWAY = 2  # times the budget: the server is stopped, lest it take the machine with it
SHOWN = 120  # samples on the page, at most


class Watch:
    """A server's resident memory over time: `samples` of seconds and MB, since it was started."""

    def __init__(self, process: ServerProcess, budget_mb: float) -> None:
        self.budget_mb = budget_mb
        self.samples: list[tuple[float, float]] = []
        self.overran = False  # and was stopped
        self._process = process
        self._started = time.monotonic()
        self._done = threading.Event()

    @property
    def peak_mb(self) -> float:
        """Return the most that was seen, 0 before the first look."""
        return max((mb for _, mb in self.samples), default=0.0)

    def look(self) -> float:
        """Return what the server takes now, in MB; stop it when that is far beyond the budget."""
        seen = self._process.memory_mb()
        self.samples.append((time.monotonic() - self._started, seen))
        if seen > RUNAWAY * self.budget_mb:
            self.overran = True
            self._process.kill()
        return seen

    def check(self) -> Check:
        """Return the check of what the server takes now against the budget."""
        seen = self.look()
        over = seen > self.budget_mb
        told = f"the server takes {seen:,.0f} MB with the model, and the budget is {self.budget_mb:,.0f} MB"
        return Check(
            name="memory",
            status=Status.FAILED if over else Status.PASSED,
            seen=f"{seen:,.0f} MB resident, {self.peak_mb:,.0f} MB at the peak",
            expected=f"within {self.budget_mb:,.0f} MB",
            message=told if over else "",
            values={"resident_mb": round(seen, 1), "peak_mb": round(self.peak_mb, 1)},
        )

    def evidence(self) -> dict[str, JsonValue]:
        """Return what the page draws: the samples, thinned out, and the budget."""
        step = -(-len(self.samples) // SHOWN) or 1
        starts = range(0, len(self.samples), step)
        thin = [max(self.samples[n : n + step], key=lambda sample: sample[1]) for n in starts]
        return {
            "budget MB": self.budget_mb,
            "peak MB": round(self.peak_mb, 1),
            "over time": [{"s": round(s, 2), "MB": round(mb, 1)} for s, mb in thin],
        }

    def run(self) -> None:
        """Look until told to stop."""
        while not self._done.wait(EVERY_S):
            self.look()

    def stop(self) -> None:
        """Look no more."""
        self._done.set()


@contextmanager
def watched(process: ServerProcess, budget_mb: float) -> Iterator[Watch]:
    """Watch a server's memory, until leaving."""
    watch = Watch(process, budget_mb)
    thread = threading.Thread(target=watch.run, name="memory", daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        watch.stop()
        thread.join()
