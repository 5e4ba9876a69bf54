"""Human3.6M in both layouts: numbers against the fixtures, options, what is refused."""

from __future__ import annotations

import io
import json
import shutil
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from human36m import METADATA, SYMMETRY, cdf, metadata_xml, seen, world, written
from hypothesis import given, settings
from hypothesis import strategies as st
from paths import SHARED, needs_shared
from test_fuzz import damage, damaged, fuzz

from htpbench.datasets import open_data
from htpbench.errors import BenchError
from htpbench.motion import h36m
from htpbench.motion.filmed import in_turn
from htpbench.testing import DatasetContract

FORMATS = SHARED / "formats"
VIDEOPOSE, RAW = FORMATS / "videopose3d", FORMATS / "raw_h36m"


def opened(folder, scheme="h36m", **options):
    return open_data(",".join([f"{scheme}:{folder}", *(f"{k}={v}" for k, v in options.items())]))


def refused(folder, scheme="h36m", **options):
    """What is said of a folder that cannot be opened, or not be viewed."""
    with pytest.raises(BenchError) as caught:
        data = opened(folder, scheme, **options)
        for split in data.splits:
            data.views(split)
    return str(caught.value)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return written(tmp_path_factory.mktemp("h36m") / "small")


# ------------------------------------------------------------------------------- the fixtures


@needs_shared
class TestFixture(DatasetContract):
    spec = f"h36m:{VIDEOPOSE}"


class TestSmall(DatasetContract):
    @pytest.fixture
    def data(self, small):
        return opened(small)


class TestRaw(DatasetContract):
    @pytest.fixture
    def data(self, tmp_path):
        pytest.importorskip("cdflib")
        return opened(handed_out(tmp_path / "raw"), "h36m-raw")


def expected():
    return json.loads((FORMATS / "expected.json").read_text())


def shots(data, source=None):
    """(subject, key, camera) -> shot."""
    found = {}
    for split in data.splits:
        for shot in data.shots(split, source):
            number = h36m.LENSES.index(shot.lens)
            found[shot.take.subject, shot.take.trial, number] = shot
    return found


def compare(data, cases, source, screen="screen_gt", only=()):
    held = {split: data.views(split, source, "all") for split in data.splits}
    compared = 0
    for case in cases:
        name = f"{case['subject']}/{case['action']}"
        if only and name not in only:
            continue
        views = held[h36m.SPLIT_OF[case["subject"]]]
        take = [one.name for one in views.clips].index(name)
        view = np.flatnonzero(views.clip == take)[case["camera"]]
        row = views.start[view] + case["frame"]
        assert np.abs(views.root[row] - case["root"]).max() < 0.01
        assert np.abs(views.poses3d[row] - case["relative"]).max() < 0.01
        assert np.abs(views.poses2d[row, :, :2] - case[screen]).max() < 1e-6
        assert (views.poses2d[row, :, 2] == 1).all()
        lens = views.lens(view)
        px = lens.project(views.poses3d[row].astype(float) + views.root[row])
        width, height = lens.size
        want = (np.array(case["screen_gt"]) + np.array([1, height / width])) * width / 2
        assert np.abs(px - want).max() < 0.002  # roots are float32 in views
        compared += 1
    return compared


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
        assert len(shot.poses2d) == told["frames_2d_cpn"][h36m.LENSES.index(shot.lens)]
    assert len(shots(data)) == 4 * len(takes) == 52
    assert compare(data, answer["frames"], None, "screen_cpn") == len(answer["frames"])
    assert compare(data, answer["frames"], "gt") == len(answer["frames"])
    assert data.views("test", "gt").source == "gt"
    assert len(data.views("test").cameras) == 8 and data.views("test").stop[-1] == 4 * 562
    seen_by = [str(shot).split()[-1] for shot in in_turn(data.shots("test"))]
    assert seen_by == [h36m.LENSES[i % 4] for i in range(10)]
    assert data.card["actions"] == "6 of 15"


@needs_shared
def test_todays_numpy_and_stacked_cameras():
    data, answer = opened(VIDEOPOSE / "numpy2"), expected()["videopose3d"]
    assert data.detections == "gt" and data.splits == ("test",)
    assert compare(data, answer["frames"], None, only=answer["numpy2"]["clips"]) > 0


@needs_shared
@pytest.mark.parametrize("below", ["", "S9", "S9/MyPoseFeatures/D3_Positions"])
def test_the_numbers_of_the_files_that_are_handed_out(below):
    pytest.importorskip("cdflib")
    data, answer = opened(RAW / below, "h36m-raw"), expected()
    assert {take.name for take in data.takes("test")} == answer["raw_h36m"].keys()
    cases = answer["videopose3d"]["frames"]
    assert compare(data, cases, None, only=answer["raw_h36m"]) == 12
    for name, shot in shots(data).items():
        exact = shots(opened(VIDEOPOSE, detections="gt"))[name]
        assert np.abs(shot.poses2d - exact.poses2d).max() < 0.001
        assert np.abs(shot.poses3d - exact.poses3d).max() < 0.01


# --------------------------------------------------------------------------- facts and options


def test_the_cameras_that_are_shipped():
    cameras = h36m.cameras()
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


def tree(change, points):
    return {
        subject: {key: [change(one) for one in cameras] for key, cameras in clips.items()}
        for subject, clips in points.items()
    }


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
    cameras = h36m.cameras()
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


# ------------------------------------------------------------------------------ what is refused


def without(held, *keys):
    for key in keys[:-1]:
        held = held[key]
    del held[keys[-1]]


FAULTS = {
    "no dictionary": (lambda held, _: np.zeros(3), "positions_3d is an array of shape (3,)"),
    "no clips": (lambda held, _: held | {"S9": [1]}, "positions_3d of S9 is a list"),
    "others": (lambda held, _: {"S2": held["S1"]}, "has the subjects S2; expected some of S1"),
    "HumanEva": (lambda held, _: {"Train/S1": held["S1"]}, "this is HumanEva"),
    "chunks": (lambda held, _: {"S1": {"Walking 1 chunk0": 0}}, "this is HumanEva"),
    "no action": (lambda held, _: {"S1": {"Dancing": 0}}, "found Dancing of S1"),
    "joints": (
        lambda held, _: {"S1": {"Walking": np.zeros((9, 16, 3))}},
        "3D of S1/Walking is an array of shape (9, 16, 3); expected (frames, 32 or 17, 3)",
    ),
    "no frames": (lambda held, _: {"S1": {"Walking": np.zeros((0, 17, 3))}}, "has no frames"),
    "text": (lambda held, _: {"S1": {"Walking": "a"}}, "3D of S1/Walking is a str"),
    "no 2D": (lambda held, seen: without(seen, "S9", "Walking"), "no 2D of S9/Walking, of which"),
    "three cameras": (
        lambda held, seen: without(seen, "S9", "Walking", 0),
        "S9/Walking is a list of 3 cameras; expected 4",
    ),
    "no camera": (
        lambda held, seen: seen["S9"].update(Walking=np.float32(3)),
        "S9/Walking is a float of 0 cameras",
    ),
    "2D of other joints": (
        lambda held, seen: seen["S9"].update(Walking=np.zeros((4, 12, 16, 2))),
        "S9/Walking, camera 54138969 is an array of shape (12, 16, 2); expected (frames, 17, 2",
    ),
    "short 2D": (
        lambda held, seen: seen["S9"].update(Walking=np.zeros((4, 11, 17, 2))),
        "S9/Walking, camera 54138969: 2D has 11 frames and 3D 12",
    ),
    "NaN": (
        lambda held, seen: held["S9"]["Walking"].__setitem__((3, 0), np.nan),
        "S9/Walking, camera 54138969: 3D holds NaN or infinity in 1 of 12 frames, the first is 3",
    ),
    "vast": (
        lambda held, seen: seen["S9"].update(Walking=np.full((4, 12, 17, 2), 1e300)),
        "2D holds NaN or infinity in 12 of 12",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_files_that_are_faulty(tmp_path, fault):
    change, said = FAULTS[fault]
    positions, points = world(), seen()
    changed = change(positions, points)
    told = refused(written(tmp_path, positions if changed is None else changed, points))
    assert said in told, told


def test_members_that_are_missing(tmp_path):
    written(tmp_path)
    np.savez(tmp_path / "data_3d_h36m.npz", positions=np.zeros(3))
    assert "data_3d_h36m.npz: lacks positions_3d and holds positions" in refused(tmp_path)
    written(tmp_path)
    np.savez(tmp_path / "data_2d_h36m_gt.npz", positions_2d=np.zeros(3))
    assert "data_2d_h36m_gt.npz: lacks metadata and holds positions_2d" in refused(tmp_path)


@needs_shared
@pytest.mark.parametrize(
    ("fault", "said"), [("truncated", "perhaps cut short"), ("wrong_key", "lacks positions_3d")]
)
def test_faults_of_a_file_without_2d(fault, said):
    told = refused(FORMATS / "faults" / fault)
    assert "data_3d_h36m.npz: " in told and said in told


def test_half_of_a_file(tmp_path):
    written(tmp_path)
    path = tmp_path / "data_3d_h36m.npz"
    path.write_bytes(path.read_bytes()[:-2000])
    assert "data_3d_h36m.npz: not a readable npz, perhaps cut short" in refused(tmp_path)


@needs_shared
@pytest.mark.parametrize("name", ["system", "exec", "bomb"])
def test_hostile_files(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    for file, other in (("data_3d_h36m", "data_2d_h36m_gt"), ("data_2d_h36m_gt", "data_3d_h36m")):
        folder = written(tmp_path / file)
        shutil.copy(FORMATS / "hostile" / f"{name}.npz", folder / f"{file}.npz")
        tracemalloc.start()
        assert f"{file}.npz: " in refused(folder), other
        assert tracemalloc.get_traced_memory()[1] < 200e6
        tracemalloc.stop()
    assert not [*tmp_path.rglob("EXECUTED*")]


TINY = {"S9": {"Walking": np.zeros((1, 17, 3), np.float32)}}
TINY_SEEN = {"S9": {"Walking": np.zeros((4, 1, 17, 2), np.float32)}}


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    folder = written(tmp_path_factory.mktemp("tiny"), TINY, TINY_SEEN)
    return folder, {path: path.read_bytes() for path in folder.iterdir()}


def survived(folder, scheme="h36m"):
    """Whether a folder is read, or refused by a BenchError; nothing else may happen."""
    tracemalloc.start()
    try:
        data = opened(folder, scheme)
        for split in data.splits:
            views = data.views(split)
            assert np.isfinite(views.poses2d).all() and np.isfinite(views.poses3d).all()
    except BenchError as fault:
        assert 20 < len(str(fault)) < 1000
        return False
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 100e6
    return True


def test_what_is_damaged_below_is_read(tiny):
    assert survived(tiny[0])


@fuzz
@given(st.booleans(), damage, st.booleans())
def test_damaged_bytes(tiny, first, changes, under_right_checksums):
    folder, contents = tiny
    path = sorted(contents)[first]
    if under_right_checksums:
        with np.load(path, allow_pickle=False) as held:
            raw = {name: held.zip.read(f"{name}.npy") for name in held.files}
        name = sorted(raw)[-1]
        raw[name] = raw[name][:90] + damaged(raw[name][90:], changes)
        content = zipped(raw)
    else:
        content = damaged(contents[path], changes)
    path.write_bytes(content)
    try:
        survived(folder)
    finally:
        path.write_bytes(contents[path])


def zipped(members):
    import zipfile

    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()


# ------------------------------------------------------------------- as Human3.6M is handed out


def handed_out(folder, positions=None):
    for subject, clips in (world() if positions is None else positions).items():
        for key, wide in clips.items():
            path = folder / subject / "MyPoseFeatures" / "D3_Positions" / f"{key}.cdf"
            cdf(path, (wide * 1000).reshape(1, len(wide), 96))
    return folder


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    pytest.importorskip("cdflib")
    return handed_out(tmp_path_factory.mktemp("raw") / "raw")


def test_both_layouts_hold_the_same(small, raw):
    one, two = shots(opened(small)), shots(opened(raw, "h36m-raw"))
    assert one.keys() == two.keys() and len(one) == 20
    for key, shot in one.items():
        assert np.abs(shot.poses3d - two[key].poses3d).max() < 0.01
        assert np.abs(shot.poses2d - two[key].poses2d).max() < 0.001
    data = opened(raw, "h36m-raw", blocked="drop")
    assert (data.detections, data.card["joints"]) == ("gt", "exact projection")
    assert [take.name for take in data.takes("test")] == ["S9/Walking", "S11/Walking 2"]


def test_detections_beside_what_is_handed_out(tmp_path, small, raw):
    folder = shutil.copytree(raw, tmp_path / "raw")
    shutil.copy(small / "data_2d_h36m_gt.npz", folder / "data_2d_h36m_mine.npz")
    data = opened(folder, "h36m-raw", detections="mine")
    assert data.views("test").source == "mine" and data.views("test", "gt").source == "gt"
    assert data.fingerprint != opened(folder, "h36m-raw").fingerprint
    assert "did you mean mine" in refused(folder, "h36m-raw", detections="min")


def test_names_of_files_that_are_handed_out(tmp_path):
    pytest.importorskip("cdflib")
    poses = world()["S1"]["Sitting"].reshape(1, 12, 96) * 1000
    folder = tmp_path / "Human3.6M" / "S1" / "D3_Positions"
    for key in ("TakingPhoto 1", "WalkingDog", "Walking.54138969"):
        cdf(folder / f"{key}.cdf", poses)
    cdf(folder.parent / "D3_Positions_mono" / "Walking.54138969.cdf", poses)
    cdf(tmp_path / "Human3.6M" / "S2" / "D3_Positions" / "Walking.cdf", poses)
    for place in (tmp_path, folder.parent, folder):
        data = opened(place, "h36m-raw")
        assert [take.trial for take in data.takes("train")] == ["Photo 1", "WalkDog"]
    cdf(tmp_path / "again" / "S1" / "D3_Positions" / "Photo 1.cdf", poses)
    assert "are the same take; leave one out" in refused(tmp_path, "h36m-raw")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("S9/D3_Positions_mono/Walking.54138969.cdf", "poses in camera axes (_mono)"),
        ("S9/D3_Positions/Walking.54138969.cdf", "poses in camera axes (_mono)"),
        ("S9/D3_Positions_mono_universal/Walking.54138969.cdf", "one skeleton for all"),
        ("S9/D2_Positions/Walking.cdf", "CDF files of D2_Positions"),
        ("S1/MyPoses/3D_positions/Walking.h5", "HDF5 files, an older conversion"),
        ("data_3d_h36m.npz", "did you mean h36m:FOLDER?"),
        ("S9/notes.txt", "holds nothing of it; expected S*/"),
        ("D3_Positions/Walking.cdf", "no folder above it is called S1, S5"),
    ],
)
def test_other_files_are_told(tmp_path, name, said):
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    assert said in refused(tmp_path, "h36m-raw")
    assert "expected a folder" in refused(tmp_path / "nowhere", "h36m-raw")


def test_cdflib_is_asked_for(raw, monkeypatch):
    monkeypatch.setitem(sys.modules, "cdflib", None)
    assert "pip install htpbench[cdf]" in refused(raw, "h36m-raw")


@pytest.mark.parametrize(("whole", "each"), [(0, 0), (6, 0), (0, 6)])
def test_files_may_be_packed(tmp_path, whole, each):
    pytest.importorskip("cdflib")
    wide = world()["S9"]["Walking"]
    path = tmp_path / "S9" / "D3_Positions" / "Walking.cdf"
    cdf(path, (wide * 1000).reshape(1, 12, 96), whole, Compress=each)
    (take,) = opened(tmp_path, "h36m-raw").positions.values()
    assert np.allclose(take, wide[:, h36m.KEPT] * 1000, atol=1e-3)


@pytest.mark.parametrize(("whole", "each"), [(0, 0), (6, 0), (0, 6)])
@pytest.mark.parametrize("lost", [100, 400, 1200])
def test_half_of_a_cdf(tmp_path, whole, each, lost):
    pytest.importorskip("cdflib")
    poses = np.random.default_rng(0).normal(0, 500, (1, 8, 96)).astype("f4")
    path = cdf(tmp_path / "S9" / "D3_Positions" / "Walking.cdf", poses, whole, Compress=each)
    path.write_bytes(path.read_bytes()[:-lost])
    assert "Walking.cdf: " in refused(tmp_path, "h36m-raw")


@pytest.mark.parametrize(("whole", "each"), [(6, 0), (0, 6)])
def test_files_that_unpack_without_a_bound(tmp_path, whole, each):
    pytest.importorskip("cdflib")
    path = tmp_path / "S9" / "D3_Positions" / "Walking.cdf"
    cdf(path, np.zeros((1, 60_000, 96), np.float32), whole, Compress=each)  # 23 MB
    tracemalloc.start()
    said = refused(tmp_path, "h36m-raw")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "Walking.cdf: unpacks to more than" in said and peak < 100e6


@pytest.mark.parametrize(
    ("poses", "spec", "said"),
    [
        (np.zeros((1, 9, 64), "f4"), {}, "Pose is float32 (9, 64); expected 3D positions of 32"),
        (np.zeros((2, 9, 96), "f4"), {}, "Pose is float32 (2, 9, 96)"),
        (np.zeros((1, 9, 96), "i4"), {"Data_Type": 4}, "Pose is CDF_INT4; expected CDF_FLOAT"),
        (np.zeros((1, 9, 96), "f4"), {"Variable": "Angles"}, "not a readable CDF (ValueError"),
    ],
    ids=range(4),
)
def test_a_cdf_of_something_else(tmp_path, poses, spec, said):
    pytest.importorskip("cdflib")
    cdf(tmp_path / "S9" / "D3_Positions" / "Walking.cdf", poses, **spec)
    assert said in refused(tmp_path, "h36m-raw")


@pytest.fixture(scope="module")
def one_cdf(tmp_path_factory):
    pytest.importorskip("cdflib")
    folder = tmp_path_factory.mktemp("cdf")
    path = folder / "S9" / "D3_Positions" / "Walking.cdf"
    cdf(path, np.ones((1, 2, 96), np.float32))
    return folder, path, path.read_bytes()


@settings(fuzz, max_examples=fuzz.max_examples // 3)  # counting steps takes time
@given(damage)
def test_damaged_cdf(one_cdf, changes):
    folder, path, content = one_cdf
    path.write_bytes(damaged(content, changes))
    survived(folder, "h36m-raw")


def test_numbers_without_an_end(one_cdf):
    folder, path, content = one_cdf
    descriptor = int.from_bytes(content[20:28], "big")  # GDR: 48 bytes in, dimensions and variables
    lied = bytearray(content)
    lied[descriptor + 56 : descriptor + 60] = (2**31 - 1).to_bytes(4, "big")
    path.write_bytes(lied)
    assert "what it says of itself has no end" in refused(folder, "h36m-raw")
    first = int.from_bytes(content[descriptor + 20 : descriptor + 28], "big")  # of the variables
    lied = bytearray(content.replace(b"Pose", b"Nose"))
    lied[descriptor + 60 : descriptor + 64] = (2**31 - 1).to_bytes(4, "big")
    lied[first + 12 : first + 20] = first.to_bytes(8, "big")  # is its own successor
    path.write_bytes(lied)
    assert "leads in circles" in refused(folder, "h36m-raw")
    path.write_bytes(content)
