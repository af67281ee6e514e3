"""Tell the stock model servers which models there are: the service `list-models`.

TensorFlow Serving listens for nobody until every model in its list has a version. A pipeline before
its first release would keep all the others down after a restart. So the list names those models
that have a version, and a model joins it at its first release.
"""

from __future__ import annotations

import time

from components.files import write_atomically
from sluice.stack import paths

PAUSE_S = 2


def models_config() -> str:
    """Return a ModelServerConfig, in text form, of the models that have a version."""
    folders = sorted(
        folder
        for folder in (paths.serving() / "models").iterdir()
        if folder.is_dir() and any(version.name.isdigit() for version in folder.iterdir())
    )
    entries = (
        f'config {{ name: "{folder.name}" base_path: "{folder}" model_platform: "tensorflow" }}'
        for folder in folders
    )
    return "\n".join(["model_config_list {", *entries, "}", ""])


def main() -> None:
    """Write the list whenever it changes, for good."""
    file = paths.serving() / "models.config"
    while True:
        models = models_config()
        if not file.exists() or file.read_text() != models:
            write_atomically(file, models)
            print(models, flush=True)
        time.sleep(PAUSE_S)


if __name__ == "__main__":
    main()
