"""Schedules of the papers on a network that ships, and what one number of them does."""

from pathlib import Path

import pandas
import pytest
import small
from paths import ROOT

from htpbench.errors import BenchError
from htpbench.report import published
from htpbench.report.dials import turned
from htpbench.report.scaled import of_backbone, scaled, write_scaled
from htpbench.systems.combination import parse


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """The command line in a folder that has a motion file: (exit code, stdout, stderr)."""
    small.motion_file(tmp_path)
    return small.command_line(tmp_path, monkeypatch, capsys)


@pytest.mark.parametrize(
    ("printed", "mine"),
    [
        ("mixste-243", "mixste.tiny-81"),
        ("mixste-243+tps:121@0,81@3+tri", "mixste.tiny-81+tps:40@0,27@1+tri"),
        (
            "mixste-243+tps:189@0,121@3,81@5,49@7+tri",
            "mixste.tiny-81+tps:63@0,40@1,27@2,16@3+tri",
        ),
        ("mixste-243+tps:121@0,81@3+tri:9", "mixste.tiny-81+tps:40@0,27@1+tri:3"),
        ("mixste-243+tpc:81@3", "mixste.tiny-81+tpc:27@1"),
    ],
)
def test_a_schedule_keeps_its_shares_of_frames_and_blocks(printed, mine):
    found = scaled(parse(printed), parse("mixste.tiny-81"))
    assert str(found) == mine and parse(mine) == found


def test_stages_that_would_meet_are_refused():
    with pytest.raises(BenchError, match="4 blocks are too few"):
        scaled(parse("mixste-243+tps:121@2,81@3+tri"), parse("mixste.tiny-81"))


def test_every_printed_schedule_of_mixste_can_be_scaled():
    network = parse("mixste.tiny-81")
    for table in published.tables():
        for cell, mine in of_backbone(table, network):
            kept = [r for r, _ in mine.schedule]
            assert kept == sorted(set(kept), reverse=True), cell["combination"]
    assert len(of_backbone(4, network)) == 24 and not of_backbone(8, network)


def test_schedules_are_scored_on_the_network_that_ships(call):
    asked = ["reproduce", "table5", "table9", "--scaled", "mixste.tiny-81", "--data", "motion.npz"]
    code, out, err = call(*asked)
    assert code == 0 and "written: reports/local/scaled/table9.md" in out, err
    alone = pandas.read_csv(
        "reports/local/scaled/table5.csv"
    )  # which prints no unpruned MixSTE-243
    assert len(alone) == 8 and alone["ours minus unpruned"].notna().all()
    lines = pandas.read_csv("reports/local/scaled/table9.csv")
    assert len(lines) == 8 and lines["ours (mm)"].notna().all()
    pruned = lines[lines["row"] == 2]
    assert (pruned["printed minus unpruned"].round(1) == [-0.4, 0.6, 0.7, 1.6]).all()
    assert pruned["ours minus unpruned"].notna().all()
    assert (lines.loc[lines["row"] == 1, "ours minus unpruned"].isna()).all()
    assert set(pruned["ours tells"]) <= {"worse", "better", "cannot tell"}
    assert "Ours: motion (test subjects" in Path("reports/local/scaled/table9.md").read_text()


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--scaled", "mixste.tiny-81+tps:9@1+tri"], "a backbone alone"),
        (["--scaled", "mixste-81"], "no weights of mixste-81 come with"),
        (["--scaled", "mixste.tiny-81", "--status"], "leave out --data"),
    ],
)
def test_wrong_use_of_scaling_is_told(call, asked, said):
    code, _, err = call("reproduce", *asked)
    assert code == 2 and said in " ".join(err.split())


@pytest.mark.parametrize("table", [2, 4, 6, 9])
def test_the_committed_schedules_are_what_the_committed_rows_say(table, tmp_path):
    network = "mixste.tiny-81"
    rows = small.committed()
    asked = {"data": "cmu17", "detections": "cpn", "weights": network, "protocol": "once"}
    chosen = rows.only(
        row
        for row in rows
        if asked.items() <= {"protocol": "once", **row.conditions}.items()
        and "on" not in row.conditions
    )
    text, numbers, *pictures = write_scaled([table], parse(network), chosen, rows, tmp_path)
    for written in (text, numbers):
        assert written.read_bytes() == (ROOT / "reports/scaled" / written.name).read_bytes()
    assert [picture.exists() for picture in pictures] == [True, True] * (table in (4, 6))


def test_a_dial_is_one_number_of_a_schedule():
    assert [*turned(parse("mixste-243+tps:121@0,81@3+tri"))] == [
        ("r", "mixste-243+tps:r@0,81@3+tri", 121),
        ("b", "mixste-243+tps:121@b,81@3+tri", 0),
        ("r", "mixste-243+tps:121@0,r@3+tri", 81),
        ("b", "mixste-243+tps:121@0,81@b+tri", 3),
        ("f", "mixste-243+tps:121@0,81@3+tri:f", 243),
    ]
    *_, last = turned(parse("mixste-243+tps:121@0,81@3+tri:27"))
    assert last == ("f", "mixste-243+tps:121@0,81@3+tri:f", 27)


def test_the_docs_count_what_the_tables_say():
    tables = [pandas.read_csv(ROOT / f"reports/table{n}/table{n}.csv") for n in (2, 3, 4)]
    every = pandas.concat(tables)
    speeds = every[every["metric"].isin(["fps", "fps_per_frame"])]
    words = speeds["verdict"].value_counts().to_dict()
    said = " ".join((ROOT / "docs/reproduce.md").read_text().split())
    count = sum(words.values())
    assert words == {"differs": 23, "cannot tell": 13}
    assert f"Of {count} printed speeds of pruned networks 23 differ from ours" in said
    assert "of 13 our interval is too wide to tell, and none agrees for certain" in said
