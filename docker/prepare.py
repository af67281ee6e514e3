"""Make what must be there before the stack starts: the one-shot service `prepare`. Safe to repeat.

The local stack's own code writes it all; only the addresses are those of compose.yaml.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import list_models

from components.files import write_atomically
from serving import gateway
from serving.gateway import Colour, Gateway
from sluice.stack import paths, readiness, secrets

PASSWORD = Path("/run/secrets/postgres_password")
GATEWAY = Gateway(
    host="0.0.0.0",  # of the container; compose.yaml says who can reach it
    rest_port=8501,
    grpc_port=8500,
    colours=[Colour(name, name, rest_port=8501, grpc_port=8500) for name in ("blue", "green")],
    model="none",  # a server that knows no such model is up all the same
    admin=Path("/tmp/admin.sock"),  # inside the gateway's own container
)


def main() -> None:
    """Write secrets and settings; bring Airflow's tables to its version."""
    paths.make()
    secrets.make()
    password = PASSWORD.read_text().strip()
    secrets.write("database-url", f"postgresql+psycopg2://airflow:{password}@postgres/airflow")
    write_settings()
    subprocess.run(["airflow", "db", "migrate"], check=True)
    for pool, slots in readiness.POOLS.items():
        # One that is there keeps its slots: a person may have given it more.
        if subprocess.run(["airflow", "pools", "get", pool], stdout=subprocess.DEVNULL).returncode:
            subprocess.run(["airflow", "pools", "set", pool, str(slots), "devices"], check=True)


def write_settings() -> None:
    """Write what the model servers and the gateway read."""
    gateway.write(paths.serving() / "gateway", GATEWAY, first="blue")
    monitoring = paths.serving() / "monitoring.config"
    write_atomically(monitoring, "prometheus_config { enable: true }\n")
    write_atomically(paths.serving() / "models.config", list_models.models_config())


if __name__ == "__main__":
    main()
