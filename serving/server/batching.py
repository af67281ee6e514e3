"""Batching across requests, by TensorFlow's own batch scheduler.

Worth it for big nets and many clients, a loss for tiny ones: hence off unless asked for. Defaults
and the parameters file are TensorFlow Serving's (`BatchingParameters` in text form).
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from serving.server.errors import invalid
from serving.server.text_config import BatchingParameters, parse


@dataclass(frozen=True)
class Batching:
    """How requests are gathered: sizes in rows, the timeout in microseconds."""

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = field(default_factory=lambda: os.cpu_count() or 1)
    allowed_batch_sizes: Sequence[int] = ()
    enable_large_batch_splitting: bool = False

    @classmethod
    def from_file(cls, path: Path) -> Batching:
        """Read a `BatchingParameters` text file; raises ServingError naming file and problem."""
        message = parse(path, BatchingParameters)
        given: dict[str, Any] = {
            name: getattr(message, name).value
            for name in cls.__dataclass_fields__
            if name != "allowed_batch_sizes" and message.HasField(name)
        }
        sizes = list(message.allowed_batch_sizes)
        batching = cls(**given, allowed_batch_sizes=sizes)
        if sizes and (sizes != sorted(set(sizes)) or sizes[-1] != batching.max_batch_size):
            raise invalid(
                f"{path}: allowed_batch_sizes {sizes} must increase and end with max_batch_size "
                f"{batching.max_batch_size}"
            )
        return batching

    def check(self, arrays: Sequence[np.ndarray]) -> None:
        """Raise ServingError unless all inputs have the same number of rows."""
        if any(array.ndim == 0 for array in arrays):
            raise invalid("Batching Run() input tensors must have at least one dimension")
        if len({len(array) for array in arrays}) > 1:
            raise invalid("Batching Run() input tensors must have equal 0th-dimension size")

    def call(
        self, queue: str, function: Any, args: list[tf.Tensor], captures: list, out: list[tf.DType]
    ) -> list[tf.Tensor]:
        """Run `function` on these rows, together with whoever else waits in `queue`."""
        return tf.raw_ops.BatchFunction(
            in_tensors=args,
            captured_tensors=captures,
            f=function,
            Tout=out,
            num_batch_threads=self.num_batch_threads,
            max_batch_size=self.max_batch_size,
            batch_timeout_micros=self.batch_timeout_micros,
            max_enqueued_batches=self.max_enqueued_batches,
            allowed_batch_sizes=list(self.allowed_batch_sizes),
            enable_large_batch_splitting=self.enable_large_batch_splitting,
            shared_name=queue,
        )
