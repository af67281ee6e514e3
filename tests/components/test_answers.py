"""A served answer is held against the offline one by what the two may differ in, and no more."""

from __future__ import annotations

import numpy as np
import pytest

from components import answers
from components.golden import Golden
from components.verdict import Status
from serving.client import Prediction

ROWS = {"size": np.arange(3, dtype=np.float32)}


def compared(known: np.ndarray, outputs: dict[str, np.ndarray]) -> dict[str, Status]:
    """Return how the checks come out when a server answers three rows at once."""
    golden = Golden(ROWS, known)
    given = answers.ask_all(lambda _: Prediction(outputs, 1), golden, size=3)
    return {check.name: check.status for check in answers.compare("REST", given, golden)}


CLASSES = np.array([[0.2, 0.3, 0.5], [0.1, 0.1, 0.8], [1, 0, 0]], dtype=np.float32)
PASSED, FAILED = Status.PASSED, Status.FAILED


@pytest.mark.parametrize(
    ("known", "outputs", "told"),
    [
        ([0.1, 0.2, 0.3], {"score": [0.1, 0.2, 0.30002]}, {"finite": PASSED, "parity": FAILED}),
        ([1e6, 2.0, 3.0], {"score": [1e6 + 5, 2.0, 3.0]}, {"finite": PASSED, "parity": PASSED}),
        ([1e6, 2.0, 3.0], {"score": [1e6 + 50, 2.0, 3.0]}, {"finite": PASSED, "parity": FAILED}),
        (CLASSES, {"scores": CLASSES}, {"finite": PASSED, "parity": PASSED}),
        (CLASSES, {"scores": CLASSES[:, ::-1]}, {"finite": PASSED, "parity": FAILED}),
        (CLASSES, {"scores": CLASSES * [1, 1, np.nan]}, {"finite": FAILED, "parity": PASSED}),
        (CLASSES, {"scores": CLASSES[:, :2]}, {"answers": FAILED}),
        ([0.1, 0.2, 0.3], {"scores": CLASSES}, {"answers": FAILED}),
        ([0.1, 0.2, 0.3], {"late": [0.1, 0.2, 0.3]}, {"answers": FAILED}),
    ],
)
def test_what_is_the_same_answer(known, outputs, told):
    given = {name: np.asarray(values, np.float32) for name, values in outputs.items()}
    assert compared(np.asarray(known, np.float32), given) == told
