"""MPI-INF-3DHP: its two files, which truth they hold, and what is refused."""

from __future__ import annotations

import io
import json
from functools import cache

import numpy as np
import pytest
import torch
from hypothesis import given
from paths import SHARED, needs_shared
from test_fuzz import archive, damage, damaged, fuzz, outcome

from htpbench import metrics
from htpbench.datasets import open_data
from htpbench.datasets.mpi3dhp import pinhole
from htpbench.datasets.mpi3dhp.sequences import ORDER
from htpbench.datasets.synthetic import Synthetic
from htpbench.datasets.threedhp import Threedhp
from htpbench.errors import BenchError
from htpbench.testing import DatasetContract

FOLDER = SHARED / "formats" / "3dhp"


def expected():
    return json.loads((SHARED / "formats" / "expected.json").read_text())["3dhp"]


@cache
def people():
    return Synthetic().clips


def camera(frames=12, scale=1.0, clip=0):
    """A person 4 m away in the order of the file, and bodies scaled about the root."""
    world = people()[clip].positions[100 : 100 + frames].astype(float)
    world[..., :2] -= world[:, :1, :2].mean(axis=0)
    poses = world[..., [0, 2, 1]] * [1, -1, 1] + [100, 900, 4000]
    seen = poses[..., :2] / poses[..., 2:] * 1500 + [1000, 1030]
    scaled = poses[:, :1] + scale * (poses - poses[:, :1])
    held = {"data_2d": np.empty_like(seen), "data_3d": np.empty_like(poses)}
    held["data_2d"][:, ORDER], held["data_3d"][:, ORDER] = seen, scaled
    return held


def train(scale=1.0):
    return {
        "S1 Seq1": [{"0": camera(scale=scale), "4": camera(scale=scale)}, 25],
        "S3 Seq2": [{"8": camera(9, scale, 1)}, 50],
    }


def test_split(scale=1.0):
    return {name: camera(scale=scale) | {"valid": np.ones(12)} for name in ("TS1", "TS5")}


test_split.__test__ = False


def member(data):
    stream = io.BytesIO()
    np.save(stream, np.array(data, dtype=object))
    return stream.getvalue()


def written(path, data, key="data"):
    path.write_bytes(archive({key: member(data)}))
    return path


@needs_shared
def test_frames_are_where_they_are():
    data, said = open_data(f"3dhp:{FOLDER}"), expected()
    assert said["TO_3DHP"] == ORDER and data.splits == ("train", "test")
    assert data.card["truth"] == "univ_annot3" and "25 and 50 Hz" in data.card["rate"]
    views = {split: data.views(split) for split in data.splits}
    at = {
        (split, shot.take.name, shot.lens): start
        for split in data.splits
        for shot, start in zip(data.shots(split), views[split].start, strict=True)
    }
    for frame in said["frames"]:
        split, name = frame["split"], frame["sequence"]
        row, view = at[split, name, frame["camera"] or name] + frame["frame"], views[split]
        assert np.allclose(view.root[row], frame["root"], atol=0.01)
        assert np.allclose(view.poses3d[row], frame["relative"], atol=0.01)
        assert np.allclose(view.poses2d[row, :, :2], frame["screen"], atol=1e-6)
        assert (view.poses2d[row, :, 2] == 1).all()
    for (split, name, lens), first in at.items():
        one, view = said[split][f"{name}/{lens}" if split == "train" else name], views[split]
        number = view.start.tolist().index(first)
        last = view.stop[number]
        assert last - first == one["frames"]
        assert view.rates[number] == one.get("fps", 50)
        assert view.valid[first:last].sum() == one.get("valid", one["frames"])
        assert view.widths[number] == one.get("size", [2048])[0]
    assert data.card["valid"] == "82 of 132 frames"


@needs_shared
def test_errors_of_a_truth_that_is_too_large():
    views = open_data(f"3dhp:{FOLDER / 'data_test_3dhp.npz'}").views("test")
    for number, (name, said) in enumerate(expected()["test"].items()):
        rows = np.arange(views.start[number], views.stop[number])
        truth = torch.from_numpy(views.poses3d[rows[views.valid[rows]]].astype(np.float64))
        found = {
            "mpjpe_17": metrics.mpjpe(1.4 * truth, truth).mean(),
            "pck_150": metrics.pck(1.4 * truth, truth).mean(),
            "auc": metrics.auc(1.4 * truth, truth).mean(),
        }
        for key, value in said["of_truth_times_1.4"].items():
            assert np.isclose(found[key], value, atol=1e-3), (name, key)


@needs_shared
def test_the_two_truths_are_told_apart():
    said = {"data_test_3dhp_ori": "annot3", "data_test_3dhp": "univ_annot3"}
    for name, truth in said.items():
        assert open_data(f"3dhp:{FOLDER / name}.npz").card["truth"] == truth
    shots = list(open_data(f"3dhp:{FOLDER / 'data_test_3dhp.npz'}").shots("test"))
    scales = [pinhole.fit(shot.poses3d, shot.poses2d) for shot in shots]
    assert np.allclose(
        [scale for scale, _ in scales], 1 / np.array([1.06, 0.955, 1.008]), atol=2e-4
    )
    assert max(rms for _, rms in scales) < 0.1


def test_the_fit_finds_scales_and_noise():
    held = camera(40, 0.9)
    truth, seen = held["data_3d"][:, ORDER], held["data_2d"][:, ORDER]
    scale, rms = pinhole.fit(truth, seen)
    assert abs(scale - 1 / 0.9) < 2e-4 and rms < 0.05
    rng = np.random.default_rng(0)
    noisy = camera(40)
    truth, seen = noisy["data_3d"][:, ORDER], noisy["data_2d"][:, ORDER]
    scale, rms = pinhole.fit(truth, seen + rng.normal(0, 2, seen.shape))
    assert abs(scale - 1) < 0.02 and 1.9 < rms < 2.1
    assert pinhole.truth(truth, seen) == "annot3"
    assert pinhole.truth(truth, seen + rng.normal(0, 2, seen.shape)) == "univ_annot3"
    seen[3], truth[5, 2] = np.nan, 1e300  # frames like these do not count
    assert pinhole.truth(truth, seen) == "annot3"
    assert np.isnan(pinhole.fit(-truth, seen)[0]) and pinhole.fit(truth[:0], seen[:0])[1] == np.inf


@pytest.mark.parametrize(
    ("one", "two", "said"),
    [
        (1.0, 1.0, "annot3"),
        (1.05, 0.95, "univ_annot3"),
        (1.05, 1.0, "mixed: train univ_annot3, test annot3"),
    ],
)
def test_a_folder_of_both_files(tmp_path, one, two, said):
    written(tmp_path / "data_train_3dhp_ori.npz", train(one))
    written(tmp_path / "data_test_3dhp_ori.npz", test_split(two))
    data = open_data(f"3dhp:{tmp_path}")
    assert data.splits == ("train", "test") and data.card["truth"] == said
    takes = [(take.name, take.subject, take.action) for take in data.takes("train")]
    assert takes == [("S1 Seq1", "S1", "Seq1"), ("S3 Seq2", "S3", "Seq2")]
    assert [take.action for take in data.takes("test")] == ["TS1", "TS5"]
    assert [shot.lens for shot in data.shots("train")] == ["0", "4", "8"]
    assert [shot.size for shot in data.shots("test")] == [(2048, 2048), (1920, 1080)]
    assert data.views("train", cameras="rotate").rates.tolist() == [25, 50]
    written(tmp_path / "data_test_3dhp.npz", test_split(two))  # P-STMO's, if there is one of it
    assert open_data(f"3dhp:{tmp_path}").splits == ("test",)


def test_one_sequence_may_fit_both_truths(tmp_path):
    data = test_split(1.05) | {"TS2": test_split()["TS1"]}
    found = open_data(f"3dhp:{written(tmp_path / 'any.npz', data)}")
    assert found.card["truth"] == "univ_annot3 in 2 of 3 sequences"


def test_frames_that_do_not_count_may_hold_anything(tmp_path):
    data = test_split()
    data["TS1"]["valid"] = np.arange(12)[:, None] % 2
    data["TS1"]["data_3d"][::2], data["TS1"]["data_2d"][4, 3] = np.nan, 1e300
    found = open_data(f"3dhp:{written(tmp_path / 'any.npz', data)}")
    views = found.views("test")
    assert found.card["valid"] == "18 of 24 frames" and found.card["truth"] == "annot3"
    assert views.valid[:4].tolist() == [False, True, False, True]
    assert np.isfinite(views.poses3d).all() and np.isfinite(found.mean_pose("test")).all()
    data["TS1"]["data_3d"][1] = np.inf
    with pytest.raises(BenchError, match=r"TS1, camera TS1: 3D holds NaN or infinity.* first is 1"):
        open_data(f"3dhp:{written(tmp_path / 'any.npz', data)}").views("test")


class TestSmall(DatasetContract):
    @pytest.fixture
    def data(self, tmp_path):
        written(tmp_path / "data_train_3dhp.npz", train())
        written(tmp_path / "data_test_3dhp.npz", test_split())
        return open_data(f"3dhp:{tmp_path}")


@needs_shared
class TestShared(DatasetContract):
    spec = f"3dhp:{FOLDER}"


def changed(**changes):
    data = test_split()
    data["TS5"] |= changes
    return data


def lacking():
    data = test_split()
    data["TS5"]["valid_frame"] = data["TS5"].pop("valid")
    return data


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({}, "data holds dict; expected sequences such as 'S1 Seq1', or such as 'TS1'"),
        ({"TS1": 1, "S1 Seq1": 2}, "data holds TS1, S1 Seq1; expected sequences"),
        ({"S1 Seq1": [{"0": camera()}]}, r"'S1 Seq1' is not \[{'0': arrays of a camera"),
        ({"S1 Seq1": [{"0": camera()}, 0]}, "'S1 Seq1' is not"),
        ({"S1 Seq1": [{"a": camera()}, 25]}, "'S1 Seq1' is not"),
        ({"S1 Seq1": [{"0": {"annot3": 1}}, 25]}, "S1 Seq1, camera 0 lacks data_2d, data_3d; f"),
        (lacking(), "TS5 lacks valid; found data_2d, data_3d, valid_frame"),
        (changed(valid=np.ones(11)), "TS5 has 12 frames of 2D, 12 of 3D and 11 of valid"),
        (changed(valid=np.full(12, 2)), "TS5: valid is not 0 or 1"),
        (changed(valid=[1] * 11 + ["1"]), "TS5: valid is not 0 or 1"),
        (changed(valid=None), "TS5: valid is not 0 or 1"),
        (changed(data_2d=np.zeros((12, 16, 2))), r"TS5: data_2d is float64 \(12, 16, 2\)"),
        (changed(data_3d=["a"]), "TS5: data_3d is no array; expected numbers"),
        (changed(data_3d=[np.zeros((17, 3)), np.zeros((17, 2))]), "TS5: data_3d is no array"),
    ],
    ids=range(14),
)
def test_what_is_wrong_is_told(tmp_path, data, said):
    path = written(tmp_path / "wrong.npz", data)
    with pytest.raises(BenchError, match=said) as refused:
        open_data(f"3dhp:{path}")
    assert str(refused.value).startswith(f"{path}: ")


def test_files_that_are_none_of_the_two(tmp_path):
    for name, content in (("annot_data.mat", b"\x89HDF\r\n\x1a\n"), ("annot.mat", b"MATLAB 5.0 M")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BenchError, match=f"{name}: is a file of MATLAB, as MPI-INF-3DHP is"):
            open_data(f"3dhp:{tmp_path / name}")
    with pytest.raises(BenchError, match=r"found annot.mat, annot_data.mat; .* must be converted"):
        open_data(f"3dhp:{tmp_path}")
    path = written(tmp_path / "other.npz", test_split(), key="test")
    with pytest.raises(BenchError, match="lacks the member data and holds test; expected data_"):
        open_data(f"3dhp:{path}")
    written(tmp_path / "data_train_3dhp.npz", test_split())
    written(tmp_path / "data_test_3dhp.npz", test_split())
    with pytest.raises(BenchError, match=r"data_test_3dhp.npz: test is in both files"):
        open_data(f"3dhp:{tmp_path}")
    with pytest.raises(BenchError, match="gone: No such file"):
        open_data(f"3dhp:{tmp_path / 'gone'}")


def test_what_there_is_not(tmp_path):
    data = open_data(f"3dhp:{written(tmp_path / 'one.npz', test_split())}")
    with pytest.raises(BenchError, match="3dhp has no train sequences; expected data_train_3dhp"):
        data.views("train")
    with pytest.raises(BenchError, match="unknown 2D source 'cpn'; known: gt"):
        data.views("test", "cpn")


def test_arrays_may_be_lists_of_any_numbers(tmp_path):
    data = test_split()
    data["TS1"]["data_2d"] = [*data["TS1"]["data_2d"].astype("i4")]
    data["TS1"]["data_3d"] = data["TS1"]["data_3d"].astype("f4")
    data["TS1"]["valid"] = [True, 1, 1.0] * 4
    views = open_data(f"3dhp:{written(tmp_path / 'any.npz', data)}").views("test")
    usual = open_data(f"3dhp:{written(tmp_path / 'any.npz', test_split())}").views("test")
    assert np.allclose(views.poses2d, usual.poses2d, atol=1e-3) and views.valid.all()
    assert np.allclose(views.poses3d, usual.poses3d, atol=1e-3)


def sound(data):
    for split in data.splits:
        try:
            views = data.views(split)
        except BenchError:  # arrays are judged when they are cut
            continue
        assert np.isfinite(views.poses2d).all() and np.isfinite(views.poses3d).all()
    assert len(data.fingerprint) == 12


FEW = member({"S1 Seq1": [{"0": camera(1)}, 25]})


@fuzz
@given(damage)
def test_damaged_members(tmp_path_factory, changes):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    content = archive({"data": damaged(FEW, changes)})
    outcome(lambda place: Threedhp(str(place)), path, content, sound)
