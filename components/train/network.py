"""network: the net that a pipeline's `model.py` describes, built and checked.

`model.py` runs in a module of its own, is not left importable, and its mistakes are told with file
and line.
"""

from __future__ import annotations

import re
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from types import ModuleType
from typing import Any

import keras
import numpy as np

from components import home
from components.errors import SluiceError
from components.spec import Spec
from components.train.preprocessing import inputs
from components.transform import Constants


def build(
    spec: Spec, constants: Constants, *, precision: str = "float32", strategy: Any = None
) -> Any:
    """Return the compiled net of `model.py`, the same to the bit for the same seed.

    `precision`: the Keras dtype policy to build it under; `strategy`: the `tf.distribute.Strategy`
    whose devices hold it. Raises SluiceError, with file and line where there is one, for a mistake
    in `model.py` or a net that cannot be trained and served.
    """
    path = spec.folder / "model.py"
    scope = strategy.scope() if strategy else nullcontext()
    before = keras.config.dtype_policy()
    keras.backend.clear_session(
        free_memory=False
    )  # or layers are named after what was built before
    keras.utils.set_random_seed(spec.train.seed)
    keras.config.set_dtype_policy(precision)
    try:
        with blamed(path), scope:
            net = _module(path).model(inputs(constants), dict(constants.vocabulary_sizes))
    finally:
        keras.config.set_dtype_policy(before)
    fault = _fault(net, constants)
    if fault:
        raise SluiceError(f"{_short(path)}: {fault}")
    net.jit_compile = spec.train.xla  # a matter of the spec; Keras would choose by itself
    return net


@contextmanager
def blamed(path: Path, *, always: bool = True) -> Iterator[None]:
    """Turn what code in `path` raises into a SluiceError of one line with its file and line.

    `always`: even when no line of `path` was at work, because all that happens here is its doing.
    """
    try:
        yield
    except SluiceError:
        raise
    except (Exception, SystemExit) as error:
        lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if _same(f, path)]
        # Inside a traced function, TensorFlow tells in words where in the user's code it was.
        lines += [int(n) for n in re.findall(rf'"{re.escape(str(path))}", line (\d+)', str(error))]
        if isinstance(error, SyntaxError):
            lines.append(error.lineno)
        if not lines and not always:
            raise
        where = f" line {lines[-1]}" if lines else ""
        told = " ".join(str(error).split())
        raise SluiceError(
            f"{_short(path)}{where}: {type(error).__name__}: {told[-500:]}"
        ) from error


def probe(spec: Spec, net: Any, fed: Mapping[str, Any]) -> None:
    """Ask the untrained net about a few real rows; raise SluiceError unless it gives probabilities."""
    path = spec.folder / "model.py"
    with blamed(path):
        scores = np.asarray(keras.ops.convert_to_numpy(net(_taken(net, fed), training=False)))
    odd = scores[~((scores >= 0) & (scores <= 1))]
    if odd.size:
        raise SluiceError(
            f"{_short(path)}: the net answers {odd[0]:.6g} where a probability belongs; "
            'end it with a Dense(1, activation="sigmoid"), and divide by nothing that can be 0'
        )


def score(net: Any, fed: Mapping[str, Any]) -> Any:
    """Return the net's answers to what it is fed by column, float32 of shape [n]."""
    answers = net(_taken(net, fed), training=False)
    return keras.ops.reshape(keras.ops.cast(answers, "float32"), (-1,))


def _module(path: Path) -> Any:
    """Run the file as a module that nobody else can import.

    Its text is compiled as it stands. Python's cached bytecode knows a file by its size and second: an
    edit of one digit would train the model of before.
    """
    module = ModuleType(f"pipeline_{path.parent.name}")
    module.__file__ = str(path)
    exec(compile(path.read_text(), path, "exec"), module.__dict__)
    return module


def _fault(net: Any, constants: Constants) -> str:
    """Return what is wrong with what model() returned, and the remedy; nothing if all is well."""
    if not isinstance(net, keras.Model):
        return f"model() returned {type(net).__name__}; return a compiled keras.Model"
    if not net.compiled:
        return "model() returned a net that is not compiled; call its compile(optimizer, loss)"
    fed = getattr(net, "input", None)
    known = [column.name for column in constants.columns]
    if not isinstance(fed, dict) or not fed.keys() <= set(known):
        return (
            "the net does not take the inputs it was given; make it as keras.Model(inputs, output)"
        )
    output = net.output
    if getattr(output, "shape", None) != (None, 1):
        return f"the net's output is {_shape(output)}; it must be one number a row, (None, 1)"
    if output.dtype != "float32":
        return f'the net answers in {output.dtype}; give its last layer dtype="float32"'
    return ""


def _shape(output: Any) -> str:
    return f"of shape {output.shape}" if hasattr(output, "shape") else f"a {type(output).__name__}"


def _taken(net: Any, fed: Mapping[str, Any]) -> dict[str, Any]:
    """Return only the columns that the net was made to take."""
    return {name: fed[name] for name in net.input}


def _same(frame: traceback.FrameSummary, path: Path) -> bool:
    return Path(frame.filename) == path


def _short(path: Path) -> str:
    return str(path.relative_to(home.home()))
