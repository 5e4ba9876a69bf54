"""Tracks from what is named: a file that lift wrote, or a data set, with the 3D it recorded."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from difflib import get_close_matches
from pathlib import Path
from zipfile import BadZipFile, ZipFile

from htpbench.datasets import open_data
from htpbench.errors import BenchError
from htpbench.motion.views import Views
from htpbench.outside.files import checked
from htpbench.poses.files import read
from htpbench.poses.recorded import recorded
from htpbench.poses.track import Track

LISTED = 5  # names in a message


def tracks_of(source: str) -> list[Track]:
    """The tracks of a file of poses, or of the data that `--data` would mean by this text."""
    if holds_poses(source):
        return read(Path(source))
    data = open_data(source)
    split = "test" if "test" in data.splits else data.splits[0]
    views = data.views(split)
    if split not in data.measured:  # its 3D is no millimetres
        views = replace(views, poses3d=None)
    told = {"data": data.name, "split": split, "detections": views.source}
    return [track_of(views, view, told) for view in range(len(views.start))]


def holds_poses(source: str) -> bool:
    """Whether a text names a file of poses: by its suffix, or an .npz that has a member `poses`.

    Motion is an .npz as well, of other members, and BVH.
    """
    path = Path(source)
    if path.suffix.lower() in (".json", ".csv", ".trc"):
        return not re.match(r"[\w-]+:", source) or os.path.isfile(path)
    with (
        suppress(OSError, ValueError, NotImplementedError, BadZipFile, BenchError),
        ZipFile(checked(path)) as archive,
    ):
        return "poses.npy" in archive.namelist()
    return False


def track_of(views: Views, view: int, told: dict[str, str]) -> Track:
    """One view as it was recorded, and of whom."""
    take = views.clips[views.clip[view]]
    return replace(
        recorded(views, view), told=told | {"subject": take.subject, "action": take.action}
    )


def choose(
    tracks: Sequence[Track], source: str, clip: str | None, like: Track | None = None
) -> Track:
    """The track of a name, of several the one whose camera is that of `like`; else the first."""
    names = list(dict.fromkeys(track.name for track in tracks))
    if not tracks:
        raise BenchError(f"{source} holds no poses; name another file")
    if clip is not None and clip not in names:
        near = get_close_matches(clip, names, n=LISTED, cutoff=0.5)
        listed = near or names[:LISTED]
        more = f", ... ({len(names)} in all)" if len(names) > len(listed) else ""
        raise BenchError(f"{source} has no clip {clip!r}; it has {', '.join(listed)}{more}")
    wanted = clip or (like.name if like and like.name in names else names[0])
    named = [track for track in tracks if track.name == wanted]
    same = [track for track in named if like and track.camera == like.camera]
    return (same or named)[0]
