"""Recipes: every shipped one loads, says what the paper prints or why not, and decides a run."""

import json
import math
from itertools import pairwise
from typing import get_args

import pytest
from paths import ROOT

from htpbench.errors import BenchError
from htpbench.learning import recipes
from htpbench.learning.losses import LOSSES
from htpbench.learning.rates import Cosine, Halving, PerEpoch
from htpbench.learning.recipes import Recipe
from htpbench.learning.step import OPTIMISERS
from htpbench.systems.cards import shipped
from htpbench.systems.combination import parse

# Table 1 of the H2OT paper, as printed.
FIELDS = ("epochs", "batch", "rate", "optimiser")
TABLE_1 = {
    "mhformer": (20, 210, 1e-3, "amsgrad"),
    "mixste": (160, 4, 4e-5, "adam"),
    "motionbert": (120, 4, 5e-4, "adam"),
    "motionagformer": (120, 4, 5e-4, "adam"),
}
GOOD = """
source = "ours"
optimiser = "adam"
rate = 1e-3
weight_decay = 0.0
batch = 8
steps = 10
loss = "mpjpe"
rate_schedule = { kind = "cosine", warmup = 3 }
"""


def test_every_backbone_has_a_recipe_and_every_file_is_read():
    files = {path.stem for path in (ROOT / "baselines" / "recipes").glob("*.toml")}
    sizes = {"mixste.tiny", "mixste.person", "d3dp.tiny"}
    names = {*shipped("backbone"), *sizes, "default"}
    assert files == recipes.shipped().keys() == names


def test_a_name_in_a_recipe_has_code_behind_it():
    assert set(get_args(recipes.LossName)) == LOSSES.keys()
    assert set(get_args(recipes.Optimiser)) == OPTIMISERS.keys()


@pytest.mark.parametrize("name", recipes.shipped())
def test_table_1_is_kept_or_a_reason_is_given(name):
    card = recipes.shipped()[name]
    if name not in TABLE_1:
        assert card.differs == {}, "Table 1 has no such column"
        return
    for field, printed in zip(FIELDS, TABLE_1[name], strict=True):
        if getattr(card, field) == printed:
            assert field not in card.differs
        else:
            assert f"Table 1 prints {str(printed).capitalize()}" in card.differs[field]
    assert card.differs.keys() <= set(FIELDS)


def test_the_variant_comes_before_the_backbone_and_the_default_last():
    shipped = recipes.shipped()
    assert recipes.find(parse("mixste.tiny-81")) is shipped["mixste.tiny"]
    assert recipes.find(parse("mixste.small-81+tps:9@1+tri")) is shipped["mixste"]
    assert recipes.find(parse("mixste-243")) is shipped["mixste"]


def test_the_tiny_recipe_is_what_the_shipped_weights_were_trained_with():
    told = json.loads((ROOT / "baselines" / "weights" / "mixste.tiny-81.json").read_text())
    recipe = Recipe.of("mixste.tiny-81", ("synthetic",)).plain()
    same = ("combination", "batch", "rate", "weight_decay", "detections", "seed")
    assert {name: recipe[name] for name in same} == {name: told["recipe"][name] for name in same}
    assert recipe["rate_schedule"] == {"warmup": told["recipe"]["warmup"], "kind": "cosine"}
    assert (recipe["optimiser"], recipe["loss"], recipe["steps"]) == ("adamw", "mixste", 2400)


def test_the_recipe_of_the_network_for_any_camera_is_what_it_was_trained_with():
    card = json.loads((ROOT / "baselines" / "weights" / "mixste.person-81.json").read_text())
    own = Recipe.of("mixste.person-81", ("cmu17", "synthetic"), any_schedule=True).plain()
    told = {name: value for name, value in card["recipe"].items() if name in own}
    assert told == own
    first = card["begun_with"]["recipe"]
    length = f"{first['minutes']:.0f} minutes on F = 27 in batches of {first['batch']}"
    assert length in recipes.shipped()["mixste.person"].source


def test_what_is_asked_replaces_what_the_file_says():
    recipe = Recipe.of("mhformer-351", ("a",), batch=3, rate=None, steps=7, seed=2)
    assert (recipe.batch, recipe.rate, recipe.seed) == (3, 1e-3, 2)
    assert (recipe.steps, recipe.epochs, recipe.minutes) == (7, None, None)
    recipe = Recipe.of("mixste.tiny-81", ("a",), epochs=4)
    assert (recipe.steps, recipe.epochs, recipe.minutes) == (None, 4, None)
    assert recipe.plain()["data"] == ["a"]
    with pytest.raises(BenchError, match="one of --steps, --epochs and --minutes"):
        Recipe.of("mixste.tiny-81", ("a",), steps=1, epochs=1)
    with pytest.raises(BenchError, match="--epochs 0: expected 1 or more"):
        Recipe.of("mixste.tiny-81", ("a",), epochs=0)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('"adam"', '"sgd"', "optimiser"),
        ("1e-3", "0", "rate"),
        ("steps = 10", "steps = 10\nepochs = 1", "one of `steps`, `epochs` and `minutes`"),
        ("steps = 10", "", "one of `steps`, `epochs` and `minutes`"),
        ("warmup = 3", "warmpu = 3", "warmpu"),
        ("batch = 8", "batch = 8\nbacth = 9", "bacth"),
        ("batch = 8", "batch =", "line 6"),
        ("batch = 8", "batch = 8\nparts = 9999", "parts: Input should be less"),
        ("batch = 8", "batch = 8\ndetectors = ['sh']", "expected `filmed` beside `detectors`"),
        ("weight_decay = 0.0", "weight_decay = inf", "weight_decay: Input should be a finite"),
    ],
)
def test_a_wrong_file_is_refused_by_the_field(tmp_path, old, new, words):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert recipes.read(path).rate_schedule == Cosine(3)
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(BenchError, match=words) as caught:
        recipes.read(path)
    assert "mine.toml is not a valid recipe" in str(caught.value)


def test_the_cosine_warms_up_and_falls_to_zero():
    rates = [Cosine(100).rate(1.0, step, 1000, 10) for step in range(1000)]
    assert rates[0] == 0.01 and max(rates) == 1.0 and rates.index(1.0) in (99, 100)
    assert all(a >= b for a, b in pairwise(rates[100:]))
    assert 0 <= rates[-1] < 1e-5 and math.isclose(rates[550], 0.5)


def test_the_rate_decays_by_the_epoch_and_halves_on_every_fifth():
    plain = [PerEpoch(0.99).rate(4e-5, step, 99, 2) for step in range(6)]
    assert plain == pytest.approx([4e-5, 4e-5, 3.96e-5, 3.96e-5, 3.9204e-5, 3.9204e-5])
    rate, expected = 1e-3, []
    for epoch in range(1, 13):  # as MHFormer's loop goes
        expected += [rate] * 3
        rate *= 0.5 if epoch % 5 == 0 else 0.95
    schedule = PerEpoch(0.95, Halving(5, 0.5))
    assert [schedule.rate(1e-3, step, 99, 3) for step in range(36)] == pytest.approx(expected)
    assert recipes.shipped()["mhformer"].rate_schedule == schedule
