"""A small model server that speaks TensorFlow Serving's protocol, flags and error messages.

It stands in where the `tensorflow/serving` binary cannot be had. It reproduces that server's
awkward parts too, so that nothing passes here that production would refuse.

    python -m serving.server --port=8500 --rest_api_port=8501 \
        --model_name=flights --model_base_path=/srv/models/flights

From the outside in: `flags` → `__main__` → `grpc_api`, `rest_api` → `inference` → `models`
(which versions serve) → `servable` (one loaded version) → TensorFlow.
"""
