"""The meter selection: the frames that are kept, and how noisy they are."""

import numpy as np
import pytest
import small

from htpbench.errors import BenchError
from htpbench.measuring import kept
from htpbench.measuring.evaluation import prepare
from htpbench.motion.cameras import rig
from htpbench.motion.filming import make_views
from htpbench.network.build import build


def test_kept_frames_are_told_window_by_window():
    evaluation = prepare(small.motion(), 9, "seq2seq")
    _, found, *_ = kept.measure(build(small.PRUNED), evaluation)
    assert found.value == [0, 4, 8] * kept.SHOWN and found.samples == kept.SHOWN
    assert found.axis[:4] == [*(f"window 0, rank {i}" for i in range(3)), "window 1, rank 0"]


@pytest.mark.parametrize("every", [1, 2])
def test_frame_noise_is_the_pixel_error_of_what_is_kept(every):
    motion = small.motion()
    evaluation = prepare(motion, 9, "seq2seq", every=every)
    noise, told = noises(evaluation)
    windows, views = evaluation.windows, evaluation.views
    errors, by_clip = [], {}
    exact = make_views(motion.motion("test"), "gt", "rotate")
    for view, row in zip(windows.view, windows.index, strict=True):
        lens = rig()[views.camera[view]]
        for frame in (0, 4, 8):
            at = exact.start[view] + (row[frame] - views.start[view]) * every
            apart = (views.poses2d[row[frame]] - exact.poses2d[at])[:, :2] * lens.width / 2
            errors.append(np.linalg.norm(apart, axis=1).mean())
            by_clip.setdefault(view, []).append(errors[-1])
    assert noise.value == pytest.approx(np.mean(errors), rel=1e-5) and 1 < noise.value < 50
    assert told.value == pytest.approx([np.mean(errors) for errors in by_clip.values()], rel=1e-5)
    assert noise.samples == 1 and noise.low is None, "two clips of one subject"


def noises(evaluation):
    """Frame noise and that of each clip."""
    found = {one.metric: one for one in kept.measure(build(small.PRUNED), evaluation)}
    return found["selection.frame_noise"], found["selection.frame_noise_by_clip"]


def test_exact_detections_have_no_noise():
    noise, told = noises(prepare(small.motion(), 9, "seq2seq", "gt"))
    assert max(noise.value, *told.value) < 1e-5  # px: poses are float32


def test_more_kept_frames_than_a_row_holds_are_refused_with_the_remedy(monkeypatch):
    monkeypatch.setattr(kept, "MOST_VALUES", 5)
    evaluation = prepare(small.motion(), 9, "seq2seq", limit=2, consecutive=True)
    with pytest.raises(BenchError, match=r"keep 6 frames, and a row holds 5; lower `windows`"):
        kept.measure(build(small.PRUNED), evaluation)
