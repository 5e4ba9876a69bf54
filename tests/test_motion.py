from __future__ import annotations

import numpy as np
import pytest

from htpbench.datasets import open_data
from htpbench.datasets.synthetic import Synthetic
from htpbench.errors import BenchError
from htpbench.motion.cameras import Camera, rig
from htpbench.motion.clip import Clip
from htpbench.motion.dataset import Motion
from htpbench.motion.filming import make_views
from htpbench.motion.people import people
from htpbench.motion.protocols import cut
from htpbench.motion.skeleton import JOINTS, LEFT, MIRROR, PARENTS, RIGHT
from htpbench.motion.views import Views, downsample


@pytest.fixture(scope="module")
def motion():
    return Synthetic()


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
    subjects = {s: {clip.subject for clip in motion.motion(s)} for s in ("train", "test")}
    assert len(subjects["train"]) == 12 and len(subjects["test"]) == 4
    assert not subjects["train"] & subjects["test"]
    assert {"walk", "run", "squat", "wave"} < {clip.action for clip in motion.clips}
    assert all(300 <= len(clip.positions) <= 500 for clip in motion.clips)
    assert all(clip.positions.dtype == np.float32 for clip in motion.clips)
    with pytest.raises(BenchError, match="did you mean train"):
        motion.motion("trian")
    with pytest.raises(BenchError, match="no test clips"):
        Motion("half", motion.motion("train")).motion("test")


def test_synthetic_motion_depends_on_the_seed_alone(motion):
    again, other = Motion("synthetic", people(0)), open_data("synthetic,seed=1")
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
    clips = motion.motion("test")[:3]
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
    views = make_views(motion.motion("test")[:1], source="gt")
    assert (views.poses2d[..., 2] == 1).all()
    noisy = make_views(motion.motion("test")[:1], source="clean")
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


@pytest.mark.parametrize(("every", "rate"), [(1, 50), (2, 25), (3, 50 / 3), (4, 12.5)])
def test_fewer_frames_a_second_of_what_the_detector_saw(motion, every, rate):
    views = make_views(motion.motion("test")[:3], "rough", "rotate")
    slow = downsample(views, every)
    assert slow.every == every and slow.rates == pytest.approx(rate)
    for name in ("poses2d", "poses3d"):
        for v, (start, stop) in enumerate(zip(slow.start, slow.stop, strict=True)):
            whole = getattr(views, name)[views.start[v] : views.stop[v]]
            assert stop - start == -(-len(whole) // every)
            assert np.array_equal(getattr(slow, name)[start:stop], whole[::every])
    assert np.array_equal(slow.clip, views.clip) and np.array_equal(slow.camera, views.camera)
    for pipeline in ("seq2seq", "seq2frame"):
        windows = cut(slow, 81, pipeline)
        scored = np.sort(windows.index[windows.scored])
        assert np.array_equal(scored, np.arange(len(slow.poses2d)))
        assert (windows.index >= slow.start[windows.view][:, None]).all()
        assert (windows.index < slow.stop[windows.view][:, None]).all()


def test_downsampling_twice_multiplies_and_zero_is_refused():
    views = views_of(1, 7, 8)
    twice = downsample(downsample(views, 2), 3)
    assert twice.every == 6 and twice.stop.tolist() == [1, 3, 5]
    assert twice.stop.tolist() == downsample(views, 6).stop.tolist()
    with pytest.raises(BenchError, match="every 0-th frame; expected 1"):
        downsample(views, 0)


def views_of(*lengths):
    stop = np.cumsum(lengths, dtype=np.int64)
    clip = Clip("c", "s", "a", "train", np.zeros((1, 17, 3), np.float32))
    empty = np.zeros((stop[-1], 17, 3), np.float32)
    number = np.arange(len(lengths))
    return Views(
        empty,
        empty,
        empty[:, 0],
        np.ones(len(empty), bool),
        stop - lengths,
        stop,
        number,
        number,
        np.full(len(lengths), 50.0),
        (clip,) * len(lengths),
        None,
        "gt",
    )


@pytest.mark.parametrize("frames", [9, 27, 81, 243])
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
