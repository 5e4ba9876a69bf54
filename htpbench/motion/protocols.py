"""Evaluation protocols: how views are cut into windows, and what of what networks say is scored.

`once` and `blended` are ours, the others are those of the official codes. They are told apart by
which frames are scored how often and by what becomes of the predicted root; rows of unlike ones
are never compared.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from htpbench.errors import BenchError, unknown
from htpbench.motion.views import Views
from htpbench.motion.windows import Windows

PIPELINES = ("seq2seq", "seq2frame")


@dataclass(frozen=True)
class Protocol:
    """How accuracy is measured.

    cut: views, F, pipeline and stride to windows. root: what becomes of the predicted joint 0;
    all joints are moved so that it is 0 ("subtracted"), it alone is set to 0 ("zeroed"), or its
    error counts ("own"). counts: frames once each, their poses blended where several windows say
    one ("frames"); each time that a window scores them, padded ones too ("windows"); or the mean
    of a frame's errors ("errors"). joins: velocities are taken from one window to the next too.
    share: windows are F / share apart, or `step` frames. evenly: poses of several windows count
    alike in the blend, not by how near they are to the middle. centred: one window a frame whatever
    the pipeline. apart, inside: of the frames of centred windows, as in `Windows`. filled: of every
    `filled`-th frame the pose is lifted; between two it is interpolated linearly, behind the last
    one it is held.
    """

    cut: Callable[[Views, int, str, int], Windows]
    root: Literal["subtracted", "zeroed", "own"] = "zeroed"
    counts: Literal["frames", "windows", "errors"] = "frames"
    joins: bool = False
    share: int = 1
    step: int = 0
    evenly: bool = False
    centred: bool = False
    apart: int = 1
    inside: bool = False
    filled: int = 1

    def stride(self, frames: int, pipeline: str) -> int:
        """From one window to the next, where nothing else is said."""
        one_frame = self.centred or pipeline == "seq2frame"
        if one_frame:
            return self.filled
        return self.step or -(-frames // self.share)

    def mixes(self, windows: Windows) -> bool:
        """Whether the pose of a frame may be made of more than one that was lifted."""
        return self.counts == "frames" and (self.filled > 1 or windows.overlap)


def cut(
    views: Views,
    frames: int,
    pipeline: str = "seq2seq",
    stride: int | None = None,
    protocol: str = "once",
) -> Windows:
    """Windows of `frames` frames, `stride` apart (default: the protocol's)."""
    if pipeline not in PIPELINES:
        raise unknown("pipeline", pipeline, PIPELINES)
    how = named(protocol)
    if stride is None:
        stride = how.stride(frames, pipeline)
    if frames < 1 or stride < 1:
        raise BenchError(f"frames is {frames} and stride is {stride}; both must be at least 1")
    return how.cut(views, frames, pipeline, stride).spread(how.apart, how.inside)


def named(protocol: str) -> Protocol:
    """The protocol of a name; BenchError where there is none."""
    if protocol not in PROTOCOLS:
        raise unknown("evaluation protocol", protocol, PROTOCOLS)
    return PROTOCOLS[protocol]


def laid(views: Views, frames: int, count: np.ndarray) -> tuple[Windows, np.ndarray]:
    """Windows at frame 0 that score nothing, `count` (V,) of each view, and their numbers in it."""
    view = np.repeat(np.arange(len(count)), count)  # (W,)
    number = np.arange(len(view)) - np.repeat(np.cumsum(count) - count, count)
    none = np.zeros_like(view)
    return Windows(frames, view, views.start[view], views.stop[view], none, none, none), number


def surplus(views: Views, frames: int) -> np.ndarray:
    """(V,) by how many frames views are longer than a window."""
    return np.maximum(views.stop - views.start - frames, 0)


def centred(views: Views, frames: int, pipeline: str, stride: int) -> Windows:
    """One window a frame, edge frames repeated, of which the centre (frames - 1) // 2 is scored.

    VideoPose3D shows a clip at once, padded by half of what its convolutions see: the same.
    """
    windows, number = laid(views, frames, -(-(views.stop - views.start) // stride))
    at = number * stride
    return replace(windows, first=at - (frames - 1) // 2, low=at, high=at + 1)


def once(views: Views, frames: int, pipeline: str, stride: int) -> Windows:
    """With the default stride every frame of a view is scored exactly once.

    seq2seq: the last window of a view is its last frames, scored only where no earlier window was;
    a view shorter than a window repeats its last frame, which is not scored again. seq2frame: see
    `centred`.
    """
    if pipeline == "seq2frame":
        return centred(views, frames, pipeline, stride)
    windows = rows(views, frames, pipeline, stride)
    seen = np.zeros_like(windows.first)  # where the window before it ends
    seen[1:] = np.where(windows.view[1:] == windows.view[:-1], windows.first[:-1] + frames, 0)
    length = windows.stop - windows.start
    high = np.minimum(windows.high, length)
    return replace(windows, low=np.maximum(seen, windows.first), high=high)


def blended(views: Views, frames: int, pipeline: str, stride: int) -> Windows:
    """As `once`, but seq2seq windows score all that they show of their view.

    They overlap by half where nothing else is said, so that no pose comes from the end of a window
    alone, and none jumps where one ends.
    """
    if pipeline == "seq2frame":
        return centred(views, frames, pipeline, stride)
    windows = rows(views, frames, pipeline, stride)
    return replace(windows, high=np.minimum(windows.high, windows.stop - windows.start))


def rows(views: Views, frames: int, pipeline: str, stride: int) -> Windows:
    """Windows in a row from frame 0 on, the last one the last frames; all that they show counts.

    A view shorter than a window repeats its last frame. MixSTE, KTPFormer, D3DP.
    """
    if pipeline == "seq2frame":
        return centred(views, frames, pipeline, stride)
    longer = surplus(views, frames)  # (V,)
    windows, number = laid(views, frames, 1 + -(-longer // stride))
    first = np.minimum(number * stride, longer[windows.view])
    return replace(windows, first=first, low=first, high=first + frames)


def padded(views: Views, frames: int, pipeline: str, stride: int) -> Windows:
    """As many windows as cover a view, padded by half of what is left over on either side.

    The padded frames are scored. HoT's seq2seq.
    """
    if pipeline == "seq2frame":
        return centred(views, frames, pipeline, stride)
    windows, number = laid(views, frames, 1 + -(-surplus(views, frames) // stride))
    count = np.bincount(windows.view, minlength=len(views.start))
    over = (count - 1) * stride + frames - (views.stop - views.start)  # (V,)
    first = number * stride - over[windows.view] // 2
    return replace(windows, first=first, low=first, high=first + frames)


def full(views: Views, frames: int, pipeline: str, stride: int) -> Windows:
    """Full windows from frame 0 on: what remains of a view is not scored.

    A view shorter than a window is stretched over one, but the last of all is left out.
    MotionBERT, MotionAGFormer.
    """
    if pipeline == "seq2frame":
        return centred(views, frames, pipeline, stride)
    length = views.stop - views.start
    short = length < frames  # (V,)
    count = np.where(short, 1, surplus(views, frames) // stride + 1)
    count[-1] -= short[-1]
    if not count.any():
        raise BenchError(
            f"the only clip has {length[0]} frames, and this protocol leaves out a last one that "
            f"is shorter than F = {frames}; take a longer one, or --protocol once"
        )
    windows, number = laid(views, frames, count)
    first, spread = number * stride, short[windows.view]
    high = np.where(spread, length[windows.view], first + frames)
    return replace(windows, first=first, low=first, high=high, stretched=spread)


def complete(views: Views, frames: int, pipeline: str, stride: int) -> Windows:
    """Full windows from frame 0 on; what remains, and views shorter than a window, are not scored.

    HDFormer.
    """
    if pipeline == "seq2frame":
        return centred(views, frames, pipeline, stride)
    length = views.stop - views.start
    if (length < frames).all():
        raise BenchError(
            f"the longest clip has {length.max()} frames, and this protocol scores full windows of "
            f"F = {frames} alone; take a longer one, or --protocol once"
        )
    count = np.where(length < frames, 0, surplus(views, frames) // stride + 1)
    windows, number = laid(views, frames, count)
    first = number * stride
    return replace(windows, first=first, low=first, high=first + frames)


def last_wins(views: Views, frames: int, pipeline: str, stride: int) -> Windows:
    """Windows in a row, each frame scored once: by the last window that shows it. D3DP on 3DHP."""
    if pipeline == "seq2frame":
        return centred(views, frames, pipeline, stride)
    windows = blended(views, frames, pipeline, stride)
    high = windows.high.copy()
    follows = windows.view[1:] == windows.view[:-1]
    high[:-1][follows] = np.minimum(high[:-1], windows.first[1:])[follows]
    return replace(windows, high=high)


def uplift(apart: int) -> Protocol:
    """Einfalt et al.: tokens `apart` frames from each other, and as far from pose to pose."""
    how = Protocol(centred, root="subtracted", centred=True)
    return replace(how, apart=apart, inside=True, filled=apart)


PROTOCOLS: dict[str, Protocol] = {
    "once": Protocol(once, root="subtracted"),
    "blended": Protocol(blended, root="subtracted", share=2),
    "videopose3d": Protocol(centred, root="own", centred=True),
    "mixste": Protocol(rows, root="own", counts="windows", joins=True),
    "d3dp": Protocol(rows, counts="windows"),
    "hot": Protocol(padded, counts="windows"),
    "motionbert": Protocol(full, counts="errors"),
    "3dhp": Protocol(last_wins),
    "3dhp-centre": Protocol(centred, centred=True),
    "stcformer": Protocol(centred, centred=True, apart=3),
    "pstmo": Protocol(centred, centred=True, apart=2),
    "uplift": uplift(5),  # of 71 tokens, "351 frames"
    "uplift-81": uplift(2),  # of 41 tokens
    "hdformer": Protocol(complete, step=5, evenly=True),
}
ONCE = PROTOCOLS["once"]
