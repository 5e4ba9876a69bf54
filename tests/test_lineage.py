"""Studies that train their own networks: what is trained for whom, and how lineages agree."""

import pandas
import pytest
import small

from htpbench import study
from htpbench.errors import BenchError
from htpbench.report.lineages import agreement, lineage_table, scores
from htpbench.rows import Store
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
