"""Candidates trained ahead in other processes, where what one is does not depend on the one before.

A worker does no more than the plan's own `train`; the model lies in the store when the backtest comes
to that span. Whatever goes wrong in a worker, the backtest meets again by itself, and tells.
"""

from __future__ import annotations

import ctypes
import logging
import multiprocessing
import os
import signal
import warnings
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager

from components import pipelines, plan
from components.backtest.rehearsal import Rehearsal

log = logging.getLogger(__name__)


class Ahead:
    """Trainings under way, by span; with no pool there are none, and nothing is waited for."""

    def __init__(self, pool: ProcessPoolExecutor | None) -> None:
        self._pool = pool
        self._begun: dict[str, Future[str]] = {}

    def begin(self, run: Rehearsal) -> None:
        """Have a worker train the candidate of a run."""
        if self._pool:
            try:
                self._begun[run.span] = self._pool.submit(_train, run)
            except BrokenProcessPool as broken:
                log.warning("%s: %s; it is trained in turn", run.span, broken)

    def wait(self, run: Rehearsal) -> None:
        """Return when the worker is done with the candidate of a run, if one was asked to train it."""
        begun = self._begun.pop(run.span, None)
        if begun is None:
            return
        try:
            trouble = begun.result()
        except BrokenProcessPool as broken:  # killed, for want of memory perhaps
            trouble = str(broken)
        if trouble:
            log.info("%s could not be trained ahead: %s", run.span, trouble)


@contextmanager
def training_ahead(workers: int) -> Iterator[Ahead]:
    """Yield what trains candidates ahead in `workers` processes; with 0, none is."""
    if not workers:
        yield Ahead(None)
        return
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # a device is shared by all
    threads = max(1, len(os.sched_getaffinity(0)) // (workers + 1))
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),  # a fork of TensorFlow hangs
        initializer=_begin,
        initargs=(os.getpid(), threads),
    )
    try:
        yield Ahead(pool)
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(parent: int, threads: int) -> None:
    """Have the kernel kill this worker when its parent dies, `kill -9` included."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
    warnings.filterwarnings("ignore", category=FutureWarning, module="google")
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)


def _train(run: Rehearsal) -> str:
    """Train the candidate of a run; return what went wrong, as text, since not every error travels."""
    try:
        plan.train(pipelines.load(run.pipeline), run)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return ""
