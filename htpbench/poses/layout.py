"""Arrays of poses, laid out as in an npz of them, become tracks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from htpbench.errors import BenchError
from htpbench.outside import files
from htpbench.poses import sound
from htpbench.poses.track import Kept, Track

Arrays = dict[str, np.ndarray]
BEFORE = 50.0  # Hz of files that tell no rate: all data was brought to it
APART = "tracks"  # in conditions: what is not told of all alike
ROWS = ("poses", "truth", "keypoints")
WINDOWS = ("kept", "window_first", "window_view", "window_rate")


def tracks(held: Arrays, usual: str) -> list[Track]:
    """A track of each view; `usual`: its name where none is told.

    Where frames of a view are missing, as older files may lack some, it is several.
    """
    if "rate" not in held and "clip" not in held:
        raise BenchError(f"lacks rate, the poses a second; add it; {sound.DESCRIBED}")
    sound.shaped("poses", held["poses"])
    found = completed(held, usual)
    views = len(found["clip"])
    alike, rest = conditions(held, views)
    kept = pruned(held, views)
    order = np.argsort(found["view"], kind="stable")
    rows = np.split(order, np.searchsorted(found["view"][order], np.arange(1, views)))
    made = []
    for view, own in enumerate(rows):
        for start, step, piece in pieces(found["frame"], own):
            sound.count(len(made) + 1)
            if step > 1 and "rate" in held:
                raise BenchError(
                    f"frames of view {view} are {step} apart; expected 1, and the rate of these"
                )
            if len(piece) < len(own) and kept[view] is not None:
                raise BenchError(f"view {view} lacks frames, and what was kept of them is told")
            made.append(
                sound.track(
                    name=str(found["clip"][view]),
                    rate=found["rate"][view] / step,
                    first=np.array(start // step),
                    camera=found["camera"][view],
                    size=found["size"][view] if "size" in found else None,
                    told=alike | rest[view],
                    kept=kept[view],
                    **{key: found[key][piece] for key in ROWS if key in found},
                )
            )
    sound.count(len(made))
    return made


def pieces(frame: np.ndarray, rows: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """First frame, step and rows of each run of a view's frames."""
    apart = np.diff(frame[rows])
    if (apart <= 0).any():
        raise BenchError("frames of a view do not ascend; sort them, or tell the views by view")
    step = int(apart.min(initial=sound.MOST_COUNT)) if len(apart) else 1
    for piece in np.split(rows, np.flatnonzero(apart != step) + 1):
        if len(piece):
            yield int(frame[piece[0]]), step, piece


def completed(held: Arrays, usual: str) -> Arrays:
    """The arrays of rows and views in their shapes, with what is usual where one is not there."""
    frames = held["poses"].shape[:1]
    if "clip" in held:
        views = held["clip"].size
    else:
        views = int(held["view"].max(initial=0)) + 1 if "view" in held else 1
    sound.count(views)
    usually = {
        "frame": np.arange(*frames),
        "view": np.zeros(frames, np.int64),
        "clip": np.array(usual),
        "camera": np.array(0),
        "rate": np.array(BEFORE),
    }
    of_views = {"clip": (views,), "camera": (views,), "rate": (views,), "size": (views, 2)}
    of_rows = {"frame": frames, "view": frames} | dict.fromkeys(ROWS, held["poses"].shape)
    found = {}
    for key, shape in (of_rows | of_views).items():
        array = held.get(key, usually.get(key))
        if array is None:
            continue
        if key in of_views and array.shape in ((), (1,), shape[1:]):  # one for all views
            array = np.broadcast_to(array, shape)
        if array.shape != shape:
            raise BenchError(
                f"{key} has the shape {array.shape}; expected {shape}; {sound.DESCRIBED}"
            )
        found[key] = array
    view = counted("view", found["view"])
    if ((view < 0) | (view >= views)).any():
        raise BenchError(f"view holds other numbers than 0 to {views - 1}, one for each clip")
    return found | {"frame": counted("frame", found["frame"]), "view": view}


def counted(key: str, array: np.ndarray) -> np.ndarray:
    """Whole numbers within reach, as int64."""
    if array.size and not -sound.MOST_COUNT <= array.min() <= array.max() <= sound.MOST_COUNT:
        raise BenchError(f"{key} holds numbers beyond {sound.MOST_COUNT}; mend it")
    return array.astype(np.int64)


def conditions(held: Arrays, views: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """What is told of all views alike, and of each."""
    if "conditions" not in held:
        return {}, [{}] * views
    try:
        told = files.parse_json(str(held["conditions"][()]))
    except ValueError as error:
        raise BenchError(f"conditions is not valid JSON: {error!s:.200}; {sound.AGAIN}") from error
    rest = told.pop(APART, [{}] * views) if isinstance(told, dict) else None
    if (
        not isinstance(rest, list)
        or len(rest) != views
        or not all(isinstance(r, dict) for r in rest)
    ):
        raise BenchError(f"conditions is no JSON object of {views} views; {sound.DESCRIBED}")
    return told, rest


def pruned(held: Arrays, views: int) -> list[Kept | None]:
    """What was kept in the windows of each view."""
    missing = [key for key in WINDOWS if key not in held]
    if len(missing) == len(WINDOWS):
        return [None] * views
    if missing:
        raise BenchError(f"lacks {', '.join(missing)}; expected all of {', '.join(WINDOWS)}")
    stages, first, rate = held["kept"], held["window_first"], held["window_rate"]
    view = counted("window_view", held["window_view"])
    if stages.ndim != 3 or view.shape != stages.shape[1:2] or first.shape != view.shape:
        raise BenchError(f"kept has the shape {stages.shape}, others of windows not; {sound.KEPT}")
    order = np.argsort(view, kind="stable")
    split = np.split(order, np.searchsorted(view[order], np.arange(views + 1)))[
        1:-1
    ]  # of each view
    return [sound.kept(stages[:, own], first[own], rate) if len(own) else None for own in split]
