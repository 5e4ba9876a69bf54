"""Smooth curves through random keys, for motion that never jerks."""

from __future__ import annotations

import numpy as np
from numpy.random import Generator

from htpbench.motion.clip import FRAME_RATE


def glide(
    times: np.ndarray, values: np.ndarray, frames: int, slopes: np.ndarray | float = 0.0
) -> np.ndarray:
    """(frames, ...) cubic from key to key (K seconds, K values), with the given slopes at keys."""
    shape = (-1,) + (1,) * (values.ndim - 1)
    now = np.arange(frames) / FRAME_RATE
    key = np.clip(np.searchsorted(times, now, side="right") - 1, 0, len(times) - 2)
    span = (times[key + 1] - times[key]).reshape(shape)
    x = np.clip((now - times[key]).reshape(shape) / span, 0, 1)
    slopes = np.broadcast_to(slopes, values.shape)
    ease = x * x * (3 - 2 * x)
    drive = span * x * (1 - x) * ((1 - x) * slopes[key] - x * slopes[key + 1])
    return (1 - ease) * values[key] + ease * values[key + 1] + drive


def through(times: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Slopes at keys: nought where a hold begins or ends, the mean slope where motion goes on."""
    slope = np.diff(values) / np.diff(times)
    inner = np.where(slope[:-1] * slope[1:] > 0, (slope[:-1] + slope[1:]) / 2, 0)
    return np.concatenate([[0], inner, [0]])


def rhythm(rng: Generator, frames: int, every: tuple[float, float]) -> np.ndarray:
    """Seconds of keys that cover the frames, `every` so many seconds."""
    steps = rng.uniform(*every, size=int(frames / FRAME_RATE / every[0]) + 2)
    return np.concatenate([[0], np.cumsum(steps)])


def wander(
    rng: Generator, frames: int, spread: list[float], every: tuple[float, float] = (0.7, 2.0)
) -> np.ndarray:
    """(frames, len(spread)): aimless drift within +-spread."""
    times = rhythm(rng, frames, every)
    return glide(times, rng.uniform(-1, 1, (len(times), len(spread))) * spread, frames)
