"""signatures: what the candidate takes and answers, against the schema and the baseline's clients.

A model server refuses a request that lacks an input, brings one too many, or is of another dtype; so
what clients send to the baseline today, and read from its answers, has to go on working.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components.schema import Feature
from components.scoring import SAVED_MODEL
from components.store import Artifact
from components.verdict import Check, Status

DEFAULT = "serving_default"
DTYPES = {"string": "DT_STRING", "int64": "DT_INT64", "float32": "DT_FLOAT"}
WAY_OUT = "give clients what they have, or serve the new one under another `serving.name`"


@dataclass(frozen=True)
class Tensor:
    """An input or output: TensorFlow's name of its dtype, and its shape; None for any shape."""

    dtype: str
    shape: tuple[int, ...] | None

    @classmethod
    def read(cls, about: Mapping[str, Any]) -> Tensor:
        """Read a TensorInfo's JSON."""
        shape = about.get("tensor_shape", {})
        sizes = tuple(int(dim.get("size", 0)) for dim in shape.get("dim", ()))
        return cls(about.get("dtype", ""), None if shape.get("unknown_rank") else sizes)

    def __str__(self) -> str:
        """Return how messages call it: `DT_FLOAT [n]`."""
        if self.shape is None:
            return f"{self.dtype} of any shape"
        return f"{self.dtype} [{', '.join('n' if size < 0 else str(size) for size in self.shape)}]"


Tensors = Mapping[str, Tensor]


def against_schema(
    signatures: Mapping[str, Any], features: Sequence[Feature], output: str
) -> Check:
    """Return the check that the model takes what the schema lists, and answers with `output`.

    `signatures`: name → SignatureDef as JSON, as a model server tells them.
    """
    signatures = _offered(signatures)
    wanted = {feature.name: DTYPES[feature.dtype] for feature in features}
    found, answered = _sides(signatures.get(DEFAULT, {}))
    problems = [f"takes no {name!r}" for name in wanted.keys() - found.keys()]
    problems += [f"wants {name!r}, which is not served" for name in found.keys() - wanted.keys()]
    problems += [
        f"takes {name!r} as {found[name].dtype}, not as {wanted[name]}"
        for name in wanted.keys() & found.keys()
        if found[name].dtype != wanted[name]
    ]
    if DEFAULT not in signatures:
        there = ", ".join(sorted(signatures)) or "none"
        problems = [f"has no signature {DEFAULT!r}, only {there}"]
    elif output not in answered:
        problems.append(f"answers without {output!r}, with {', '.join(answered) or 'nothing'}")
    elif answered[output].dtype != DTYPES["float32"]:
        problems.append(f"answers {output!r} as {answered[output].dtype}, not as DT_FLOAT")
    return Check(
        name="signature",
        status=Status.FAILED if problems else Status.PASSED,
        subject=DEFAULT,
        seen=f"{len(found)} inputs, {', '.join(answered) or 'no output'}",
        expected=f"{len(wanted)} inputs as the schema lists them, {output}",
        message=f"the model {'; it '.join(sorted(problems))}" if problems else "",
    )


def against_baseline(signatures: Mapping[str, Any], baseline: Artifact) -> Iterator[Check]:
    """Yield a check a signature of the baseline: what its clients send and read stays as it is.

    An output or a signature that is new breaks no client: it is told in a warning.
    """
    signatures, called = _offered(signatures), of(baseline)
    for name, about in sorted(called.items()):
        yield _unbroken(
            name, _sides(about), _sides(signatures[name]) if name in signatures else None
        )
    for name in sorted(signatures.keys() - called.keys()):
        told = f"{name} is new: the baseline has no such signature"
        yield Check(name="clients", status=Status.WARNED, subject=name, message=told)


def of(model: Artifact) -> dict[str, Any]:
    """Return a model's signatures by name, read off its SavedModel, as a server would tell them."""
    from google.protobuf.json_format import MessageToDict
    from tensorflow.core.protobuf import saved_model_pb2

    held = saved_model_pb2.SavedModel()
    held.ParseFromString((model.file(SAVED_MODEL) / "saved_model.pb").read_bytes())
    serve = next(graph for graph in held.meta_graphs if "serve" in graph.meta_info_def.tags)
    told = {
        name: MessageToDict(definition, preserving_proto_field_name=True)
        for name, definition in serve.signature_def.items()
    }
    return _offered(told)


def _unbroken(
    name: str, then: tuple[Tensors, Tensors], now: tuple[Tensors, Tensors] | None
) -> Check:
    """Return the check of one signature; `then` and `now`: its inputs and outputs."""
    (sent, read), (taken, answered) = then, now or ({}, {})
    broken = [f"wants {i!r}, which they do not send" for i in taken.keys() - sent.keys()]
    broken += [f"no longer takes {i!r}" for i in sent.keys() - taken.keys()]
    broken += [f"no longer answers {o!r}" for o in read.keys() - answered.keys()]
    broken += [f"takes {i!r} as {b}, not as {a}" for i, a, b in _changed(sent, taken)]
    broken += [f"answers {o!r} as {b}, not as {a}" for o, a, b in _changed(read, answered)]
    if now is None:
        broken = [f"has no signature {name!r} any more"]
    added = sorted(answered.keys() - read.keys())
    status, message = Status.PASSED, ""
    if broken:
        status = Status.FAILED
        told = "; it ".join(sorted(broken))
        message = f"the baseline's clients would break: the model {told}; {WAY_OUT}"
    elif added:
        status, message = Status.WARNED, f"answers with {', '.join(added)} in addition"
        if len(read) == 1:  # a lone output comes without its name
            message += "; over REST an answer is an object from now on, no longer a bare number"
    return Check(
        name="clients",
        status=status,
        subject=name,
        seen=f"{len(taken)} inputs, {', '.join(sorted(answered)) or 'no output'}",
        expected=f"{len(sent)} inputs, {', '.join(sorted(read))}, as the baseline",
        message=message,
    )


def _offered(signatures: Mapping[str, Any]) -> dict[str, Any]:
    """Return the signatures that clients may call; TensorFlow keeps others for itself."""
    return {name: about for name, about in signatures.items() if not name.startswith("__")}


def _changed(then: Tensors, now: Tensors) -> Iterator[tuple[str, Tensor, Tensor]]:
    for name in then.keys() & now.keys():
        if then[name] != now[name]:
            yield name, then[name], now[name]


def _sides(signature: Mapping[str, Any]) -> tuple[Tensors, Tensors]:
    inputs, outputs = (signature.get(side, {}) for side in ("inputs", "outputs"))
    return (
        {name: Tensor.read(about) for name, about in inputs.items()},
        {name: Tensor.read(about) for name, about in outputs.items()},
    )
