"""`htpbench lift --keypoints`: somebody's video in 3D, as a new user would ask for it."""

import json

import numpy as np
import pytest
import small
from paths import ROOT, SHARED, needs_shared

from htpbench.datasets import open_data
from htpbench.datasets.synthetic import Synthetic
from htpbench.motion.cameras import pixels
from htpbench.motion.resampling import between
from htpbench.poses import files
from htpbench.testing import DatasetContract

FIXTURES = SHARED / "formats" / "keypoints"
NETWORK, PRUNED = "mixste.tiny-81", "mixste.tiny-81+tps:27@1,9@2+tri"
FRAMES = 70


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """The command line in a folder with `walk.npz`: (exit code, stderr)."""
    run = small.command_line(tmp_path, monkeypatch, capsys)
    filmed(tmp_path / "walk.npz")
    return lambda *arguments: run("lift", *arguments)[::2]


def filmed(path, rate=50.0, frames=FRAMES):
    """Keypoints of a drawn walk, exact, in Human3.6M's order; every 50 / rate-th frame."""
    views = Synthetic().views("test", "gt")
    a = views.start[0]
    rows = slice(a, a + frames, round(50 / rate))
    size = views.lens(0).size
    points = pixels(views.poses2d[rows, :, :2], size)
    np.savez(path, keypoints=points, size=np.array(size), fps=rate, layout="h36m17")
    return views.poses3d[rows]


def poses(path):
    [track] = files.read(path)
    return track


def error(track, truth):
    return np.linalg.norm(track.poses - truth, axis=-1).mean()


def test_a_video_comes_out_in_3d_pruned_or_not(call, tmp_path):
    truth = filmed(tmp_path / "walk.npz")
    code, err = call(NETWORK, "--keypoints", "walk.npz")
    assert code == 0 and "weights: mixste.tiny-81, trained on cmu17 and synthetic" in err
    assert "written: poses.npz" in err
    whole = poses(tmp_path / "poses.npz")
    assert (whole.name, whole.rate, whole.size, whole.kept) == ("walk", 50.0, (1000, 1002), None)
    assert not whole.poses[:, 0].any() and error(whole, truth) < 60
    assert np.allclose(whole.keypoints[..., 2], 1)
    assert call(PRUNED, "--keypoints", "walk.npz", "--out", "pruned.npz")[0] == 0
    pruned = poses(tmp_path / "pruned.npz")
    assert error(pruned, truth) < 70 and not np.array_equal(pruned.poses, whole.poses)
    assert pruned.kept.stages.sum(axis=2).tolist() == [[27], [9]]
    assert pruned.told["combination"] == PRUNED and pruned.told["protocol"] == "blended"
    assert pruned.told["prepared"]["layout"].startswith("arrays")
    centre = "mixste.tiny-81+tps:27@1"
    assert call(centre, "--keypoints", "walk.npz", "--out", "centre.npz")[0] == 0
    alone = poses(tmp_path / "centre.npz")
    assert error(alone, truth) < 70 and alone.kept.stages.shape == (1, FRAMES, 81)
    assert alone.kept.first.tolist() == list(range(-40, FRAMES - 40))


@pytest.mark.parametrize("rate", [25.0, 10.0])
def test_there_is_a_pose_for_each_frame_of_the_video(call, tmp_path, rate):
    truth = filmed(tmp_path / "slow.npz", rate)
    assert call(NETWORK, "--keypoints", "slow.npz", "--out", "slow.npz.json")[0] == 0
    slow = poses(tmp_path / "slow.npz.json")
    assert slow.rate == rate and len(slow.poses) == len(truth)
    assert error(slow, truth) < 80
    assert slow.told["prepared"]["rate"] == f"resampled from {rate:g} Hz"
    assert slow.told["frame_rate"] == 50.0
    centre = "mixste.tiny-81+tps:27@1"
    assert call(centre, "--keypoints", "slow.npz", "--out", "centre.npz")[0] == 0
    kept = poses(tmp_path / "centre.npz").kept
    every = round(50 / rate)
    seconds = np.arange(len(truth)) / rate
    assert kept.rate == 50 and kept.nearest(seconds).tolist() == [
        *range(0, every * len(truth), every)
    ]


def test_poses_between_those_that_were_lifted():
    lifted = np.arange(3, dtype=np.float32)[:, None, None] * np.ones((1, 17, 3), np.float32)
    at = np.array([0.0, 0.02, 0.06])
    assert between(lifted, at, at) is lifted
    found = between(lifted, at, np.array([-1, 0.01, 0.02, 0.05, 9]))[:, 0, 0]
    assert found == pytest.approx([0, 0.5, 1, 1.75, 2])
    assert between(lifted[:1], at[:1], at)[:, 0, 0].tolist() == [0, 0, 0]


@pytest.mark.parametrize("suffix", [".csv", ".trc", ".bvh", ".json"])
def test_the_suffix_names_the_format(call, tmp_path, suffix):
    code, err = call(NETWORK, "--keypoints", "walk.npz", "--out", f"a{suffix}")
    assert code == 0 and f"written: a{suffix}" in err
    assert ("bones of constant length" in err) == (suffix == ".bvh")
    head = (tmp_path / f"a{suffix}").read_text()[:3000]
    assert {".csv": "# ", ".trc": "PathFileType", ".bvh": "HIERARCHY", ".json": "{"}[suffix] in head
    assert "mm" in head or suffix == ".bvh"


def test_framing_is_told_and_poses_come_back_to_the_camera(call, tmp_path):
    truth = filmed(tmp_path / "walk.npz")
    asked = NETWORK, "--keypoints", "walk.npz", "--out"
    assert call(*asked, "as.npz")[0] == 0
    options = "--framing", "facing", "--focal", 1145, "--gravity", "0,1,0.1"
    assert call(*asked, "faced.npz", *options)[0] == 0
    faced = poses(tmp_path / "faced.npz")
    assert faced.told["framing"] == "facing" and faced.told["focal"] == 1145
    assert error(faced, truth) < 80 and error(faced, poses(tmp_path / "as.npz").poses) > 1
    for wrong, said in (
        (("--focal", 1000), "go with --framing facing"),
        (("--framing", "facing", "--focal", 0), "1 to 1,000,000"),
        (("--framing", "facing", "--focal", 1e-300), "1 to 1,000,000"),
        (("--framing", "facing", "--gravity", "1e200,1e200,0"), "expected three numbers"),
        (("--framing", "facing", "--gravity", "0,0,0"), "expected three numbers"),
        (("--framing", "facing", "--gravity", "-1,up,0"), "expected three numbers"),
        (("--framing", "box"), "framing"),
    ):
        code, err = call(*asked, "no.npz", *wrong)
        assert code == 2 and said in err
    assert not (tmp_path / "no.npz").exists()


def test_who_sees_the_person_alone_knows_no_giants(call, tmp_path):
    truth = filmed(tmp_path / "walk.npz")
    held = dict(np.load(tmp_path / "walk.npz"))
    points = held["keypoints"]
    held["keypoints"] = held["size"] / 2 + 2 * (points - points[:, :1])  # filmed beside them
    np.savez(tmp_path / "near.npz", **held)
    _, warned = call(NETWORK, "--keypoints", "near.npz", "--out", "a.npz")
    assert "times as tall" in warned and "as four cameras see them, simulated cpn" in warned
    asked = "mixste.person-81", "--out", "b.npz", "--keypoints"
    code, err = call(*asked, "near.npz")
    assert code == 0 and "tall" not in err and "cameras unlike each other" in err
    assert "simulated cpn, sh, clean, mediapipe-heavy, mediapipe-lite" in err
    near = poses(tmp_path / "b.npz")
    assert error(near, truth) < 80
    assert call(*asked, "walk.npz")[0] == 0
    assert error(near, poses(tmp_path / "b.npz").poses) < 0.5, "mm: rounding of pixels alone"


def test_exchanged_sides_are_noticed_and_mended(call, tmp_path):
    from htpbench.motion.skeleton import MIRROR

    with np.load(tmp_path / "walk.npz") as held:
        arrays = dict(held)
    truth = filmed(tmp_path / "walk.npz")
    arrays["keypoints"][20:28] = arrays["keypoints"][20:28][:, MIRROR]
    np.savez(tmp_path / "swapped.npz", **arrays)
    asked = NETWORK, "--keypoints", "swapped.npz", "--out"
    code, err = call(*asked, "a.npz")
    assert code == 0 and f"seem exchanged in 8 of {FRAMES} frames" in err
    code, err = call(*asked, "b.npz", "--mend-sides")
    assert code == 0 and "exchanged" not in err
    before, after = (error(poses(tmp_path / name), truth) for name in ("a.npz", "b.npz"))
    assert after < before - 5
    assert poses(tmp_path / "b.npz").told["prepared"]["sides_mended"] == f"8 of {FRAMES}"


def test_a_diffusion_lifter_lifts_a_video(call, tmp_path):
    truth = filmed(tmp_path / "walk.npz")
    asked = "d3dp.tiny-81", "--keypoints", "walk.npz", "--hypotheses", 2, "--iterations", 2
    assert call(*asked)[0] == 0
    assert error(poses(tmp_path / "poses.npz"), truth) < 120
    code, err = call(*asked, "--rule", "j-agg")
    assert code == 2 and "no cameras" in err and "windows" not in err


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["mixste-243", "--keypoints", "walk.npz"], "no weights of mixste-243 come with"),
        ([NETWORK, "--keypoints", "walk.npz", "--data", "synthetic"], "leave one out"),
        ([NETWORK, "--data", "keypoints:walk.npz"], "with --keypoints FILE"),
        ([NETWORK, "--size", "100x100"], "are for --keypoints FILE"),
        ([NETWORK, "--keypoints", "gone.json"], "gone.json"),
        ([NETWORK, "--keypoints", "walk.npz", "--fps", 30], "50"),
        ([NETWORK, "--keypoints", "walk.npz", "--size", "640x480"], "640x480"),
        ([NETWORK, "--keypoints", "walk.npz", "--out", "a.mp4"], "ends in"),
        ([NETWORK, "--keypoints", "bare.npz"], "--size"),
        ([NETWORK, "--keypoints", "sized.npz"], "--fps"),
        ([NETWORK, "--keypoints", "walk.npz", "--fps", 0], "--fps 0"),
        ([NETWORK, "--keypoints", "walk.npz,joints=middle"], "unknown map of joints 'middle'"),
        ([NETWORK, "--keypoints", "walk.mp4"], "detector"),
        ([NETWORK, "--data", "synthetic", "--out", "a.bvh"], "32 tracks"),
    ],
)
def test_what_is_asked_wrong(call, tmp_path, asked, said):
    with np.load(tmp_path / "walk.npz") as held:
        np.savez(tmp_path / "bare.npz", keypoints=held["keypoints"])
        np.savez(tmp_path / "sized.npz", keypoints=held["keypoints"], size=held["size"])
    (tmp_path / "walk.mp4").write_bytes(b"\0\0\0\x20ftypisom")
    before = {path.name for path in tmp_path.iterdir()}
    code, err = call(*asked)
    assert code == 2 and said in err
    assert {path.name for path in tmp_path.iterdir()} == before


def test_keypoints_as_data_of_other_verbs(call, tmp_path, monkeypatch, capsys):
    run = small.command_line(tmp_path, monkeypatch, capsys)
    code, _, err = run("run", NETWORK, "--meter", "accuracy", "--data", "keypoints:walk.npz",
                       "--weights", NETWORK)  # fmt: skip
    assert code in (1, 2) and "no 3D poses" in err
    code, _, err = run("run", PRUNED, "--meter", "selection", "--data", "keypoints:walk.npz",
                       "--weights", NETWORK)  # fmt: skip
    assert code == 0
    code, _, err = run("train", NETWORK, "--data", "keypoints:walk.npz", "--steps", 1)
    assert code == 2 and "nothing to train on" in err


class TestKeypoints(DatasetContract):
    @pytest.fixture
    def data(self, tmp_path):
        filmed(tmp_path / "walk.npz")
        return open_data(f"keypoints:{tmp_path / 'walk.npz'}")


def test_the_walk_that_comes_along_is_lifted(call):
    assert call(PRUNED, "--keypoints", ROOT / "docs" / "walk.npz")[0] == 0


@needs_shared
def test_all_layouts_of_one_walk_give_the_same_poses(call, tmp_path):
    """Within what a layout loses: frames without the person, a joint, another neck and hip."""
    told = json.loads((SHARED / "formats" / "expected.json").read_text())["keypoints"]["files"]
    found = {}
    for name, facts in told.items():
        size = [] if "detectron" in name or "custom" in name else ["--size", "1000x1002"]
        images = ["--images", FIXTURES / facts["needs"]] if "needs" in facts else []
        rate = ["--fps", facts.get("fps", 25)]
        asked = "--keypoints", FIXTURES / name, *size, *rate, *images, "--joints", "demo"
        assert call(NETWORK, *asked)[0] == 0, name
        found[name] = poses(tmp_path / "poses.npz").poses
    want = found["mmpose_inferencer.json"]
    for name, one in found.items():
        assert one.shape == want.shape == (20, 17, 3)
        assert np.linalg.norm(one - want, axis=-1).mean() < 3, name
