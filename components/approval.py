"""Proof, not trust: what `push` takes. It cannot be made unless every gate passed on these artifacts.

The verdicts are read from the store, never from a message or a task's state: marking a gate as
success by hand, clearing it or retrying around it leaves the proof where it was.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from components.admissions import Admission
from components.errors import SluiceError
from components.verdict import Verdict

NO_BASELINE = "none"
EXAMPLES = "examples/"  # before the span, where a manifest or verdict names one of several examples


class NotApproved(SluiceError):
    """The proof is incomplete; the message says what is missing or does not fit."""


@dataclass(frozen=True)
class Approval:
    """That this model, made of these examples, passed every gate.

    `model`: digest of the candidate; `baseline`: digest of the model it was judged against, or
    `none`; `called`: of the model whose clients it takes over, or `none`; `examples`: span → digest
    of every span it was trained or judged on; `data`: span → the data gate's latest verdict on it;
    `own`: what that gate told this run of its own span; `admitted`: span → the admission of a
    refused one; `judgement` and `infra`: the verdicts of the model gate and the infra gate.
    """

    pipeline: str
    span: str
    model: str
    baseline: str
    called: str
    examples: Mapping[str, str]
    data: Mapping[str, Verdict]
    own: Verdict
    admitted: Mapping[str, Admission]
    judgement: Verdict
    infra: Verdict

    def __post_init__(self) -> None:
        """Raise NotApproved unless the proof is complete."""
        if not self.examples or self.span not in self.examples:
            raise NotApproved(f"{self._who} does not include the examples of its own span")
        for span, digest in self.examples.items():
            self._may_train(span, digest, self.data.get(span))
        # The same rows may pass for another run: after another history, by another schema.
        self._may_train(self.span, self.examples[self.span], self.own)
        self._opened(self.judgement, "model", self.span)
        self._opened(self.infra, "infra", self.span)
        about_model = {"model": self.model, "baseline": self.baseline}
        self._speaks_of(self.judgement, about_model)
        self._judged_on_approved_examples()
        self._speaks_of(self.infra, {"model": self.model, "baseline": self.called})

    @property
    def _who(self) -> str:
        return f"model {self.model[:12]} of {self.pipeline} {self.span}"

    def _may_train(self, span: str, digest: str, verdict: Verdict | None) -> None:
        if verdict is None:
            raise NotApproved(f"{self._who}: there is no data verdict on {span}")
        self._speaks_of(verdict, {"examples": digest})
        admission = self.admitted.get(span)
        if admission:
            let_in = (admission.pipeline, admission.span, admission.examples)
            if let_in == (self.pipeline, span, digest):
                return
        self._opened(verdict, "data", span)

    def _judged_on_approved_examples(self) -> None:
        """The model gate names what it judged on as `examples/<span>`: all of it must be vouched for."""
        judged = {
            name.removeprefix(EXAMPLES): digest
            for name, digest in self.judgement.speaks_of.items()
            if name.startswith(EXAMPLES)
        }
        if not judged:
            raise NotApproved(f"{self._who}: the model verdict does not say what it judged on")
        for span, digest in judged.items():
            if self.examples.get(span) != digest:
                raise NotApproved(
                    f"{self._who} was judged on examples {digest[:12]} of {span}, which no data "
                    "verdict here speaks of; run the model gate again"
                )

    def _opened(self, verdict: Verdict, gate: str, span: str) -> None:
        if (verdict.gate, verdict.pipeline, verdict.span) != (gate, self.pipeline, span):
            found = f"{verdict.gate} verdict on {verdict.pipeline} {verdict.span}"
            raise NotApproved(f"{self._who} needs the {gate} verdict on {span}, not the {found}")
        if not verdict.passed:
            raise NotApproved(f"{self._who} is not approved: {verdict.reason}")

    def _speaks_of(self, verdict: Verdict, digests: Mapping[str, str]) -> None:
        for name, digest in digests.items():
            spoken = verdict.speaks_of.get(name)
            if spoken != digest:
                raise NotApproved(
                    f"{self._who}: the {verdict.gate} verdict on {verdict.span} speaks of {name} "
                    f"{str(spoken)[:12]}, not of {digest[:12]}; run that gate again"
                )
