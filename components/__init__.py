"""The steps of a continuous-training pipeline: one verb, one module, one public function.

They know nothing of Airflow. `plan` puts them in order; `spec` reads what a pipeline's owner wrote;
`store` keeps what they make; `verdict` and `gates` say what they found; `approval` is the proof
without which `push` does nothing.
"""

__version__ = "0.1.0"
