"""Which code and which packages ran: what a manifest says so that a release can be traced."""

from __future__ import annotations

import hashlib
import os
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    "apache-airflow",
    "duckdb",
    "keras",
    "numpy",
    "pandas",
    "pyarrow",
    "tensorflow",
    "tensorflow-data-validation",
    "tensorflow-model-analysis",
)


@cache
def code() -> str:
    """Return `<commit>+<digest>`: the commit checked out, and a digest of the steps as they ran.

    The digest tells an edited tree from a clean one. Where there is no git, as in the image, the
    commit is what `SLUICE_COMMIT` says.
    """
    here = Path(__file__).resolve().parent
    digest = hashlib.sha256()
    for path in sorted(here.rglob("*.py")):
        digest.update(path.relative_to(here).as_posix().encode() + b"\0" + path.read_bytes())
    command = ["git", "-C", str(here), "rev-parse", "--short=12", "HEAD"]
    try:
        commit = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = os.environ.get("SLUICE_COMMIT", "no-commit")
    return f"{commit}+{digest.hexdigest()[:12]}"


@cache
def packages() -> dict[str, str]:
    """Return the versions of the packages whose behaviour a model depends on."""
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
