"""What a strip shows: the frames of one window, and of them those that are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from htpbench.errors import BenchError
from htpbench.poses.together import SLACK
from htpbench.poses.track import Kept, Track


@dataclass(frozen=True, eq=False)
class Stretch:
    """A part of tracks on one clock: its frames (n,), and those that are drawn (k,) of them.

    `kept`, `window`: whose window it is, and its number, where something was pruned.
    """

    frames: np.ndarray
    drawn: np.ndarray
    kept: Kept | None = None
    window: int = 0


def stretch(tracks: Sequence[Track], count: int, window: int | None) -> Stretch:
    """Evenly spaced frames of a window of the first track that is pruned; its middle one by itself.

    Where nothing is pruned there are no windows: the whole track. BenchError for a window that is
    not there, and where nothing of it lies in the track.
    """
    if count < 1:
        raise BenchError(f"--frames {count}: expected 1 or more skeletons")
    length, rate = len(tracks[0].poses), tracks[0].rate
    kept = next((track.kept for track in tracks if track.kept), None)
    if kept is None:
        if window is not None:
            raise BenchError(f"--window {window}: nothing was pruned, so there are no windows")
        return Stretch(np.arange(length), middles(0, length, count))
    windows, size = kept.stages.shape[1:]
    if window is None:
        window = int(kept.nearest(np.array([(length - 1) / 2 / rate]))[0])
    if not 0 <= window < windows:
        raise BenchError(f"--window {window}: expected 0 ... {windows - 1}")
    # a frame is the window's that is nearest to one of its places, as `survival` has it
    begin, end = (kept.first[window] + np.array([-0.5, size - 0.5])) * rate / kept.rate
    low, high = max(0, int(np.ceil(begin - SLACK))), min(length, int(np.ceil(end - SLACK)))
    if low >= high:
        raise BenchError(f"--window {window} shows no frame of these poses; name another")
    return Stretch(np.arange(low, high), middles(low, high, count), kept, window)


def middles(low: int, high: int, count: int) -> np.ndarray:
    """(k,) the middle frames of `count` equal parts, each once."""
    count = min(count, high - low)
    return low + (2 * np.arange(count) + 1) * (high - low) // (2 * count)


def survival(track: Track, shown: Stretch) -> np.ndarray | None:
    """(S, n) bool: which frames of the stretch each stage kept; None where nothing is pruned.

    Of a track with other windows, by the one that is nearest to the middle.
    """
    if track.kept is None:
        return None
    seconds = shown.frames / track.rate
    window = shown.window
    if track.kept is not shown.kept:
        window = int(track.kept.nearest(seconds[[len(seconds) // 2]])[0])
    place = np.rint(seconds * track.kept.rate - track.kept.first[window]).astype(int)  # (n,)
    inside = (place >= 0) & (place < track.kept.stages.shape[2])
    return track.kept.stages[:, window, place.clip(0, track.kept.stages.shape[2] - 1)] & inside
