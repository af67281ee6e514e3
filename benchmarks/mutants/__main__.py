"""Broken candidates through the real gates, and honest ones beside them: `make bench-mutants`.

python -m benchmarks.mutants                   # the report in docs/benchmarks/; a quarter of an hour
python -m benchmarks.mutants --only vocabulary # those with the word in their name, on the screen
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from benchmarks.mutants import gauntlet, report
from benchmarks.mutants.ground import REPOSITORY, prepare
from benchmarks.mutants.mutant import HONEST, Outcome
from components import scoring

INTO = REPOSITORY / "docs" / "benchmarks" / "mutants.md"


def main(given: Sequence[str] | None = None) -> int:
    """Run them all; return 1 if an honest candidate was refused."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument("--only", help="a word in the names of those to run; writes no report")
    parser.add_argument("--house", type=Path, help="a folder to go on in: what is there is kept")
    asked = parser.parse_args(given)
    warnings.simplefilter("ignore")
    logging.disable(logging.ERROR)  # that a gate could not measure is told in its verdict
    scoring.PATIENCE_S = 60.0
    with tempfile.TemporaryDirectory(prefix="sluice-mutants-") as apart:
        outcomes = _all(asked.house or Path(apart), asked.only)
    print(report.screen(outcomes))
    if not asked.only:
        INTO.write_text(report.markdown(outcomes))
        print(f"written to {INTO.relative_to(REPOSITORY)}")
    return int(any(one.caught for one in outcomes if one.mutant.kind == HONEST))


def _all(folder: Path, only: str | None) -> list[Outcome]:
    ground = prepare(folder)
    chosen = [
        one for one in [*gauntlet.honest(), *gauntlet.ALL] if only is None or only in one.name
    ]
    done: list[Outcome] = []
    for n, one in enumerate(chosen):
        done.append(gauntlet.run(ground, one, load=one.kind != HONEST or n < gauntlet.LOADED))
        print(f"{n + 1:>3} of {len(chosen)}: {report.line(done[-1])}", file=sys.stderr, flush=True)
    return done


if __name__ == "__main__":
    sys.exit(main())
