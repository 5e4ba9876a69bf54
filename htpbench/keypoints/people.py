"""Which of the people in a file is the one that is lifted. People are never mixed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from htpbench.errors import BenchError
from htpbench.keypoints.found import Found, Person
from htpbench.outside.waiting import log

STEP = 0.05  # of the height of a box that people may walk in a frame, where they were not seen
LEAST = 0.2  # overlap (intersection over union) of boxes that are taken for one person's
ALIKE = 0.1  # of the frames may have two people of one id; AlphaPose, not tracking, calls all 0
FARTHEST = 10**9  # number of a frame in files of poses; times of day and the like go beyond
LISTED = 10  # people that a message names


@dataclass(frozen=True, eq=False)
class Followed:
    """One person: `points` (T, K, 3) of the frames `first`, `first` + 1, ...; NaN where absent.

    `absent`: how many these are. `left`: frames of the file before the first and behind the last.
    """

    points: np.ndarray
    first: int
    absent: int
    left: int
    told: str


def choose(found: Found, asked: str) -> Followed:
    """The person that is asked for, or the one seen longest, or followed from the first frame."""
    frames = {number: seen for number in sorted(found.frames) if (seen := there(found, number))}
    if not frames:
        raise BenchError(
            f"{found.layout}: nobody is seen in any of {len(found.frames)} frames; look at what "
            "the detector drew, and run it on the video again"
        )
    if who_is_who(frames):
        track, told = of_identity(frames, asked)
        spanned = list(track)
    elif asked:
        raise BenchError(
            f"person={asked}: the file ({found.layout}) does not say who is who; leave it out, "
            "or let the detector track people"
        )
    else:
        track, told = follow(frames)
        spanned = list(frames)
    every = max(found.frames) - min(found.frames) + 1
    return laid_out(track, max(spanned) - min(track) + 1, every, told)


def there(found: Found, number: int) -> list[Person]:
    """The people of a frame of whom any point is seen."""
    return [one for one in found.frames[number] if one.points[:, 2].any()]


def who_is_who(frames: dict[int, list[Person]]) -> bool:
    """Whether ids tell people apart."""
    known = [[one.identity for one in each if one.identity is not None] for each in frames.values()]
    twice = sum(len(set(each)) < len(each) for each in known)
    return any(known) and twice <= ALIKE * len(known)


def of_identity(frames: dict[int, list[Person]], asked: str) -> tuple[dict[int, Person], str]:
    """All frames of one who is named; of two boxes in a frame, the one nearer to the last."""
    lengths: Counter[str] = Counter()
    sure: dict[str, float] = {}  # sums of scores, for those who are seen as long
    for people in frames.values():
        known = {one.identity: one.score for one in people if one.identity is not None}
        lengths.update(known.keys())
        sure |= {who: sure.get(who, 0) + score for who, score in known.items()}
    chosen = asked or max(lengths, key=lambda who: (lengths[who], sure[who]))
    if chosen not in lengths:
        listed = ", ".join(f"{who} ({count} frames)" for who, count in lengths.most_common(LISTED))
        raise BenchError(
            f"there is no person {asked!r:.60}; {len(lengths)} people are there: {listed}"
        )
    track: dict[int, Person] = {}
    last = np.zeros(4)
    for number, people in frames.items():
        if mine := [one for one in people if one.identity == chosen]:
            track[number] = max(mine, key=lambda one: (overlap(last, box(one)), one.score))
            last = box(track[number])
    how = "" if asked or len(lengths) == 1 else ", seen longest"
    if how:
        log.warning(
            "%d people are in the video; %s is lifted, who is seen longest (%d frames); another: "
            ",person=ID",
            len(lengths),
            chosen,
            len(track),
        )
    return track, f"{chosen} of {len(lengths)}{how}" if len(lengths) > 1 else chosen


def follow(frames: dict[int, list[Person]]) -> tuple[dict[int, Person], str]:
    """From the surest of the first frame on, whoever is nearest to where they last were.

    Nobody of whom less than half is seen is the first: the box of two points overlaps no other.
    """
    several = sum(len(people) > 1 for people in frames.values())
    if not several:
        return alone({number: people[0] for number, people in frames.items()})
    track: dict[int, Person] = {}
    last, seen = np.empty(0), 0
    for number, people in frames.items():
        if not track:
            if not (whole := [one for one in people if 2 * (one.points[:, 2] > 0).mean() >= 1]):
                continue
            track[number] = max(whole, key=lambda one: one.score)
        else:
            nearest = max(people, key=lambda one: nearness(last, box(one), number - seen))
            if nearness(last, box(nearest), number - seen) < LEAST:
                continue
            track[number] = nearest
        last, seen = box(track[number]), number
    if not track:
        raise BenchError(
            f"nobody of {len(frames)} frames is seen by half of the points or more; film the whole "
            "body, or lower the detector's threshold"
        )
    log.warning(
        "there are several people in %d of %d frames, and the file does not say who is who; the "
        "surest of frame %d is followed by overlap: check that it stays the same person",
        several,
        len(frames),
        min(track),
    )
    return track, f"followed from frame {min(track)}; several in {several} frames"


def alone(track: dict[int, Person]) -> tuple[dict[int, Person], str]:
    """Whoever is there, where no frame shows several; jumps are worth a word."""
    jumps = [
        later
        for earlier, later in pairwise(track)
        if nearness(box(track[earlier]), box(track[later]), later - earlier) < LEAST
    ]
    if not jumps:
        return track, "the only one"
    log.warning(
        "the person jumps in %d frames, first in frame %d: check that it stays the same person",
        len(jumps),
        jumps[0],
    )
    return track, f"the only one; jumps in {len(jumps)} frames"


def box(person: Person) -> np.ndarray:
    """x and y from, x and y to: around all points that are seen."""
    place = person.points[person.points[:, 2] > 0, :2]
    return np.concatenate([place.min(axis=0), place.max(axis=0)])


def nearness(last: np.ndarray, now: np.ndarray, frames: int) -> float:
    """The overlap of two boxes; of those some frames apart, LEAST if one can have walked so far."""
    height = last[3] - last[1]
    way = np.linalg.norm((now[:2] + now[2:] - last[:2] - last[2:]) / 2)
    walked = frames > 1 and way <= min(STEP * frames, 1) * height
    return max(overlap(last, now), LEAST if walked else 0.0)


def overlap(one: np.ndarray, other: np.ndarray) -> float:
    """Intersection over union of two boxes."""
    inner = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
    if (inner <= 0).any():
        return 0.0
    common = float(inner.prod())
    areas = float((one[2:] - one[:2]).prod() + (other[2:] - other[:2]).prod())
    return common / (areas - common)


def laid_out(track: dict[int, Person], length: int, every: int, told: str) -> Followed:
    """Frames in a row, of `every`; BenchError where more than half of `length` lack the person."""
    first, last = min(track), max(track)
    if 2 * len(track) < length:
        raise BenchError(
            f"the person ({told}) is seen in {len(track)} of {length} frames, last in frame "
            f"{last}; expected at least half of them: cut the video, or let the detector track "
            "people and name one: ,person=ID"
        )
    points = np.full((last - first + 1, *track[first].points.shape), np.nan)  # (T, K, 3)
    points[..., 2] = 0
    for number, one in track.items():
        points[number - first] = one.points
    if left := every - len(points):
        log.warning(
            "in %d of %d frames the person is not there yet, or gone: they are left out",
            left,
            every,
        )
    absent = len(points) - len(track)
    if absent:
        log.warning(
            "%d of %d frames lack the person; they are filled in, with confidence 0",
            absent,
            len(points),
        )
    if abs(last) > FARTHEST or abs(first) > FARTHEST:
        log.warning("frames are numbered from %d on; they are counted from 0", first)
        first = 0
    return Followed(points, first, absent, left, told)
