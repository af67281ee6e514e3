"""What every task needs, imported once: Airflow's executor forks its tasks from this process.

Named in airflow.cfg as `mp_forkserver_preload`. The parent must only import: after any TensorFlow
operation, even `tf.constant`, a forked child hangs.
"""

import gc
import importlib

MODULES = (
    "airflow.executors.local_executor",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    # With protobuf 4 the services come before the messages, which cannot be imported alone.
    "tensorflow_serving.apis.prediction_service_pb2_grpc",
    "tensorflow_serving.apis.model_service_pb2_grpc",
    "tensorflow",
    "keras",
    "tensorflow_data_validation",
    "tensorflow_model_analysis",
    "duckdb",
    "pandas",
    "pyarrow.parquet",
)

for name in MODULES:
    importlib.import_module(name)

from tensorflow.python.eager import context  # noqa: E402  (after the services, see above)

if context.context()._context_handle is not None:
    raise RuntimeError(
        "importing the warm set has started TensorFlow's runtime: its children would hang. "
        "Look for a TensorFlow operation at module level in what was imported last"
    )

# Nothing imported is ever garbage: keep collections in the children from touching, and so copying it.
gc.collect()
gc.freeze()
