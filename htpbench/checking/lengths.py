"""Lengths: 2D against 3D, and the frames of whole subjects against those that are published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from htpbench.checking.verdict import Finding
from htpbench.motion.clip import Take
from htpbench.motion.filmed import Shot

LONGER = 1.2  # videos run on after the capture by less
TOTALS = {  # subjects of Human3.6M: frames that one camera took of them
    ("S1",): 62_094,
    ("S5",): 99_079,
    ("S6",): 62_466,
    ("S7", "S8"): 166_299,
    ("S9", "S11"): 135_836,
}
WHOLE = {"S11": 29}  # clips of a subject: one video is corrupt
CLIPS = 30


def lengths(shots: Sequence[Shot]) -> Iterator[Finding]:
    """2D that is shorter than 3D, or much longer, of the cameras of one take."""
    shot = min(shots, key=lambda shot: len(shot.poses2d))
    flat, frames = len(shot.poses2d), len(shot.poses3d)
    if flat < frames:
        yield Finding(
            "lengths",
            f"the 2D has {flat} frames and the 3D {frames}",
            str(shot),
            f"{frames - flat} frames have no 2D: detect them, or cut the 3D",
        )
    elif frames and flat > LONGER * frames:
        yield Finding(
            "lengths",
            f"the 2D has {flat} frames and the 3D {frames}, {flat / frames:.2f} times fewer",
            str(shot),
            "videos run on after the capture by less: it is of another cut or rate",
        )


def totals(frames: dict[str, tuple[Take, int]]) -> Iterator[Finding]:
    """Human3.6M: clips by name, with their frames; whole subjects have as many as is known."""
    counts, sums = Counter[str](), Counter[str]()
    for take, count in frames.values():
        counts[take.subject] += 1
        sums[take.subject] += count
    for subjects, expected in TOTALS.items():
        if any(counts[one] != WHOLE.get(one, CLIPS) for one in subjects):
            continue
        found = sum(sums[one] for one in subjects)
        if found != expected:
            yield Finding(
                "totals",
                f"{found:,} frames a camera, and {expected:,} are published "
                f"({found / expected:.3f} times as many)",
                " and ".join(subjects),
                "another download, a crop or another rate; errors are not those of the field",
            )
