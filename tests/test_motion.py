from __future__ import annotations

import dataclasses
import zipfile
from pathlib import Path

import numpy as np
import pytest

from htpbench.errors import BenchError
from htpbench.motion import open_motion
from htpbench.motion.cameras import Camera, rig
from htpbench.motion.clip import Clip
from htpbench.motion.skeleton import JOINTS, LEFT, MIRROR, PARENTS, RIGHT
from htpbench.motion.synthetic import generate
from htpbench.motion.views import Views, make_views
from htpbench.motion.windows import cut

CMU17 = Path(__file__).resolve().parents[2] / "shared" / "motion" / "cmu17.npz"


@pytest.fixture(scope="module")
def motion():
    return generate()


def bend(positions, upper, middle, lower):
    """Degrees by which a limb is bent, 0 when stretched."""
    first = positions[:, middle] - positions[:, upper]
    second = positions[:, lower] - positions[:, middle]
    dot = np.sum(first * second, axis=-1)
    lengths = np.linalg.norm(first, axis=-1) * np.linalg.norm(second, axis=-1)
    return np.degrees(np.arccos(np.clip(dot / lengths, -1, 1)))


def test_the_mirror_swaps_sides_and_keeps_the_tree():
    assert np.array_equal(MIRROR[MIRROR], np.arange(17))
    assert all(JOINTS[MIRROR[j]] == "R" + JOINTS[j][1:] for j in LEFT)
    assert all(MIRROR[j] == j for j in range(17) if j not in LEFT + RIGHT)
    assert all(MIRROR[PARENTS[j]] == PARENTS[MIRROR[j]] for j in range(1, 17))


def test_bones_keep_their_lengths_and_differ_between_subjects(motion):
    lengths = {}
    for clip in motion.clips:
        positions = clip.positions.astype(np.float64)
        bones = np.linalg.norm(positions[:, 1:] - positions[:, PARENTS[1:]], axis=-1)
        assert np.ptp(bones, axis=0).max() < 1e-3
        known = lengths.setdefault(clip.subject, bones[0])
        assert np.abs(bones[0] - known).max() < 1e-3
    assert len({tuple(bones.round()) for bones in lengths.values()}) == 16


def test_subjects_splits_and_actions(motion):
    subjects = {s: {clip.subject for clip in motion.split(s)} for s in ("train", "test")}
    assert len(subjects["train"]) == 12 and len(subjects["test"]) == 4
    assert not subjects["train"] & subjects["test"]
    assert {"walk", "run", "squat", "wave"} < {clip.action for clip in motion.clips}
    assert all(300 <= len(clip.positions) <= 500 for clip in motion.clips)
    assert all(clip.positions.dtype == np.float32 for clip in motion.clips)
    with pytest.raises(BenchError, match="did you mean train"):
        motion.split("trian")
    with pytest.raises(BenchError, match="no test clips"):
        dataclasses.replace(motion, clips=motion.split("train")).split("test")


def test_synthetic_motion_depends_on_the_seed_alone(motion):
    again, other = open_motion("synthetic"), open_motion("synthetic", seed=1)
    assert again.fingerprint == motion.fingerprint != other.fingerprint
    assert len(motion.fingerprint) == 12
    for one, two in zip(motion.clips, again.clips, strict=True):
        assert np.array_equal(one.positions, two.positions)


def test_people_stand_on_the_floor_and_move_like_people(motion):
    for clip in motion.clips:
        positions = clip.positions.astype(np.float64)
        ankles = positions[:, [3, 6]]
        assert 60 < ankles[..., 2].min() < 100
        if clip.action in ("squat", "wave", "reach", "sit"):
            assert np.ptp(ankles, axis=0).max() < 20  # mm: feet stay where they are
        speed = np.linalg.norm(np.diff(positions, axis=0), axis=-1) * 50 / 1000
        assert speed.max() < 12  # m/s
        for limb in ((1, 2, 3), (4, 5, 6), (11, 12, 13), (14, 15, 16)):
            assert bend(positions, *limb).max() < 140
        across = positions[:, 4] - positions[:, 1]
        ahead = np.stack([across[:, 1], -across[:, 0]], axis=-1)  # horizontal, where hips face
        for hip, knee, ankle in ((1, 2, 3), (4, 5, 6)):
            middle = (positions[:, hip] + positions[:, ankle]) / 2
            off = np.sum((positions[:, knee] - middle)[:, :2] * ahead, axis=-1)
            off /= np.linalg.norm(ahead, axis=-1)
            assert off.min() > -80  # mm: no knee bends backward


def test_walkers_walk_and_jumpers_leave_the_floor(motion):
    for clip in motion.clips:
        speed = np.linalg.norm(np.diff(clip.positions[:, 0, :2], axis=0), axis=-1) * 50 / 1000
        if clip.action in ("walk", "run"):
            assert 0.4 < speed.mean() < 2.8  # m/s
        if clip.action == "jump":
            assert clip.positions[:, [3, 6], 2].min(axis=1).max() > 150


def test_the_cameras_see_the_synthetic_people(motion):
    views = make_views(motion.clips, source="gt", cameras="rotate")
    inside = 0
    for start, stop, camera in zip(views.start, views.stop, views.camera, strict=True):
        edge = [1, rig()[camera].height / rig()[camera].width]
        inside += (np.abs(views.poses2d[start:stop, :, :2]) <= edge).all(axis=(1, 2)).sum()
    assert inside / len(views.poses2d) > 0.99


def test_projection_of_a_point_worked_out_by_hand():
    lens = Camera(
        (1, 0, 0, 0), (0, 0, 0), (1000, 1100), (500, 510), (0.1, 0.2, 0.3), (0.01, 0.03), 1000, 1020
    )
    # xy/z = (0.5, -0.25): r2 = 0.3125, its powers times 0.1, 0.2, 0.3; p.q = -0.0025
    stretch = 1 + 0.03125 + 0.01953125 + 0.0091552734375 - 0.0025
    u = 1000 * (0.5 * stretch + 0.01 * 0.3125) + 500
    v = 1100 * (-0.25 * stretch + 0.03 * 0.3125) + 510
    assert lens.project(np.array([[500.0, -250.0, 1000.0]])) == pytest.approx(np.array([[u, v]]))
    assert lens.project(np.array([0.0, 0.0, 1234.0])) == pytest.approx([500, 510])
    far = lens.project(np.array([[9e5, -9e5, 1000.0], [1e3, -1e3, 1e3]]))
    assert far[0] == pytest.approx(far[1])  # beyond the image: held at xy/z = +-1
    assert lens.normalise(np.array([[500.0, 510.0], [0.0, 0.0]])) == pytest.approx(
        np.array([[0, 0], [-1, -1.02]])
    )


def test_a_camera_that_looks_along_y():
    half = 0.5**0.5
    lens = Camera((half, -half, 0, 0), (0, 0, 20), (1, 1), (0, 0), (0, 0, 0), (0, 0), 2, 2)
    seen = lens.view(np.array([10.0, 100.0, 30.0]))  # x right, z up in the world
    assert seen == pytest.approx([10, -10, 100])


def test_the_rig_looks_at_the_middle():
    assert len(rig()) == 4
    for lens in rig():
        middle = lens.project(lens.view(np.array([0.0, 0.0, 900.0])))
        assert np.abs(lens.normalise(middle)).max() < 0.2
        up = lens.project(lens.view(np.array([[0.0, 0.0, 0.0], [0.0, 0.0, 1000.0]])))
        assert up[0, 1] - up[1, 1] > 150  # a metre upward is upward in the image


def test_views_are_rooted_placed_alike_and_independent_of_company(motion):
    clips = motion.split("test")[:3]
    views = make_views(clips, source="sh", seed=5)
    assert (
        views.camera.tolist() == [0, 1, 2, 3] * 3
        and views.clip.tolist() == [0] * 4 + [1] * 4 + [2] * 4
    )
    assert views.poses2d.dtype == views.poses3d.dtype == np.float32
    assert views.start.dtype == views.stop.dtype == np.int64
    assert not views.poses3d[:, 0].any()
    alone = make_views(clips[1:2], source="sh", seed=5)
    part = slice(views.start[4], views.stop[7])
    assert np.array_equal(alone.poses2d, views.poses2d[part])
    assert np.array_equal(alone.poses3d, views.poses3d[part])
    turned = make_views(clips, source="sh", cameras="rotate", seed=5)
    assert turned.camera.tolist() == [0, 1, 2]
    assert np.array_equal(
        turned.poses2d[turned.start[1] : turned.stop[1]],
        views.poses2d[views.start[5] : views.stop[5]],
    )
    assert not np.array_equal(make_views(clips, source="sh", seed=6).poses3d, views.poses3d)
    relative = clips[0].positions - clips[0].positions[:, :1]
    assert np.linalg.norm(views.poses3d[: views.stop[0]], axis=-1) == pytest.approx(
        np.linalg.norm(relative, axis=-1), abs=1e-2
    )


def test_exact_views_project_their_own_3d(motion):
    views = make_views(motion.split("test")[:1], source="gt")
    assert (views.poses2d[..., 2] == 1).all()
    noisy = make_views(motion.split("test")[:1], source="clean")
    assert np.array_equal(noisy.poses3d, views.poses3d)
    error = np.linalg.norm(noisy.poses2d[..., :2] - views.poses2d[..., :2], axis=-1) * 500
    assert 0.5 < np.median(error) < 4  # px


@pytest.mark.parametrize(
    ("source", "cameras", "message"),
    [("cpm", "all", "did you mean cpn"), ("cpn", "al", "did you mean all")],
)
def test_unknown_names_of_views(motion, source, cameras, message):
    with pytest.raises(BenchError, match=message):
        make_views(motion.clips, source, cameras)


def views_of(*lengths):
    stop = np.cumsum(lengths, dtype=np.int64)
    clip = Clip("c", "s", "a", "train", np.zeros((1, 17, 3), np.float32))
    empty = np.zeros((stop[-1], 17, 3), np.float32)
    number = np.arange(len(lengths))
    return Views(empty, empty, stop - lengths, stop, number, number, (clip,) * len(lengths), "gt")


@pytest.mark.parametrize("frames", [9, 27, 81])
@pytest.mark.parametrize("pipeline", ["seq2seq", "seq2frame"])
@pytest.mark.parametrize(
    "lengths", [(1,), (26,), (27,), (28,), (1000,), (28, 1, 1000, 27, 26, 162)]
)
def test_windows_score_every_frame_once_and_stay_in_their_view(frames, pipeline, lengths):
    views = views_of(*lengths)
    windows = cut(views, frames, pipeline)
    assert windows.index.shape == windows.scored.shape == (len(windows.view), frames)
    assert windows.index.dtype == windows.view.dtype == np.int64
    rows = windows.index[windows.scored]
    assert np.array_equal(np.sort(rows), np.arange(views.stop[-1]))
    assert (windows.index >= views.start[windows.view][:, None]).all()
    assert (windows.index < views.stop[windows.view][:, None]).all()
    step = np.diff(windows.index, axis=1)
    assert ((step == 1) | (step == 0)).all()
    if pipeline == "seq2frame":
        assert (windows.scored.sum(axis=1) == 1).all() and windows.scored[
            :, (frames - 1) // 2
        ].all()
    else:
        long = (views.stop - views.start)[windows.view] >= frames
        assert (step[long] == 1).all()  # only short views are padded
        assert len(windows.view) == sum(-(-length // frames) for length in lengths)


def test_the_remainder_overlaps_and_short_views_are_padded():
    windows = cut(views_of(5, 2), 3)
    assert windows.index.tolist() == [[0, 1, 2], [2, 3, 4], [5, 6, 6]]
    assert windows.scored.tolist() == [[True] * 3, [False, True, True], [True, True, False]]
    assert windows.view.tolist() == [0, 0, 1]


def test_stride():
    windows = cut(views_of(5, 2), 3, "seq2frame", stride=2)
    assert windows.index.tolist() == [[0, 0, 1], [1, 2, 3], [3, 4, 4], [5, 5, 6]]
    overlapping = cut(views_of(7), 3, stride=2)
    assert overlapping.index[:, 0].tolist() == [0, 2, 4]
    assert overlapping.scored.sum() == 7


def test_thin():
    windows = cut(views_of(1000), 9, "seq2frame")
    few = windows.thin(10)
    assert few.index[:, 4].tolist() == list(range(50, 1000, 100))
    assert few.scored.shape == (10, 9) and few.view.shape == (10,)
    assert windows.thin(1000) is windows
    with pytest.raises(BenchError, match="at least 1"):
        windows.thin(0)


def test_windows_refuse_nonsense():
    with pytest.raises(BenchError, match="did you mean seq2seq"):
        cut(views_of(5), 3, "seq2sec")
    with pytest.raises(BenchError, match="at least 1"):
        cut(views_of(5), 0)


def small():
    """The arrays of a tiny file laid out as cmu17.npz: 30 frames, 2 clips."""
    rng = np.random.default_rng(0)
    return {
        "positions": rng.normal(0, 200, (30, 17, 3)).astype(np.float32),
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
        open_motion(str(tmp_path / "tiny.npz"))


def test_the_fingerprint_knows_the_split(tmp_path):
    prints = set()
    for split in (["train", "test"], ["test", "train"]):
        path = tmp_path / f"{split[0]}.npz"
        np.savez_compressed(path, **(small() | {"clip_split": np.array(split)}))
        prints.add(open_motion(str(path)).fingerprint)
    assert len(prints) == 2


def test_reading_a_small_file(tmp_path):
    arrays = small()
    np.savez_compressed(tmp_path / "tiny.npz", **arrays)
    motion = open_motion(str(tmp_path / "tiny.npz"))
    assert motion.name == "tiny"
    (clip,) = motion.split("test")
    assert (clip.name, clip.subject, clip.action) == ("02_01", "02", "run")
    assert np.array_equal(clip.positions, arrays["positions"][20:])
    arrays["positions"][25, 3, 1] += 1
    np.savez_compressed(tmp_path / "other.npz", **arrays)
    assert open_motion(str(tmp_path / "other.npz")).fingerprint != motion.fingerprint


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
        (broken("frame_rate", np.array(60.0)), "60.0 Hz"),
        (spoiled, "NaN or infinity"),
    ],
)
def test_faulty_files_are_named_with_their_fault(tmp_path, change, message):
    path = tmp_path / "faulty.npz"
    np.savez_compressed(path, **change(small()))
    with pytest.raises(BenchError, match=message) as caught:
        open_motion(str(path))
    assert str(path) in str(caught.value)


def test_pickled_objects_are_refused_and_not_run(tmp_path):
    trap = tmp_path / "created"
    for key in ("clip_name", "positions"):
        bomb = np.array([Bomb(trap), Bomb(trap)], dtype=object)
        np.savez(tmp_path / "bomb.npz", **(small() | {key: bomb}))
        with pytest.raises(BenchError, match=f"{key} is object"):
            open_motion(str(tmp_path / "bomb.npz"))
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
        open_motion(str(path))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_truncated_files(tmp_path, share):
    path = tmp_path / "cut.npz"
    np.savez_compressed(path, **small())
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.raises(BenchError, match="cut short"):
        open_motion(str(path))


def test_a_damaged_array(tmp_path):
    path = tmp_path / "damaged.npz"
    np.savez_compressed(path, **small())
    content = bytearray(path.read_bytes())
    content[300:330] = bytes(30)
    path.write_bytes(content)
    with pytest.raises(BenchError, match=r"damaged\.npz"):
        open_motion(str(path))


@pytest.mark.parametrize("spec", ["synthetik", "walk.bvh", "missing.npz", ""])
def test_unknown_motion_says_what_is_accepted(spec):
    with pytest.raises(BenchError, match='expected "synthetic" or the path of'):
        open_motion(spec)


@pytest.mark.skipif(not CMU17.exists(), reason="../shared/motion/cmu17.npz is absent")
def test_cmu17_as_its_readme_describes_it():
    motion = open_motion(str(CMU17))
    frames = {s: sum(len(c.positions) for c in motion.split(s)) for s in ("train", "test")}
    assert (len(motion.clips), frames) == (305, {"train": 144801, "test": 24213})
    assert {c.subject for c in motion.split("test")} == {"02", "10", "11", "13", "49", "91"}
