"""Studies that train their own networks: what is trained for whom, and how regimes agree."""

import math
from dataclasses import replace

import numpy as np
import pandas
import pytest
import small
from scipy import stats

from htpbench.errors import BenchError
from htpbench.records.results import Results
from htpbench.records.rows import Row, Store
from htpbench.report.build import measured_report
from htpbench.report.figures import seeds
from htpbench.report.regimes import agreement, regime_finding, regime_table, scores
from htpbench.report.seeds import difference_table, differences
from htpbench.study import loading, study
from htpbench.training import regimes

OTHER = "mixste.tiny-9+tps:5@1+tri"
TRAINING = (
    '[training]\nlineages = ["same", "any", "transferred"]\nseeds = [0, 1]\nsteps = 2\nbatch = 2'
)


def trained_study(folder, text=TRAINING):
    names = [small.NETWORK, small.PRUNED, OTHER]
    path = small.study(folder, text, combinations=names, meters=["cost", "accuracy"])
    path.write_text(path.read_text().replace('weights = "random"\n', ""))
    return path


def test_an_unpruned_network_serves_two_regimes(tmp_path):
    planned = regimes.networks(loading.load(str(trained_study(tmp_path))), ("motion.npz",))
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


@pytest.mark.slow
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

    monkeypatch.setattr(regimes, "train", lambda *arguments: pytest.fail("trained again"))
    before = sorted(
        file.read_bytes() for file in (tmp_path / "reports" / "local" / "small").iterdir()
    )
    assert small.call(monkeypatch, "sweep", path) == 0
    assert len(Store(tmp_path / "results").read()) == len(rows)
    assert small.call(monkeypatch, "report", path) == 0
    after = sorted(
        file.read_bytes() for file in (tmp_path / "reports" / "local" / "small").iterdir()
    )
    assert after == before and len(after) == 8


def test_another_recipe_is_refused_with_its_remedy(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small.quick(monkeypatch)
    text = TRAINING.replace(', "any", "transferred"', "").replace(", 1]", "]")
    assert small.call(monkeypatch, "sweep", trained_study(tmp_path, text)) == 0
    longer = trained_study(tmp_path, text.replace("steps = 2", "steps = 3"))
    assert small.call(monkeypatch, "sweep", longer) == 2
    assert "--runs" in capsys.readouterr().err


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
        loading.load(str(trained_study(tmp_path, text)))


def test_weights_that_are_asked_for_replace_training(tmp_path):
    chosen = loading.load(str(trained_study(tmp_path))).with_overrides(None, "random")
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
    table = regime_table(found).set_index("combination")
    assert table.loc[names[0], "any (mm)"] == "91.5 (91.0, 92.0)"
    assert table.loc["mixste.tiny-81", "transferred (mm)"] == ""


def told(name, seed, errors, regime="same", weights="", at=0, **card):
    """The rows of one network's clips of 10 frames each."""
    card = {"trained": regime, "training_seed": seed, "flip": True, **card}
    card["weights_sha256"] = weights or f"{regime} {seed}"
    facts = {
        "study": "s",
        "combination": name,
        "unit": "mm",
        "environment": "e",
        "conditions": card,
    }
    axis = [f"clip {i}" for i in range(len(errors))]
    frames = [10.0] * len(errors)
    values = {"mpjpe_by_clip": errors, "frames_by_clip": frames, "frames_by_subject": frames}
    values["subjects_by_clip"] = [*range(len(errors))]
    for metric, value in {**values, "mpjpe": sum(errors) / len(errors)}.items():
        yield Row(
            **facts,
            key=f"{name} {card} {metric}",
            metric=f"accuracy.{metric}",
            value=value,
            axis=axis if isinstance(value, list) else None,
            at=f"2026-01-01T00:00:{at:02}Z",
        )


WHOLE, CUT = "mixste.tiny-81", "mixste.tiny-81+tps:3@1+tri"


def test_differences_pair_seeds_and_clips():
    rows = [
        *told(CUT, 1, [44.0, 52.0, 63.0]),
        *told(CUT, 0, [51.0, 60.0, 72.0]),
        *told(WHOLE, 0, [50.0, 60.0, 70.0]),
        *told(WHOLE, 1, [40.0, 50.0, 60.0]),
        *told(CUT, 2, [1.0, 1.0, 1.0]),  # no reference of this seed
    ]
    apart = differences(rows, WHOLE).set_index(["lineage", "seed"])
    assert apart.index.to_list() == [("same", "0"), ("same", "1"), ("same", "mean")]
    assert apart["difference"].to_list() == pytest.approx([1, 3, 2])
    over_subjects, over_seeds = stats.t.ppf(0.975, 2), stats.t.ppf(0.975, 1)
    halves = over_subjects * np.std([1, 0, 2], ddof=1) / 3**0.5, over_subjects / 3**0.5
    both = over_subjects * np.std([2.5, 1, 2.5], ddof=1) / 3**0.5, over_seeds * 2 / 2
    assert (apart["high"] - apart["difference"]).to_list() == pytest.approx(
        [*halves, math.hypot(*both)]
    )
    (line,) = difference_table(apart.reset_index()).to_dict("records")
    assert list(line.items()) == [
        ("combination", CUT),
        ("weights", "same"),
        ("seed 0 (mm)", "+1.00 [-1.48, +3.48]"),
        ("seed 1 (mm)", "+3.00 [+0.52, +5.48]"),
    ]
    assert difference_table(differences([], WHOLE)).empty


def test_only_networks_that_belong_together_are_paired():
    whole = [*told(WHOLE, 0, [50.0, 60.0])]
    served = told(CUT, 0, [51.0, 61.0], "transferred", weights="same 0")
    strange = told(CUT, 0, [51.0, 61.0], "transferred", weights="of another day")
    assert differences([*whole, *served], WHOLE)["difference"].to_list() == [1]
    assert differences([*whole, *strange], WHOLE).empty
    assert differences([*whole, *told(CUT, 0, [9.0, 9.0], "any")], WHOLE).empty
    assert differences([*whole, *told(CUT, 0, [9.0, 9.0], pipeline="seq2frame")], WHOLE).empty


def test_of_a_network_trained_anew_the_newest_counts():
    rows = [
        *told(WHOLE, 0, [50.0, 60.0], "any", "new", at=3),
        *told(CUT, 0, [53.0, 63.0], "any", "new", at=4),
        *told(WHOLE, 0, [10.0, 20.0], "any", "old", at=1),
        *told(CUT, 0, [11.0, 21.0], "any", "old", at=2),
    ]
    for ordered in (rows, rows[::-1]):
        assert differences(ordered, WHOLE)["difference"].to_list() == [3]
        assert sorted(scores(ordered)["mpjpe"]) == [55.0, 58.0]


def test_seeds_are_drawn_at_their_numbers(monkeypatch, tmp_path):
    drawn = []
    monkeypatch.setattr(seeds, "save", lambda draw, folder, name: drawn.append(draw()))
    rows = [
        row
        for seed in (0, 1)
        for name, errors in ((WHOLE, [50.0, 60.0]), (CUT, [51.0, 63.0 + seed]))
        for row in told(name, seed, errors)
    ]
    seeds.seeds(scores(rows), differences(rows, WHOLE), tmp_path, "f", "", "")
    left, right = drawn[0].axes
    assert [*left.get_lines()[0].get_xdata()] == [55.0, 57.0]
    assert [[*line.get_xdata()] for line in right.get_lines()[:2]] == [[2.0], [2.5]]
    assert [*right.get_lines()[0].get_ydata()] == [1]
    assert [text.get_text() for text in left.get_yticklabels()] == [WHOLE, CUT]
    (bar,) = right.collections[0].get_segments()
    assert bar[:, 0].mean() == pytest.approx(2.25) and bar[0, 0] < 0


def test_a_study_of_one_lineage_has_a_report(tmp_path):
    asked = study.Study(
        name="s",
        title="",
        meters=["accuracy"],
        combinations=[WHOLE, CUT],
        training=study.Training(regimes=["any"], seeds=[0], steps=1),
    )
    card = {"data": "d", "split": "test", "detections": "cpn", "windows": "2", "weights": "w"}
    both = [(WHOLE, [50.0, 60.0]), (CUT, [51.0, 63.0])]
    rows = [row for name, errors in both for row in told(name, 0, errors, "any", **card)]
    files = measured_report(asked, Results(rows), tmp_path).files
    assert {file.name for file in files} == {
        "s.md", "s.csv", "s.tex", "s.html", "s-seeds.png", "s-seeds.svg"
    }  # fmt: skip
    assert "+2.00 [-10.71, +14.71]" in (tmp_path / "s.md").read_text()
    assert "2 subjects, 5 are needed" in (tmp_path / "s.md").read_text()
    failed = [replace(row, status="failed", value=None, axis=None, reason="x") for row in rows]
    report = measured_report(asked, Results(failed), tmp_path / "none")
    assert {file.suffix for file in report.files} == {".md", ".csv", ".tex", ".html"}
    assert (tmp_path / "none" / "s.md").read_text().count("failed: x") == 2
    some = [*rows[: len(rows) // 2], *failed[len(rows) // 2 :]]
    measured_report(asked, Results(some), tmp_path / "some")
    lines = (tmp_path / "some" / "s.md").read_text().splitlines()
    assert [line.split("|")[1:-1] for line in lines if "failed: x" in line] == [
        [f" `{CUT}` ", " any, seed 0 ", " failed: x "]
    ]


def test_the_finding_names_what_was_judged():
    found = scores(Results([]))
    assert regime_finding(["same"], "a-9", found, "P-MPJPE") == "of 1 beside a-9 in P-MPJPE: 1 same"
