"""Where things are: the house that holds `pipelines/` and `schemas/`, and its run-time state `var/`.

The house is the repository, unless `SLUICE_HOME` names another folder of the same shape.
"""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return the folder that holds `pipelines/`, `schemas/` and `var/`."""
    named = os.environ.get("SLUICE_HOME")
    return Path(named).resolve() if named else Path(__file__).resolve().parent.parent


def var() -> Path:
    """Return the folder of all run-time state; nothing outside it is written."""
    return home() / "var"


def pipelines() -> Path:
    """Return the folder with one folder a pipeline."""
    return home() / "pipelines"


def schemas() -> Path:
    """Return the folder with one schema a pipeline."""
    return home() / "schemas"


def models(serving_name: str) -> Path:
    """Return the base path that the model servers watch for versions of this model."""
    return var() / "serving" / "models" / serving_name


def short(path: Path) -> str:
    """Return a path as people name it: from the house on."""
    return str(path.relative_to(home()))
