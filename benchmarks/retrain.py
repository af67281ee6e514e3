"""One day's retraining on real flights, by `sluice run` and through Airflow: CPU, memory, waiting.

    python -m benchmarks.retrain          # about five minutes; var/benchmarks/retrain.json

In a house of its own, on free ports. The first run takes in all 35 spans; those after it are what
every day costs. CPU seconds are of `sluice run` and all its children, the infra gate's server
among them; through Airflow, of every process of the stack less what it burns when idle. Waiting is
the time of a DAG run in which none of its tasks ran. TFX's figures are those of facts measured once
on such a machine with 15,000 rows of taxi trips; it does not install beside this.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import psutil
from rich.console import Console
from rich.table import Table

from components import home
from demo.house import House, house
from sluice.airflow import FINISHED, session

FIRST = "2013-02-06"
ALONE = ("2013-02-07", "2013-02-10", "2013-02-11")
THROUGH_AIRFLOW = ("2013-02-12", "2013-02-13", "2013-02-14")
TFX = "93 to 100"
IDLE_S = 30


def main() -> int:
    """Measure, print the table, and write the JSON."""
    out = Console(width=120)
    into = home.var() / "benchmarks" / "retrain.json"
    with tempfile.TemporaryDirectory(prefix="sluice-bench-") as folder, house(Path(folder)) as here:
        started = time.monotonic()
        figures: dict[str, Any] = {"machine": machine(), "up": _up(here, started)}
        _land(here, "2013-01-01", THROUGH_AIRFLOW[-1])
        out.print("stack is up; sluice run …")
        figures["first"] = alone(here, FIRST)
        figures["alone"] = [alone(here, day) for day in ALONE]
        out.print("through Airflow …")
        os.environ["SLUICE_HOME"] = str(here.root)
        figures["airflow"] = through_airflow(THROUGH_AIRFLOW)
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_text(json.dumps(figures, indent=2) + "\n")
    out.print(_table(figures))
    out.print(f"{machine()}; all figures in {into}")
    return 0


def alone(here: House, day: str) -> dict[str, Any]:
    """Run a day by `sluice run`; return its CPU seconds, wall seconds, peak memory in MB, outcome."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    command = ["/usr/bin/env", *here.command("run", "flights", day, "--json")]
    process = subprocess.Popen(
        command,
        env=here.environment,
        cwd=here.root,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    told, _ = process.communicate()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "day": day,
        "cpu_s": round(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, 2),
        "wall_s": round(time.monotonic() - started, 2),
        # The largest process so far, which is this one or its like.
        "peak_mb": round(after.ru_maxrss / 1024),
        "outcome": json.loads(told)["outcome"],
    }


def through_airflow(days: tuple[str, ...]) -> dict[str, Any]:
    """Run days through Airflow; return CPU, wall and waiting seconds of each, and the idle rate."""
    from sluice import stack

    started, before = time.monotonic(), _cpu()
    time.sleep(IDLE_S)
    idle = (_cpu() - before) / (time.monotonic() - started)
    runs = []
    with session(stack.login()) as airflow:
        for day in days:
            started, before = time.monotonic(), _cpu()
            run = airflow.trigger("flights", day)
            while airflow.state("flights", run) not in FINISHED:
                time.sleep(0.5)
            wall = time.monotonic() - started
            path = f"/api/v2/dags/flights/dagRuns/{run}"
            tasks = airflow.ask("GET", f"{path}/taskInstances")["task_instances"]
            ran = sum(task["duration"] or 0 for task in tasks)
            whole = airflow.ask("GET", path)
            span = _seconds(whole["end_date"]) - _seconds(whole["start_date"])
            runs.append(
                {
                    "day": day,
                    "cpu_s": round(_cpu() - before - idle * wall, 2),
                    "wall_s": round(span, 2),
                    "waiting_s": round(span - ran, 2),
                    "outcome": whole["state"],
                }
            )
    return {"idle_cpu_share": round(idle, 3), "memory_mb": _memory(), "runs": runs}


def machine() -> str:
    """Return what this was measured on, in a few words."""
    memory = psutil.virtual_memory().total / 2**30
    return f"{os.cpu_count()} cores, {memory:.0f} GB, Python {sys.version.split()[0]}"


def _up(here: House, started: float) -> dict[str, float]:
    """Bring the stack up; return the seconds until Airflow's pages answered, and until all was ready."""
    import httpx

    process = subprocess.Popen(
        here.command("up"), env=here.environment, cwd=here.root, stdout=subprocess.DEVNULL
    )
    pages = 0.0
    while process.poll() is None:
        try:
            if (
                not pages
                and httpx.get(f"http://127.0.0.1:{here.ports.airflow}/", timeout=60).is_success
            ):
                pages = time.monotonic() - started
        except httpx.TransportError:
            pass
        time.sleep(0.2)
    if process.returncode:
        raise SystemExit("the stack did not come up")
    return {"pages_s": round(pages, 1), "all_s": round(time.monotonic() - started, 1)}


def _land(here: House, first: str, last: str) -> None:
    command = [sys.executable, "-m", "demo.feed", first, last]
    subprocess.run(
        command, env=here.environment, cwd=here.root, check=True, stdout=subprocess.DEVNULL
    )


def _cpu() -> float:
    """Return the CPU seconds of the stack: those that live, and those that they have waited for."""
    from sluice.stack import supervision

    total = 0.0
    for process in supervision.marked():
        try:
            times = process.cpu_times()
        except psutil.Error:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _memory() -> dict[str, float]:
    """Return the stack's resident and proportional memory, in MB."""
    from sluice.stack import supervision

    told = []
    for process in supervision.marked():
        try:
            told.append(process.memory_full_info())
        except psutil.Error:
            continue
    return {"rss": sum(m.rss for m in told) // 2**20, "pss": sum(m.pss for m in told) // 2**20}


def _seconds(stamp: str) -> float:
    return datetime.fromisoformat(stamp).timestamp()


def _table(figures: dict[str, Any]) -> Table:
    daily, runs = figures["alone"], figures["airflow"]["runs"]

    def middle(rows: list[dict[str, Any]], key: str) -> str:
        values = [row[key] for row in rows if row["outcome"] in ("released", "success")]
        return f"{statistics.median(values):.1f} ({min(values):.1f} to {max(values):.1f})"

    first = [{**figures["first"], "outcome": "released"}]
    alone = ("cpu_s", "wall_s", "peak_mb")
    table = Table("one span, a window of 35", "CPU s", "wall s", "peak MB", "waiting s", box=None)
    table.add_row("TFX 1.16, 15,000 taxi rows (quoted)", TFX, "", "1,450 to 1,730", "")
    table.add_row("sluice run, the first", *(middle(first, key) for key in alone), "")
    table.add_row("sluice run, daily", *(middle(daily, key) for key in alone), "")
    spent = [middle(runs, key) for key in ("cpu_s", "wall_s")]
    table.add_row("through Airflow, daily", *spent, "", middle(runs, "waiting_s"))
    return table


if __name__ == "__main__":
    sys.exit(main())
