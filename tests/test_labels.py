"""Whose BVH files are, which are read, and the skeletons that they may have."""

import logging
import re

import numpy as np
import pytest
import small
from paths import ROOT

from htpbench.datasets import open_data
from htpbench.errors import BenchError
from htpbench.motion import skeletons
from htpbench.motion.bvh import parse
from htpbench.motion.labels import Labels
from htpbench.motion.skeleton import JOINTS


@pytest.mark.parametrize(
    ("names", "subjects", "actions"),
    [
        (["7_01", "07_02_jump", "8_1"], ["07", "07", "8"], ["unknown", "jump", "unknown"]),
        (["S1_run", "S1_walk", "s01_jump"], ["s01"] * 3, ["run", "walk", "jump"]),
        (["walk1_subject1", "walk1_subject12"], ["subject1", "subject12"], ["walk1", "walk1"]),
        (["dance_3", "zoe"], ["dance_3", "zoe"], ["unknown", "unknown"]),
        (["a/7_1_run", "b/7_1_run"], ["7", "7"], ["run", "run"]),
    ],
)
def test_subjects_and_actions(names, subjects, actions):
    labels = Labels(names)
    assert [labels.subject(name) for name in names] == subjects
    assert [labels.action(name) for name in names] == actions
    splits = {labels.subject(name): labels.split(name) for name in names}
    assert all(labels.split(name) == splits[labels.subject(name)] for name in names)
    assert labels.split(sorted(names, key=labels.subject)[0]) == "test"


def test_a_pattern_of_the_user():
    labels = Labels(["ann/run", "ann/walk", "bob/run"], r"^(\w+)/")
    assert {labels.subject(name) for name in labels.names} == {"ann", "bob"}
    assert Labels(["take4bob2"], "bob|ann").subject("take4bob2") == "bob"
    with pytest.raises(BenchError, match="found nothing in 'run'; expected a pattern"):
        Labels(["ann/run", "run"], r"^(\w+)/")


def folder(tmp_path, *names):
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(small.walk())
    return tmp_path


def test_files_of_any_case_in_all_folders_and_hidden_ones_left_out(tmp_path, caplog):
    names = ("01_1_walk.bvh", "02_1_walk.BVH", "sub/03_1_walk.Bvh", "._01_1_walk.bvh", ".x/4_1.bvh")
    with caplog.at_level(logging.WARNING, "htpbench"):
        data = open_data(f"bvh:{folder(tmp_path, *names)}")
    assert [clip.name for clip in data.clips] == ["01_1_walk", "02_1_walk", "sub/03_1_walk"]
    assert [clip.trial for clip in data.clips] == ["01_1_walk", "02_1_walk", "sub/03_1_walk"]
    assert "3 BVH files; 2 hidden ones left out" in caplog.text


def test_files_that_are_all_of_their_own_are_mentioned(tmp_path, caplog):
    data = f"bvh:{folder(tmp_path, 'run.bvh', 'walk.bvh')}"
    with caplog.at_level(logging.WARNING, "htpbench"):
        open_data(data)
    assert "each of 2 files is a subject of its own; where one person" in caplog.text
    caplog.clear()
    assert {clip.subject for clip in open_data(f"{data},subject=^()").clips} == {""}
    assert caplog.text == ""


def test_where_none_can_be_used_that_is_said(tmp_path):
    (tmp_path / "a.bvh").write_text("no")
    (tmp_path / "b.bvh").write_text("no")
    with pytest.raises(BenchError, match=r"none of 2 files can be used; .*a\.bvh: line 1"):
        open_data(f"bvh:{tmp_path},skip_bad=true")


def renamed(joints):
    """The Daz figure's file with other names, and an end site on the head."""
    text = small.walk()
    for old, new in joints.items():
        text = text.replace(f" {old}\n", f" {new}\n")
    return text


MIXAMO = {
    **{"hip": "Hips", "abdomen": "Spine", "chest": "Spine1", "neck": "Neck", "head": "Head"},
    **{
        f"{short}{old}": f"{side}{new}"
        for short, side in (("l", "Left"), ("r", "Right"))
        for old, new in (
            *(("Collar", "Shoulder"), ("Shldr", "Arm"), ("ForeArm", "ForeArm"), ("Hand", "Hand")),
            *(("Thigh", "UpLeg"), ("Shin", "Leg"), ("Foot", "Foot")),
        )
    },
}
ROKOKO = MIXAMO | {"abdomen": "Spine1", "chest": "Spine2"}
ROKOKO |= {
    f"{short}{bone}": f"{side}{bone}"
    for short, side in (("l", "Left"), ("r", "Right"))
    for bone in ("Thigh", "Shin")
}
BANDAI = {
    **{"hip": "Hips", "abdomen": "Spine", "chest": "Chest", "neck": "Neck", "head": "Head"},
    **{
        f"{short}{old}": f"{new}_{side}"
        for short, side in (("l", "L"), ("r", "R"))
        for old, new in (
            *(("Collar", "Shoulder"), ("Shldr", "UpperArm"), ("ForeArm", "LowerArm")),
            *(("Hand", "Hand"), ("Thigh", "UpperLeg"), ("Shin", "LowerLeg"), ("Foot", "Foot")),
        )
    },
}


@pytest.mark.parametrize(
    ("skeleton", "names"), [("lafan1", MIXAMO), ("rokoko", ROKOKO), ("bandai_namco", BANDAI)]
)
@pytest.mark.parametrize("before", ["", "mixamorig:", "Actor 1|"])
def test_shipped_maps_find_their_nodes_under_any_prefix(tmp_path, skeleton, names, before):
    path = tmp_path / "walk.bvh"
    path.write_text(renamed({old: before + new.upper() for old, new in names.items()}))
    assert skeletons.named(parse(path), skeletons.known())[0] == skeleton
    motion = open_data(f"bvh:{path}")
    daz = tmp_path / "daz" / "walk.bvh"
    daz.parent.mkdir()
    daz.write_text(small.walk())
    other, clip = open_data(f"bvh:{daz}").clips[0].positions, motion.clips[0].positions
    limbs = [*range(1, 7), *range(11, 17)]
    lead = round(10 * 50 / 60)  # frames that are no motion in files of Daz alone
    apart = np.abs(clip[lead : lead + 40, limbs] - other[:40, limbs])
    assert np.median(apart) < 12  # mm: resampled at other moments
    assert (clip[:, JOINTS.index("Head"), 2] > clip[:, JOINTS.index("Neck"), 2]).all()


def test_a_mixamo_file_is_told_from_lafan1_s_by_the_top_of_its_head(tmp_path):
    text = renamed({old: f"mixamorig:{new}" for old, new in MIXAMO.items()})
    head = text.index("JOINT mixamorig:Head\n")
    close = text.index("}", head)
    turns = "CHANNELS 3 Zrotation Xrotation Yrotation"
    top = f"JOINT mixamorig:HeadTop_End\n{{\nOFFSET 0 18 0\n{turns}\n}}\n"
    lines = (text[:close] + top + text[close:]).split("\n")
    first = lines.index("Frame Time: 0.016667") + 1
    place = 3 * [line for line in lines if line.startswith(("ROOT", "JOINT"))].index(
        "JOINT mixamorig:HeadTop_End"
    )
    for number in range(first, len(lines) - 1):
        row = lines[number].split()
        lines[number] = " ".join([*row[: 3 + place], "0", "0", "0", *row[3 + place :]])
    path = tmp_path / "walk.bvh"
    path.write_text("\n".join(lines))
    assert skeletons.named(parse(path), skeletons.known())[0] == "mixamo"
    assert len(open_data(f"bvh:{path}").clips) == 1


MAP = """
[joints]
Hip = ["lThigh", "rThigh"]
RHip = "rThigh"
RKnee = "rShin"
RAnkle = "rFoot"
LHip = "lThigh"
LKnee = "lShin"
LAnkle = "lFoot"
Spine = ["abdomen", "chest"]
Thorax = ["lCollar", "rCollar"]
Neck = "head"
Head = { from = "neck", to = "head", at = 2.5 }
LShoulder = "lShldr"
LElbow = "lForeArm"
LWrist = "lHand"
RShoulder = "rShldr"
RElbow = "rForeArm"
RWrist = "rHand"
"""


def test_a_map_of_the_user_gives_what_the_figure_gives(tmp_path):
    (tmp_path / "walk.bvh").write_text(small.walk())
    (tmp_path / "map.toml").write_text(f"lead = 10\n{MAP}")
    plain = open_data(f"bvh:{tmp_path}/walk.bvh").clips[0].positions
    mapped = open_data(f"bvh:{tmp_path}/walk.bvh,skeleton={tmp_path}/map.toml").clips[0].positions
    assert mapped[:, :10] == pytest.approx(plain[:, :10], abs=1e-3)
    assert np.linalg.norm(mapped[:, 10] - mapped[:, 9], axis=1) == pytest.approx(120, abs=0.1)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('RKnee = "rShin"\n', "", "lacks RKnee"),
        ("RKnee", "RNee", "lacks RKnee"),
        ("[joints]", '[joints]\nNose = "head"', "unknown joint 'Nose'"),
        ("at = 2.5", 'at = "far"', r"is not a valid map of a skeleton: .*at"),
        ("[joints]", "unit = 10\n[joints]", "unit"),
        ("[joints]", "unit_mm = 0\n[joints]", "unit_mm"),
        ("[joints]", "[joints", "not valid TOML"),
        ('"rHand"', '"hand"', "needs also hand; give a map"),
        ('"rHand"', '""', "RWrist = '': expected the name of a node"),
        ('"rHand"', '"+hand"', "RWrist = '.hand': expected the name of a node"),
        ('"rHand"', "[]", r"RWrist = \[\]: expected the name of a node"),
    ],
)
def test_wrong_maps_are_named(tmp_path, old, new, said):
    (tmp_path / "walk.bvh").write_text(small.walk())
    (tmp_path / "map.toml").write_text(MAP.replace(old, new, 1))
    with pytest.raises(BenchError, match=said) as caught:
        open_data(f"bvh:{tmp_path}/walk.bvh,skeleton={tmp_path}/map.toml")
    assert "map.toml" in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("factor", "unit"), [(0.01, "metres"), (1 / 2.54, "inches"), (10, "millimetres")]
)
def test_other_units_are_found_by_the_legs(tmp_path, factor, unit):
    lines = []
    for line in small.walk().split("\n"):
        word, *numbers = line.split() or [""]
        number = word[:1].isdigit()
        lengths = 3 if word == "OFFSET" else 2 * number  # of a row, the root's two after the first
        scaled = [str(float(one) * factor) for one in numbers[:lengths]]
        first = str(float(word) * factor) if number else word
        lines.append(" ".join([first, *scaled, *numbers[lengths:]]))
    (tmp_path / "walk.bvh").write_text("\n".join(lines))
    data = open_data(f"bvh:{tmp_path}/walk.bvh")
    assert data.card == {"unit": unit}
    (tmp_path / "cm.bvh").write_text(small.walk())
    usual = open_data(f"bvh:{tmp_path}/cm.bvh").clips[0].positions
    assert data.clips[0].positions == pytest.approx(usual, abs=0.1)


def test_the_documentation_maps_what_the_maps_map(tmp_path):
    text = (ROOT / "docs" / "data.md").read_text()
    example = re.search(r"```toml\n(.*?)```", text, re.DOTALL)[1]
    (tmp_path / "map.toml").write_text(example)
    known = skeletons.known()
    assert skeletons.read_map(tmp_path / "map.toml").joints == known["mixamo"].joints
    table = re.findall(r"^\| (\w+) \| (.*) \| (.*) \| (.*) \| (.*) \|$", text, re.MULTILINE)
    heads = ("mixamo", "rokoko", "lafan1", "bandai_namco")
    rows = {name: cells for name, *cells in table if name in JOINTS}
    assert {"R" + name[1:] if name[0] == "L" else name for name in rows} >= {"RKnee", "RWrist"}
    for name, cells in rows.items():
        for head, cell in zip(heads, cells, strict=True):
            place = known[head].joints[JOINTS.index(name)]
            told = " to ".join(place.nodes) + f", {place.at:g}" if place.at else None
            middle = f"middle of {', '.join(place.nodes)}" if len(place.nodes) > 1 else None
            assert cell == (told or middle or place.nodes[0]), (name, head)
