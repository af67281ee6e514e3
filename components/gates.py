"""A gate's verdict as an artifact: `verdict.json` for machines, `verdict.html` for people."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from pydantic import JsonValue, ValidationError

from components import pages, store
from components.errors import SluiceError
from components.verdict import Status, Verdict

JSON, PAGE = "verdict.json", "verdict.html"


def judge(
    kind: str,
    pipeline: str,
    span: str,
    *,
    inputs: Mapping[str, str],
    parameters: Mapping[str, JsonValue] | None = None,
    look: Callable[[store.Draft], Verdict],
) -> store.Artifact:
    """Return the artifact with the verdict that `look` reaches, kept beside what `look` writes.

    A verdict is final for its inputs, except one that could not measure: the next try looks again.
    """

    def build(draft: store.Draft) -> dict[str, JsonValue]:
        verdict = look(draft)
        (draft.folder / JSON).write_text(verdict.model_dump_json(indent=2))
        (draft.folder / PAGE).write_text(pages.verdict_page(verdict))
        summary = verdict.evidence.get("summary", verdict.reason)
        return {"status": str(verdict.status), "reason": verdict.reason, "summary": summary}

    def unmeasured(found: store.Artifact) -> bool:
        return read(found).status is Status.ERROR

    return store.once(
        kind,
        pipeline,
        span,
        inputs=inputs,
        parameters=parameters,
        build=build,
        again=unmeasured,
    )


def read(artifact: store.Artifact) -> Verdict:
    """Return the verdict in a gate's artifact; raise SluiceError when it does not read."""
    path = artifact.file(JSON)
    try:
        return Verdict.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise SluiceError(f"{path} is no verdict: {str(error).splitlines()[0]}") from error
