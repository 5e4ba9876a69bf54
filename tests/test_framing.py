"""How keypoints of any camera are shown to a lifter, and sides that a detector exchanged."""

import numpy as np
import pytest

from htpbench.datasets.synthetic import Synthetic
from htpbench.errors import BenchError
from htpbench.motion.cameras import Camera, pixels, screen
from htpbench.motion.framing import HEIGHT, Framing, facing, framing, height
from htpbench.motion.showing import AS_IT_IS, Showing, remarks, shown
from htpbench.motion.sides import exchanged
from htpbench.motion.skeleton import MIRROR
from htpbench.motion.video import Video
from htpbench.motion.views import Views

SIZE = (1080, 1920)
FOCAL = 1600.0


def film(split):
    return Synthetic().views(split, "gt")


@pytest.fixture(scope="module")
def walk():
    """(N, 17, 3) mm, camera axes, of one embedded clip as a rig's camera sees it."""
    views = film("test")
    a, b = views.start[0], views.stop[0]
    return (views.poses3d[a:b] + views.root[a:b, None]).astype(np.float64)


def seen(joints, turn=None):
    """Screen units with confidence of a plain camera whose axes are the columns of `turn`."""
    joints = joints if turn is None else joints @ turn
    points = screen(joints[..., :2] / joints[..., 2:] * FOCAL + np.array(SIZE) / 2, SIZE)
    return np.concatenate([points, np.ones_like(points[..., :1])], axis=-1).astype(np.float32)


def rolled(degrees, aside=0.0):
    """Axes of a camera that is rolled about its own axis, and looks aside."""
    a, b = np.radians([degrees, aside])
    roll = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    side = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    return side @ roll


def test_pixels_and_screen_units_are_each_others_inverse():
    points = np.random.default_rng(0).uniform(0, 1000, (5, 17, 2))
    assert np.allclose(pixels(screen(points, SIZE), SIZE), points)


def test_a_person_is_shown_as_tall_as_in_training(walk):
    for kind in ("person", "facing"):
        poses2d = seen(walk)
        found = framing(poses2d, kind, SIZE[0] / 2 / FOCAL)
        assert height(found.shown(poses2d)[..., :2]) == pytest.approx(HEIGHT, rel=1e-5)
    assert np.array_equal(framing(poses2d, "width").shown(poses2d), poses2d)
    assert np.array_equal(Framing().back(walk), walk)
    with pytest.raises(BenchError, match="unknown framing 'box'; known: facing, person, width"):
        framing(poses2d, "box")


def test_the_height_is_that_of_training_views():
    views = film("train")
    assert height(views.poses2d[..., :2]) == pytest.approx(HEIGHT, rel=0.02)


def test_facing_undoes_roll_and_direction(walk):
    """Whatever way the camera points, the lifter sees the same, and poses come back to it."""
    upright, half = np.array([0.0, 1, 0]), SIZE[0] / 2 / FOCAL
    straight = framing(seen(walk), "facing", half, tuple(upright))
    want = straight.shown(seen(walk))
    for axes in (rolled(20), rolled(-35, 8), rolled(90)):
        poses2d = seen(walk, axes)
        found = framing(poses2d, "facing", half, tuple(upright @ axes))
        assert np.abs(found.shown(poses2d) - want)[..., :2].max() < 0.02  # the median hip differs
        pose = straight.back(walk - walk[:, :1])
        assert np.abs(found.back(walk - walk[:, :1]) - pose @ axes).max() < 30  # mm, of 1 m
        assert found.turn.T @ found.turn == pytest.approx(np.eye(3), abs=1e-12)
        assert np.linalg.det(found.turn) == pytest.approx(1)


def test_a_camera_that_looks_down_has_no_upright():
    with pytest.raises(BenchError, match="--gravity"):
        facing(np.array([0.0, 0, 1]), np.array([0.0, 0, 1]))
    with pytest.raises(BenchError, match="one point"):
        framing(np.zeros((3, 17, 3), np.float32), "person")


def video(poses2d, name="walk"):
    points = poses2d.copy()
    points[..., :2] = pixels(points[..., :2], SIZE)
    take = Video(name, name, name, "test", keypoints=points, size=SIZE, rate=50.0)
    return Views.of([take], [poses2d], source="given")


def test_exchanged_frames_are_found(walk):
    poses2d = seen(walk)
    wrong = np.zeros(len(walk), dtype=bool)
    wrong[40:52] = wrong[90] = wrong[-3:] = True
    broken = poses2d.copy()
    broken[wrong] = broken[wrong][:, MIRROR]
    assert not exchanged(poses2d).any()
    assert np.array_equal(exchanged(broken), wrong)
    assert not exchanged(broken[:1]).any()


def test_a_giant_is_worth_a_word(walk):
    poses2d = seen(walk)
    poses2d[..., :2] *= 2 * HEIGHT / height(poses2d[..., :2])
    [said] = remarks(video(poses2d), AS_IT_IS)
    assert "2 times as tall" in said and "--framing" in said
    assert not remarks(video(poses2d), Showing("person"))
    assert not remarks(film("test"), AS_IT_IS)


def test_motion_has_its_own_cameras():
    views = film("test")
    same, framings = shown(views, AS_IT_IS)
    assert np.array_equal(same.poses2d, views.poses2d) and len(framings) == len(views.start)
    with pytest.raises(BenchError, match="for keypoints of videos"):
        shown(views, Showing("person"))
    assert isinstance(views.lens(0), Camera)
