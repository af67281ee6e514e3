from __future__ import annotations

from pathlib import Path

import pytest

from components import home, pipelines, schema, spec
from components.errors import UsageError


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "some.pbtxt"
    path.write_text(text)
    return path


def test_a_model_is_fed_what_serving_expects_in_the_schemas_order(flights: spec.Spec) -> None:
    contract = schema.load(flights.schema_path)
    fed = [feature.name for feature in schema.inputs(contract)]
    assert "late" not in fed
    assert "flight" not in fed
    assert fed == [column for column in schema.columns(contract) if column in fed]
    assert len(fed) == 14


def test_a_category_is_a_text_or_an_integer_that_says_so(flights: spec.Spec) -> None:
    kinds = {f.name: (f.kind, f.dtype) for f in schema.inputs(schema.load(flights.schema_path))}
    assert kinds["carrier"] == ("category", "string")
    assert kinds["hour"] == ("category", "int64")
    assert kinds["minute"] == ("number", "int64")
    assert kinds["temp"] == ("number", "float32")


def test_an_environment_named_by_the_feature_beats_the_default(tmp_path: Path) -> None:
    contract = schema.load(
        written(
            tmp_path,
            'default_environment: "TRAINING" default_environment: "SERVING"\n'
            'feature { name: "both" type: INT }\n'
            'feature { name: "not" type: INT not_in_environment: "SERVING" }\n'
            'feature { name: "only" type: INT in_environment: "CANARY" }\n',
        )
    )
    both, not_, only = contract.feature
    assert schema.expected_in(contract, both, schema.SERVING)
    assert not schema.expected_in(contract, not_, schema.SERVING)
    assert schema.expected_in(contract, not_, schema.TRAINING)
    assert schema.expected_in(contract, only, "CANARY")


def test_what_is_done_to_one_copy_does_not_show_in_the_next(flights: spec.Spec) -> None:
    schema.load(flights.schema_path).feature[0].name = "changed"
    assert schema.load(flights.schema_path).feature[0].name == "carrier"


@pytest.mark.parametrize(
    "text", ["feature {", "feature: 1", "colour: 'red'", "feature { nom: 'x' }"]
)
def test_a_schema_that_does_not_parse_is_named(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError, match=r"schemas/some\.pbtxt: cannot be read as a schema"):
        schema.load(written(tmp_path, text))


def test_a_schema_of_no_feature_would_let_everything_through(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="lists no feature"):
        schema.load(written(tmp_path, 'default_environment: "TRAINING"'))


def test_a_feature_without_a_type_is_named(tmp_path: Path) -> None:
    contract = schema.load(written(tmp_path, 'feature { name: "x" }'))
    with pytest.raises(UsageError, match="'x' has no type; give it BYTES, INT or FLOAT"):
        schema.dtypes(contract)


def test_every_pipeline_has_a_schema_and_every_schema_a_pipeline() -> None:
    assert pipelines.names() == sorted(path.stem for path in home.schemas().glob("*.pbtxt"))
