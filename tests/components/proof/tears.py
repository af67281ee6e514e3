"""What a disk may do to a file: cut it off, change a bit of it, or lose it."""

from __future__ import annotations

from pathlib import Path
from random import Random

# By how files are found under a pipeline's store, so that each kind is as likely to be hit.
KINDS = {
    "artifact": "[a-z]*/*/*/**/*",
    "manifest": "[a-z]*/*/*/manifest.json",
    "examples": "examples/*/*/examples.parquet",
    "current": "examples/*/current",
    "verdict": "validate_data/*/of-*",
    "run": "runs/*/run.json",
    "step": "runs/*/steps/*.json",
    "version": "versions/*",
    "admissions": "admissions.jsonl",
    "ledger": "ledger.jsonl",
}


def tear(root: Path, random: Random, spared: set[Path]) -> Path | None:
    """Tear one file under `root`; return which, or None when there is none of the kind.

    `spared`: what is left whole, and grows by the other record of a version of which one is torn:
    with both, nobody could know which run had it.
    """
    kind = random.choice([*KINDS])
    found = sorted(
        p for p in root.glob(KINDS[kind]) if p.is_file() and _is_kept(p.relative_to(root))
    )
    if not (left := [path for path in found if path not in spared]):
        return None
    path = random.choice(left)
    if other := _other_record(root, path):
        spared.add(other)
    text = path.read_bytes()
    how = random.choice(["cut", "changed", "lost"])
    if how == "lost":
        path.unlink()
    elif how == "cut" or not text:
        path.write_bytes(text[: random.randrange(len(text) + 1)])
    else:
        at = random.randrange(len(text))
        path.write_bytes(text[:at] + bytes([text[at] ^ 1 << random.randrange(8)]) + text[at + 1 :])
    return path


def _other_record(root: Path, path: Path) -> Path | None:
    if path.parent.name == "versions":
        return root / "runs" / path.read_text(errors="replace").strip() / "run.json"
    if path.name == "run.json":
        of_it = (
            p
            for p in (root / "versions").iterdir()
            if p.read_bytes().strip() == path.parent.name.encode()
        )
        return next(of_it, None)
    return None


def _is_kept(path: Path) -> bool:
    """Say whether a file is a finished thing, and neither a lock nor a draft nor set aside."""
    return path.suffix != ".lock" and not any(Path(part).suffix for part in path.parts[:-1])
