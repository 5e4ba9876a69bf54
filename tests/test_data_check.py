"""`htpbench data check`: each fault is named by its verdict and no other, sound data by none."""

import shutil
import zipfile
from dataclasses import replace

import faulty
import numpy as np
import pytest
import small
from paths import SHARED, needs_shared

from htpbench.checking.first import doubts, first_doubts
from htpbench.checking.judge import checked, verdicts
from htpbench.checking.lengths import TOTALS, totals
from htpbench.checking.recognise import recognised
from htpbench.checking.take import judge
from htpbench.datasets import open_data
from htpbench.errors import BenchError
from htpbench.motion.clip import Take
from htpbench.motion.filmed import Filmed

FORMATS = SHARED / "formats"
FAULTS = {  # of FORMATS/faults: the name of the verdict, and a text of its line
    "units_mm": ("unit", "428,443 mm (S9/Walking 1): the file is in millimetres"),
    "y_up": ("axes", "along y (S9/Walking 1): the layout has z up"),
    "root_relative": ("root", "relative to the pelvis"),
    "left_right_2d": ("sides of 2D", "4 px with left and right exchanged"),
    "left_right_3d": ("sides of 3D", "knees bend backward in 100%"),
    "normalised_2d": ("pixels", "in screen units"),
    "coco_order_2d": ("order of 2D", "in the order of COCO"),
    "cameras_permuted": ("cameras", "that of cameras 1, 0, 2, 3"),
    "exact_2d": ("exact", "name it gt"),
    "half_rate_3d": ("rate", "the 3D has every 2nd frame of the 2D"),
    "lag": ("lag", "the 2D runs 5 frames behind the 3D"),
    "short_2d": ("lengths", "the 2D has 36 frames and the 3D 40"),
    "nan_3d": ("holes in 3D", "the first is frame 7, joint 3 (RAnkle)"),
}
UNREADABLE = {"truncated": "not a readable npz", "wrong_key": "lacks positions_3d"}


@pytest.fixture(scope="module")
def filming():
    """A drawn person who walks, seen by the cameras of Human3.6M."""
    clip = next(clip for clip in small.drawn() if clip.action == "walk")
    return faulty.Filming(clip.positions[100:180])


@pytest.fixture(scope="module")
def people():
    """Others, who do other things."""
    return [faulty.Filming(clip.positions[50:150], i) for i, clip in enumerate(small.drawn()[::9])]


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """The command line in an empty folder: (exit code, stdout, stderr)."""
    return small.command_line(tmp_path, monkeypatch, capsys)


class Some(Filmed):
    """Shots as a data set."""

    name, fingerprint, card, detections, layout = "some", "0", {}, "cpn", "h36m"
    splits = ("test",)

    def __init__(self, *takes):
        self.held = [
            [replace(shot, take=replace(shot.take, name=f"S9/Walking {i}")) for shot in shots]
            for i, shots in enumerate(takes)
        ]

    def takes(self, split):
        return tuple(shots[0].take for shots in self.held)

    def shots(self, split, source=None):
        return (shot for shots in self.held for shot in shots)


@needs_shared
@pytest.mark.parametrize("name", FAULTS)
def test_a_faulty_folder_is_named_by_one_line(call, name):
    code, out, err = call("data", "check", FORMATS / "faults" / name)
    verdict, text = FAULTS[name]
    assert (code, err, len(out.splitlines())) == (1, "", 1)
    assert out.startswith(f"{verdict}: ") and text in out and out.endswith("(1 of 1 clips)\n")


@needs_shared
@pytest.mark.parametrize("name", UNREADABLE)
def test_what_cannot_be_read_is_an_error(call, name):
    code, out, err = call("data", "check", FORMATS / "faults" / name)
    assert (code, out) == (2, "") and UNREADABLE[name] in " ".join(err.split())


@needs_shared
def test_sound_data_is_a_line_a_split(call):
    code, out, err = call("data", "check", FORMATS / "faults" / "sound")
    assert (code, err) == (0, "")
    assert out == (
        "test: sound: 1 clip, 40 frames, 4 cameras, thigh 428 mm, 2D (cpn_ft_h36m_dbb) 3.8 px from "
        "the 3D\n"
    )
    code, out, err = call("data", "check", FORMATS / "videopose3d", FORMATS / "faults" / "sound")
    assert (code, err) == (0, "")
    assert [line.split(": ")[1:3] for line in out.splitlines()] == [
        ["train", "sound"],
        ["test", "sound"],
        ["test", "sound"],
    ]
    assert "10 clips, 562 frames, 4 cameras" in out
    gt = verdicts(open_data(f"h36m:{FORMATS / 'videopose3d'},detections=gt"))
    assert [one.doubtful for one in gt] == [False, False]


@needs_shared
def test_of_several_the_worst_counts_and_all_are_judged(call):
    faults = FORMATS / "faults"
    both = call("data", "check", faults / "sound", faults / "lag")
    assert both[0] == 1 and f"{faults / 'lag'}: lag: " in both[1] and both[2] == ""
    code, out, err = call("data", "check", faults / "truncated", faults / "lag", faults / "sound")
    assert code == 2 and "lag: " in out and "sound: " in out and "error: " in err


@pytest.mark.parametrize("name", faulty.VARIANTS)
def test_a_fault_is_named_and_no_other(filming, name):
    verdict, text, make = faulty.VARIANTS[name]
    found = judge(make(filming), "cpn").findings
    assert {one.name for one in found} == {verdict}, found
    assert any(text in f"{one.seen} {one.meaning}" for one in found), found


def test_frames_that_do_not_count_may_hold_anything(filming):
    counts = np.ones(len(filming.world), dtype=bool)
    counts[30:50] = False
    world = faulty.frozen(filming.world, 30, 20)
    flat = filming.each(lambda one: np.where(counts[:, None, None], one, 0))
    shots = filming.shots(world, flat)
    assert {"frozen 3D", "unseen joints"} <= {one.name for one in judge(shots, "cpn").findings}
    shots = [replace(shot, valid=counts) for shot in shots]
    assert judge(shots, "cpn").findings == []


def test_sound_takes_say_nothing(filming, people):
    for one in (filming, *people):
        assert judge(one.shots(), "cpn").findings == []
        assert judge(one.shots(None, one.exact), "gt").findings == []


@pytest.mark.parametrize("lag", [-25, -8, 2, 15])
def test_lags_are_found_where_people_stand_most_of_the_time(people, lag):
    """Of a take that stands still, walks for 60 frames and stands still, as in half of the data."""
    one = people[0]
    world = np.concatenate([one.world[:1].repeat(150, 0), one.world, one.world[-1:].repeat(150, 0)])
    world += np.random.default_rng(0).normal(0, 0.5, (len(world), 1, 3))  # nobody stands so still
    take = faulty.Filming(world)
    assert not [found for found in judge(take.shots(), "cpn").findings if found.doubtful]
    late = take.each(lambda flat: faulty.delayed(flat, lag))
    found = judge(take.shots(None, late), "cpn").findings
    assert {one.name for one in found if one.doubtful} == {"lag"}


def test_without_cameras_one_is_fitted(filming):
    def blind(shots, change=lambda points: points):
        return [replace(shot, camera=None, poses3d=change(shot.poses3d)) for shot in shots]

    def names(shots):
        return {one.name for one in judge(shots, "sh").findings if one.doubtful}

    sound = filming.shots()
    assert names(blind(sound)) == set()
    assert names(blind(sound, lambda p: p / 1000)) == {"unit"}
    assert names(blind(sound, lambda p: p * [1, -1, 1])) == {"axes"}
    assert names(blind(sound, lambda p: p[..., [1, 0, 2]])) == {"axes"}
    assert names(blind(sound, lambda p: p - p[:, :1])) == {"root"}
    for name in ("sides of 2D", "sides of 3D", "COCO order", "3DHP order", "cameras 1032"):
        verdict, _, make = faulty.VARIANTS[name]
        assert names(blind(make(filming))) == {verdict}, name


def test_truth_in_px_is_held_against_2d(filming):
    """As MotionBERT's: px without a lens, and 3D that is a picture in mm."""
    shots = [drawn(shot) for shot in filming.shots()]

    def names(shots):
        return {one.name for one in judge(shots, "sh").findings}

    assert names(shots) == set()
    assert names([replace(one, poses3d=one.poses3d * [1, -1, 1]) for one in shots]) == {"axes"}
    assert names([replace(one, poses2d=one.image) for one in shots]) == {"exact"}
    bent = [replace(one, poses2d=lens) for one, lens in zip(shots, filming.exact, strict=True)]
    assert names(bent) == {"exact"}  # the distortion of a lens is no detector's error
    for name in ("sides of 2D", "COCO order", "lag 12", "cameras 3210", "y of 2D upward"):
        verdict, _, make = faulty.VARIANTS[name]
        assert names([drawn(shot) for shot in make(filming)]) == {verdict}, name


def drawn(shot):
    """A shot in 2.5D."""
    depth, focal = shot.poses3d[:, :1, 2:], np.array(shot.camera.focal)
    image = shot.poses3d[..., :2] / shot.poses3d[..., 2:] * focal + shot.camera.center
    ratio = (2000 * focal[0] / depth + 1) / 2000
    solid = np.concatenate([image, ratio * (shot.poses3d[..., 2:] - depth)], axis=-1)
    scale = 1 / ratio[:, 0, 0]
    return replace(shot, camera=None, image=image, poses3d=solid / ratio, scale=scale)


def test_one_line_tells_how_many_clips_it_holds_for(filming, people, tmp_path):
    good = [one.shots() for one in people[:3]]
    swapped = faulty.VARIANTS["sides of 2D"][2](filming)
    found = verdicts(Some(*good, swapped, swapped))
    assert [one.name for one in found] == ["sides of 2D"] and found[0].doubtful
    assert "(S9/Walking 3, camera 54138969)" in found[0].text
    assert found[0].text.endswith("(2 of 5 clips)")
    assert doubts(Some(*good, swapped)) != [] and doubts(Some(*good)) == []
    assert first_doubts(small.motion(), None, tmp_path) == []  # its reader has judged it
    assert not [*tmp_path.iterdir()]


def test_known_damage_is_no_doubt(filming):
    away = faulty.VARIANTS["another recording"][2](filming)
    damaged = [replace(one, take=replace(one.take, name="S9/Greeting")) for one in away]
    (found,) = {one.doubtful for one in judge(damaged, "cpn").findings}
    assert found is False


def test_gt_that_is_not_exact_is_doubted(filming):
    assert {one.name for one in judge(filming.shots(), "gt").findings} == {"exact"}


def test_whole_subjects_have_the_frames_that_are_published():
    def held(frames):
        one, *others = [Take(f"S1/{i}", "S1", "Eating", "train") for i in range(30)]
        return {one.name: (one, frames), **{each.name: (each, 0) for each in others}}

    assert [*totals(held(TOTALS["S1",]))] == []
    (found,) = totals(held(31_047))
    assert "31,047" in found.seen and "0.500 times" in found.seen
    short = dict([*held(31_047).items()][:29])  # not the whole subject
    assert [*totals(short)] == []


def test_a_hint_at_the_rate_is_no_doubt(filming):
    clip = next(clip for clip in small.drawn() if clip.action == "walk")
    shots = faulty.Filming(clip.positions[:350]).shots()
    assert judge(shots, "cpn").findings == []
    (found,) = judge([replace(one, rate=100.0) for one in shots], "cpn").findings
    assert found.name == "rate" and not found.doubtful and "strides a second" in found.seen


def test_paths_are_recognised(tmp_path):
    def made(name, *members):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if members:
            np.savez(path, **dict.fromkeys(members, np.zeros(1)))
        else:
            path.write_text("{}")
        return path

    h36m = made("h36m/data_3d_h36m.npz", "positions_3d")
    dhp = made("dhp/data_test_3dhp.npz", "data")
    pickle = made("bert/h36m.pkl")
    made("slices/train/00000000.pkl"), made("slices/train/00000001.pkl")
    made("raw/S9/MyPoseFeatures/D3_Positions/Walking.cdf")
    bvh = made("bvh/a/walk.bvh")
    openpose = made("open/walk_000000000000_keypoints.json")
    motion, own = made("motion.npz", "positions", "clip_start"), made("own.npz", "keypoints")
    for path, spec in {
        h36m.parent: f"h36m:{h36m.parent}",
        h36m: f"h36m:{h36m.parent}",
        dhp: f"3dhp:{dhp}",
        dhp.parent: f"3dhp:{dhp.parent}",
        pickle: f"motionbert:{pickle}",
        pickle.parent: f"motionbert:{pickle}",
        tmp_path / "slices": f"motionbert:{tmp_path / 'slices'}",
        tmp_path / "raw": f"h36m-raw:{tmp_path / 'raw'}",
        bvh: f"bvh:{bvh}",
        tmp_path / "bvh": f"bvh:{tmp_path / 'bvh'}",
        openpose.parent: f"keypoints:{openpose.parent}",
        motion: f"npz:{motion}",
        own: f"keypoints:{own}",
        f"{own},size=100x100": f"keypoints:{own},size=100x100",
        "synthetic": "synthetic",
        f"bvh:{bvh}": f"bvh:{bvh}",
    }.items():
        assert recognised(str(path)) == spec
    (tmp_path / "empty").mkdir()
    broken = made("broken.npz")
    for path, said in {
        tmp_path / "gone": "there is nothing at",
        tmp_path / "empty": "holds nothing",
        made("notes.txt"): "no data that is known",
        broken: "not a readable npz",
    }.items():
        with pytest.raises(BenchError, match=said):
            recognised(str(path))


def test_motion_and_keypoints_are_summed_up(tmp_path):
    (train, test) = checked(str(small.motion_file(tmp_path)))
    assert not train.doubtful and train.text.startswith("train: sound: 2 clips, 41 frames, 1 sub")
    assert test.text.startswith("test: sound: 2 clips, 45 frames")
    bvh = tmp_path / "walk.bvh"
    bvh.write_text(small.walk())
    (line,) = checked(str(bvh))
    assert line.text.startswith("test: sound: 1 clip, 58 frames, 1 subject")
    points = np.random.default_rng(0).uniform(100, 900, (1, 17, 2))
    points = points + np.arange(20)[:, None, None]
    file = tmp_path / "own.npz"
    np.savez(file, keypoints=points, scores=np.ones((20, 17)), fps=50.0)
    with pytest.raises(BenchError, match="size"):
        checked(str(file))
    (line,) = checked(f"{file},size=1000x1000")
    assert line.text.startswith("test: sound: a video of 20 frames, ")


@needs_shared
def test_hostile_files_are_errors(call, tmp_path):
    for source in sorted((FORMATS / "hostile").glob("*.npz")):
        folder = tmp_path / source.stem
        folder.mkdir()
        shutil.copy(source, folder / "data_3d_h36m.npz")
        code, out, err = call("data", "check", folder)
        assert (code, out) == (2, "") and "error: " in err
    assert not [*tmp_path.rglob("EXECUTED*")]
    with zipfile.ZipFile(tmp_path / "odd.npz", "w"):
        pass
    assert call("data", "check", tmp_path / "odd.npz")[0] == 2
