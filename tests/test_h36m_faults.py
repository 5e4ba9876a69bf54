"""Files of Human3.6M that are faulty, damaged or hostile: a BenchError, and nothing is run."""

from __future__ import annotations

import io
import shutil
import tracemalloc
import zipfile

import numpy as np
import pytest
from human36m import FORMATS, refused, seen, survived, world, written
from hypothesis import given
from hypothesis import strategies as st
from paths import needs_shared
from test_fuzz import damage, damaged, fuzz


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
        "S9/Walking, camera 54138969: 3D holds NaN or infinity, or 1e+06 and more, in 1 of 12 "
        "frames, the first is 3",
    ),
    "vast": (
        lambda held, seen: seen["S9"].update(Walking=np.full((4, 12, 17, 2), 1e300)),
        "2D holds NaN or infinity, or 1e+06 and more, in 12 of 12",
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
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in members.items():
            archive.writestr(f"{name}.npy", content)
    return stream.getvalue()
