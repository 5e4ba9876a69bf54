"""Evaluation protocols: each scores what the official code scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import slow_protocols as slow
import torch
from paths import SHARED, needs_shared

from htpbench.datasets import open_data
from htpbench.errors import BenchError
from htpbench.measuring import scoring
from htpbench.measuring.evaluation import prepare
from htpbench.measuring.prediction import predict
from htpbench.motion.clip import Take
from htpbench.motion.protocols import PROTOCOLS, cut
from htpbench.motion.views import Views
from htpbench.network.build import build
from htpbench.systems.combination import parse

FORMATS = SHARED / "formats"
DATA = {
    "h36m": f"h36m:{FORMATS / 'videopose3d'}",
    "motionbert": f"motionbert:{FORMATS / 'motionbert' / 'h36m_sh_conf_cam_source_final.pkl'}",
    "3dhp": f"3dhp:{FORMATS / '3dhp' / 'data_test_3dhp.npz'}",
}
BACKBONE = "mixste.tiny-"
# Windows longer than some clips are repeated, padded or stretched; one a frame is slow.
LONG, SHORT = 43, 9
WHOLE = BACKBONE + "{}", "seq2seq", LONG
PRUNED = BACKBONE + "{}+tpc:5@1+tri", "seq2seq", LONG
KEPT = BACKBONE + "{}+tpc:5@1", "seq2frame", SHORT  # poses come out at kept frames alone
FEW, SOME = 3, 10  # views that are asked: one window a frame is slow
MOST = 20  # frames of each, of which a window for every one is asked
CASES = [
    (layout, protocol, *how)
    for layout, protocols in (
        ("h36m", ("videopose3d", "mixste", "d3dp", "hot")),
        ("motionbert", ("motionbert",)),
        ("3dhp", ("3dhp", "3dhp-centre")),
    )
    for protocol in protocols
    for how in (WHOLE, PRUNED, KEPT)
    if how is not KEPT or protocol not in ("mixste", "d3dp")  # one window a frame, as the others
]


def clips(data, views):
    """What the slow script takes, of each view."""
    shots = [*data.shots("test")]
    assert len(shots) == len(views.start)
    for shot, start, stop, number in zip(shots, views.start, views.stop, views.clip, strict=True):
        frames = stop - start
        clip = {
            "x": views.poses2d[start:stop],
            "y": views.truth[start:stop].astype(np.float64),
            "valid": views.valid[start:stop],
            "action": views.clips[number].action,
        }
        if shot.scale is not None:
            factor = shot.scale[:frames] / (shot.size[0] / 2)
            clip |= {"size": shot.size, "factor": factor, "mm": shot.poses3d[:frames]}
        yield clip


@needs_shared
@pytest.mark.parametrize(("layout", "protocol", "text", "pipeline", "frames"), CASES)
def test_every_protocol_equals_a_slow_script(layout, protocol, text, pipeline, frames):
    torch.manual_seed(1)
    each_frame = PROTOCOLS[protocol].stride(frames, pipeline) == 1
    frames = SHORT if each_frame else frames
    lifter = build(parse(text.format(frames)), pipeline).eval()
    data = open_data(DATA[layout])
    unit = "2.5D" if layout == "motionbert" else "m"
    whole = prepare(data, frames, pipeline, protocol=protocol, unit=unit)
    views = whole.views
    if each_frame:
        ends = zip(views.start, views.stop, strict=True)
        views = views.rows([np.arange(start, min(stop, start + MOST)) for start, stop in ends])
    some = [*clips(data, views)]
    step = max(len(some) // (FEW if each_frame else SOME), 1)
    chosen = np.zeros(len(some), dtype=bool)
    chosen[::step] = True
    views = views.only(chosen)
    found = replace(whole, views=views, windows=cut(views, frames, pipeline, protocol=protocol))
    flip = protocol != "videopose3d"
    said = predict(lifter, views, found.windows, flip, protocol=found.protocol)
    got = {one.metric: one for one in scoring.measure(said, found) if one.axis is None}
    expected = slow.errors(lifter, some[::step], protocol, pipeline, frames, flip)
    of_frames, of_actions = slow.means(expected)
    assert got["accuracy.mpjpe"].value == pytest.approx(of_frames, abs=1e-3)
    assert got["accuracy.mpjpe_action_mean"].value == pytest.approx(of_actions, abs=1e-3)


def views(*lengths):
    poses = [np.zeros((length, 17, 3), np.float32) for length in lengths]
    takes = [Take(str(i), "S9", "Walking", "test") for i in range(len(lengths))]
    return Views.of(takes, poses, source="gt")


@pytest.mark.parametrize(
    ("protocol", "length", "shown", "scored"),
    [
        # F = 5: the frames of each window, and how often each frame of the clip is scored
        ("mixste", 5, [[0, 1, 2, 3, 4]], [1, 1, 1, 1, 1]),
        ("mixste", 3, [[0, 1, 2, 2, 2]], [1, 1, 3]),
        ("d3dp", 7, [[0, 1, 2, 3, 4], [2, 3, 4, 5, 6]], [1, 1, 2, 2, 2, 1, 1]),
        ("hot", 3, [[0, 0, 1, 2, 2]], [2, 1, 2]),
        ("hot", 7, [[0, 0, 1, 2, 3], [4, 5, 6, 6, 6]], [2, 1, 1, 1, 1, 1, 3]),
        ("hot", 10, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], [1] * 10),
        ("motionbert", 12, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], [1] * 10 + [0, 0]),
        ("motionbert", 3, [[0, 0, 1, 1, 2]], [2, 2, 1]),
        ("3dhp", 7, [[0, 1, 2, 3, 4], [2, 3, 4, 5, 6]], [1] * 7),
        ("3dhp", 3, [[0, 1, 2, 2, 2]], [1, 1, 1]),
        ("3dhp-centre", 2, [[0, 0, 0, 1, 1], [0, 0, 1, 1, 1]], [1, 1]),
        ("videopose3d", 2, [[0, 0, 0, 1, 1], [0, 0, 1, 1, 1]], [1, 1]),
    ],
)
def test_windows_of_short_clips(protocol, length, shown, scored):
    windows = cut(views(length, 6), 5, protocol=protocol)
    first = windows[windows.view == 0]
    assert first.index.tolist() == shown
    assert np.bincount(first.index[first.scored], minlength=length).tolist() == scored
    if PROTOCOLS[protocol].counts == "windows":
        assert first.each_scored().tolist() == first.index[first.scored].tolist()


def test_motionbert_leaves_out_a_last_clip_that_is_short():
    windows = cut(views(3, 6, 4), 5, protocol="motionbert")
    assert windows.view.tolist() == [0, 1]
    with pytest.raises(BenchError, match="the only clip has 4 frames"):
        cut(views(4), 5, protocol="motionbert")


def test_a_frame_with_several_errors_has_their_mean():
    rows = np.array([4, 4, 7, 5])
    found, errors = scoring.meant(rows, {"mpjpe": np.array([1.0, 3.0, 10.0, 7.0])})
    assert found.tolist() == [4, 5, 7] and errors["mpjpe"].tolist() == [2, 7, 10]
