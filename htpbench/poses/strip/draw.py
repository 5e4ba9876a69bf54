"""The picture: for each track a row of skeletons, and below it a row of ticks for each stage."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from htpbench.errors import BenchError
from htpbench.motion import skeleton
from htpbench.outside.drafts import write_file
from htpbench.poses.replacing import replaceable
from htpbench.poses.strip import look
from htpbench.poses.strip.chosen import Stretch, stretch, survival
from htpbench.poses.together import curves, labels
from htpbench.poses.track import Track

GUTTER, EDGE = 0.55, 0.65  # inches left and right of the frames: names of stages, how many are kept
TALLEST = 1.6  # inches, of a skeleton
LINE, TICK, GAP = 0.15, 0.1, 0.06  # inches: a line of text, a row of ticks, between rows
BELOW = 0.5  # inches: the axis and the legend
LETTERS = 105  # of a line

Poses = list[tuple[np.ndarray, np.ndarray | None, bool]]  # (J, 3), its truth, kept to the end


def write_strip(
    path: Path, tracks: Sequence[Track], count: int, window: int | None, turn: float = 0.0
) -> Path:
    """Write the strip of tracks on one clock as PNG, SVG or PDF; `turn` in degrees.

    BenchError where `path` is another's file, or ends otherwise.
    """
    if path.suffix.lower() not in look.FORMATS:
        raise BenchError(f"--strip {path}: expected a path that ends in .png, .svg or .pdf")
    replaceable(path, look.MARK.encode(), "strip")
    for track in tracks:
        if not track.poses.shape[1]:
            raise BenchError(f"{track.name} has no 3D poses, which a strip shows")
    shown = stretch(tracks, count, window)
    with matplotlib.rc_context():
        look.in_style()
        content = look.encoded(strip(tracks, shown, turn), path)
    return write_file(path, content, "choose another --strip")


def strip(tracks: Sequence[Track], shown: Stretch, turn: float) -> Figure:
    """The figure; one inch of it is one unit of its only axes, so nothing moves by itself."""
    rows = [upright(track, shown, turn) for track in tracks]
    stages = [survival(track, shown) for track in tracks]
    bodies = [body for row in rows for pose, truth, _ in row for body in (pose, truth)]
    points = np.concatenate([body for body in bodies if body is not None])
    slot = (look.WIDTH - GUTTER - EDGE) / len(shown.drawn)
    scale = min(
        0.49 * slot / max(np.abs(points[:, 0]).max(), 1), TALLEST / max(points[:, 1].max(), 1)
    )
    tall = scale * points[:, 1].max()
    heads = [textwrap.wrap(text, LETTERS) for text in captions(tracks, shown)]
    heights = [
        LINE * len(head) + tall + GAP + TICK * (0 if kept is None else len(kept)) + 2 * GAP
        for head, kept in zip(heads, stages, strict=True)
    ]
    height = sum(heights) + BELOW
    figure = Figure(figsize=(look.WIDTH, height))
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, look.WIDTH), ylim=(0, height))
    axes.set_axis_off()
    top = height
    for head, row, kept, room in zip(heads, rows, stages, heights, strict=True):
        axes.text(0.06, top - 0.03, "\n".join(head), va="top", linespacing=1.2, parse_math=False)
        floor = top - LINE * len(head) - tall - 0.02
        if kept is not None:
            ticks(axes, kept, shown, floor - GAP)
        for frame, (pose, truth, strong) in zip(shown.drawn, row, strict=True):
            at = (across(frame, shown), floor)
            if truth is not None:
                grey = look.TRUTH if strong else look.pale(look.TRUTH)
                body(axes, truth, at, scale, dict.fromkeys(range(len(truth)), grey), 2.4)
            body(axes, pose, at, scale, colours(strong), 1.5)
        top -= room
    time_axis(axes, shown, tracks[0].first, BELOW - 0.02)
    axes.legend(
        handles=legend(tracks), loc="lower center", ncols=6, frameon=False, fontsize=look.SMALL
    )
    return figure


def upright(track: Track, shown: Stretch, turn: float) -> Poses:
    """Each drawn frame's pose and truth: x right, y up from the floor, z near; mm.

    Both hang from the same hip, and the lowest joint of the two stands on the floor.
    """
    sin, cos = np.sin(np.deg2rad(turn)), np.cos(np.deg2rad(turn))
    kept = survival(track, shown)
    found: Poses = []
    for frame in shown.drawn:
        bodies = [each[frame] for each in (track.poses, track.truth) if each is not None]
        floor = max(body[:, 1].max() for body in bodies)
        placed = [
            np.stack([x * cos - z * sin, floor - y, -z * cos - x * sin], axis=-1)
            for x, y, z in (body.T for body in bodies)
        ]
        strong = kept is None or bool(kept[-1, frame - shown.frames[0]])
        found.append((placed[0], placed[1] if len(placed) > 1 else None, strong))
    return found


def captions(tracks: Sequence[Track], shown: Stretch) -> list[str]:
    """What made each row, and how wrong it is here and in all."""
    found = labels(tracks)
    for line in curves(tracks):
        here, all_of_it = line.values[shown.frames].mean(), line.values.mean()
        part = "in this window" if shown.kept else ""
        told = f"{here:.1f} mm {part}, {all_of_it:.1f} mm in the clip" if part else f"{here:.1f} mm"
        if line.of is None:
            found[-1] += f"   ({told} from the first)"
        else:
            found[line.of] += f"   (MPJPE {told})"
    return found


def across(frame: float, shown: Stretch) -> float:
    """Inches from the left to the middle of a frame."""
    part = (frame - shown.frames[0] + 0.5) / len(shown.frames)
    return GUTTER + part * (look.WIDTH - GUTTER - EDGE)


def colours(strong: bool) -> dict[int, str]:
    """Of the bone that ends in each joint; the rest is in the middle."""
    found = dict.fromkeys(range(len(skeleton.JOINTS)), look.MIDDLE)
    found |= dict.fromkeys(skeleton.LEFT, look.LEFT) | dict.fromkeys(skeleton.RIGHT, look.RIGHT)
    return found if strong else {joint: look.pale(colour) for joint, colour in found.items()}


def body(
    axes: Axes,
    pose: np.ndarray,
    at: tuple[float, float],
    scale: float,
    shades: dict[int, str],
    thick: float,
) -> None:
    """A skeleton that stands at a place, far bones first; a shade for each bone's end."""
    points = pose[:, :2] * scale + at
    bones = [(parent, joint) for joint, parent in enumerate(skeleton.PARENTS) if parent >= 0]
    for parent, joint in sorted(bones, key=lambda bone: pose[list(bone), 2].sum()):
        axes.plot(
            *points[[parent, joint]].T,
            color=shades[joint],
            linewidth=thick,
            solid_capstyle="round",
        )


def ticks(axes: Axes, kept: np.ndarray, shown: Stretch, top: float) -> None:
    """A row a stage, a tick a frame, strong where it was kept; lines lead down from skeletons."""
    places = np.array([across(frame, shown) for frame in shown.frames])
    wide = min(2.5, 0.6 * 72 * (look.WIDTH - GUTTER - EDGE) / len(shown.frames))  # points
    for stage, row in enumerate(kept):
        low, high = top - TICK * (stage + 1) + 0.02, top - TICK * stage
        for chosen, colour in ((~row, look.DROPPED), (row, look.KEPT)):
            axes.vlines(places[chosen], low, high, colour, linewidth=wide)
        middle, small = (low + high) / 2, {"fontsize": look.SMALL, "va": "center", "color": "0.3"}
        axes.text(GUTTER - 0.06, middle, f"stage {stage + 1}", ha="right", **small)
        axes.text(look.WIDTH - EDGE + 0.06, middle, f"{row.sum()} of {len(row)}", **small)
    for frame in shown.drawn:
        strong = kept[-1, frame - shown.frames[0]]
        axes.plot(
            [across(frame, shown)] * 2,
            [top, top + GAP],
            color=look.KEPT if strong else look.DROPPED,
            linewidth=1.2,
        )


def time_axis(axes: Axes, shown: Stretch, first: int, top: float) -> None:
    """The numbers of some frames below their places."""
    low, high = shown.frames[[0, -1]]
    axes.plot(
        [across(low - 0.5, shown), across(high + 0.5, shown)], [top] * 2, "0.5", linewidth=0.6
    )
    for number in MaxNLocator(9, integer=True).tick_values(low + first, high + first):
        frame = number - first
        if low <= frame <= high:
            at = across(frame, shown)
            axes.plot([at] * 2, [top, top - 0.03], "0.5", linewidth=0.6)
            axes.text(at, top - 0.05, f"{number:.0f}", fontsize=look.SMALL, ha="center", va="top")
    axes.text(0.06, top - 0.05, "frame", fontsize=look.SMALL, va="top")


def legend(tracks: Sequence[Track]) -> list[Line2D]:
    """What the colours are."""
    entries = {"left side": look.LEFT, "right side": look.RIGHT}
    if any(track.truth is not None for track in tracks):
        entries["truth"] = look.TRUTH
    if any(track.kept for track in tracks):
        entries |= {"frame kept": look.KEPT, "frame dropped (pale)": look.DROPPED}
    return [
        Line2D([], [], color=colour, linewidth=2.4, label=text) for text, colour in entries.items()
    ]
