"""Windows that overlap: what several say of a frame is blended."""

import numpy as np
import pytest
import small
import torch

from htpbench.measuring.prediction import blend, nearness, predict
from htpbench.motion.protocols import cut
from htpbench.motion.views import Views
from htpbench.network.contracts import Lifted


def views(length):
    poses2d = np.zeros((length, 17, 3), np.float32)
    poses2d[:, 1, 0] = np.arange(length)  # tells the frame
    take = small.clips()[0][0]
    return Views.of([take], [poses2d], source="given")


@pytest.mark.parametrize("length", [1, 5, 9, 10, 13, 14, 30])
def test_windows_overlap_by_half_and_show_every_frame(length):
    windows = cut(views(length), 9, protocol="blended")
    assert windows.rows_scored(length).all()
    assert (windows.first >= 0).all() and np.diff(windows.first).max(initial=0) <= 5
    assert windows.high.tolist() == np.minimum(windows.first + 9, length).tolist()
    assert windows.overlap == (len(windows) > 1)
    alone = cut(views(length), 9, "seq2frame", protocol="blended")
    assert np.array_equal(alone.index, cut(views(length), 9, "seq2frame").index)
    assert not alone.overlap and not cut(views(length), 9).overlap


def test_what_is_near_the_middle_counts_more():
    weights = nearness(np.arange(9), 9)
    assert weights.argmax() == 4 and weights[4] == 1 and (weights > 0).all()
    assert np.allclose(weights, weights[::-1])
    rows = np.array([0, 1, 1, 2])
    poses = np.array([1.0, 2, 5, 7], np.float32)[:, None, None] * np.ones((1, 17, 3), np.float32)
    kept, mixed = blend(rows, poses, np.array([0.2, 0.5, 1.0, 0.1], np.float32))
    assert kept.tolist() == [0, 1, 2]
    assert mixed[:, 0, 0] == pytest.approx([1, 4, 7])


class Told(torch.nn.Module):
    """Says of each frame its number, and of the window where it stands in it."""

    def __init__(self):
        super().__init__()
        self.frames, self.centred, self.pruner = 9, False, None
        self.backbone = type("Card", (), {"channels": 2, "inputs": ("poses2d",)})

    def forward(self, poses2d, replay=None):
        poses = torch.zeros(*poses2d.shape[:3], 3)
        poses[..., 1, 0] = poses2d[..., 1, 0] / 1000
        poses[..., 1, 1] = torch.arange(9) / 1000
        frames = torch.arange(9).expand(len(poses2d), -1)
        return Lifted(poses, frames, ())


def test_a_frame_is_the_mean_of_its_windows():
    seen, told, clip = [], [], views(22)
    windows = cut(clip, 9, protocol="blended")
    found = predict(
        Told(), clip, windows, False,
        watch=lambda rows, poses: seen.append((rows, poses)),
        tell=lambda done, total: told.append((done, total)),
    )  # fmt: skip
    assert found.rows.tolist() == list(range(22))
    assert found.poses[:, 1, 0] == pytest.approx(np.arange(22), abs=1e-4)
    place = np.arange(22)[:, None] - windows.first  # (N, W)
    weight = np.where((place >= 0) & (place < 9), 5 - np.abs(place - 4), 0)
    want = (weight * place).sum(axis=1) / weight.sum(axis=1)
    assert found.poses[:, 1, 1] == pytest.approx(want, abs=1e-3)
    [(rows, poses)] = seen  # nobody sees a pose that is not final
    assert np.array_equal(rows, found.rows) and np.array_equal(poses, found.poses)
    assert told == [(len(windows), len(windows))]
