"""Fixtures: Airflow in this process, a house of tiny pipelines, and their DAGs."""

from airflow_in_process import airflow, api, dags, tiny  # noqa: F401
