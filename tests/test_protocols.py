"""Evaluation protocols: each scores what the official code scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import slow_protocols as slow
import small
import torch
from paths import SHARED, needs_shared

from htpbench.datasets import open_data
from htpbench.errors import BenchError
from htpbench.measuring import scoring
from htpbench.measuring.evaluation import Evaluation, prepare
from htpbench.measuring.prediction import predict
from htpbench.motion.clip import Take
from htpbench.motion.filling import filling
from htpbench.motion.protocols import PROTOCOLS, cut
from htpbench.motion.views import Views
from htpbench.network.build import build
from htpbench.network.contracts import Lifted
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
FURTHER = ("stcformer", "pstmo", "uplift", "uplift-81", "hdformer")
WHOLE = BACKBONE + "{}", "seq2seq", LONG
PRUNED = BACKBONE + "{}+tpc:5@1+tri", "seq2seq", LONG
KEPT = BACKBONE + "{}+tpc:5@1", "seq2frame", SHORT  # poses come out at kept frames alone
FEW, SOME = 3, 10  # views that are asked: one window a frame is slow
MOST = 20  # frames of each, of which a window for every one is asked
CASES = [
    (layout, protocol, *how)
    for layout, protocols in (
        ("h36m", ("videopose3d", "mixste", "d3dp", "hot", *FURTHER)),
        ("motionbert", ("motionbert",)),
        ("3dhp", ("3dhp", "3dhp-centre")),
    )
    for protocol in protocols
    for how in (WHOLE, PRUNED, KEPT)
    if how is not KEPT or protocol not in ("mixste", "d3dp", "hdformer")  # as the others
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
    each_frame = PROTOCOLS[protocol].centred or pipeline == "seq2frame"
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
        ("stcformer", 1, [[0, 0, 0, 0, 0]], [1]),
        ("stcformer", 2, [[0, 0, 0, 1, 1], [0, 0, 1, 1, 1]], [1, 1]),
        ("pstmo", 4, [[0, 0, 0, 2, 3], [0, 0, 1, 3, 3], [0, 0, 2, 3, 3], [0, 1, 3, 3, 3]], [1] * 4),
        ("uplift", 1, [[0, 0, 0, 0, 0]], [1]),
        ("uplift", 9, [[0, 0, 0, 5, 5], [0, 0, 5, 5, 5]], [1, 0, 0, 0, 0, 1, 0, 0, 0]),
        ("uplift-81", 4, [[0, 0, 0, 2, 2], [0, 0, 2, 2, 2]], [1, 0, 1, 0]),
        ("hdformer", 4, [], [0] * 4),
        ("hdformer", 9, [[0, 1, 2, 3, 4]], [1] * 5 + [0] * 4),
        ("hdformer", 10, [[0, 1, 2, 3, 4], [5, 6, 7, 8, 9]], [1] * 10),
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


LENGTHS = (1, 4, 8, 9, 10, 14, 33, 3)
HOW = (
    ("seq2seq", "mixste.tiny-9"),
    ("seq2seq", "mixste.tiny-9+tps:3@1+tri"),
    ("seq2frame", "mixste.tiny-9+tpc:5@1"),
)


def drawn(*lengths):
    """Views of random motion with truth; some frames are not valid."""
    rng = np.random.default_rng(3)
    takes = [Take(str(i), "S9", f"act {i % 2}", "test") for i in range(len(lengths))]
    poses2d = [rng.normal(size=(length, 17, 3)) * 0.3 for length in lengths]
    poses3d = [rng.normal(size=(length, 17, 3)) * 300 for length in lengths]
    found = Views.of(takes, poses2d, poses3d, source="gt")
    valid = rng.random(len(found.valid)) < 0.8
    return replace(found, valid=valid)


@pytest.fixture(scope="module")
def lifters():
    """A network that says poses about as long as the truth, whole and pruned, by how it is used."""
    found = {}
    for pipeline, text in HOW:
        torch.manual_seed(1)
        found[pipeline, text] = build(parse(text), pipeline).eval()
    return found


def scored(lifter, views, frames, pipeline, protocol, stride=None, flip=False):
    """Rows that are valid and the error of each, and the Evaluation."""
    windows = cut(views, frames, pipeline, stride, protocol)
    found = Evaluation(views, windows, None, {"pipeline": pipeline}, PROTOCOLS[protocol])
    said = predict(lifter, views, windows, flip, protocol=found.protocol)
    valid = views.valid[said.rows]
    errors = np.linalg.norm(said.poses - views.truth[said.rows], axis=-1).mean(axis=-1)
    return said.rows[valid], errors[valid], found


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("protocol", FURTHER)
def test_frame_by_frame_each_error_is_that_of_a_slow_script(lifters, protocol, how):
    found, pipeline, clip = drawn(*LENGTHS), how[0], []
    for a, b in zip(found.start, found.stop, strict=True):
        part = {"x": found.poses2d[a:b], "y": found.truth[a:b].astype(np.float64)}
        clip.append(part | {"valid": found.valid[a:b], "action": "one"})
    rows, errors, evaluation = scored(lifters[how], found, 9, pipeline, protocol, flip=True)
    assert rows.tolist() == evaluation.rows.tolist()
    expected = [error for _, error in slow.errors(lifters[how], clip, protocol, pipeline, 9)]
    assert errors == pytest.approx(expected, abs=1e-3)
    assert (len(expected) < found.valid.sum()) == (protocol == "hdformer" and pipeline == "seq2seq")


class Numbers(torch.nn.Module):
    """Says of each frame the number that it was shown for it, and where it stands in the window."""

    def __init__(self, frames):
        super().__init__()
        self.frames, self.centred, self.pruner = frames, False, None
        self.backbone = type("Card", (), {"channels": 2, "inputs": ("poses2d",)})

    def forward(self, poses2d, replay=None):
        poses = torch.zeros(*poses2d.shape[:3], 3)
        poses[..., 1, 0] = poses2d[..., 1, 0] / 1000
        poses[..., 1, 1] = torch.arange(self.frames)[None] / 1000
        return Lifted(poses, torch.arange(self.frames).expand(len(poses2d), -1), ())


def numbered(length):
    found = views(length, 2)
    found.poses2d[:, 1, 0] = np.arange(length + 2) ** 2  # not linear
    return found


def told(length, frames, protocol, stride=None, **more):
    found = numbered(length)
    windows = cut(found, frames, "seq2seq", stride, protocol)
    return predict(Numbers(frames), found, windows, False, protocol=PROTOCOLS[protocol], **more)


@pytest.mark.parametrize("stride", [None, 1, 5])
def test_between_poses_of_every_fifth_frame_it_is_linear_and_behind_the_last_held(stride):
    seen = []
    said = told(13, 3, "uplift", stride, watch=lambda *both: seen.append(both))
    assert said.rows.tolist() == list(range(15))
    first, second = [0, 5, 10, 15, 20, 25], [25, 40, 55, 70, 85, 100]
    expected = [*first, *second[1:], 100, 100, 169, 169]
    assert said.poses[:, 1, 0] == pytest.approx(expected, abs=1e-3)
    [(rows, poses)] = seen  # once they are final
    assert np.array_equal(rows, said.rows) and np.array_equal(poses, said.poses)


def test_no_pose_is_filled_in_where_its_neighbour_was_not_lifted():
    found = numbered(31)
    lifted = np.array([0, 5, 15, 16, 20, 30, 31])
    assert filling(lifted, found, 5).rows.tolist() == [*range(6), *range(15, 21), 30, 31, 32]
    assert told(31, 3, "uplift", 10).rows.tolist() == [0, 10, 20, 30, 31, 32]
    assert told(31, 3, "uplift", 3).rows.tolist() == [0, 15, 30, 31, 32]
    assert filling(lifted[:0], found, 5).rows.tolist() == []
    windows = cut(found, 3, protocol="uplift")
    assert windows.thin(3).each_scored().tolist() == [5, 20, 30]
    for some, expected in ((windows.thin(3), [5, 20, 30]), (windows, [*range(33)])):
        evaluation = Evaluation(found, some, None, {}, PROTOCOLS["uplift"])
        assert evaluation.rows.tolist() == expected
    invalid = replace(found, valid=np.arange(33) != 7)
    evaluation = Evaluation(invalid, windows, None, {}, PROTOCOLS["uplift"])
    assert evaluation.rows.tolist() == [*range(7), *range(8, 33)]


def test_a_frame_is_the_plain_mean_of_the_windows_that_show_it():
    said = told(24, 12, "hdformer")
    assert said.rows.tolist() == list(
        range(22)
    )  # of windows at 0, 5 and 10; 2 frames are no window
    for t, pose in zip(said.rows, said.poses, strict=True):
        places = [t - first for first in (0, 5, 10) if 0 <= t - first < 12]
        assert pose[1, 0] == pytest.approx(t**2, abs=1e-3)
        assert pose[1, 1] == pytest.approx(np.mean(places), abs=1e-4)
    assert told(24, 12, "hdformer", 12).rows.tolist() == list(range(24))


def test_full_windows_alone_need_a_clip_that_is_long_enough():
    with pytest.raises(BenchError, match="the longest clip has 4 frames"):
        cut(views(3, 4), 5, protocol="hdformer")
    assert len(cut(views(3, 4), 5, "seq2frame", protocol="hdformer")) == 7


@pytest.mark.parametrize("protocol", ["stcformer", "pstmo", "uplift", "uplift-81"])
@pytest.mark.parametrize("frames", [4, 9])
def test_windows_of_frames_apart_know_what_they_score(protocol, frames):
    found = views(1, 23, 4)
    windows = cut(found, frames, protocol=protocol)
    assert (windows.scored.sum(axis=1) == 1).all()
    assert windows.scored[:, (frames - 1) // 2].all() and not windows.overlap
    shown = windows.index[windows.scored]
    assert shown.tolist() == windows.each_scored().tolist()
    assert np.flatnonzero(windows.rows_scored(28)).tolist() == shown.tolist()
    some = windows[1::2]
    assert np.array_equal(some.index, windows.index[1::2])
    frame = np.arange(len(some))[:, None] % frames
    assert np.array_equal(some.rows(frame), np.take_along_axis(some.index, frame, 1))
    own = cut(found, frames, "seq2frame", protocol=protocol)
    assert np.array_equal(own.index, windows.index)  # one a frame whatever the pipeline
    wanted = np.zeros(28, dtype=bool)
    wanted[shown[2]] = True
    assert windows.scoring(wanted).index[:, (frames - 1) // 2].tolist() == [shown[2]]


def test_what_uplift_repeats_is_of_the_frames_that_it_shows():
    each = cut(views(9), 5, stride=1, protocol="uplift").index
    assert each[3].tolist() == [3, 3, 3, 8, 8] and each[6].tolist() == [1, 1, 6, 6, 6]
    alike = cut(views(9), 5, protocol="stcformer").index
    assert alike[4].tolist() == [0, 1, 4, 7, 8]


def test_other_windows_stay_as_they_were():
    plain = cut(views(7, 30), 9, protocol="hot")
    assert plain.spread(1) is plain and plain.apart == 1
    wide = plain.spread(3)
    assert wide.index[:, 4].tolist() == plain.index[:, 4].tolist()
    assert wide.scored.sum(axis=1).tolist() == [1] * len(plain)


def test_the_stride_of_a_protocol():
    strides = {name: PROTOCOLS[name].stride(81, "seq2seq") for name in FURTHER}
    assert strides == {"stcformer": 1, "pstmo": 1, "uplift": 5, "uplift-81": 2, "hdformer": 5}
    assert PROTOCOLS["hdformer"].stride(81, "seq2frame") == 1
    card = prepare(small.motion(), 9, "seq2seq", limit=20, protocol="uplift").card
    assert (card["stride"], card["protocol"]) == (5, "uplift")
    assert card["root"] == "pelvis, set to 0" and card["mean_over"] == "frames"


def test_nothing_is_told_of_frames_whose_errors_are_averaged_while_they_come():
    found, seen = numbered(3), []
    windows = cut(found, 5, protocol="motionbert")
    how = {"protocol": PROTOCOLS["motionbert"], "watch": lambda *both: seen.append(both)}
    predict(Numbers(5), found, windows, False, **how)
    assert windows.overlap and not seen
