"""Tensors through JSON and through the client's messages: whatever goes in comes out."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tensorflow.core.framework import tensor_pb2, types_pb2

from serving import wire
from serving.server import json_tensors, servable, tensors
from serving.server.errors import ServingError

NOT_FINITE = st.sampled_from([np.nan, np.inf, -np.inf])
SHAPES = arrays.array_shapes(min_dims=0, max_dims=3, min_side=0, max_side=3)
TENSORS = st.one_of(
    # The very largest, in decimals, lies beyond the type: TensorFlow Serving refuses it too.
    arrays.arrays(
        np.float32, SHAPES, elements=st.floats(-(2.0**126), 2.0**126, width=32) | NOT_FINITE
    ),
    arrays.arrays(np.float64, SHAPES, elements=st.floats()),
    arrays.arrays(np.int64, SHAPES),
    arrays.arrays(np.uint8, SHAPES),
    arrays.arrays(np.bool_, SHAPES),
    arrays.arrays(object, SHAPES, elements=st.binary(max_size=4), fill=st.nothing()),
)


def equal(one: np.ndarray, other: np.ndarray) -> bool:
    return (
        one.dtype == other.dtype
        and one.shape == other.shape
        and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
    )


@given(TENSORS)
def test_value_changes_in_json(array):
    if 0 in array.shape[:-1]:
        # Lists cannot say how long the lists would be that an empty one does not hold.
        array = array.reshape(array.shape[: array.shape.index(0) + 1])
    name = "x_bytes" if array.dtype == object else "x"
    text = json.dumps(json_tensors.to_json(name, array))
    back = json_tensors.to_array(json.loads(text), tensors.dtype_of(array.dtype))
    assert equal(array, back)


@given(TENSORS)
def test_value_changes_between_client_and_server(array):
    theirs = tensor_pb2.TensorProto()
    tensors.to_proto(array, theirs)
    assert not theirs.tensor_content
    ours = wire.PredictResponse()
    ours.outputs["x"].MergeFromString(theirs.SerializeToString())
    assert equal(array, wire.read_tensor(ours.outputs["x"]))
    sent = wire.PredictRequest()
    wire.fill_tensor(sent.inputs["x"], array, types_pb2.DataType.Name(theirs.dtype))
    received = tensor_pb2.TensorProto.FromString(sent.inputs["x"].SerializeToString())
    assert equal(array, tensors.from_proto("x", received))


def test_few_bytes_take_all_memory():
    proto = tensor_pb2.TensorProto(dtype=types_pb2.DT_FLOAT, float_val=[1.0])
    proto.tensor_shape.dim.add().size = 2**40
    with pytest.raises(ServingError, match="1 values for shape"):
        tensors.from_proto("x", proto)


@pytest.mark.parametrize("dtype", [np.float16, np.complex64])
def test_rare_types_crash(dtype):
    array = np.array([[1.5, -2.0]], dtype)
    proto = tensor_pb2.TensorProto()
    tensors.to_proto(array, proto)
    assert equal(array, tensors.from_proto("x", proto))
    with pytest.raises(ServingError, match="UNIMPLEMENTED"):
        json_tensors.to_array([1.5], proto.dtype)


def test_signature_answers_differently_on_a_gpu_host(tiny, monkeypatch):
    served = servable.load("tiny", 1, tiny[1], None)
    cases = {
        "serving_default": {"x": np.float32([1, 2]), "word": np.array([b"a", b"zz"], object)},
        "strict": {"i": np.int32([1]), "b": np.array([True])},
    }
    for name, inputs in cases.items():
        direct = served.signatures[name].run(inputs)
        monkeypatch.setattr(tensors, "GPUS", ["the way taken where TensorFlow sees a GPU"])
        through_python = served.signatures[name].run(inputs)
        monkeypatch.undo()
        assert direct.keys() == through_python.keys()
        assert all(equal(direct[key], through_python[key]) for key in direct)
