"""The model gate opens for a candidate measured on rows it never saw, and for nothing less."""

from __future__ import annotations

import shutil

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_model_analysis as tfma

from components import gates, scoring, store, transform
from components.approval import EXAMPLES, NO_BASELINE
from components.evaluate import RESULT, evaluate
from components.ingest import arrival
from components.spec import Spec
from components.store import Artifact
from components.verdict import Status, Verdict

NAME = "flights"
SPAN = "2013-02-08"
JUDGING = ["2013-02-06", "2013-02-07", SPAN]
TRAINED = ["2013-01-04", "2013-01-05"]


@pytest.fixture(autouse=True)
def _house(tmp_path, monkeypatch):
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))


def spec(*thresholds: dict, **more: dict) -> Spec:
    return Spec.model_validate(
        {
            "name": NAME,
            "source": {"path": "arrivals/{span}"},
            "span": {"first": "2013-01-01"},
            "window": {"train": 2, "evaluate": 3},
            "label": "late",
            "key": ["id"],
            "slices": [["origin"], ["origin", "hour"]],
            "thresholds": thresholds or [{"metric": "auc", "at_least": 0.6}],
            "serving": {"name": NAME},
            "files": {},
            **more,
        }
    )


def rows(span: str, count: int = 200) -> pd.DataFrame:
    """Return flights of which those under strain are late, one in twenty of unknown outcome."""
    draw = np.random.default_rng(int(span.replace("-", "")))
    strain = draw.normal(size=count)
    late = pd.array((strain + draw.normal(size=count) > 1).astype(int), dtype="Int64")
    late[::20] = pd.NA
    return pd.DataFrame(
        {
            "id": [f"{span}-{n}" for n in range(count)],
            "strain": strain.astype("float32"),
            "origin": draw.choice(["EWR", "JFK", "O'Hare, ü/×="], count, p=[0.6, 0.35, 0.05]),
            "hour": pd.array([7 if n % 3 else None for n in range(count)], dtype="Int64"),
            "late": late,
        }
    )


def examples(frame: pd.DataFrame, span: str) -> Artifact:
    def build(draft: store.Draft) -> dict:
        frame.to_parquet(draft.folder / arrival.FILE)
        return {}

    parameters = {"rows": int(pd.util.hash_pandas_object(frame.astype(str)).sum())}
    return store.once("examples", NAME, span, inputs={}, parameters=parameters, build=build)


def arrived() -> list[Artifact]:
    return [examples(rows(span), span) for span in JUDGING]


def model(weight: float, *, bias: float = -1.0, spans=TRAINED, column: str = "strain") -> Artifact:
    """Return a real SavedModel that says sigmoid(weight × strain + bias)."""

    class Net(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.float32, name=column)])
        def serve(self, value):
            return {"score": tf.sigmoid(weight * value + bias)}

    def build(draft: store.Draft) -> dict:
        net = Net()
        folder = str(draft.folder / scoring.SAVED_MODEL)
        tf.saved_model.save(net, folder, signatures={"serving_default": net.serve})
        number = transform.Number(name=column, dtype="float32", mean=0, std_dev=1, min=-9, max=9)
        constants = transform.Constants(columns=(number,), rows=1)
        (draft.folder / transform.FILE).write_text(constants.model_dump_json())
        return {}

    inputs = {EXAMPLES + span: f"rows of {span}" for span in spans}
    parameters = {"weight": str(weight), "bias": bias, "column": column}
    return store.once("train", NAME, SPAN, inputs=inputs, parameters=parameters, build=build)


def judged(*about, **more) -> Verdict:
    return gates.read(evaluate(*about, **more))


class TestACandidateThatIsGoodEnough:
    def test_the_first_model_passes_without_a_baseline_and_says_so(self):
        what = spec({"metric": "auc", "at_least": 0.6, "worse_by_at_most": 0.01})
        kept = evaluate(what, SPAN, candidate := model(1.0), None, arrived())
        verdict = gates.read(kept)
        assert verdict.passed
        checks = [c for c in verdict.checks if c.name == "auc"]
        assert [c.status for c in checks] == [Status.PASSED, Status.SKIPPED]
        assert "no baseline yet: the first model" in checks[1].message
        assert (verdict.gate, verdict.span) == ("model", SPAN)
        assert verdict.speaks_of == {
            "model": candidate.digest,
            "baseline": NO_BASELINE,
            **{EXAMPLES + e.manifest.span: e.digest for e in arrived()},
        }
        assert 0.7 < verdict.evidence["metrics"]["auc"] < 0.9

    def test_a_candidate_no_worse_than_the_baseline_passes(self):
        what = spec({"metric": "auc", "slice": ["origin"], "worse_by_at_most": 0.01})
        baseline = model(0.5)
        kept = evaluate(what, SPAN, model(1.0), baseline, arrived())
        verdict = gates.read(kept)
        assert verdict.passed
        assert verdict.speaks_of["baseline"] == baseline.digest
        statuses = {c.subject: c.status for c in verdict.checks if c.name == "auc"}
        assert statuses == {
            "origin=EWR": Status.PASSED,
            "origin=JFK": Status.PASSED,
            "origin=O'Hare, ü/×=": Status.WARNED,  # too small
        }
        candidate, serving = verdict.evidence["metrics"], verdict.evidence["baseline_metrics"]
        assert candidate["auc"] == pytest.approx(serving["auc"], abs=1e-3)  # ranks alike

    def test_the_figures_are_there_for_people_and_for_tfmas_viewers(self):
        kept = evaluate(spec(), SPAN, model(1.0), model(0.1), arrived())
        evidence = gates.read(kept).evidence
        told = evidence["slices"][0]
        assert (told["slice"], told["examples"]) == ("overall", 570)
        assert told["candidate"]["accuracy"] > told["baseline"]["accuracy"]
        assert evidence["computed_by"] == "TFMA on counts"
        auc = evidence["metrics"]["auc"]
        assert kept.facts["summary"] == (
            f"AUC {auc:.3f} (baseline {auc:.3f}) on 570 examples of 3 spans, 6 slices; "
            "1 of 1 bounds hold"
        )
        assert len(tfma.load_eval_result(str(kept.file(RESULT))).slicing_metrics) == 7
        assert tfma.load_validation_result(str(kept.file(RESULT))).validation_ok

    def test_the_page_shows_the_slices_by_harm_the_scores_and_what_changed(self):
        what = spec({"metric": "auc", "slice": ["origin"], "worse_by_at_most": 0.5})
        kept = evaluate(what, SPAN, model(1.0), model(0.5, spans=TRAINED[:1]), arrived())
        evidence = gates.read(kept).evidence
        rows = evidence["differences"]
        assert {row["slice"] for row in rows} >= {"origin=EWR", "origin=JFK"}
        assert [row["harm"] for row in rows] == sorted((row["harm"] for row in rows), reverse=True)
        assert evidence["curves"]["roc"]["candidate"]["area"] == pytest.approx(
            evidence["metrics"]["auc"], abs=1e-3
        )
        assert evidence["changes"]["entered"] == TRAINED[1:]
        page = kept.file(gates.PAGE).read_text()
        for part in ("most harmed first", "ROC", "What changed since the baseline"):
            assert part in page

    def test_rows_without_a_label_are_left_out_and_counted(self):
        evidence = judged(spec(), SPAN, model(1.0), None, arrived()).evidence
        assert (evidence["examples"], evidence["unlabelled"]) == (570, 30)


class TestACandidateThatIsNotGoodEnough:
    def test_worse_than_the_baseline_halts_with_both_figures(self):
        what = spec({"metric": "auc", "worse_by_at_most": 0.05})
        kept = evaluate(what, SPAN, model(-1.0), model(1.0), arrived())
        verdict = gates.read(kept)
        assert verdict.status is Status.FAILED
        assert verdict.reason.startswith(f"model gate halted {NAME} {SPAN}: auc overall is 0.")
        assert "(baseline 0." in verdict.reason
        assert not tfma.load_validation_result(str(kept.file(RESULT))).validation_ok

    def test_bad_in_one_slice_halts_though_good_overall(self):
        frames = [rows(span, 1000) for span in JUDGING]
        for frame in frames:
            frame.loc[frame["origin"] == "JFK", "strain"] *= -1
        spans = [examples(f, s) for f, s in zip(frames, JUDGING, strict=True)]
        bounds = [{"metric": "auc", "slice": s, "at_least": 0.5} for s in ([], ["origin"])]
        verdict = judged(spec(*bounds), SPAN, model(1.0), None, spans)
        assert [c.subject for c in verdict.offences] == ["origin=JFK"]
        assert next(c for c in verdict.checks if c.subject == "overall").status is Status.PASSED


class TestACandidateThatSawTheAnswers:
    def test_a_candidate_trained_on_a_judging_span_fails_and_both_are_named(self):
        leaked = model(1.0, spans=[*TRAINED, "2013-02-07"])
        verdict = judged(spec(), SPAN, leaked, None, arrived())
        (offence,) = verdict.offences
        assert (offence.name, offence.status) == ("unseen", Status.FAILED)
        assert leaked.digest[:12] in offence.message
        assert "2013-02-07" in offence.message
        assert verdict.evidence["metrics"]  # measured all the same

    def test_a_candidate_that_does_not_say_what_it_was_trained_on_is_an_error(self):
        verdict = judged(spec(), SPAN, model(1.0, spans=[]), None, arrived())
        assert verdict.status is Status.ERROR
        assert "does not say which spans" in verdict.reason

    def test_a_baseline_trained_on_a_judging_span_is_told_and_does_not_halt(self):
        baseline = model(0.5, spans=["2013-02-06"])
        verdict = judged(spec(), SPAN, model(1.0), baseline, arrived())
        assert verdict.passed
        warned = next(c for c in verdict.checks if c.status is Status.WARNED)
        assert "2013-02-06" in warned.message


class TestNothingVanishes:
    def test_a_threshold_by_a_column_that_holds_nothing_is_an_error(self):
        empty = [examples(rows(s).assign(origin=None), s) for s in JUDGING]
        overall = {"metric": "auc", "at_least": 0.1}
        sliced = {"metric": "auc", "slice": ["origin"], "at_least": 0.1}
        for thresholds in ([overall, sliced], [sliced]):
            verdict = judged(spec(*thresholds), SPAN, model(1.0), None, empty)
            assert verdict.status is Status.ERROR
            assert "no row that judges has a value of origin" in verdict.reason


class TestWeakSlices:
    def test_where_they_halt_too_half_of_what_noise_may_block_is_theirs(self):
        def p_of(**more):
            what = spec({"metric": "loss", "worse_by_at_most": 0.0}, **more)
            verdict = judged(what, SPAN, model(1.0), model(1.02), arrived())
            (width,) = (
                c.values["interval"] for c in verdict.checks if c.values.get("tolerated") == 0
            )
            return width[1] - width[0]

        assert p_of(weak_slices={"gate": "halt"}) > p_of()

    def test_a_sensitive_column_is_not_searched(self):
        def columns(**more):
            verdict = judged(spec(**more), SPAN, model(1.0), None, arrived())
            assert verdict.passed, verdict.reason
            return [name for one in verdict.evidence["weak_slices"] for name in one["columns"]]

        assert columns() == ["strain"]
        assert columns(data_gate={"sensitive": ["strain"]}) == []


class TestWhatCannotBeMeasured:
    def error(self, what: Spec, *about) -> str:
        """Return the reason of a gate that could not measure, and left no result of TFMA's."""
        kept = evaluate(what, SPAN, *about)
        verdict = gates.read(kept)
        assert verdict.status is Status.ERROR
        assert not (kept.folder / RESULT).exists()
        return verdict.reason

    @pytest.mark.parametrize("which", ["candidate", "baseline"])
    def test_scores_that_are_no_numbers(self, which):
        about = [model(1.0), model(0.5)]
        about[which == "baseline"] = model(float("nan"))
        assert f"the {which} gives 570 of 570 examples" in self.error(spec(), *about, arrived())

    def test_no_row_with_a_label(self):
        frame = rows(SPAN).assign(late=pd.array([None] * 200, dtype="Int64"))
        assert "no example has a label" in self.error(
            spec(), model(1.0), None, [examples(frame, SPAN)]
        )

    def test_no_span_to_judge_by(self):
        assert "no span is left to judge by" in self.error(spec(), model(1.0), None, [])

    def test_a_label_that_is_neither_yes_nor_no(self):
        frame = rows(SPAN).assign(late=2)
        reason = self.error(spec(), model(1.0), None, [examples(frame, SPAN)])
        assert "label 'late' holds 2; make it 0 or 1 in ingest.sql" in reason

    def test_a_baseline_of_other_classes_is_compared_with_nobody(self):
        late = {"task": "multiclass", "classes": (0, 1)}
        what = spec({"metric": "accuracy", "at_least": 0.1}).model_copy(update=late)
        reason = self.error(what, model(1.0), None, arrived())
        assert "was trained on the classes [], which are not the spec's" in reason

    def test_a_label_that_is_not_there(self):
        frame = rows(SPAN).rename(columns={"late": "lated"})
        reason = self.error(spec(), model(1.0), None, [examples(frame, SPAN)])
        assert "no column 'late'" in reason
        assert "did you mean 'lated'" in reason

    def test_a_column_to_slice_by_that_is_not_there(self):
        frame = rows(SPAN).drop(columns="origin")
        reason = self.error(spec(), model(1.0), None, [examples(frame, SPAN)])
        assert "no column 'origin' to slice by" in reason

    def test_a_baseline_that_wants_a_column_no_longer_there(self):
        reason = self.error(spec(), model(1.0), model(1.0, column="wind"), arrived())
        assert "the baseline, model" in reason
        assert "column 'wind' is not among the examples' columns" in reason

    def test_examples_torn_on_the_disk(self):
        spans = arrived()
        path = spans[1].file(arrival.FILE)
        path.write_bytes(path.read_bytes()[:300])
        assert "could not be measured" in self.error(spec(), model(1.0), None, spans)

    def test_a_model_torn_on_the_disk(self):
        candidate = model(1.0)
        (candidate.file(scoring.SAVED_MODEL) / "saved_model.pb").write_bytes(b"torn")
        assert "does not load" in self.error(spec(), candidate, None, arrived())

    def test_only_slices_too_small_are_no_pass_even_beside_a_warning(self):
        what = spec({"metric": "auc", "at_least": 0.1, "min_examples": 10_000})
        baseline = model(0.5, spans=[SPAN])
        verdict = judged(what, SPAN, model(1.0), baseline, arrived())
        assert verdict.status is Status.ERROR
        assert "none of 1 thresholds could be judged" in verdict.reason
        assert "underpowered: 570 examples of 10000" in verdict.reason


class TestAskingAgain:
    def test_a_gate_that_could_not_measure_is_asked_again_when_all_is_mended(self):
        spans = arrived()
        path = spans[0].file(arrival.FILE)
        whole = path.read_bytes()
        path.write_bytes(b"torn")
        assert judged(spec(), SPAN, model(1.0), None, spans).status is Status.ERROR
        path.write_bytes(whole)
        assert judged(spec(), SPAN, model(1.0), None, spans).passed

    def test_a_verdict_is_final_for_its_models_rows_and_thresholds(self):
        spans = arrived()
        first = evaluate(spec(), SPAN, model(1.0), None, spans)
        shutil.rmtree(spans[0].folder)  # nothing is read again
        assert evaluate(spec(), SPAN, model(1.0), None, spans).folder == first.folder
        stricter = spec({"metric": "auc", "at_least": 0.99})
        second = evaluate(stricter, SPAN, model(1.0), None, arrived())
        assert second.folder != first.folder
        assert gates.read(second).status is Status.FAILED
