"""How the official codes score, written once more and slowly: frame by frame, in plain loops.

It knows nothing of Windows and Protocol. A clip is a dictionary: `x` (N, J, 3) screen units and
confidence, `y` (N, J, 3) mm relative to the root, `valid` (N,), `action`; of MotionBERT's data
also `size` (width, height), `factor` (N,) and `mm` (N, J, 3), the truth where it is.
"""

from __future__ import annotations

import numpy as np
import torch

LEFT, RIGHT = [4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]


def mirror(pose):
    """x changes its sign, left and right change places."""
    other = np.array(pose, copy=True)
    other[..., LEFT, :], other[..., RIGHT, :] = pose[..., RIGHT, :], pose[..., LEFT, :]
    other[..., 0] = -other[..., 0]
    return other


def say(lifter, window, flip):
    """{frame of the window: pose (J, 3)} as the network says it of a window (F, J, 3)."""
    channels = lifter.backbone.channels

    def once(x, replay=None):
        clip = torch.from_numpy(np.ascontiguousarray(x[None, ..., :channels]))
        with torch.inference_mode():
            return lifter(clip, replay=replay)

    first = once(window)
    poses = first.poses[0].numpy()
    if flip:
        second = once(mirror(window), first.kept if lifter.centred else None)
        poses = (poses + mirror(second.poses[0].numpy())) / 2
    return dict(zip(first.frames[0].tolist(), poses, strict=True))


def inside(frame, length):
    """A frame, or the nearest one that there is."""
    return min(max(frame, 0), length - 1)


def per_frame(lifter, clip, frames, flip):
    """One window a frame, its centre is scored: [(frame, pose)]."""
    length, half = len(clip["x"]), (frames - 1) // 2
    for t in range(length):
        rows = [inside(t - half + k, length) for k in range(frames)]
        yield t, say(lifter, clip["x"][rows], flip)[half]


APART = {"stcformer": 3, "pstmo": 2, "uplift": 5, "uplift-81": 2}


def spaced(lifter, clip, frames, flip, protocol):
    """One window a frame; what it shows lies `APART` frames from each other.

    STCFormer and P-STMO pad a clip by its first and last frame before they take every n-th;
    uplift takes every n-th first, and pads by the first and last of those.
    """
    length, half, apart = len(clip["x"]), (frames - 1) // 2, APART[protocol]
    for t in range(length):
        wanted = [t + (k - half) * apart for k in range(frames)]
        ends = [0, length - 1]
        if protocol.startswith("uplift"):
            ends = [frame for frame in wanted if 0 <= frame < length]
        rows = []
        for frame in wanted:
            if frame < 0:
                frame = ends[0]
            elif frame >= length:
                frame = ends[-1]
            rows.append(frame)
        yield t, say(lifter, clip["x"][rows], flip)[half]


def interpolated(said, apart):
    """Poses between two multiples of `apart` are replaced; behind the last one they are its own."""
    poses = [pose for _, pose in said]
    for t in range(len(poses)):
        before, part = t - t % apart, t % apart
        if part == 0:
            yield t, poses[t]
        elif before + apart < len(poses):
            rest = apart - part
            yield t, (poses[before] * rest + poses[before + apart] * part) / apart
        else:
            yield t, poses[before]


def averaged(lifter, clip, frames, flip):
    """0, 5, 10 ... as long as windows are full; a frame is the mean of all that show it."""
    length, of_frame = len(clip["x"]), {}
    for first in range(0, length - frames + 1, 5):
        rows = list(range(first, first + frames))
        for k, pose in say(lifter, clip["x"][rows], flip).items():
            of_frame.setdefault(rows[k], []).append(pose.astype(np.float64))
    for t, poses in sorted(of_frame.items()):
        yield t, sum(poses) / len(poses)


def in_a_row(lifter, clip, frames, flip):
    """0, F, 2F ...; the last window is the last F frames; short clips repeat their last frame."""
    rows = list(range(len(clip["x"])))
    while len(rows) < frames:
        rows.append(rows[-1])
    firsts = list(range(0, len(rows) - frames + 1, frames))
    if firsts[-1] + frames < len(rows):
        firsts.append(len(rows) - frames)
    for first in firsts:
        window = rows[first : first + frames]
        for k, pose in say(lifter, clip["x"][window], flip).items():
            yield window[k], pose


def padded(lifter, clip, frames, flip):
    """ceil((N - F) / F) + 1 windows, the first at -floor(surplus / 2); padded frames are scored."""
    length = len(clip["x"])
    count = max(int(np.ceil((length - frames) / frames)), 0) + 1
    surplus = count * frames - length
    for number in range(count):
        first = -(surplus // 2) + number * frames
        rows = [inside(first + k, length) for k in range(frames)]
        for k, pose in say(lifter, clip["x"][rows], flip).items():
            yield rows[k], pose


def full_windows(lifter, clip, frames, flip, last):
    """0, F, 2F ... without a remainder; a short clip is stretched, the last of all is lost."""
    length = len(clip["x"])
    if length < frames:
        if last:
            return
        rows = [k * length // frames for k in range(frames)]
        for k, pose in say(lifter, clip["x"][rows], flip).items():
            yield rows[k], pose
        return
    for first in range(0, length - frames + 1, frames):
        rows = list(range(first, first + frames))
        for k, pose in say(lifter, clip["x"][rows], flip).items():
            yield rows[k], pose


def errors(lifter, clips, protocol, pipeline, frames, flip=True):
    """[(action, MPJPE in mm of a scored frame)], in the order of the clips."""
    found = []
    for number, clip in enumerate(clips):
        one_frame = pipeline == "seq2frame" or protocol in ("videopose3d", "3dhp-centre")
        if protocol in APART:
            said = spaced(lifter, clip, frames, flip, protocol)
            if protocol.startswith("uplift"):
                said = interpolated(said, APART[protocol])
        elif one_frame:
            said = per_frame(lifter, clip, frames, flip)
        elif protocol in ("mixste", "d3dp", "3dhp"):
            said = in_a_row(lifter, clip, frames, flip)
        elif protocol == "hdformer":
            said = averaged(lifter, clip, frames, flip)
        elif protocol == "hot":
            said = padded(lifter, clip, frames, flip)
        else:
            said = full_windows(lifter, clip, frames, flip, number == len(clips) - 1)
        scored = []
        for t, pose in said:
            if not clip["valid"][t]:
                continue
            pose = pose.astype(np.float64)
            if protocol.startswith("uplift"):
                pose = pose - pose[0]
            elif protocol not in ("videopose3d", "mixste"):
                pose[0] = 0
            if protocol == "motionbert":
                error = of_25d(pose, clip, t)
            else:
                error = np.linalg.norm(pose * 1000 - clip["y"][t], axis=-1).mean()
            scored.append((t, float(error)))
        if protocol == "3dhp" and not one_frame:
            scored = [*dict(scored).items()]  # the last window wins
        if protocol == "motionbert":
            of_frame = {}
            for t, error in scored:
                of_frame.setdefault(t, []).append(error)
            scored = [(t, float(np.mean(some))) for t, some in of_frame.items()]
        found += [(clip["action"], error) for _, error in scored]
    return found


def of_25d(pose, clip, t):
    """Screen units back to px, times the frame's mm a px, minus the root, against the truth."""
    width, height = clip["size"]
    px = np.stack(
        [
            (pose[:, 0] + 1) * width / 2,
            (pose[:, 1] + height / width) * width / 2,
            pose[:, 2] * width / 2,
        ],
        axis=1,
    )
    mm, truth = px * clip["factor"][t], clip["mm"][t]
    return np.linalg.norm((mm - mm[0]) - (truth - truth[0]), axis=-1).mean()


def means(found):
    """The mean of frames, and the mean of the means of actions."""
    actions = {}
    for action, error in found:
        actions.setdefault(action, []).append(error)
    frames = np.mean([error for _, error in found])
    return float(frames), float(np.mean([np.mean(some) for some in actions.values()]))
