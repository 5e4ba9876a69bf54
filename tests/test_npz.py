"""Motion in npz files: what is read, and what is refused."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest
from paths import REAL_MOTION, needs_real_motion

from htpbench.datasets import npz, open_data
from htpbench.datasets.synthetic import Synthetic
from htpbench.errors import BenchError
from htpbench.motion.skeleton import PARENTS


def small():
    """The arrays of a tiny file of motion: 30 frames, 2 clips."""
    first, second = Synthetic().clips[:2]
    return {
        "positions": np.concatenate([first.positions[100:120], second.positions[100:110]]),
        "filled": np.zeros(30, bool),
        "clip_start": np.array([0, 20]),
        "clip_end": np.array([20, 30]),
        "clip_name": np.array(["01_01", "02_01"]),
        "clip_subject": np.array(["01", "02"]),
        "clip_action": np.array(["walk", "run"]),
        "clip_split": np.array(["train", "test"]),
        "parents": np.array(PARENTS, dtype=np.int16),
        "frame_rate": np.array(50, dtype=np.float32),
    }


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("positions", lambda arrays: arrays["positions"] / 1000, "millimetres"),
        ("clip_start", lambda arrays: np.array([0, 10]), "share frames"),
        ("clip_subject", lambda arrays: np.array(["01", "01"]), "train and test"),
    ],
)
def test_what_would_falsify_an_error_is_refused(tmp_path, key, value, said):
    arrays = small()
    np.savez_compressed(tmp_path / "tiny.npz", **(arrays | {key: value(arrays)}))
    with pytest.raises(BenchError, match=said):
        open_data(str(tmp_path / "tiny.npz"))


def test_the_fingerprint_knows_the_split(tmp_path):
    prints = set()
    for split in (["train", "test"], ["test", "train"]):
        path = tmp_path / f"{split[0]}.npz"
        np.savez_compressed(path, **(small() | {"clip_split": np.array(split)}))
        prints.add(open_data(str(path)).fingerprint)
    assert len(prints) == 2


def test_reading_a_small_file(tmp_path):
    arrays = small()
    np.savez_compressed(tmp_path / "tiny.npz", **arrays)
    motion = open_data(str(tmp_path / "tiny.npz"))
    assert motion.name == "tiny"
    (clip,) = motion.motion("test")
    assert (clip.name, clip.subject, clip.action) == ("02_01", "02", "run")
    assert np.array_equal(clip.positions, arrays["positions"][20:])
    arrays["positions"][25, 3, 1] += 1
    np.savez_compressed(tmp_path / "other.npz", **arrays)
    assert open_data(str(tmp_path / "other.npz")).fingerprint != motion.fingerprint


class Bomb:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


def broken(key, value):
    """A change that replaces one array."""
    return lambda arrays: arrays | {key: value}


def spoiled(arrays):
    arrays["positions"][3, 4, 1] = np.nan
    return arrays


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: {k: v for k, v in a.items() if k != "clip_end"}, "lacks clip_end"),
        (broken("positions", np.zeros((30, 16, 3), np.float32)), "positions is float32"),
        (broken("positions", np.zeros((30, 17, 3), np.int64)), "positions is int64"),
        (broken("clip_end", np.array([20, 31])), "frames 20:31 of 30"),
        (broken("clip_start", np.array([-1, 20])), "frames -1:20"),
        (broken("clip_end", np.array([20, 20])), "frames 20:20"),
        (broken("clip_end", np.array([20])), "clip_end is"),
        (broken("clip_split", np.array(["train", "val"])), "split 'val'"),
        (broken("clip_name", np.array(["a", "a"])), "same name"),
        (broken("parents", np.arange(17) - 1), "17 joints"),
        (broken("frame_rate", np.array(5.0)), "frame_rate is 5 Hz; expected 10 to 1000"),
        (spoiled, "NaN or infinity"),
    ],
)
def test_faulty_files_are_named_with_their_fault(tmp_path, change, message):
    path = tmp_path / "faulty.npz"
    np.savez_compressed(path, **change(small()))
    with pytest.raises(BenchError, match=message) as caught:
        open_data(str(path))
    assert str(path) in str(caught.value)


def test_a_slow_file_may_not_become_too_large(tmp_path, monkeypatch):
    path = tmp_path / "slow.npz"
    np.savez(path, **(small() | {"frame_rate": np.array(10.0)}))
    assert len(open_data(str(path)).clips) == 2
    monkeypatch.setattr(npz, "MOST_BYTES", 2**14)  # enough for the file, not for 5 times as much
    with pytest.raises(BenchError, match="30 frames at 10 Hz become too many at 50; split the"):
        open_data(str(path))


def test_pickled_objects_are_refused_and_not_run(tmp_path):
    trap = tmp_path / "created"
    for key in ("clip_name", "positions"):
        bomb = np.array([Bomb(trap), Bomb(trap)], dtype=object)
        np.savez(tmp_path / "bomb.npz", **(small() | {key: bomb}))
        with pytest.raises(BenchError, match=f"{key} is object"):
            open_data(str(tmp_path / "bomb.npz"))
        assert not trap.exists()
    with np.load(tmp_path / "bomb.npz", allow_pickle=True) as file:
        assert len(file["positions"]) == 2
    assert trap.exists()  # the trap does spring where pickles are allowed


def test_a_header_that_claims_the_world_is_not_believed(tmp_path):
    path = tmp_path / "vast.npz"
    np.savez(path, **small())
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    huge = members["positions.npy"].replace(b"(30, 17, 3)", b"(9999999999, 17, 3)")
    members["positions.npy"] = huge
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    with pytest.raises(BenchError, match="positions"):
        open_data(str(path))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_truncated_files(tmp_path, share):
    path = tmp_path / "cut.npz"
    np.savez_compressed(path, **small())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(BenchError, match="cut short"):
        open_data(str(path))


def test_a_damaged_array(tmp_path):
    path = tmp_path / "damaged.npz"
    np.savez_compressed(path, **small())
    content = bytearray(path.read_bytes())
    content[300:330] = bytes(30)
    path.write_bytes(content)
    with pytest.raises(BenchError, match=r"damaged\.npz"):
        open_data(str(path))


@pytest.mark.parametrize("spec", ["synthetik", "walk.bvh", "missing.npz", ""])
def test_unknown_motion_says_what_is_accepted(spec):
    with pytest.raises(BenchError, match='expected "synthetic" or the path of'):
        open_data(spec)


@needs_real_motion
def test_cmu17_as_its_readme_describes_it():
    motion = open_data(str(REAL_MOTION))
    frames = {s: sum(len(c.positions) for c in motion.motion(s)) for s in ("train", "test")}
    assert (len(motion.clips), frames) == (305, {"train": 144801, "test": 24213})
    assert {c.subject for c in motion.motion("test")} == {"02", "10", "11", "13", "49", "91"}
