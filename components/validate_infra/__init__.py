"""validate_infra: gate 3. A real model server loads the candidate and has to answer right, and fast.

Each answer is held against the model's offline score of the same row; latency and memory against
the spec's budget. What the server wrote meanwhile is kept beside the verdict.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from pydantic import JsonValue

from components import answers, gates, schema
from components.approval import NO_BASELINE
from components.golden import Golden, answered, questions
from components.schema import Feature
from components.scoring import OUTPUTS, SAVED_MODEL
from components.spec import Serving, Spec
from components.store import Artifact, Draft
from components.validate_infra import latency, signatures
from components.validate_infra.sandbox import VERSION, Sandbox, ServerTrouble, sandbox
from components.validate_infra.server_process import NoServer, chosen
from components.verdict import Check, Status, Verdict, failed_to_measure
from serving.client import ServerUnreachable

LOADS_WITHIN_S = 120.0
BATCH = 64
WARM_UP = Path("assets.extra") / "tf_serving_warmup_requests"
LOG = "server.log"
LAST = ("how it was measured", "golden", "server_log")  # on the page, after the pictures

Evidence = dict[str, JsonValue]


def validate_infra(
    spec: Spec,
    span: str,
    model: Artifact,
    baseline: Artifact | None,
    examples: Sequence[Artifact],
) -> Artifact:
    """Return the verdict on whether a model server can serve `model`, to those who call `baseline`.

    `baseline`: what answers under the pipeline's serving name now, None where nobody calls it yet;
    `examples` lend real rows. Beside the verdict lies the server's own `server.log`. Evidence `golden`
    is one row and its score, by which the model can be recognised wherever it answers.
    """
    features = schema.inputs(schema.load(spec.schema_path))
    about = {"model": model.digest, "baseline": baseline.digest if baseline else NO_BASELINE}

    def look(draft: Draft) -> Verdict:
        checks: list[Check] = []
        evidence: Evidence = {}
        try:
            asked = questions(features, examples, spec.data_gate.sensitive)
            for check in _looked(spec, model, baseline, features, asked, draft, evidence):
                checks.append(check)
        except ServerTrouble as trouble:
            told = Check(
                name=trouble.name,
                status=trouble.status,
                message=str(trouble),
                values=trouble.values,
            )
            checks.append(told)
        except NoServer as error:
            checks.append(failed_to_measure("sandbox", error))
        except Exception as error:  # such as a model that only the server can load
            checks.append(failed_to_measure("infra", error))
        return Verdict(
            gate="infra",
            pipeline=spec.name,
            span=span,
            speaks_of=about,
            checks=tuple(checks),
            evidence=dict(sorted(evidence.items(), key=lambda piece: piece[0] in LAST)),
        )

    rows = {f"examples/{e.manifest.span}": e.digest for e in examples}
    inputs: dict[str, JsonValue] = {feature.name: feature.dtype for feature in features}
    sensitive: list[JsonValue] = [*sorted(spec.data_gate.sensitive)]
    return gates.judge(
        "validate_infra",
        spec.name,
        span,
        inputs={**about, **rows},
        parameters={
            "budget": spec.serving.model_dump(),
            "inputs": inputs,
            "sensitive": sensitive,
            "server": chosen(),
        },
        look=look,
    )


def _looked(
    spec: Spec,
    model: Artifact,
    baseline: Artifact | None,
    features: Sequence[Feature],
    asked: Golden,
    draft: Draft,
    evidence: Evidence,
) -> Iterator[Check]:
    """Yield every check, in a sandbox of its own; leave the figures in `evidence`.

    Raises ServerTrouble when the server does not come up with the candidate or does not stay up.
    """
    budget, saved_model = spec.serving, model.file(SAVED_MODEL)
    folder, log = draft.folder / "sandbox", draft.folder / LOG
    with sandbox(saved_model, budget.name, folder, log, budget.memory_mb) as candidate:
        try:
            yield from _loaded(candidate, saved_model)
            told = candidate.server.metadata(budget.name, VERSION)
            fits = [signatures.against_schema(told, features, OUTPUTS[spec.task])]
            fits += signatures.against_baseline(told, baseline) if baseline else ()
            yield from fits
            if fits[0].status is Status.PASSED:  # it takes what it would be asked
                yield from _asked(candidate, budget, model, asked, evidence)
        except (ServerUnreachable, answers.Silence) as error:
            raise _silent(candidate, error) from error
        finally:
            evidence["memory"] = candidate.memory.evidence()
            evidence["server_log"] = candidate.process.log_tail()


def _silent(candidate: Sandbox, silence: Exception) -> ServerTrouble:
    """Return why a request got no answer: the server is dead, or alive and does not answer."""
    try:
        candidate.check_alive("while it was asked", patience_s=5)
    except ServerTrouble as dead:
        trouble = dead
    else:
        told = f"the server hangs: alive, and without an answer to {silence}"
        trouble = ServerTrouble("hangs", told)
    if isinstance(silence, answers.Silence):
        trouble.values = {"request": silence.request}
    return trouble


def _loaded(candidate: Sandbox, saved_model: Path) -> Iterator[Check]:
    """Yield the checks that it loads, and that it is warm by then."""
    seconds = candidate.wait(LOADS_WITHIN_S)
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


def _asked(
    candidate: Sandbox, budget: Serving, model: Artifact, asked: Golden, evidence: Evidence
) -> Iterator[Check]:
    """Yield the checks on answers, latency and memory; leave the figures in `evidence`."""
    asks = {
        protocol: partial(predict, budget.name, version=VERSION)
        for protocol, predict in candidate.protocols.items()
    }
    first = {protocol: answers.ask_all(ask, asked, BATCH) for protocol, ask in asks.items()}
    refused = {protocol: given for protocol, given in first.items() if given.refused}
    for protocol, given in refused.items():
        yield answers.unanswered(f"{protocol}, {BATCH} rows", given, asked)
    if refused:
        return
    golden = answered(asked, model)  # after the server: of one that hangs we should not see the end
    shown = golden.presentable()
    evidence["golden"] = {"score": golden.scores[shown].tolist(), "row": golden.row(shown)}
    patience_s = 10 + len(golden) * budget.latency_ms / 1000  # no need to wait for the hopeless
    timed = []
    for protocol, ask in asks.items():
        several, one = f"{protocol}, {BATCH} rows", f"{protocol}, one row"
        together = answers.ask_all(ask, golden, BATCH)
        same = answers.repeatable(several, first[protocol], together, golden)
        yield same
        yield from answers.compare(several, together, golden)
        one_by_one = partial(answers.ask_all, ask, golden, 1, patience_s)
        alone = one_by_one()
        if same.status is Status.PASSED:
            yield answers.independent(protocol, alone, together, golden)
        yield from answers.compare(one, alone, golden)
        timed.append(
            latency.measure(protocol, alone, budget.latency_ms, one_by_one, candidate.idle)
        )
        yield timed[-1].check
        evidence |= latency.evidence(timed, budget.latency_ms)
        evidence["how it was measured"] = {"latency": latency.METHOD}
    yield (memory := candidate.memory.check())
    p99 = ", ".join(f"{of.protocol} {of.p99:.1f} ms" for of in timed)
    told = f"{len(golden)} rows answered over each protocol; p99 {p99}; {memory.seen}"
    evidence["summary"] = told
