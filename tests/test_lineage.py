"""Studies that train their own networks: what is trained for whom, and how lineages agree."""

import pandas
import pytest
import small

from htpbench import study
from htpbench.errors import BenchError
from htpbench.report.figures import seeds
from htpbench.report.lineages import (
    agreement,
    difference_table,
    differences,
    lineage_table,
    scores,
)
from htpbench.rows import Row, Store
from htpbench.training import lineage

OTHER = "mixste.tiny-9+tps:5@1+tri"
TRAINING = (
    '[training]\nlineages = ["same", "any", "transferred"]\nseeds = [0, 1]\nsteps = 2\nbatch = 2'
)


def trained_study(folder, text=TRAINING):
    names = [small.NETWORK, small.PRUNED, OTHER]
    path = small.study(folder, text, combinations=names, meters=["cost", "accuracy"])
    path.write_text(path.read_text().replace('weights = "random"\n', ""))
    return path


def test_an_unpruned_network_serves_two_lineages(tmp_path):
    planned = lineage.networks(study.load(str(trained_study(tmp_path))))
    told = {network.folder: [str(one) for one in network.serves] for network in planned}
    every = [small.NETWORK, small.PRUNED, OTHER]
    first = {name: served for name, served in told.items() if name.endswith("seed0")}
    assert first == {
        "mixste.tiny-9.seed0": every,
        "mixste.tiny-9+tps_3_1+tri.seed0": [small.PRUNED],
        "mixste.tiny-9+tps_5_1+tri.seed0": [OTHER],
        "mixste.tiny-9.any.seed0": every,
    }
    assert len(told) == 8


def test_a_sweep_trains_measures_reports_and_does_neither_again(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small.quick(monkeypatch)
    path = trained_study(tmp_path, TRAINING.replace("[0, 1]", "[3]"))
    assert small.call(monkeypatch, "sweep", path) == 0
    out, err = capsys.readouterr()
    assert "rank correlation" in out and "4/4" in err
    rows = Store(tmp_path / "results").read()
    assert all(row.status == "ok" for row in rows) and len({r.key for r in rows}) == len(rows)
    found = scores(rows)
    counts = found.groupby(["lineage", "seed"]).size()
    assert counts.to_dict() == {("same", 3): 3, ("any", 3): 3, ("transferred", 3): 2}
    digests = {
        (row.combination, row.conditions["trained"]): row.conditions["weights_sha256"]
        for row in rows
        if row.metric == "accuracy.mpjpe" and "training_seed" in row.conditions
    }
    assert digests[small.PRUNED, "transferred"] == digests[small.NETWORK, "same"]
    assert digests[small.PRUNED, "any"] == digests[OTHER, "any"]
    assert len(set(digests.values())) == 4

    monkeypatch.setattr(lineage, "train", lambda *arguments: pytest.fail("trained again"))
    before = sorted(file.read_bytes() for file in (tmp_path / "reports" / "small").iterdir())
    assert small.call(monkeypatch, "sweep", path) == 0
    assert len(Store(tmp_path / "results").read()) == len(rows)
    assert small.call(monkeypatch, "report", path) == 0
    after = sorted(file.read_bytes() for file in (tmp_path / "reports" / "small").iterdir())
    assert after == before and len(after) == 6


def test_another_recipe_is_refused_with_its_remedy(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small.quick(monkeypatch)
    text = TRAINING.replace(', "any", "transferred"', "").replace(", 1]", "]")
    assert small.call(monkeypatch, "sweep", trained_study(tmp_path, text)) == 0
    longer = trained_study(tmp_path, text.replace("steps = 2", "steps = 3"))
    assert small.call(monkeypatch, "sweep", longer) == 2
    assert "--out" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('weights = "mixste.tiny-81"\n' + TRAINING, "without `weights`"),
        (TRAINING.replace('"any"', '"all"'), "lineages"),
        (TRAINING.replace("seeds", "seed"), "training.seed"),
    ],
)
def test_wrong_training_is_refused(tmp_path, text, told):
    with pytest.raises(BenchError, match=told):
        study.load(str(trained_study(tmp_path, text)))


def test_weights_that_are_asked_for_replace_training(tmp_path):
    chosen = study.load(str(trained_study(tmp_path))).with_overrides(None, "random")
    assert chosen.training is None and chosen.weights == "random"


def test_agreement_counts_orders_and_distances():
    names = [f"mixste.tiny-81+tps:{r}@1+tri" for r in (3, 5, 9, 21)]
    errors = {"same": [90, 85, 80, 75], "any": [91, 86, 81, 76], "transferred": [60, 85, 80, 95]}
    lines = [
        (name, kind, seed, value + seed)
        for kind, values in errors.items()
        for seed in (0, 1)
        for name, value in zip(names, values, strict=True)
    ]
    lines.append(("mixste.tiny-81", "same", 0, 1.0))  # unpruned: no schedule to rank
    found = pandas.DataFrame(lines, columns=["combination", "lineage", "seed", "mpjpe"])
    agreed = agreement(found).set_index(["of", "with"])
    assert agreed.loc[("any", "same"), "rank correlation"] == pytest.approx(1)
    assert agreed.loc[("any", "same"), "mean difference (mm)"] == pytest.approx(1)
    assert agreed.loc[("transferred", "same"), "rank correlation"] == pytest.approx(-0.8)
    assert agreed.loc[("same, seed 1", "same, seed 0"), "schedules"] == 4
    table = lineage_table(found).set_index("combination")
    assert table.loc[names[0], "any (mm)"] == "91.5 (91.0, 92.0)"
    assert table.loc["mixste.tiny-81", "transferred (mm)"] == ""


def told(name, seed, errors, lineage="same"):
    """The rows that pair one network's clips of 10 frames each."""
    card = {"trained": lineage, "training_seed": seed, "flip": True}
    facts = {
        "study": "s",
        "unit": "mm",
        "environment": "e",
        "conditions": card,
        "combination": name,
    }
    axis = [f"clip {i}" for i in range(len(errors))]
    for metric, value in (("mpjpe_by_clip", errors), ("frames_by_clip", [10.0] * len(errors))):
        key = f"{name} {seed} {lineage} {metric}"
        yield Row(**facts, key=key, metric=f"accuracy.{metric}", value=value, axis=axis)


def test_differences_pair_seeds_and_clips():
    whole, cut = "mixste.tiny-81", "mixste.tiny-81+tps:3@1+tri"
    rows = [
        *told(whole, 0, [50.0, 60.0, 70.0]),
        *told(whole, 1, [40.0, 50.0, 60.0]),
        *told(cut, 0, [51.0, 61.0, 71.0]),
        *told(cut, 1, [43.0, 53.0, 63.0]),
        *told(cut, 2, [1.0, 1.0, 1.0]),  # no reference of this seed
        *told(cut, 1, [41.0, 51.0, 61.0], "transferred"),
    ]
    apart = differences(rows, whole).set_index(["lineage", "seed"])
    assert apart.index.to_list() == [
        ("same", "0"), ("same", "1"), ("same", "all"), ("transferred", "1"), ("transferred", "all")
    ]  # fmt: skip
    assert apart["difference"].to_list() == pytest.approx([1, 3, 2, 1, 1])
    assert apart["low"].to_list() == pytest.approx([1, 3, 2, 1, 1]), "all clips say the same"
    table = difference_table(apart.reset_index())
    assert table.to_dict("records")[0] == {
        "combination": cut,
        "weights": "same",
        "seed 0 (mm)": "+1.00 [+1.00, +1.00]",
        "seed 1 (mm)": "+3.00 [+3.00, +3.00]",
        "all seeds (mm)": "+2.00 [+2.00, +2.00]",
    }
    assert table.to_dict("records")[1]["seed 0 (mm)"] == ""
    assert difference_table(differences([], whole)).empty


def test_seeds_are_drawn_at_their_numbers(monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(seeds, "save", lambda draw, folder, name: drawn.append(draw()))
    whole, cut = "mixste.tiny-81", "mixste.tiny-81+tps:3@1+tri"
    rows = [*told(whole, 0, [50.0, 60.0]), *told(cut, 0, [51.0, 63.0])]
    found = pandas.DataFrame(
        [(whole, "same", 0, 55.0), (cut, "same", 0, 57.0)],
        columns=["combination", "lineage", "seed", "mpjpe"],
    )
    seeds.seeds(found, differences(rows, whole), tmp_path, "f", "", "")
    left, right = drawn[0].axes
    assert [*left.get_lines()[0].get_xdata()] == [55.0, 57.0]
    assert [*right.get_lines()[0].get_xdata()] == [2.0]
    assert [*right.get_lines()[0].get_ydata()] == [1]
    assert [text.get_text() for text in left.get_yticklabels()] == [whole, cut]
    (bar,) = right.collections[0].get_segments()
    assert bar[:, 0].tolist() == pytest.approx([1.0, 3.0])
