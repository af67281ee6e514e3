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
from components.metrics import Task
from components.spec import Spec
from components.train.preprocessing import inputs
from components.transform import Constants

SUM_WITHIN = 1e-3
# The usual loss of each task, and those that would learn something else of its labels, or fail.
LOSSES: Mapping[Task, tuple[str, frozenset[str]]] = {
    "binary": (
        "binary_crossentropy",
        frozenset({"categorical_crossentropy", "sparse_categorical_crossentropy"}),
    ),
    "multiclass": (  # labels come as the indexes of the classes, [n, 1]
        "sparse_categorical_crossentropy",
        frozenset(
            {
                "binary_crossentropy",
                "categorical_crossentropy",
                "mean_squared_error",
                "mean_absolute_error",
            }
        ),
    ),
    "regression": (
        "mean_squared_error",
        frozenset(
            {
                "binary_crossentropy",
                "categorical_crossentropy",
                "sparse_categorical_crossentropy",
            }
        ),
    ),
}


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
            sizes = dict(constants.vocabulary_sizes)
            net = _module(path).model(inputs(constants), sizes, **spec.hyperparameters)
    finally:
        keras.config.set_dtype_policy(before)
    fault = _fault(spec, net, constants)
    if fault:
        raise SluiceError(f"{_short(path)}: {fault}")
    net.jit_compile = spec.train.xla  # a matter of the spec; Keras would choose by itself
    return net


@contextmanager
def blamed(
    path: Path, *, always: bool = True, but: type[Exception] = SluiceError
) -> Iterator[None]:
    """Turn what code in `path` raises into a SluiceError of one line with its file and line.

    `always`: even when no line of `path` was at work, because all that happens here is its doing;
    `but`: what is nobody's mistake.
    """
    try:
        yield
    except (SluiceError, but):
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
    """Ask the untrained net about a few real rows; raise SluiceError unless it answers as its task asks.

    With probabilities, one a row or one of each class, which add up to 1; or with numbers.
    """
    path = spec.folder / "model.py"
    with blamed(path):
        scores = np.asarray(keras.ops.convert_to_numpy(net(_taken(net, fed), training=False)))
    if spec.task == "regression":
        odd, belongs = scores[~np.isfinite(scores)], "number"
    else:
        odd, belongs = scores[~((scores >= 0) & (scores <= 1))], "probability"
    if odd.size:
        raise SluiceError(
            f"{_short(path)}: the net answers {odd[0]:.6g} where a {belongs} belongs; "
            f"end it with a {_last(spec)}, and divide by nothing that can be 0"
        )
    total = scores.sum(axis=1)
    off = total[~(np.abs(total - 1) <= SUM_WITHIN)]
    if spec.task == "multiclass" and off.size:
        raise SluiceError(
            f"{_short(path)}: the net's scores of a row add up to {off[0]:.6g}, and must to 1; "
            f"end it with a {_last(spec)}"
        )


def score(net: Any, fed: Mapping[str, Any]) -> Any:
    """Return the net's answers to what it is fed by column, float32 of shape [n], or [n, classes]."""
    answers = keras.ops.cast(net(_taken(net, fed), training=False), "float32")
    return keras.ops.reshape(answers, (-1,)) if net.output.shape[1] == 1 else answers


def _module(path: Path) -> Any:
    """Run the file as a module that nobody else can import.

    Its text is compiled as it stands. Python's cached bytecode knows a file by its size and second: an
    edit of one digit would train the model of before.
    """
    module = ModuleType(f"pipeline_{path.parent.name}")
    module.__file__ = str(path)
    exec(compile(path.read_text(), path, "exec"), module.__dict__)
    return module


def _fault(spec: Spec, net: Any, constants: Constants) -> str:
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
    width, must = max(len(spec.classes), 1), "one number a row"
    if spec.classes:
        must = f"one number for each of the {width} classes"
    if getattr(output, "shape", None) != (None, width):
        return f"the net's output is {_shape(output)}; it must be {must}, (None, {width})"
    if output.dtype != "float32":
        return f'the net answers in {output.dtype}; give its last layer dtype="float32"'
    return _misfit(spec, net)


def _misfit(spec: Spec, net: Any) -> str:
    """Return why the loss is none for the labels that it will be given; nothing if it may be one."""
    loss = net.loss if isinstance(net.loss, str) else getattr(net.loss, "name", "")
    fits, others = LOSSES[spec.task]
    if loss in others:
        return f"the loss {loss!r} is not for a {spec.task} label; compile the net with {fits!r}"
    return ""


def _last(spec: Spec) -> str:
    """Return the last layer that a net of the task ends with."""
    activation = {"binary": ', activation="sigmoid"', "multiclass": ', activation="softmax"'}
    return f"Dense({max(len(spec.classes), 1)}{activation.get(spec.task, '')})"


def _shape(output: Any) -> str:
    return f"of shape {output.shape}" if hasattr(output, "shape") else f"a {type(output).__name__}"


def _taken(net: Any, fed: Mapping[str, Any]) -> dict[str, Any]:
    """Return only the columns that the net was made to take."""
    return {name: fed[name] for name in net.input}


def _same(frame: traceback.FrameSummary, path: Path) -> bool:
    return Path(frame.filename) == path


def _short(path: Path) -> str:
    return str(path.relative_to(home.home()))
