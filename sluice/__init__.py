"""The command line, and the local stack: the plan in one process, without Airflow."""
