"""A warm start begins from the baseline's weights, all of them in their right places, or says why not."""

from __future__ import annotations

import numpy as np
import pytest
from test_network import CONSTANTS, category, changed, constants
from training_house import House

from components.train import network, weights
from components.transform import Constants


@pytest.fixture
def house(tmp_path, monkeypatch) -> House:
    return House.at(tmp_path, monkeypatch)


class Baseline:
    """Weights and constants as a model's artifact has them."""

    def __init__(self, house: House, then: Constants) -> None:
        self.folder = house.folder
        self.net = network.build(house.spec, then)
        weights.save(self.net, self.folder / weights.FILE)
        (self.folder / "constants.json").write_text(then.model_dump_json())

    def file(self, name: str):
        return self.folder / name

    class manifest:  # noqa: N801
        span = "2013-01-01"


def started(house: House, then: Constants, now: Constants):
    house.settings = "seed: 1"
    baseline = Baseline(house, then)
    house.settings = "seed: 2"
    fresh = network.build(house.spec, now)
    drawn = embedding(fresh)
    told = weights.warm_start(fresh, now, baseline)  # type: ignore[arg-type]
    return embedding(baseline.net), drawn, embedding(fresh), told


def embedding(net) -> np.ndarray:
    return np.array(net.get_layer("embed_carrier").get_weights()[0])


def test_warm_start_lets_embeddings_follow_their_categories(house):
    old, drawn, warm, told = started(house, CONSTANTS, constants("DL", "VX", "AA"))
    assert told == "warm: from the model of 2013-01-01"
    assert np.array_equal(warm[[0, 1, 3]], old[[0, 3, 1]])  # unknown, DL, AA
    assert np.array_equal(warm[2], drawn[2])  # VX is new


def test_warm_start_is_cold_when_the_net_has_another_shape(house):
    baseline = Baseline(house, CONSTANTS)
    house.write("pipelines/made/model.py", changed("Dense(8,", "Dense(9,"))
    net = network.build(house.spec, CONSTANTS)
    before = net.get_weights()
    told = weights.warm_start(net, CONSTANTS, baseline)  # type: ignore[arg-type]
    assert told.startswith("cold: ")
    assert "was (6, 8), and is (6, 9)" in told
    assert all(np.array_equal(a, b) for a, b in zip(before, net.get_weights(), strict=True))


def test_warm_start_is_cold_when_the_net_has_other_layers(house):
    baseline = Baseline(house, CONSTANTS)
    house.write("pipelines/made/model.py", changed('name=f"embed_{name}"', 'name=f"{name}_in"'))
    net = network.build(house.spec, CONSTANTS)
    told = weights.warm_start(net, CONSTANTS, baseline)  # type: ignore[arg-type]
    assert told == "cold: the baseline's net has other layers"


def test_warm_start_is_cold_when_a_changed_vocabulary_cannot_be_followed(house):
    one_hot = changed(
        'layers.Flatten()(layers.Embedding(size, 2, name=f"embed_{name}")(inputs[name]))',
        'layers.CategoryEncoding(size, output_mode="one_hot")(inputs[name])',
    )
    house.write("pipelines/made/model.py", one_hot)
    baseline = Baseline(house, CONSTANTS)
    now = constants("DL", "UA", "AA")
    told = weights.warm_start(network.build(house.spec, now), now, baseline)  # type: ignore[arg-type]
    assert told == "cold: no embedding of 'carrier' shows where its changed vocabulary went"


def test_warm_start_is_cold_when_an_embedding_grew_wider(house):
    baseline = Baseline(house, CONSTANTS)
    wider = changed("Embedding(size, 2,", "Embedding(size, 3,")
    house.write("pipelines/made/model.py", wider)
    now = constants("DL", "UA", "AA")
    told = weights.warm_start(network.build(house.spec, now), now, baseline)  # type: ignore[arg-type]
    assert told == "cold: 000 embed_carrier/embeddings was (4, 2), and is (4, 3)"


def test_vocabulary_of_a_column_that_the_net_leaves_out_may_change(house):
    left_out = changed(
        "keras.Model(inputs,", 'keras.Model({k: inputs[k] for k in inputs if k != "hour"},'
    ).replace("vocabulary_sizes.items()", '[("carrier", vocabulary_sizes["carrier"])]')
    house.write("pipelines/made/model.py", left_out)
    baseline = Baseline(house, CONSTANTS)
    now = Constants(columns=(*CONSTANTS.columns[:3], category("hour", 9)), rows=1)
    told = weights.warm_start(network.build(house.spec, now), now, baseline)  # type: ignore[arg-type]
    assert told.startswith("warm")
