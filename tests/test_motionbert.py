"""Human3.6M as MotionBERT has it: the pickle, slices of it, and what is refused."""

from __future__ import annotations

import json
import os
import pickle
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from paths import SHARED, needs_shared
from test_fuzz import damage, damaged, fuzz, outcome

from htpbench import metrics
from htpbench.datasets import open_data
from htpbench.datasets.motionbert import Motionbert
from htpbench.errors import BenchError
from htpbench.measuring.evaluation import prepare
from htpbench.motion.protocols import cut
from htpbench.testing import DatasetContract

FOLDER = SHARED / "formats" / "motionbert"
FILE = FOLDER / "h36m_sh_conf_cam_source_final.pkl"
SLICES = FOLDER / "H36M-27"
GREETING, WALKING = "s_09_act_05_subact_02", "s_09_act_14_subact_01"


def expected():
    return json.loads((SHARED / "formats" / "expected.json").read_text())["motionbert"]


def columns(*videos, scored=False):
    """A split of (source, frames) videos, which are drawn."""
    sources = [source for source, frames in videos for _ in range(frames)]
    rng = np.random.default_rng(0)
    image = rng.uniform(300, 700, (len(sources), 17, 3)).astype("f4")
    image[..., 2] -= image[:, :1, 2]
    found = {
        "joint_2d": image[..., :2] + 3,
        "confidence": np.full((len(sources), 17, 1), 0.5, "f4"),
        "joint3d_image": image,
        "camera_name": ["54138969" if source[-1] == "1" else "55011271" for source in sources],
        "source": sources,
    }
    if scored:
        factor = np.full(len(sources), 4.0)
        found |= {"action": ["Walking"] * len(sources), "2.5d_factor": factor}
        found["joints_2.5d_image"] = image * 4
    return found


def small():
    """A pickle of four training frames and seven to score, two takes by two cameras."""
    train = columns(("s_01_act_02_subact_01_ca_01", 2), ("s_01_act_02_subact_01_ca_02", 2))
    videos = [(f"{WALKING}_ca_01", 2), (f"{GREETING}_ca_01", 2), (f"{WALKING}_ca_02", 3)]
    return {"train": train, "test": columns(*videos, scored=True)}


def written(folder, content, protocol=4):
    path = folder / "small.pkl"
    path.write_bytes(pickle.dumps(content, protocol))
    return path


def changed(split="test", **changes):
    content = small()
    content[split] |= changes
    return content


def views_by_source(data, split, source=None):
    """Views, and where the rows of each source begin."""
    views = data.views(split, source)
    names = [f"{part.take.name}_{part.lens}" for part in data.parts[split]]
    return views, dict(zip(names, views.start.tolist(), strict=True))


@needs_shared
def test_what_networks_are_shown_and_asked_for():
    data, said = open_data(f"motionbert:{FILE},blocked=keep"), expected()
    assert data.splits == ("train", "test") and data.name == "motionbert"
    held = {split: views_by_source(data, split) for split in data.splits}
    exact = {split: data.views(split, "gt").poses2d for split in data.splits}
    assert {s for _, starts in held.values() for s in starts} == {*said["sources"]}
    for frame in said["frames"]:
        split = said["sources"][frame["source"]]["split"]
        views, starts = held[split]
        row, label = starts[frame["source"]] + frame["frame"], np.array(frame["label"])
        assert np.allclose(views.poses2d[row], frame["input"], atol=1e-6)
        assert np.allclose(exact[split][row, :, :2], label[:, :2], atol=1e-6)
        assert (exact[split][row, :, 2] == 1).all()
        relative = views.poses3d[row] / views.scale[row]  # what networks are to say
        assert np.allclose(relative, label - label[:1], atol=1e-5)
        if split == "test":
            assert np.isclose(views.scale[row], 500 * frame["factor"])
            assert np.allclose(views.poses3d[row], frame["relative_mm"], atol=0.01)


@needs_shared
@pytest.mark.parametrize("which", ["243/243/test", "27/27/test", "27/9/train"])
def test_windows_are_those_of_the_official_code(which):
    frames, stride, split = which.split("/")
    data = open_data(f"motionbert:{FILE},blocked=keep")
    views, starts = views_by_source(data, split)
    windows = cut(views, int(frames), "seq2seq", int(stride), "motionbert")
    names = list(starts)
    full = windows[~windows.stretched]
    found = [[names[v], int(first)] for v, first in zip(full.view, full.first, strict=True)]
    assert found == expected()["windows"][which]


@needs_shared
def test_errors_of_a_truth_that_is_too_large():
    views = open_data(f"motionbert:{FILE}").views("test")
    said = expected()
    truth = torch.from_numpy(views.poses3d)
    errors = metrics.mpjpe(1.1 * truth, truth).numpy()
    actions = np.array([take.action for take in views.clips])[views.clip]  # (V,)
    by_action = said["mpjpe_of_truth_times_1.1_unblocked"]["by_action"]
    by_row = actions[views.view_of(np.arange(len(errors)))]
    assert {*by_row} == {*by_action}
    for action, value in by_action.items():
        assert np.isclose(errors[by_row == action].mean(), value, atol=1e-3)
    mean = metrics.mean_of_action_means(torch.from_numpy(errors), by_row.tolist())
    assert np.isclose(
        mean, said["mpjpe_of_truth_times_1.1_unblocked"]["mean_of_action_means"], atol=1e-3
    )
    rows = cut(views, 27, "seq2seq", None, "motionbert").each_scored()
    for action, one in said["the_same_in_full_windows_of_27"].items():
        scored = errors[rows[by_row[rows] == action]]
        assert len(scored) == one["frames"] and np.isclose(scored.mean(), one["mpjpe"], atol=1e-3)


@needs_shared
def test_blocked_videos_are_dropped_unless_kept():
    said = expected()
    kept, dropped = (open_data(f"motionbert:{FILE}{how}") for how in (",blocked=keep", ""))
    names = {take.name for take in kept.takes("test")} - {t.name for t in dropped.takes("test")}
    assert names == {s[:-6] for s, one in said["sources"].items() if one["blocked"]}
    assert names <= {*said["blocked"]} and kept.fingerprint != dropped.fingerprint
    assert kept.card["blocked"] == "keep" and kept.card["actions"] == "4 of 15"
    assert "never beside errors in camera space" in dropped.card["truth"]
    with pytest.raises(BenchError, match=r"unknown choice of blocked 'dropp'; did you mean drop?"):
        open_data(f"motionbert:{FILE},blocked=dropp")


@needs_shared
def test_slices_are_what_they_were_cut_from():
    slices, whole = (open_data(f"motionbert:{path}") for path in (SLICES, FILE))
    said = expected()
    views, cut_of = slices.views("train"), whole.views("train")
    assert slices.card["slices"] == f"{said['slices']['train']} of 27 frames"
    windows = cut(cut_of, 27, "seq2seq", 9, "motionbert")[:3]
    assert np.allclose(views.poses2d, cut_of.poses2d[windows.index.ravel()], atol=1e-6)
    truth = cut_of.poses3d / cut_of.scale[:, None, None]
    assert np.allclose(views.poses3d, truth[windows.index.ravel()], atol=1e-6)
    assert (views.scale == 1).all() and views.unit == "2.5D" and len(views.clips) == 3
    exact = whole.views("train", "gt").poses2d
    assert np.allclose(slices.views("train", "gt").poses2d, exact[windows.index.ravel()], atol=1e-6)
    with pytest.raises(BenchError, match=r"scoring needs h36m_sh_conf_cam_source_final.pkl"):
        slices.takes("test")


class TestSmall(DatasetContract):
    @pytest.fixture
    def data(self, tmp_path):
        content = small()
        legs = np.zeros((7, 17, 3), "f4")  # of 800 mm, one beside the other
        legs[:, [2, 5], 1], legs[:, [3, 6], 1] = 400, 800
        content["test"]["joints_2.5d_image"] = legs + 2000
        return open_data(f"motionbert:{written(tmp_path, content)}")


@needs_shared
class TestPickle(DatasetContract):
    spec = f"motionbert:{FILE}"


@needs_shared
class TestSlices(DatasetContract):
    spec = f"motionbert:{SLICES}"


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_takes_of_a_small_file(tmp_path, protocol):
    data = open_data(f"motionbert:{written(tmp_path, small(), protocol)},blocked=keep")
    takes = {take.name: take for take in data.takes("test")}
    assert list(takes) == [GREETING, WALKING]  # by their last videos
    take = takes[WALKING]
    assert (take.subject, take.action, take.trial, take.split) == ("S9", "Walking", "1", "test")
    shots = list(data.shots("test"))
    assert [shot.lens for shot in shots] == ["ca_01", "ca_01", "ca_02"]
    assert [shot.size for shot in shots] == [(1000, 1002), (1000, 1002), (1000, 1000)]
    assert [len(shot.poses3d) for shot in shots] == [2, 2, 3]
    assert np.array_equal(shots[1].image, small()["test"]["joint3d_image"][:2, :, :2])
    assert [take.action for take in data.takes("train")] == ["Directions"]
    turned = data.views("test", cameras="rotate")
    assert (turned.stop - turned.start).tolist() == [2, 3]
    assert data.mean_pose("train") is None
    assert np.allclose(data.mean_pose("test"), data.views("test").poses3d.mean(axis=0))
    assert prepare(data, 3, "seq2seq", protocol="motionbert", unit="2.5D").mean_pose is not None


def test_arrays_lists_and_texts_of_any_kind(tmp_path):
    content = small()
    usual = open_data(f"motionbert:{written(tmp_path, content)}").views("test")
    test = content["test"]
    test |= {key: np.array(test[key]) for key in ("source", "camera_name")}
    test |= {"action": np.full(7, 14), "confidence": test["confidence"][..., 0], "more": None}
    test["joint_2d"] = [*test["joint_2d"].astype("f8")]
    test["2.5d_factor"] = test["2.5d_factor"].tolist()
    found = open_data(f"motionbert:{written(tmp_path, content)}").views("test")
    assert np.array_equal(found.poses2d, usual.poses2d) and found.clips[0].action == "Walking"
    assert np.array_equal(found.scale, usual.scale)
    test["source"] = [text.encode() for text in test["source"].tolist()]
    test["action"] = [b"WalkingDog"] * 7
    test["camera_name"] = test["camera_name"].astype(int).tolist()
    del test["confidence"]
    found = open_data(f"motionbert:{written(tmp_path, content)}").views("test")
    assert np.array_equal(found.poses2d[..., :2], usual.poses2d[..., :2])
    assert (found.poses2d[..., 2] == 1).all() and found.clips[0].action == "WalkDog"


def test_a_file_may_have_one_split(tmp_path):
    data = open_data(f"motionbert:{written(tmp_path, {'test': small()['test']})}")
    assert data.splits == ("test",)
    with pytest.raises(BenchError, match="motionbert has no train videos"):
        data.views("train")
    with pytest.raises(BenchError, match="unknown 2D source 'cpn'; known: gt, sh"):
        data.views("test", "cpn")


def without(key):
    content = small()
    del content["test"][key]
    return content


NAN = np.full(7, np.nan)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ([], "found list; expected train and test"),
        ({"a": 1}, "found a; expected train and test"),
        ({"test": []}, "test lacks joint_2d, .*; found nothing"),
        (without("2.5d_factor"), "test lacks 2.5d_factor; found joint_2d, confidence"),
        (changed(joint_2d=np.zeros((6, 17, 2))), "lengths joint_2d 6, joint3d_image 7"),
        (changed(action="Walking"), "action None"),
        (changed(joint_2d=np.zeros((7, 16, 2))), r"joint_2d holds no numbers of shape \(2, 17, 2"),
        (changed(joint_2d=["x"] * 7), "joint_2d holds no numbers"),
        (changed(joint_2d=[10**400] * 7), "joint_2d holds no numbers"),
        (changed(joint_2d=np.full((7, 17, 2), np.nan)), "ca_01: 2D holds NaN"),
        (changed(**{"2.5d_factor": NAN}), "ca_01: 2.5d_factor is not above 0"),
        (changed(**{"2.5d_factor": np.ones(7), "joints_2.5d_image": NAN}), "joints_2.5d_image"),
        (changed(source=["walk"] * 7), "test has the source 'walk'; expected such as 's_09"),
        (changed(source=[None] * 7), "source holds what is no text"),
        (changed(source=np.zeros((7, 2))), r"source has the shape \(7, 2\)"),
        (changed(source=np.zeros(7)), "found a float; expected the name of a source"),
        (changed(action=[17] * 7), "action 17; expected a name or a number from 2 to 16"),
        (changed(action=[10**5000] * 7), "found a int; expected the name"),
        (changed(action=["a\nb"] * 7), r"found 'a\\nb'"),
        (changed("train", source=[f"{WALKING}_ca_01"] * 4), "subject 'S9' is in train and test"),
        ({"test": columns((f"{GREETING}_ca_01", 2), scored=True)}, "all videos are blocked ones"),
    ],
    ids=range(21),
)
def test_what_is_wrong_is_told(tmp_path, content, said):
    path = written(tmp_path, content)
    with pytest.raises(BenchError, match=said) as refused:
        open_data(f"motionbert:{path}").views("test")
    assert len(str(refused.value)) < 1000


def sliced(folder, **members):
    (folder / "train").mkdir(exist_ok=True)
    for name, (seen, label) in members.items():
        content = {"data_input": seen, "data_label": label}
        (folder / "train" / f"{name}.pkl").write_bytes(pickle.dumps(content))
    return folder


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ({}, "there are no slices train/00000000.pkl and so on; found train"),
        ({"0": (np.zeros((9, 17, 3)), np.zeros((8, 17, 3)))}, "9 frames of input and 8 of label"),
        ({"0": (np.zeros((9, 17, 2)), np.zeros((9, 17, 3)))}, r"data_input is \(9, 17, 2\)"),
        ({"0": (np.zeros((9, 17, 3)), None)}, "data_label is NoneType"),
        ({"0": (np.zeros((9, 17, 3)), np.full((9, 17, 3), "a"))}, "data_label is <U1; expected"),
        ({name: (np.zeros((n, 17, 3)),) * 2 for name, n in (("0", 9), ("1", 8))}, "8 frames; exp"),
    ],
    ids=range(6),
)
def test_what_are_no_slices(tmp_path, members, said):
    folder = sliced(tmp_path, **members)
    with pytest.raises(BenchError, match=said) as refused:
        open_data(f"motionbert:{folder}").views("train")
    assert str(folder) in str(refused.value)


def test_slices_of_other_things(tmp_path):
    (sliced(tmp_path) / "train" / "0.pkl").write_bytes(pickle.dumps({"a": 1}))
    with pytest.raises(BenchError, match=r"0.pkl: found a; expected data_input and data_label"):
        open_data(f"motionbert:{tmp_path}")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("pickles")
    before = os.getcwd()
    os.chdir(path)  # where traps would leave something
    yield path
    os.chdir(before)


@needs_shared
@pytest.mark.parametrize("name", ["claims", "codec", "exec", "laughs", "prefix"])
def test_hostile_pickles_are_refused(folder, name):
    path = SHARED / "formats" / "hostile" / f"{name}.pkl"
    (folder / name / "train").mkdir(parents=True)
    (folder / name / "train" / "0.pkl").write_bytes(path.read_bytes())
    for place, named in ((path, path), (folder / name, folder / name / "train" / "0.pkl")):
        tracemalloc.start()
        with pytest.raises(BenchError) as refused:
            open_data(f"motionbert:{place}")
        assert tracemalloc.get_traced_memory()[1] < 200e6
        tracemalloc.stop()
        assert str(refused.value).startswith(f"{named}: ")
    assert not [*folder.rglob("EXECUTED*"), *Path(path.parent).glob("EXECUTED*")]


def sound(data):
    for split in data.splits:
        try:
            views = data.views(split)
        except BenchError:  # arrays are judged when they are cut
            continue
        assert np.isfinite(views.poses2d).all() and np.isfinite(views.poses3d).all()
        assert len(views.poses2d) == len(views.poses3d) == len(views.scale) > 0
    assert len(data.fingerprint) == 12


PICKLES = {protocol: pickle.dumps(small(), protocol) for protocol in (2, 4)}


@fuzz
@given(st.sampled_from([*PICKLES]), damage)
def test_damaged_pickles(folder, protocol, changes):
    def read(path):
        return Motionbert(str(path))

    outcome(read, folder / "damaged.pkl", damaged(PICKLES[protocol], changes), sound)
