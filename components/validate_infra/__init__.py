"""validate_infra: gate 3. A real model server loads the candidate and has to answer right, and fast.

Each answer is held against the model's offline score of the same row; latency and memory against
the spec's budget. What the server wrote meanwhile is kept beside the verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from components import answers, gates, schema
from components.golden import Golden, questions
from components.schema import Feature
from components.scoring import OUTPUTS, SAVED_MODEL
from components.spec import Serving, Spec
from components.store import Artifact, Draft
from components.validate_infra import latency
from components.validate_infra.sandbox import VERSION, Sandbox, ServerTrouble, sandbox
from components.validate_infra.server_process import NoServer, chosen
from components.verdict import Check, Status, Verdict, failed_to_measure
from serving.client import ServerUnreachable

LOADS_WITHIN_S = 120.0
BATCH = 64
WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"
LOG = "server.log"

Evidence = dict[str, JsonValue]


def validate_infra(
    spec: Spec, span: str, model: Artifact, examples: Sequence[Artifact]
) -> Artifact:
    """Return the verdict on whether a model server can serve `model`; `examples` lend real rows.

    Beside the verdict lies the server's own `server.log`. Evidence `golden` is one row and its
    score, by which the model can be recognised wherever it answers.
    """
    features = schema.inputs(schema.load(spec.schema_path))

    def look(draft: Draft) -> Verdict:
        checks: list[Check] = []
        evidence: Evidence = {}
        saved_model, folder = model.file(SAVED_MODEL), draft.folder / "sandbox"
        try:
            with sandbox(saved_model, spec.serving.name, folder, draft.folder / LOG) as candidate:
                try:
                    for check in _loaded(candidate, spec, saved_model, features):
                        checks.append(check)
                    if checks[-1].status is Status.PASSED:  # it takes what it would be asked
                        golden = questions(model, features, examples)
                        for check in _asked(candidate, spec.serving, golden, evidence):
                            checks.append(check)
                except ServerUnreachable as error:
                    candidate.check_alive(patience_s=5)
                    raise ServerTrouble(f"the server stopped answering: {error}") from error
                finally:
                    evidence["server_log"] = candidate.process.log_tail()
        except ServerTrouble as trouble:
            name = "stays up" if checks else "loads"
            checks.append(Check(name=name, status=trouble.status, message=str(trouble)))
        except NoServer as error:
            checks.append(failed_to_measure("sandbox", error))
        except Exception as error:  # such as a model that only the server can load
            checks.append(failed_to_measure("infra", error))
        return Verdict(
            gate="infra",
            pipeline=spec.name,
            span=span,
            speaks_of={"model": model.digest},
            checks=tuple(checks),
            evidence=evidence,
        )

    rows = {f"examples/{e.manifest.span}": e.digest for e in examples}
    inputs: dict[str, JsonValue] = {feature.name: feature.dtype for feature in features}
    return gates.judge(
        "validate_infra",
        spec.name,
        span,
        inputs={"model": model.digest, **rows},
        parameters={"budget": spec.serving.model_dump(), "inputs": inputs, "server": chosen()},
        look=look,
    )


def _loaded(
    candidate: Sandbox, spec: Spec, saved_model: Path, features: Sequence[Feature]
) -> Iterator[Check]:
    """Yield the checks on what the server says of the candidate, its signature last."""
    seconds = candidate.wait(LOADS_WITHIN_S, spec.serving.memory_mb)
    yield Check(
        name="loads",
        status=Status.PASSED,
        seen=f"{seconds:.1f} s, the server's own start included",
        expected=f"within {LOADS_WITHIN_S:g} s",
    )
    shipped = (saved_model / WARM_UP).is_file()
    told = "the model ships no warm-up records, so its first requests will be slow"
    yield Check(
        name="warm-up",
        status=Status.PASSED if shipped else Status.WARNED,
        seen="replayed while loading" if shipped else "no records",
        expected="records that the server can answer",
        message="" if shipped else told,
    )
    signatures = candidate.server.metadata(spec.serving.name, VERSION)
    yield _signature(signatures, features, OUTPUTS[spec.task])


def _signature(signatures: dict[str, Any], features: Sequence[Feature], output: str) -> Check:
    """Return the check that the model takes what the schema lists, and answers with `output`."""
    dtypes = {"string": "DT_STRING", "int64": "DT_INT64", "float32": "DT_FLOAT"}
    wanted = {feature.name: dtypes[feature.dtype] for feature in features}
    serving = signatures.get("serving_default", {})
    found = {name: about["dtype"] for name, about in serving.get("inputs", {}).items()}
    problems = [f"takes no {name!r}" for name in wanted.keys() - found.keys()]
    problems += [f"wants {name!r}, which is not served" for name in found.keys() - wanted.keys()]
    problems += [
        f"takes {name!r} as {found[name]}, not as {wanted[name]}"
        for name in wanted.keys() & found.keys()
        if found[name] != wanted[name]
    ]
    if output not in serving.get("outputs", {}):
        problems.append(f"answers without {output!r}")
    return Check(
        name="signature",
        status=Status.FAILED if problems else Status.PASSED,
        subject="serving_default",
        seen=f"{len(found)} inputs, {', '.join(serving.get('outputs', {})) or 'no output'}",
        expected=f"{len(wanted)} inputs as the schema lists them, {output}",
        message=f"the model {'; it '.join(sorted(problems))}" if problems else "",
    )


def _asked(
    candidate: Sandbox, budget: Serving, golden: Golden, evidence: Evidence
) -> Iterator[Check]:
    """Yield the checks on answers, latency and memory; leave the figures in `evidence`."""
    whole = next((n for n in range(len(golden)) if None not in golden.row(n).values()), 0)
    evidence["golden"] = {"score": golden.scores[whole].tolist(), "row": golden.row(whole)}
    patience_s = 10 + 2 * len(golden) * budget.latency_ms / 1000  # no need to wait for the hopeless
    timed = []
    for protocol, predict in candidate.protocols.items():
        ask = partial(predict, budget.name, version=VERSION)
        batched = answers.ask_all(ask, golden, BATCH)
        yield from answers.compare(f"{protocol}, {BATCH} rows", batched, golden)
        one_by_one = partial(answers.ask_all, ask, golden, 1, patience_s)
        singly = one_by_one()
        yield from answers.compare(f"{protocol}, one row", singly, golden)
        timed.append(latency.measure(protocol, singly, budget.latency_ms, one_by_one))
        yield timed[-1].check
    yield _memory(seen := candidate.process.memory_mb(), budget.memory_mb)
    evidence |= latency.evidence(timed)
    p99 = ", ".join(f"{of.protocol} {of.p99:.1f} ms" for of in timed)
    told = f"{len(golden)} rows answered over each protocol; p99 {p99}; {seen:,.0f} MB resident"
    evidence["summary"] = told


def _memory(seen_mb: float, budget_mb: float) -> Check:
    over = seen_mb > budget_mb
    told = (
        f"the server takes {seen_mb:,.0f} MB with the model, and the budget is {budget_mb:,.0f} MB"
    )
    return Check(
        name="memory",
        status=Status.FAILED if over else Status.PASSED,
        seen=f"{seen_mb:,.0f} MB resident",
        expected=f"within {budget_mb:,.0f} MB",
        message=told if over else "",
        values={"resident_mb": round(seen_mb, 1)},
    )
