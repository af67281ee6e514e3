"""scoring: a model's offline predictions, by its own SavedModel, loaded into this process."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from components import transform
from components.columns import columns
from components.errors import SluiceError
from components.metrics import Task
from components.patience import within
from components.schema import Feature
from components.store import Artifact

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["SAVED_MODEL", "Scorer", "columns", "load", "scores"]

SAVED_MODEL = "saved_model"
# What a model's answer is called: one score a row, or one of each class.
OUTPUTS: Mapping[Task, str] = {"binary": "score", "regression": "score", "multiclass": "scores"}
ROWS_AT_ONCE = 16_384
PATIENCE_S = 600.0  # with a load, and with so many rows


@dataclass(frozen=True)
class Scorer:
    """A loaded model. `features`: the columns it takes; others in a frame are left alone."""

    features: Sequence[Feature]
    _signature: Any
    _module: Any  # holds the variables, which a signature does not

    def scores(self, frame: pd.DataFrame) -> np.ndarray:
        """Return the scores of every row, float32 of shape [n], or [n, classes].

        Missing values are allowed. Raises SluiceError for a model that answers without scores, or not
        at all.
        """
        import tensorflow as tf

        raw = columns(frame, self.features)
        parts = []
        for start in range(0, max(len(frame), 1), ROWS_AT_ONCE):
            batch = {name: v[start : start + ROWS_AT_ONCE] for name, v in raw.items()}
            tensors = {name: tf.constant(v) for name, v in batch.items()}
            try:
                answer = within(PATIENCE_S, partial(self._signature, **tensors))
            except TimeoutError as error:
                last = min(start + ROWS_AT_ONCE, len(frame))
                raise SluiceError(f"it hangs: {error} to rows {start} to {last}") from error
            said = of(answer)
            if said is None:
                raise SluiceError(f"the model answers with {', '.join(answer)}, and no scores")
            parts.append(said.numpy())
        return np.concatenate(parts)


@contextmanager
def full_precision() -> Iterator[None]:
    """Keep a GPU from rounding the factors of its products to 10 bits: the fourth digit would differ."""
    import tensorflow as tf

    rounded = tf.config.experimental.tensor_float_32_execution_enabled()
    tf.config.experimental.enable_tensor_float_32_execution(False)
    try:
        yield
    finally:
        tf.config.experimental.enable_tensor_float_32_execution(rounded)


def of(answer: Mapping[str, Any]) -> Any:
    """Return the scores in an answer, whichever the task; None where there are none."""
    return next((answer[name] for name in OUTPUTS.values() if name in answer), None)


def load(model: Artifact) -> Scorer:
    """Load a model (kind `train`); raise SluiceError when its SavedModel does not load."""
    import tensorflow as tf

    folder = model.file(SAVED_MODEL)
    try:
        module = within(PATIENCE_S, partial(tf.saved_model.load, str(folder)))
        signature = module.signatures["serving_default"]
    except Exception as error:
        raise SluiceError(f"{folder} does not load: {type(error).__name__}: {error}") from error
    return Scorer(transform.load(model).features, signature, module)


def scores(model: Artifact, paths: Sequence[Path]) -> np.ndarray:
    """Return the scores of every row of these Parquet files, in order, float32, [n] or [n, classes]."""
    import pandas as pd

    scorer = load(model)
    names = [feature.name for feature in scorer.features]
    return np.concatenate([scorer.scores(pd.read_parquet(p, columns=names)) for p in paths])
