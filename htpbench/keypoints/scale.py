"""The size of the images and the rate, as the file and the user tell them; whether points fit."""

from __future__ import annotations

import math
import re

import numpy as np

from htpbench.errors import BenchError

SLOWEST, FASTEST = 5.0, 1000.0  # frames a second
SMALLEST, LARGEST = 16, 32768  # px
ENOUGH = 0.9  # of the points lie within the image
MARGIN = 0.1  # of the image, beside it
MOST, NORMALISED = 0.99, 2.0  # so many lie so near to the corner (px) only if they are shares
SHARES = (-0.5, 1.5)  # of width and height, that points in shares may have
CLOSE = 1e-4  # rates that differ less are one


def size_of(told: tuple[int, int] | None, asked: str) -> tuple[int, int]:
    """Width and height, px; BenchError where nobody tells them, or two do unlike."""
    found = re.fullmatch(r"(\d{1,6})x(\d{1,6})", asked.strip().lower())
    if asked and not found:
        raise BenchError(f"size={asked!s:.40}: expected width x height in px, as 1920x1080")
    wanted = (int(found[1]), int(found[2])) if found else None
    if told and wanted and told != wanted:
        raise BenchError(
            f"the file says that images are {spelt(told)}, and you say {spelt(wanted)}; leave out "
            "the size, or give the file of this video"
        )
    size = told or wanted
    if size is None:
        raise BenchError(
            "the file does not say how large the images are, and guessing would move the person; "
            "say it behind the path: ,size=1920x1080 (lift: --size 1920x1080)"
        )
    if not all(SMALLEST <= side <= LARGEST for side in size):
        raise BenchError(
            f"images of {spelt(size)} px; expected {SMALLEST} to {LARGEST} px a side; say it: "
            ",size=1920x1080"
        )
    return size


def rate_of(told: float | None, asked: float) -> float:
    """Frames a second; BenchError where nobody tells them, or two do unlike."""
    if told and asked and not math.isclose(told, asked, rel_tol=CLOSE):
        raise BenchError(
            f"the file says {told:g} frames a second, and you say {asked:g}; leave out the rate"
        )
    rate = told or asked
    if not rate:
        raise BenchError(
            "the file does not say how many frames a second there are; say it behind the path: "
            ",fps=25 (lift: --fps 25)"
        )
    if not SLOWEST <= rate <= FASTEST:
        raise BenchError(
            f"{rate:g} frames a second; expected {SLOWEST:g} to {FASTEST:g}: ,fps=25 "
            "(lift: --fps 25)"
        )
    return rate


def spelt(size: tuple[int, int]) -> str:
    """Width x height."""
    return f"{size[0]}x{size[1]}"


def check_pixels(seen: np.ndarray, size: tuple[int, int]) -> None:
    """BenchError where the points (n, 2) are no pixels of images of this size."""
    low, high = seen.min(axis=0), seen.max(axis=0)
    if np.quantile(np.abs(seen), MOST) <= NORMALISED:
        raise BenchError(
            f"the points lie within {low.min():.2f} and {high.max():.2f}: they are normalised, "
            "and px are expected; run the detector with coordinates in px (OpenPose: "
            "--keypoint_scale 0)"
        )
    edge = MARGIN * np.array(size)
    inside = ((seen >= -edge) & (seen <= np.array(size) + edge)).all(axis=1).mean()
    if inside < ENOUGH:
        raise BenchError(
            f"the size is wrong: {inside:.0%} of the points lie within {spelt(size)} px; they go "
            f"from {low[0]:.0f} to {high[0]:.0f} in x and from {low[1]:.0f} to {high[1]:.0f} in y; "
            "say the size of the video that the detector saw: ,size=1920x1080 (lift: --size ...)"
        )


def check_shares(seen: np.ndarray) -> None:
    """BenchError where the points (n, 2) are no shares of width and height."""
    inside = ((seen >= SHARES[0]) & (seen <= SHARES[1])).all(axis=1).mean()
    if inside < ENOUGH:
        raise BenchError(
            f"MediaPipe's points lie in 0 to 1 of width and height; these go from {seen.min():.3g} "
            f"to {seen.max():.3g}: write `pose_landmarks` as they are, not px or world landmarks"
        )
