"""Human3.6M as it is handed out: numbers against the fixtures, names of files, damaged CDF."""

from __future__ import annotations

import shutil
import sys
import tracemalloc

import numpy as np
import pytest
from human36m import (
    RAW,
    VIDEOPOSE,
    cdf,
    compare,
    expected,
    handed_out,
    opened,
    refused,
    shots,
    survived,
    world,
    written,
)
from hypothesis import given, settings
from paths import needs_shared
from test_fuzz import damage, damaged, fuzz

from htpbench.datasets.human36m import facts
from htpbench.testing import DatasetContract


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    return written(tmp_path_factory.mktemp("h36m") / "small")


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    pytest.importorskip("cdflib")
    return handed_out(tmp_path_factory.mktemp("raw") / "raw")


class TestRaw(DatasetContract):
    @pytest.fixture
    def data(self, tmp_path):
        pytest.importorskip("cdflib")
        return opened(handed_out(tmp_path / "raw"), "h36m-raw")


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
    assert np.allclose(take, wide[:, facts.KEPT] * 1000, atol=1e-3)


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
