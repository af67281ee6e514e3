"""versions: the folder that the model servers watch, one numbered folder a version.

var/serving/models/<name>/<version>/            what the servers watch
                          <version>.staging/    on its way in: no number, so no server looks
                          <version>.withdrawn/  on its way out
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from components import files
from components.errors import SluiceError
from components.scoring import SAVED_MODEL
from components.store import Artifact

log = logging.getLogger(__name__)


def there(base: Path) -> list[int]:
    """Return the versions that servers would find, highest first."""
    found = base.iterdir() if base.is_dir() else ()
    return sorted((int(p.name) for p in found if p.name.isdecimal()), reverse=True)


def stage(base: Path, version: int, model: Artifact) -> Path | None:
    """Copy the version beside where it will be served; return None if it is there already, whole."""
    target, staging = base / str(version), base / f"{version}.staging"
    if target.exists():
        if holds(target, model):
            return None
        withdraw(base, version)  # and no more: a server must see it gone to look at it again
        raise SluiceError(f"{target} held other files than the model's and was removed: push again")
    try:
        base.mkdir(parents=True, exist_ok=True)
        shutil.rmtree(staging, ignore_errors=True)
        shutil.copytree(model.file(SAVED_MODEL), staging)
        for path in staging.rglob("*"):
            files.flush(path)
    except OSError as error:  # shutil.Error is one
        shutil.rmtree(staging, ignore_errors=True)
        raise SluiceError(
            f"{base} does not take version {version} ({error.strerror or error}); nothing was moved: "
            "make room or mend its permissions, then push again"
        ) from error
    if not holds(staging, model):
        shutil.rmtree(staging)
        raise SluiceError(
            f"{model.folder} was torn while it was copied; nothing was moved: train again"
        )
    return staging


def withdraw(base: Path, version: int) -> None:
    """Take a version away from the servers at once; its files stay in the store."""
    aside = base / f"{version}.withdrawn"
    shutil.rmtree(aside, ignore_errors=True)
    with suppress(FileNotFoundError):
        (base / str(version)).rename(aside)
    shutil.rmtree(aside, ignore_errors=True)


def tidy(base: Path, released: int, kept: Collection[int]) -> None:
    """Remove versions that are neither kept nor to come, and what killed pushes left behind."""
    try:
        for version in there(base):
            if version < released and version not in kept:
                withdraw(base, version)
        for left in (*base.glob("*.staging"), *base.glob("*.withdrawn")):
            shutil.rmtree(left)
    except OSError as error:
        log.warning("%s is not as tidy as it should be: %s", base, error)


def holds(folder: Path, model: Artifact) -> bool:
    """Say whether a version's folder holds just the files of the model."""
    inside = f"{SAVED_MODEL}/"
    meant = {n.removeprefix(inside): d for n, d in model.manifest.files.items() if inside in n}
    held = {str(p.relative_to(folder)): p for p in folder.rglob("*") if p.is_file()}
    return held.keys() == meant.keys() and all(files.sha256(held[n]) == meant[n] for n in meant)
