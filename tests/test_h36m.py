"""Human3.6M in VideoPose3D's layout: numbers against the fixtures, options, orders, cameras."""

from __future__ import annotations

import shutil
from dataclasses import replace

import numpy as np
import pytest
from human36m import (
    METADATA,
    SYMMETRY,
    VIDEOPOSE,
    compare,
    expected,
    metadata_xml,
    opened,
    refused,
    seen,
    shots,
    tree,
    world,
    written,
)
from paths import needs_shared

from htpbench.datasets.human36m import facts
from htpbench.errors import BenchError
from htpbench.motion.filmed import in_turn
from htpbench.testing import DatasetContract


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return written(tmp_path_factory.mktemp("h36m") / "small")


@needs_shared
class TestFixture(DatasetContract):
    spec = f"h36m:{VIDEOPOSE}"


class TestSmall(DatasetContract):
    @pytest.fixture
    def data(self, small):
        return opened(small)


@needs_shared
def test_the_numbers_of_the_fixture():
    data, answer = opened(VIDEOPOSE), expected()["videopose3d"]
    assert (data.name, data.detections, data.layout) == ("h36m", "cpn_ft_h36m_dbb", "h36m")
    takes = {take.name: take for split in data.splits for take in data.takes(split)}
    assert takes.keys() == answer["clips"].keys()
    for name, told in answer["clips"].items():
        assert (takes[name].action, takes[name].split) == (told["action"], told["split"])
    for (subject, key, _), shot in shots(data).items():
        told = answer["clips"][f"{subject}/{key}"]
        assert len(shot.poses3d) == told["frames"]
        assert len(shot.poses2d) == told["frames_2d_cpn"][facts.LENSES.index(shot.lens)]
    assert len(shots(data)) == 4 * len(takes) == 52
    assert compare(data, answer["frames"], None, "screen_cpn") == len(answer["frames"])
    assert compare(data, answer["frames"], "gt") == len(answer["frames"])
    assert data.views("test", "gt").source == "gt"
    assert len(data.views("test").cameras) == 8 and data.views("test").stop[-1] == 4 * 562
    seen_by = [str(shot).split()[-1] for shot in in_turn(data.shots("test"))]
    assert seen_by == [facts.LENSES[i % 4] for i in range(10)]
    assert data.card["actions"] == "6 of 15"


@needs_shared
def test_todays_numpy_and_stacked_cameras():
    data, answer = opened(VIDEOPOSE / "numpy2"), expected()["videopose3d"]
    assert data.detections == "gt" and data.splits == ("test",)
    assert compare(data, answer["frames"], None, only=answer["numpy2"]["clips"]) > 0


def test_the_cameras_that_are_shipped():
    cameras = facts.cameras()
    assert [*cameras] == ["S1", "S5", "S6", "S7", "S8", "S9", "S11"]
    for lenses in cameras.values():
        assert [lens.size for lens in lenses] == [(1000, 1002), (1000, 1000)] * 1 + [
            (1000, 1000),
            (1000, 1002),
        ]
        for lens in lenses:  # all look at the middle of the room, from 5 m away
            placed = lens.view(np.array([0.0, 0.0, 900.0]))
            assert 3000 < placed[2] < 7000 and np.abs(placed[:2]).max() < 1000
            assert abs(np.linalg.norm(lens.orientation) - 1) < 1e-6


def test_what_is_read_and_what_is_left_out(small):
    data = opened(small)
    takes = [take.name for split in data.splits for take in data.takes(split)]
    assert takes == ["S1/Walking 1", "S1/Sitting", "S9/Greeting", "S9/Walking", "S11/Walking 2"]
    assert data.takes("test")[2].action == "Walking" and data.takes("test")[2].trial == "Walking 2"
    assert data.card == {
        "cameras_from": "shipped",
        "joints": "as in the file",
        "blocked": "keep",
        "left_out": "S11 Directions",
        "actions": "2 of 15",
    }
    dropped = opened(small, blocked="drop")
    assert [take.name for take in dropped.takes("test")] == ["S9/Walking", "S11/Walking 2"]
    assert dropped.card["blocked"] == "drop" and dropped.card["actions"] == "1 of 15"
    assert dropped.fingerprint != data.fingerprint == opened(small, detections="gt").fingerprint
    wrong = np.abs(data.views("test").exact() - data.views("test").poses2d[..., :2])
    assert wrong.max() < 1e-6


def test_which_detections_are_usual(tmp_path):
    folder = written(tmp_path, source="mine")
    assert opened(folder).detections == "mine"
    written(tmp_path, source="yours")
    assert "2D of mine, yours; name the one to use: ,detections=mine" in refused(folder)
    written(tmp_path, source="gt")
    assert opened(folder).detections == "gt"
    written(tmp_path, source="cpn_ft_h36m_dbb")
    data = opened(folder)
    assert data.detections == "cpn_ft_h36m_dbb" and data.views("test", "yours").source == "yours"
    assert opened(folder, detections="yours").fingerprint != data.fingerprint
    assert "unknown 2D source 'your'; did you mean yours?" in refused(folder, detections="your")
    with pytest.raises(BenchError, match="unknown 2D source 'cnp'"):
        data.views("test", "cnp")
    for path in tmp_path.glob("data_2d*"):
        path.unlink()
    assert "no 2D beside data_3d_h36m.npz" in refused(folder)
    (tmp_path / "data_3d_h36m.npz").unlink()
    assert "no data_3d_h36m.npz in it, only nothing" in refused(folder)
    (tmp_path / "data_3d_humaneva15.npz").touch()
    assert "this is HumanEva" in refused(folder)
    assert "expected the folder that holds" in refused(folder / "data_3d_h36m.npz")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"blocked": "dorp"}, "unknown choice of blocked 'dorp'; did you mean drop"),
        ({"joints": "dmeo"}, "unknown map of joints 'dmeo'; did you mean demo"),
        ({"block": "drop"}, "unknown option of h36m: 'block'; did you mean blocked"),
    ],
)
def test_options_that_are_wrong(small, options, said):
    assert said in refused(small, **options)


def coco(points):
    """In COCO's order, the face at the nose."""
    return points[..., [9, 9, 9, 9, 9, 11, 14, 12, 15, 13, 16, 4, 1, 5, 2, 6, 3], :]


SIXTEEN = [3, 2, 1, 4, 5, 6, 0, 7, 8, 10, 16, 15, 14, 11, 12, 13]


def test_other_orders_need_a_map(tmp_path):
    points = seen()
    sides = [[*range(1, 17, 2)], [*range(2, 17, 2)]]
    metadata = {"num_joints": 17, "keypoints_symmetry": sides}
    folder = written(tmp_path / "coco", points=tree(coco, points), metadata=metadata)
    assert "in another order than Human3.6M's: COCO's" in refused(folder)
    limbs = [1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16]
    for joints in ("demo", "midpoint"):
        data = opened(folder, joints=joints)
        assert data.card["joints"] == f"COCO, {joints}"
        shot = shots(data)["S9", "Walking", 2]
        given = points["S9"]["Walking"][2]
        assert shot.poses2d.shape == given.shape == (12, 17, 2)
        assert np.allclose(shot.poses2d[:, limbs], given[:, limbs])
        assert np.allclose(shot.poses2d[:, 0], given[:, [1, 4]].mean(axis=1), atol=1e-3)
    metadata = {"layout_name": "mpii", "num_joints": 16}
    sixteen = tree(lambda one: one[:, SIXTEEN], points)
    folder = written(tmp_path / "sh", points=sixteen, metadata=metadata)
    assert "the 16 of stacked hourglass" in refused(folder)
    data = opened(folder, joints="demo")
    assert data.card["joints"] == "16 joints; 9 is the middle of 8 and 10"
    shot, rest = shots(data)["S9", "Walking", 1], [*range(9), *range(10, 17)]
    given = points["S9"]["Walking"][1]
    assert np.array_equal(shot.poses2d[:, rest], given[:, rest])
    assert np.allclose(shot.poses2d[:, 9], given[:, [8, 10]].mean(axis=1))
    assert data.views("test").poses2d.shape[1:] == (17, 3)


@pytest.mark.parametrize(
    ("metadata", "said"),
    [
        ({}, "names no order of joints that is known"),
        ([1], "its metadata is a ndarray"),
        ({"layout_name": "humaneva15"}, "layout_name is 'humaneva15'"),
        ({"layout_name": "coco", "keypoints_symmetry": SYMMETRY}, "contradicts itself"),
        (METADATA | {"num_joints": 16}, "says num_joints 16"),
        ({"layout_name": "mpii"}, "another order than Human3.6M's"),
    ],
    ids=range(6),
)
def test_metadata_that_names_no_order(tmp_path, metadata, said):
    told = refused(written(tmp_path, metadata=metadata))
    assert said in told and "data_2d_h36m_gt.npz: " in told


def test_confidence_is_the_third_column(tmp_path):
    def sure(one):
        return np.concatenate([one, np.full((*one.shape[:2], 1), 0.25, "f4")], axis=2)

    folder = written(tmp_path, points=tree(sure, seen()))
    assert (opened(folder).views("test").poses2d[..., 2] == 0.25).all()


def test_names_of_python_2_and_of_s1_as_it_is_handed_out(tmp_path):
    positions, points = world(), seen()
    for held in (positions, points):
        held["S1"] = {b"TakingPhoto 1": held["S1"]["Walking 1"], "Lost": "and found"}
        held["S2"] = held[b"S9"] = held.pop("S9")
    data = opened(written(tmp_path, positions, points))
    assert [(one.trial, one.action) for one in data.takes("train")] == [("Photo 1", "Photo")]
    assert {take.subject for take in data.takes("test")} == {"S9", "S11"}


def test_cameras_of_ones_own(tmp_path):
    shutil.copytree(written(tmp_path / "one"), tmp_path / "two")
    cameras = facts.cameras()
    lens = replace(cameras["S9"][1], translation_mm=[1990.0, -5000.0, 1500.0])
    own = cameras | {"S9": (cameras["S9"][0], lens, *cameras["S9"][2:])}
    (tmp_path / "two" / "metadata.xml").write_text(metadata_xml(own))
    one, two = opened(tmp_path / "one"), opened(tmp_path / "two")
    assert two.card["cameras_from"] == "metadata.xml" and one.fingerprint != two.fingerprint
    first, second = shots(one), shots(two)
    for key, shot in first.items():
        assert np.allclose(shot.poses3d, second[key].poses3d, atol=1e-3) == (key[::2] != ("S9", 1))
    found = second["S9", "Walking", 1].camera
    assert np.allclose(found.view(np.eye(3)), lens.view(np.eye(3)), atol=1e-6)
    assert found.focal == own["S11"][1].focal and found.size == (1000, 1000)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it has 0 elements w0"),
        ("<w0>[1 2]</w0><w0>[1 2]</w0>", "it has 2 elements w0"),
        ("<w0>[1 2]</w0>", "its w0 has 2 numbers"),
        ("<w0>[1 x]</w0>", "its w0 is not numbers"),
        (f"<w0>{'nan ' * 300}</w0>", "0 of them finite"),
        (f"<w0>{'1e9 ' * 300}</w0>", "holds what no camera has"),
        ('<!DOCTYPE a [<!ENTITY b "1 1">]><a><w0>&b;</w0></a>', "its w0 is not numbers"),
        ("<w0>" + " " * 70000 + "</w0>", "it has 0 elements w0"),
    ],
    ids=range(8),
)
def test_a_metadata_xml_that_is_none(tmp_path, text, said):
    written(tmp_path)
    (tmp_path / "metadata.xml").write_text(text)
    assert said in refused(tmp_path)


@pytest.mark.filterwarnings("error")
def test_2d_of_half_precision(tmp_path):
    points = {
        subject: {key: [one.astype(np.float16) for one in four] for key, four in clips.items()}
        for subject, clips in seen().items()
    }
    views = opened(written(tmp_path / "half", points=points)).views("test")
    exact = opened(written(tmp_path / "whole")).views("test")
    assert np.abs(views.poses2d - exact.poses2d).max() < 1e-3
