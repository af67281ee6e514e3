"""A call that never comes back keeps nobody waiting, and takes no verdict with it."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from components.patience import within


def test_what_comes_in_time_is_returned():
    assert within(60, lambda: 7) == 7


def test_what_fails_fails_as_it_did():
    def broken():
        raise KeyError("x")

    with pytest.raises(KeyError, match="x"):
        within(60, broken)


def test_what_takes_longer_is_left_behind():
    forever = threading.Event()
    try:
        with pytest.raises(TimeoutError, match=r"no answer after 0\.1 s"):
            within(0.1, forever.wait)
    finally:
        forever.set()


CHILD = """
from candidates import candidate, {model}, rows

from components import scoring
from components.errors import SluiceError

scoring.PATIENCE_S = 3.0
try:
    asked = rows().replace({{"carrier": "VX"}}, "never seen before")
    print(scoring.load(candidate({model}, "stuck")).scores(asked))
except SluiceError as error:
    print("told:", error)
"""


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("hanging", "does not load: TimeoutError: no answer after 3 s"),
        ("hanging_when_asked", "told: it hangs: no answer after 3 s to rows 0 to 40"),
    ],
)
def test_a_model_that_hangs_is_told_and_the_process_can_end(tmp_path, model, told):
    """In a process of its own: what hangs takes a core until its process ends."""
    path = os.pathsep.join(p for p in sys.path if p)
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CHILD.format(model=model)],
        env={**os.environ, "PYTHONPATH": path, "SLUICE_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert told in done.stdout
