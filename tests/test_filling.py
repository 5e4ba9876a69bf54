"""What a detector did not see: filled over the face and over time, counted, or too much of it."""

from __future__ import annotations

import logging

import numpy as np
import pytest
from test_keypoints import SIZE, alphapose, arrays, body, saved

from htpbench.datasets.keypoints import Keypoints
from htpbench.errors import BenchError


def test_filling(tmp_path, caplog):
    caplog.set_level(logging.WARNING)
    points = body(13)
    points[2:5] = 0  # nobody
    points[6, 9] = [0, 0, 0.9]  # nowhere
    points[7, 9, 2] = 0
    points[8, 9] = np.nan
    path = str(arrays(tmp_path / "gaps.npz", keypoints=points))
    line = Keypoints(path, joints="midpoint", **SIZE)
    held = Keypoints(path, joints="midpoint", fill="hold", **SIZE)
    assert line.card["frames_filled"] == "3 of 13, linear"
    assert line.card["joints_filled"] == f"3 of {10 * 15}, linear", "15 of the 17 points are used"
    assert held.card["frames_filled"] == "3 of 13, hold" and "3 of 13 frames lack" in caplog.text
    whole = body(13)
    line, held = line.video.keypoints, held.video.keypoints
    assert np.allclose(line[2:5, 1, :2], whole[2:5, 12, :2], atol=1e-3)
    assert np.allclose(held[2:5, 1, :2], whole[1, 12, :2], atol=1e-3)
    for each in (line, held):
        assert not each[2:5, :, 2].any() and not each[6:9, 13, 2].any() and each[6:, 12, 2].all()
    assert np.allclose(held[6:9, 13, :2], whole[5, 9, :2], atol=1e-3)


def test_a_face_from_behind_is_filled_by_what_is_seen_of_it(tmp_path):
    points = body(4)
    points[:, :3] = 0  # nose and eyes
    path = str(arrays(tmp_path / "behind.npz", keypoints=points))
    data = Keypoints(path, joints="midpoint", **SIZE)
    assert np.allclose(data.video.keypoints[:, 9, :2], points[:, 3:5, :2].mean(1), atol=1e-3)
    assert not data.video.keypoints[:, 9:11, 2].any()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p.__setitem__((slice(0, 5), 9), 0), "the left wrist is not seen in 5 of 9"),
        (lambda p: p.__setitem__(slice(1, 7), 0), "is seen in 3 of 9 frames"),
        (lambda p: p.__setitem__((slice(None), slice(0, 5)), 0), "the nose is not seen in 9 of 9"),
        (lambda p: p.__itruediv__([1000, 1000, 1]), "they are normalised"),
        (lambda p: (p.__itruediv__([1000, 1000, 1]), p.__setitem__((0, 0, 0), 1.02)), "normalised"),
    ],
)
def test_too_little_is_refused(tmp_path, change, said):
    points = body(9)
    change(points)
    with pytest.raises(BenchError, match=said):
        Keypoints(str(arrays(tmp_path / "bad.npz", keypoints=points)), **SIZE)


def test_a_gap_of_years_takes_no_memory(tmp_path):
    path = saved(tmp_path / "gap.json", alphapose(body(2), [1, 10**14]))
    with pytest.raises(BenchError, match="in 2 of 100000000000000 frames"):
        Keypoints(str(path), **SIZE)
