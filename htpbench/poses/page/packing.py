"""Tracks as JSON that a page can hold: arrays as base64 of small integers, each with its unit."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import numpy as np

from htpbench.motion import skeleton
from htpbench.outside.printable import shown
from htpbench.poses.together import curves, labels
from htpbench.poses.track import Kept, Track

FINEST = 0.1  # mm or px
MOST = 2**15 - 1
MISSING = -(2**15)  # what is not finite
FIRST_FACTS = ("combination", "weights", "data")


def scene(tracks: Sequence[Track], turn: float = 0.0) -> dict[str, Any]:
    """What the page shows of tracks on one clock; `turn` in degrees, to begin with."""
    first, called = tracks[0], labels(tracks)
    lines = curves(tracks)
    seen = next((track for track in tracks if track.keypoints is not None), None)
    between = any(line.of is None for line in lines)
    return {
        "name": shown(first.name),
        "frames": len(first.poses),
        "rate": first.rate,
        "first": first.first,
        "turn": turn,
        "parents": list(skeleton.PARENTS),
        "left": list(skeleton.LEFT),
        "right": list(skeleton.RIGHT),
        "tracks": [packed(track, text) for track, text in zip(tracks, called, strict=True)],
        "image": None if seen is None else image(seen),
        "measure": "distance between the two" if between else "error (MPJPE)",
        "curves": [
            {"label": line.label, "of": line.of, "values": bits(line.values.astype("<f4"))}
            for line in lines
        ],
    }


def packed(track: Track, called: str) -> dict[str, Any]:
    """One track: poses, truth, what was kept, and what is told of it."""
    return {
        "label": called,
        "facts": facts(track),
        "poses": integers(track.poses) if track.poses.shape[1] else None,
        "truth": None if track.truth is None else integers(track.truth),
        "kept": track.kept and windows(track, track.kept),
    }


def image(track: Track) -> dict[str, Any]:
    """The 2D that was lifted; confidence in 1/255."""
    assert track.keypoints is not None
    confidence = np.nan_to_num(track.keypoints[..., 2]).clip(0, 1)
    return {
        "size": track.size and list(track.size),
        "points": integers(track.keypoints[..., :2]),
        "confidence": bits(np.rint(255 * confidence).astype(np.uint8)),
    }


def windows(track: Track, kept: Kept) -> dict[str, Any]:
    """Which frames the windows kept, one bit a frame; the window of each frame of the track.

    apart: whether windows hardly overlap, so that all of them can be shown in one row.
    """
    stages, count, frames = kept.stages.shape
    seconds = np.arange(len(track.poses)) / track.rate
    span = (kept.first.max() - kept.first.min() + frames) * 1.5
    return {
        "shape": [stages, count, frames],
        "rate": kept.rate,
        "first": bits(kept.first.astype("<f4")),
        "window": bits(kept.nearest(seconds).astype("<i4")),
        "stages": bits(np.packbits(kept.stages.reshape(-1), bitorder="little")),
        "apart": bool(count * frames <= span),
    }


def integers(values: np.ndarray) -> dict[str, Any]:
    """An array as int16 in units of 0.1, or of more where 0.1 would not hold the largest."""
    finite = np.isfinite(values)
    largest = float(np.abs(values[finite]).max(initial=0.0))
    unit = max(FINEST, largest / MOST)
    whole = np.rint(np.where(finite, values, 0) / unit).clip(-MOST, MOST)
    return {"unit": unit, "data": bits(np.where(finite, whole, MISSING).astype("<i2"))}


def bits(values: np.ndarray) -> str:
    """An array's bytes as base64."""
    return b64encode(np.ascontiguousarray(values).tobytes()).decode()


def facts(track: Track) -> list[list[str]]:
    """What is told of a track, as pairs of texts, the combination first."""
    told = {name: track.told[name] for name in FIRST_FACTS if name in track.told}
    told |= {"clip": track.name, "camera": track.camera, "frames a second": f"{track.rate:g}"}
    for name, value in track.told.items():
        told |= value if isinstance(value, dict) else {name: value}
    return [[shown(str(name)), text(value)] for name, value in told.items() if value is not None]


def text(value: Any) -> str:
    """A fact as a text."""
    if isinstance(value, list | dict | bool):
        return shown(json.dumps(value, ensure_ascii=False))
    return shown(f"{value:g}" if isinstance(value, float) else str(value))
