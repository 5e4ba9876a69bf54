"""Clips filmed anew: where drawn cameras stand, what they see, and that draws follow the seed."""

from dataclasses import replace

import numpy as np
import pytest
import small

from htpbench.errors import BenchError
from htpbench.motion import drawn
from htpbench.motion.cameras import rig
from htpbench.motion.drawn import camera, film
from htpbench.motion.skeleton import ROOT

CLIPS = small.motion().clips


def angles(lens):
    """Degrees that a camera looks down, and that its horizon is rolled."""
    down, roll = -lens.rotation[2, 2], np.arctan2(lens.rotation[2, 0], -lens.rotation[2, 1])
    return np.rad2deg([np.arcsin(down), roll])


def test_cameras_stand_upright_and_look_at_the_path():
    rng = np.random.default_rng(0)
    cameras = [camera(1500.0, rng) for _ in range(500)]
    pitch, roll = np.array([angles(lens) for lens in cameras]).T
    assert -25.01 < pitch.min() < -5 and 20 < pitch.max() < 25.01
    assert abs(roll).max() < 25.01 and 5 < roll.std() < 11 and abs(roll.mean()) < 2
    assert {lens.size for lens in cameras} == set(drawn.SIZES)
    middle = np.array([[0.0, 0.0, 950.0]])
    for lens in cameras:
        seen = lens.view(middle)
        assert seen[0, 2] > 1800 and abs(seen[0, 0]) < 0.5 * seen[0, 2]
        above, below = (
            lens.project(lens.view(middle + np.array([[0, 0, z]]))) for z in (500, -500)
        )
        assert above[0, 1] < below[0, 1], "up is up in the image"
    assert len({lens.translation_mm for lens in cameras}) == 500


def test_a_clip_is_filmed_once_and_the_truth_is_what_the_camera_sees():
    views = film(CLIPS, ["gt"], 1.0, [0, 0])
    assert [*views.clip] == [*range(len(CLIPS))] == [*views.camera]
    assert views.poses3d.dtype == views.root.dtype == np.float32
    assert np.abs(views.poses3d[:, ROOT]).max() == 0 and (views.root[:, 2] > 1000).all()
    assert np.allclose(views.exact(), views.poses2d[..., :2], atol=1e-4)
    lengths = np.linalg.norm(views.poses3d[:, 3] - views.poses3d[:, 2], axis=-1)
    world = np.concatenate([clip.positions for clip in CLIPS])
    assert np.allclose(lengths, np.linalg.norm(world[:, 3] - world[:, 2], axis=-1), atol=0.01)


def test_drawn_cameras_see_the_person():
    wide = [replace(clip, positions=clip.positions * [3, 3, 1]) for clip in CLIPS * 10]
    views = film(wide, ["gt"], 1.0, [0])
    for lens, a, b in zip(views.cameras, views.start, views.stop, strict=True):
        pixels = (views.poses2d[a:b, :, :2] + [1, lens.height / lens.width]) * lens.width / 2
        inside = ((pixels >= 0) & (pixels < lens.size)).all(axis=-1)
        assert inside.mean() > 0.9


def test_where_nothing_fits_the_camera_that_sees_most_is_taken(monkeypatch):
    told = iter([0.1, 0.7, *[0.2] * 18])
    made = []
    monkeypatch.setattr(drawn, "camera", lambda reach, rng: made.append(object()) or made[-1])
    monkeypatch.setattr(drawn, "seen", lambda world, lens: next(told))
    chosen = drawn.suited(CLIPS[0].positions, np.random.default_rng(0))
    assert chosen is made[1] and len(made) == drawn.TRIES


def test_draws_follow_the_seed_and_the_share_says_how_many():
    first, same, other = (film(CLIPS, ["cpn"], 0.5, [0, epoch]) for epoch in (3, 3, 4))
    assert np.array_equal(first.poses2d, same.poses2d)
    assert not np.array_equal(first.poses2d, other.poses2d)
    own = [film(CLIPS, ["gt"], share, [0, 0]) for share in (0.0, 1.0)]
    assert all(lens in rig() for lens in own[0].cameras)
    assert not any(lens in rig() for lens in own[1].cameras)


def test_each_view_draws_its_detector():
    many = film(CLIPS * 20, ["gt", "rough"], 0.0, [0])
    exact = np.abs(many.poses2d[..., :2] - many.exact()).max(axis=(1, 2)) < 1e-4
    clean = [exact[a:b].all() for a, b in zip(many.start, many.stop, strict=True)]
    assert 0.25 < np.mean(clean) < 0.75 and many.source == "gt or rough"


def test_a_detector_that_is_not_known_is_refused_by_name():
    with pytest.raises(BenchError, match=r"nobody.*cpn"):
        film(CLIPS, ["nobody"], 0.5, [0])
