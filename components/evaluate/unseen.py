"""unseen: no span judges a model that it trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from components.approval import EXAMPLES
from components.evaluate.population import CANDIDATE
from components.store import Artifact
from components.verdict import Check, Status


def unseen(models: Mapping[str, Artifact], judging: Sequence[str]) -> list[Check]:
    """Return the checks that no span judges a model that it trained: none when all is well.

    A candidate so trained fails. A baseline is only warned of: it is the better for it.
    """
    checks = []
    for name, model in models.items():
        inputs = [i for i in model.manifest.inputs if i.startswith(EXAMPLES)]
        seen = sorted({i.removeprefix(EXAMPLES) for i in inputs} & set(judging))
        who = f"the {name}, model {model.digest[:12]} of {model.manifest.span},"
        status = Status.FAILED if name == CANDIDATE else Status.WARNED
        if not inputs:
            status, told = Status.ERROR, f"{who} does not say which spans it was trained on"
        elif seen:
            told = f"{who} was trained on {', '.join(seen)}, by which it would be judged"
        else:
            continue
        checks.append(
            Check(
                name="unseen",
                status=status,
                subject=name,
                seen=", ".join(seen),
                expected="trained on none of the spans that judge",
                message=told,
                values={"model": model.digest, "spans": list(seen)},
            )
        )
    return checks
