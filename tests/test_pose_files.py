"""Files of poses: what is written reads back; whatever else is there is refused and kept."""

from __future__ import annotations

import dataclasses
import json
import os

import numpy as np
import pandas as pd
import pytest
from small import drawn
from test_fuzz import archive, npy

from htpbench.datasets import open_data
from htpbench.datasets.synthetic import Synthetic
from htpbench.errors import BenchError
from htpbench.motion import bvh as motion_bvh
from htpbench.motion.skeleton import JOINTS, PARENTS
from htpbench.poses import bvh, files, npz, rigid
from htpbench.poses.track import Kept, Track

UP = np.array([1, -1, -1])
SUFFIXES = list(files.FORMATS)


def walking(frames=40, noise=0.0, seed=0):
    """(frames, 17, 3) mm in camera axes: a drawn person, seen from the front."""
    x, y, z = drawn(0)[0].positions[:frames].astype(np.float64).transpose(2, 0, 1)
    poses = np.stack([x, -z, y], axis=-1)
    poses += np.random.default_rng(seed).normal(0, noise, poses.shape)
    return (poses - poses[:, :1]).astype(np.float32)


def track(name="walk", **changes):
    """A track with all that one may have."""
    rng = np.random.default_rng(1)
    poses = walking(changes.pop("frames", 40), noise=10)
    seen = np.concatenate([poses[..., :2] + 500, np.ones((*poses.shape[:2], 1))], axis=-1)
    usual = {
        "rate": 25.0,
        "first": 3,
        "camera": 2,
        "truth": walking(len(poses)),
        "keypoints": seen.astype(np.float32),
        "size": (1920, 1080),
        "kept": Kept(np.array([-5, 20]), rng.random((2, 2, 27)) < 0.5, 50.0),
        "told": {"combination": "mixste.tiny-81+tpc@b=1,r=9", "of": name, "runs": [1, 2]},
    }
    return Track(name, poses=poses, **(usual | changes))


def same(found, expected, apart=0.0):
    """Whether tracks are equal, their numbers up to `apart`."""
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for field in dataclasses.fields(Track):
            a, b = getattr(one, field.name), getattr(other, field.name)
            if isinstance(b, np.ndarray):
                assert a.shape == b.shape and a.dtype == np.float32
                assert np.abs(a - b).max() <= apart
            elif isinstance(b, Kept):
                assert np.array_equal(a.first, b.first) and np.array_equal(a.stages, b.stages)
                assert a.stages.dtype == bool and a.rate == b.rate
            else:
                assert a == b, field.name


def away(poses):
    return rigid.away(rigid.fitted(poses), poses)


@pytest.mark.parametrize(("suffix", "apart"), [(".npz", 0), (".json", 0.0051), (".JSON", 0.0051)])
def test_what_is_written_reads_back(tmp_path, suffix, apart):
    tracks = [track(), track('a "b", #c %d \u00e9', frames=30, kept=None)]
    path = tmp_path / f"poses{suffix}"
    assert files.write(path, tracks) == ""
    found = files.read(path)
    same(found, tracks, apart)
    files.write(path, found)  # in its own place
    same(files.read(path), found)


@pytest.mark.parametrize("suffix", files.READ)
def test_what_not_all_tracks_have(tmp_path, suffix):
    tracks = [track(), track("other", truth=None, size=None, keypoints=None, kept=None, told={})]
    files.write(tmp_path / f"poses{suffix}", tracks)
    first, second = files.read(tmp_path / f"poses{suffix}")
    assert second.truth is second.keypoints is second.size is second.kept is None
    assert (first.truth is None) == (suffix == ".npz")
    files.write(tmp_path / f"nominal{suffix}", [track(size=None)])  # keypoints in px of no image
    assert files.read(tmp_path / f"nominal{suffix}")[0].keypoints is None
    assert (first.told, second.told) == (tracks[0].told, {})


def test_an_npz_has_the_arrays_that_it_always_had(tmp_path):
    files.write(tmp_path / "poses.npz", [track(), track("b", frames=30)])
    with np.load(tmp_path / "poses.npz") as held:
        assert held["poses"].shape == held["truth"].shape == held["keypoints"].shape == (70, 17, 3)
        assert held["frame"].tolist() == [*range(3, 43), *range(3, 33)]
        assert held["view"].tolist() == [0] * 40 + [1] * 30
        assert held["clip"].tolist() == ["walk", "b"] and held["camera"].tolist() == [2, 2]
        told = json.loads(str(held["conditions"]))
        assert told.pop("tracks") == [{"of": "walk"}, {"of": "b"}]
        assert told["combination"].startswith("mixste.tiny-81")
        assert held["rate"].tolist() == [25, 25] and held["size"].shape == (2, 2)
        assert held["kept"].shape == (2, 4, 27) and held["window_view"].tolist() == [0, 0, 1, 1]
        assert "mm" in str(held["about"]) and "y down" in str(held["about"])


def test_names_that_no_text_can_hold(tmp_path):
    odd = track("\ud800 \x1b[31m\n'\"", told={"of": "\udcff"})
    for suffix in SUFFIXES:
        files.write(tmp_path / f"poses{suffix}", [odd])
    assert [files.read(tmp_path / f"poses{s}")[0].told for s in files.READ] == [{"of": "?"}] * 2
    for suffix in (".csv", ".trc", ".bvh"):
        assert "\x1b" not in (tmp_path / f"poses{suffix}").read_text("utf-8")


def test_csv(tmp_path):
    one, two = track('a "b", #c %d'), track("two", frames=30, rate=50.0)
    files.write(tmp_path / "poses.csv", [one, two])
    table = pd.read_csv(tmp_path / "poses.csv", comment="#")
    assert list(table.columns[:6]) == ["track", "frame", "seconds", "Hip_x", "Hip_y", "Hip_z"]
    assert table.groupby("track", sort=False).size().to_dict() == {'a "b", #c %d': 40, "two": 30}
    numbers = table.iloc[:, 3:].to_numpy().reshape(-1, 17, 3)
    assert np.abs(numbers - np.concatenate([one.poses, two.poses])).max() < 0.0051
    assert table.seconds.iloc[[0, 1, -1]].tolist() == [0.12, 0.16, 0.64]
    head = [
        line[2:] for line in (tmp_path / "poses.csv").read_text().split("\n") if line[:1] == "#"
    ]
    assert {"units: mm", "relative to: joint 0 (Hip)", "rate of two: 50 Hz"} <= set(head)
    assert "combination: mixste.tiny-81+tpc@b=1,r=9" in head and "of of two: two" in head
    assert "axes: of the camera: x right, y down, z forward" in head


def test_trc_is_what_opensim_reads(tmp_path):
    one = track()
    files.write(tmp_path / "poses.trc", [one])
    lines = (tmp_path / "poses.trc").read_text().split("\n")
    kind, number, axes, words = lines[0].split("\t")
    assert (kind, number, axes) == ("PathFileType", "4", "(X/Y/Z)")
    assert "y up" in words and "relative to joint 0 (Hip)" in words
    told = dict(zip(lines[1].split("\t"), lines[2].split("\t"), strict=True))
    assert told == {
        **{"DataRate": "25", "CameraRate": "25", "NumFrames": "40", "NumMarkers": "17"},
        **{"Units": "mm", "OrigDataRate": "25", "OrigDataStartFrame": "4", "OrigNumFrames": "40"},
    }
    assert [name for name in lines[3].split("\t") if name] == ["Frame#", "Time", *JOINTS]
    assert lines[4].split("\t")[:6] == ["", "", "X1", "Y1", "Z1", "X2"] and lines[5] == ""
    assert len({len(line.split("\t")) for line in [*lines[3:5], *lines[6:-1]]}) == 1
    rows = np.array([line.split("\t") for line in lines[6:-1]], float)
    assert rows[:2, :2].tolist() == [[4, 0.12], [5, 0.16]]
    assert np.abs(rows[:, 2:].reshape(-1, 17, 3) - one.poses * UP).max() < 0.00051


def placed(path):
    """Where the 17 joints of a BVH file are, by the reader of motion: (N, 17, 3)."""
    recording = motion_bvh.parse(path)
    world = motion_bvh.positions(recording)
    return world[:, [recording.names.index(joint) for joint in JOINTS]]


@pytest.mark.parametrize(
    "poses",
    [
        walking(),
        walking(noise=30),
        np.random.default_rng(2).normal(0, 400, (50, 17, 3)),
        np.zeros((2, 17, 3)),
        np.repeat(np.linspace(0, 900, 17)[None, :, None], 3, axis=0) * np.array([0, 1, 0]),
    ],
    ids=["walk", "noisy", "random", "a point", "a line"],
)
def test_bvh_is_the_constant_skeleton(tmp_path, poses):
    poses = poses - poses[:, :1]
    said = files.write(tmp_path / "poses.bvh", [Track("a", 30.0, poses.astype(np.float32))])
    assert f"{away(poses):.1f} mm" in said
    world, expected = placed(tmp_path / "poses.bvh"), rigid.rigid(poses) * UP
    assert np.abs(world - world[:, :1] - expected).max() < 0.1
    assert np.ptp(world[:, 0], axis=0).max() == 0
    assert np.median(world[:, [3, 6], 1].min(axis=1)) == pytest.approx(80, abs=0.1)
    lengths = np.linalg.norm(np.diff(expected[:, [0, 1, 2, 3]], axis=1), axis=-1)
    assert np.ptp(lengths, axis=0).max() < 1e-6
    lifted = np.linalg.norm(poses - poses[:, list(PARENTS)], axis=-1).mean(axis=0)
    assert np.linalg.norm(rigid.fitted(poses).offsets, axis=-1)[1:] == pytest.approx(lifted[1:])


def test_bones_that_are_constant_already_stay_where_they_are():
    still = rigid.rigid(walking(noise=20))
    assert away(still) < 0.01
    assert away(walking()) < 5  # drawn people bend a little in pelvis and chest


def test_the_rest_pose_stands_with_its_arms_out():
    offsets = dict(zip(JOINTS, rigid.fitted(walking()).offsets, strict=True))
    for joint, axis, sign in [
        *(("LKnee", 1, -1), ("RAnkle", 1, -1), ("LWrist", 0, 1), ("RElbow", 0, -1)),
        *(("LHip", 0, 1), ("RHip", 0, -1), ("Spine", 1, 1), ("Thorax", 1, 1), ("Neck", 1, 1)),
    ]:
        largest = np.abs(offsets[joint]).argmax()
        assert (largest, np.sign(offsets[joint][largest])) == (axis, sign), joint


def test_angles_go_on_without_leaps(tmp_path):
    angle = np.radians(np.arange(0, 800, 8.0))
    cosine, sine, zero = np.cos(angle), np.sin(angle), np.zeros_like(angle)
    spin = np.stack([cosine, zero, sine, zero, zero + 1, zero, -sine, zero, cosine], axis=-1)
    poses = walking(1) @ spin.reshape(-1, 3, 3)  # twice about the upright axis
    files.write(tmp_path / "poses.bvh", [Track("a", 30.0, poses.astype(np.float32))])
    values = motion_bvh.parse(tmp_path / "poses.bvh").values
    assert np.abs(np.diff(values, axis=0)).max() < 20
    assert np.ptp(values[:, 5]) == pytest.approx(792, abs=1)


def test_the_shortest_turn_is_the_shortest():
    rng = np.random.default_rng(0)
    start, end = rng.normal(0, 1, (2, 200, 3))
    end[:20] = -start[:20]
    end[20:40] = -start[20:40] + rng.normal(0, 1e-8, (20, 3))
    end[40:60] = start[40:60]
    turn = rigid.shortest(start, end)
    assert np.abs((turn @ start[..., None])[..., 0] / np.linalg.norm(start, axis=-1)[:, None]
                  - end / np.linalg.norm(end, axis=-1)[:, None]).max() < 1e-7  # fmt: skip
    assert np.abs(turn @ turn.transpose(0, 2, 1) - np.eye(3)).max() < 1e-9
    unit = (
        start / np.linalg.norm(start, axis=-1)[:, None],
        end / np.linalg.norm(end, axis=-1)[:, None],
    )
    cosine = (np.trace(turn, axis1=1, axis2=2) - 1) / 2
    assert np.abs(cosine - (unit[0] * unit[1]).sum(axis=-1)).max() < 1e-7


def test_our_own_bvh_is_motion_that_we_read(tmp_path):
    poses = walking(200)
    files.write(tmp_path / "poses.bvh", [Track("a", 50.0, poses)])
    (clip,) = open_data(f"bvh:{tmp_path / 'poses.bvh'}").clips
    x, y, z = (rigid.rigid(poses) * UP).transpose(2, 0, 1)
    upright = np.stack([x, -z, y], axis=-1)
    assert np.abs(clip.positions - clip.positions[:, :1] - upright).max() < 0.1


@pytest.mark.parametrize("suffix", [".trc", ".bvh"])
def test_one_track_alone(tmp_path, suffix):
    path = tmp_path / f"poses{suffix}"
    for act in (lambda: files.check(path, 2), lambda: files.write(path, [track(), track("b")])):
        with pytest.raises(BenchError, match=r"2 tracks.*\.npz, \.json or \.csv"):
            act()
    assert not any(tmp_path.iterdir())


def test_paths_that_name_no_format(tmp_path):
    for name in ("poses", "poses.c3d", ".npz"):
        with pytest.raises(BenchError, match=r"\.npz, \.json, \.csv, \.trc, \.bvh"):
            files.check(tmp_path / name, 1)
    with pytest.raises(BenchError, match="no poses to write"):
        files.check(tmp_path / "poses.npz", 0)
    (tmp_path / "file").touch()
    with pytest.raises(BenchError, match="cannot write"):
        files.check(tmp_path / "file" / "poses.npz", 1)
    for suffix in (".csv", ".trc", ".bvh"):
        with pytest.raises(BenchError, match=r"view reads \.npz and \.json"):
            files.read(tmp_path / f"poses{suffix}")
    for suffix in files.READ:
        with pytest.raises(BenchError, match="No such file"):
            files.read(tmp_path / f"gone{suffix}")


FOREIGN = {
    ".npz": archive({"poses": npy(np.zeros((1, 17, 3))), "rate": npy(np.array(50.0))}),
    ".json": b'{"format": "other", "tracks": []}',
    ".csv": b"track,frame\n",
    ".trc": b"PathFileType\t4\t(X/Y/Z)\twalk.trc\n",
    ".bvh": b"HIERARCHY\nROOT Hip\n{\n\tOFFSET 0.0000 0.0000 0.0000\n}\nMOTION\n",
}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_only_poses_of_ours_are_replaced(tmp_path, suffix):
    path = tmp_path / f"poses{suffix}"
    for content in (FOREIGN[suffix], b"", b"\xff\xfe\x00"):
        path.write_bytes(content)
        with pytest.raises(BenchError, match="is there and holds no lifted poses; choose another"):
            files.check(path, 1)
        with pytest.raises(BenchError, match="choose another --out"):
            files.write(path, [track()])
        assert path.read_bytes() == content
    path.unlink()
    files.write(path, [track()])
    before = path.read_bytes()
    files.write(path, [track(frames=39)])
    assert path.read_bytes() != before
    (tmp_path / f"link{suffix}").symlink_to(path)
    (tmp_path / f"folder{suffix}").mkdir()
    os.mkfifo(tmp_path / f"pipe{suffix}")
    for name in ("link", "folder", "pipe"):
        with pytest.raises(BenchError, match="is there and holds no lifted poses"):
            files.check(tmp_path / f"{name}{suffix}", 1)
    assert not [one for one in tmp_path.iterdir() if one.name.startswith(".")]


def test_nothing_is_left_of_what_fails(tmp_path):
    spoiled = track()
    spoiled.poses[3, 4, 1] = np.nan
    for suffix in SUFFIXES:
        with pytest.raises(BenchError, match="walk has no poses, or NaN"):
            files.write(tmp_path / f"poses{suffix}", [spoiled])
    other = track(kept=Kept(np.array([0]), np.ones((1, 1, 9), bool), 50.0))
    with pytest.raises(BenchError, match="unlike stages"):
        files.write(tmp_path / "poses.npz", [track(), other])
    assert not any(tmp_path.iterdir())


MINIMAL = {"poses": walking(20), "rate": np.array(30)}


def test_a_users_poses_and_truth(tmp_path):
    path = tmp_path / "mine.npz"
    np.savez(path, **MINIMAL)
    (found,) = files.read(path)
    assert (found.name, found.rate, found.first, found.told) == ("mine", 30.0, 0, {})
    assert found.errors is None
    more = {"truth": walking(20).astype(np.float64) + 1, "size": np.array([640, 480])}
    np.savez_compressed(path, **MINIMAL, **more, keypoints=np.ones((20, 17, 3)))
    (found,) = files.read(path)
    assert found.errors == pytest.approx(np.sqrt(3), abs=1e-3)
    assert found.size == (640, 480) and found.keypoints.shape == (20, 17, 3)
    document = {"format": "htpbench poses", "units": "mm"}
    document["tracks"] = [{"rate": 30, "poses": MINIMAL["poses"].tolist()}]
    (tmp_path / "mine.json").write_text(json.dumps(document))
    assert np.array_equal(files.read(tmp_path / "mine.json")[0].poses, MINIMAL["poses"])


def old(**changes):
    """The arrays of a file written before rates were told: 2 views, the second downsampled."""
    return {
        "poses": walking(30),
        "frame": np.array([*range(20), *range(0, 20, 2)]),
        "view": np.array([0] * 20 + [1] * 10),
        "clip": np.array(["a", "b"]),
        "camera": np.array([0, 3]),
        "conditions": np.array('{"combination": "mixste.tiny-81"}'),
    } | changes


def test_files_of_before(tmp_path):
    path = tmp_path / "old.npz"
    np.savez_compressed(path, **old())
    assert npz.ours(path)
    one, two = files.read(path)
    assert (one.name, one.rate, one.camera) == ("a", 50, 0)
    assert (two.name, two.rate, two.camera) == ("b", 25, 3)
    assert one.told == two.told == {"combination": "mixste.tiny-81"}
    assert np.array_equal(np.concatenate([one.poses, two.poses]), walking(30))
    frame = old()["frame"]
    frame[10:20] += 5  # some frames were not to be scored
    np.savez_compressed(path, **old(frame=frame))
    assert [(one.name, one.first, len(one.poses)) for one in files.read(path)] == [
        *(("a", 0, 10), ("a", 15, 10), ("b", 0, 10))
    ]
    files.write(path, [track()])  # ours, so it may go


def test_deep_bends_do_not_make_other_angles_leap():
    views, largest = Synthetic().views("test", "gt"), []
    for start, stop in zip(views.start, views.stop, strict=True):
        angles = bvh.degrees(rigid.fitted(views.poses3d[start:stop]).local)
        largest.append(np.abs(np.diff(angles, axis=0)).max())
    assert max(largest) < 90  # of true turns within 1/50 s; angles that leap go to 180
