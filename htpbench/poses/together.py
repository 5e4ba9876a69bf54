"""One track or two on one clock, and what is said of them: names, and errors a frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion.resampling import between
from htpbench.outside.printable import one_line, shown
from htpbench.poses.track import Track

SLACK = 1e-6  # of a frame, which times that were divided by a rate may be off


@dataclass(frozen=True, eq=False)
class Curve:
    """Millimetres a frame (N,), of one of the tracks or, where `of` is None, between the two."""

    label: str
    of: int | None
    values: np.ndarray


def together(tracks: Sequence[Track]) -> list[Track]:
    """The tracks on the clock of the faster one, cut to the seconds that all of them have.

    Poses of the slower one are interpolated, its 2D is that of the nearest frame. BenchError where
    they share none.
    """
    clock = max(tracks, key=lambda track: track.rate)
    start = max(track.first / track.rate for track in tracks)  # s
    stop = min((track.first + len(track.poses) - 1) / track.rate for track in tracks)
    low = max(int(np.ceil(start * clock.rate - SLACK)), clock.first)
    high = int(np.floor(stop * clock.rate + SLACK))
    if low > high:
        spans = " and ".join(
            f"{track.first / track.rate:.2f} to {(track.first + len(track.poses)) / track.rate:.2f}"
            for track in tracks
        )
        raise BenchError(
            f"the two have no frame in common: they last from {spans} s; expected poses of the "
            "same video (--clip names one of several)"
        )
    return [cut(track, low, high + 1, clock.rate) for track in tracks]


def cut(track: Track, low: int, high: int, rate: float) -> Track:
    """The frames low ... high - 1 at `rate` Hz."""
    seconds = np.arange(low, high) / rate - track.first / track.rate  # from its first frame
    own = np.arange(len(track.poses)) / track.rate
    kept = track.kept and replace(
        track.kept, first=track.kept.first - float(seconds[0]) * track.kept.rate
    )
    truth, keypoints = track.truth, track.keypoints
    nearest = np.rint(seconds * track.rate).astype(int).clip(0, len(own) - 1)
    return replace(
        track,
        rate=rate,
        first=low,
        kept=kept,
        poses=between(track.poses, own, seconds),
        truth=None if truth is None else between(truth, own, seconds),
        keypoints=None if keypoints is None else keypoints[nearest],
    )


def labels(tracks: Sequence[Track]) -> list[str]:
    """What made each track, on one line; numbered where two are called the same."""
    found = [label(track) for track in tracks]
    if len(set(found)) == len(found):
        return found
    return [f"{text} ({number})" for number, text in enumerate(found, 1)]


def label(track: Track) -> str:
    """The combination; else the data that it is recorded in."""
    if combination := track.told.get("combination"):
        return one_line(shown(str(combination)))
    kind = "recorded 3D" if track.poses.shape[1] else "2D"
    return one_line(shown(f"{kind}, {track.told.get('data') or track.name}"))


def curves(tracks: Sequence[Track]) -> list[Curve]:
    """The errors of the tracks that know their truth; else how far two tracks are apart."""
    called = labels(tracks)
    found = [
        Curve(called[number], number, errors)
        for number, track in enumerate(tracks)
        if track.poses.shape[1] and (errors := track.errors) is not None
    ]
    if found or len(tracks) < 2 or not all(track.poses.shape[1] for track in tracks):
        return found
    one, other = (track.poses for track in tracks)
    apart = np.linalg.norm(one - other, axis=-1).mean(axis=-1)  # (N,)
    return [Curve("distance between the two", None, apart)]
