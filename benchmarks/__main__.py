"""Every benchmark, one after the other: `make bench`. Tables on the screen, JSON in var/benchmarks."""

from __future__ import annotations

import subprocess
import sys

BENCHMARKS = ("retrain", "evaluate", "model_server")


def main() -> int:
    """Run each in a process of its own, so that none pays for another's imports."""
    codes = []
    for name in BENCHMARKS:
        print(f"\n== {name}", flush=True)
        codes.append(subprocess.run([sys.executable, "-m", f"benchmarks.{name}"]).returncode)
    return max(codes)


if __name__ == "__main__":
    sys.exit(main())
