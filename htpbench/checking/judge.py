"""A whole data set: one verdict for each kind of fault, and the numbers of what is sound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import groupby, islice

import numpy as np

from htpbench.checking.exactness import EXACT
from htpbench.checking.lengths import totals
from htpbench.checking.look import MOST
from htpbench.checking.recognise import recognised
from htpbench.checking.summary import summary
from htpbench.checking.take import judge
from htpbench.checking.verdict import Collected, Verdict
from htpbench.datasets import open_data
from htpbench.motion.clip import Take
from htpbench.motion.filmed import Filmed, Shot


@dataclass
class Numbers:
    """What a split holds, of the takes that were judged."""

    clips: int = 0
    frames: int = 0
    doubts: int = 0
    cameras: set[str] = field(default_factory=set)
    thighs: list[float] = field(default_factory=list)
    away: list[float] = field(default_factory=list)

    def text(self, split: str, source: str) -> str:
        """One line."""
        count = len(self.cameras)
        parts = [
            f"{self.clips:,} clip{'s' if self.clips != 1 else ''}",
            f"{self.frames:,} frames",
            f"{count} camera{'s' if count != 1 else ''}",
            f"thigh {np.median(self.thighs):.0f} mm" if self.thighs else "",
            f"2D ({source}) {far(np.median(self.away))} px from the 3D" if self.away else "",
        ]
        return f"{split}: sound: {', '.join(part for part in parts if part)}"


def far(pixels: float) -> str:
    """A number of px, without those that rounding leaves."""
    return f"{pixels:.2g}" if pixels >= EXACT else "0"


def checked(text: str) -> list[Verdict]:
    """What is said of data by its name or its path; BenchError where it cannot be read."""
    data = open_data(recognised(text))
    return verdicts(data) if isinstance(data, Filmed) else summary(data)


def verdicts(
    data: Filmed, source: str | None = None, most: int = MOST, every: int = 1
) -> list[Verdict]:
    """All doubts and hints of a data set, then a line for each split without doubts.

    Numbers are of up to `most` frames of a shot, and of every so many-th take.
    """
    source = source or data.detections
    collected, numbers = Collected(), {}
    frames: dict[str, tuple[Take, int]] = {}
    for split in data.splits:
        numbers[split] = Numbers()
        for shots in islice(takes(data.shots(split, source)), 0, None, every):
            take = shots[0].take
            with np.errstate(all="ignore"):  # files hold whatever they do
                found = judge(shots, source, most, split in data.measured)
            collected.add(found.findings)
            held = numbers[split]
            held.clips += 1
            held.frames += len(shots[0].poses3d)
            held.doubts += any(one.doubtful for one in found.findings)
            held.cameras |= {shot.lens for shot in shots}
            held.thighs += [found.thigh] if np.isfinite(found.thigh) else []
            held.away += [found.away] if np.isfinite(found.away) else []
            frames[take.name] = take, len(shots[0].poses3d)
    said = collected.verdicts()
    said += [
        Verdict(one.name, True, f"{one.name}: {one.seen} ({one.where}): {one.meaning}")
        for one in (totals(frames) if data.layout == "h36m" and every == 1 else ())
    ]
    said += [
        Verdict("sound", False, held.text(split, source))
        for split, held in numbers.items()
        if held.clips and not held.doubts
    ]
    return said


def takes(shots: Iterable[Shot]) -> Iterable[list[Shot]]:
    """The shots of take after take."""
    return ([*some] for _, some in groupby(shots, key=lambda shot: shot.take.name))
