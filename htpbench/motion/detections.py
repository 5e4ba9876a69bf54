"""Simulated 2D detections: exact joints in pixels become what a detector would have reported."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np

from htpbench.errors import unknown
from htpbench.motion.skeleton import LEFT, MIRROR, RIGHT
from htpbench.outside import files
from htpbench.systems.shipped import data_folder

LEGS = [1, 2, 3, 4, 5, 6]
ARMS = [11, 12, 13, 14, 15, 16]
BODY = [*LEFT, *RIGHT]


@cache
def noise_model() -> dict[str, Any]:
    """The numbers of baselines/motion/detections.toml; `presets` names the detectors."""
    path = data_folder() / "baselines" / "motion" / "detections.toml"
    model = files.load_toml(path)
    return {key: np.array(v) if isinstance(v, list) else v for key, v in model.items()}


def simulate(
    pixels: np.ndarray, preset: str, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Detections of one view of one clip: (N, 17, 2) px exact -> (N, 17, 2) px, (N, 17) confidence.

    A missing joint holds its last detection (its next one, before the first) at confidence 0.
    """
    model = _numbers(preset)
    error = displacement(pixels, preset, rng)  # (N, 17, 2)
    seen = pixels + error
    confidence = _confidence(error, model["confidence"], rng)

    swaps = [(LEGS, model["swap"]), (ARMS, model["swap"])]
    body = model.get("body_swap")
    if body and rng.random() < body["view_share"]:
        swaps.append((BODY, body))
    for joints, swap in swaps:
        frames = _runs(len(seen), np.array([swap["rate"]]), swap["mean_run"], rng)[:, 0]
        frames = np.flatnonzero(frames)[:, None]
        seen[frames, joints] = seen[frames, MIRROR[joints]]
        confidence[frames, joints] = confidence[frames, MIRROR[joints]]

    miss = model["miss"]
    joint_rate = model["miss_mult"] * miss["joint_rate"] * np.array(miss["joint_weight"])
    frame_rate = model["miss_mult"] * np.array([miss["frame_rate"]])
    missing = _runs(len(seen), joint_rate, miss["mean_run"], rng)  # (N, 17)
    missing |= _runs(len(seen), frame_rate, miss["frame_mean_run"], rng)  # (N, 1): all joints
    confidence[missing] = 0
    return np.take_along_axis(seen, _held(missing)[..., None], axis=0), confidence


def displacement(pixels: np.ndarray, preset: str, rng: np.random.Generator) -> np.ndarray:
    """The error (N, 17, 2), in px, of joints that are found and not swapped.

    Drawn at key frames and linear in between, so that it drifts as a detector's does, where the
    preset says so also at key frames further apart; plus white noise; in proportion to the height
    of the person in each frame.
    """
    model = _numbers(preset)
    frames, joints, _ = pixels.shape
    before, part = _places(frames, model["key_step_frames"], rng)
    size = (int(before[-1]) + 2, joints, 2)
    keys = rng.normal(model["bias_px"], model["std_px"], size)
    half = model["outlier_half_range_px"]
    outlier = rng.random(size[:2]) < model["outlier_mult"] * model["outlier_prob"]
    keys[outlier] = rng.uniform(-half, half, (int(outlier.sum()), 2))
    error = (1 - part) * keys[before] + part * keys[before + 1]
    error += rng.normal(0, model["white_px"], error.shape)
    if "slow" in model:  # no draw without it: that would move what the other presets draw
        before, part = _places(frames, model["slow"]["key_step_frames"], rng)
        keys = rng.normal(0, model["slow"]["std_px"], (int(before[-1]) + 2, joints, 2))
        error += (1 - part) * keys[before] + part * keys[before + 1]
    height = np.ptp(pixels[..., 1], axis=1)[:, None, None]  # (N, 1, 1)
    return error * model["scale"] * height / model["person_height_px"]


def _places(frames: int, step: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The key before each frame (N,), and what part (N, 1, 1) of the way to the next is done."""
    place = rng.random() + np.arange(frames) / step  # in keys
    before = place.astype(np.int64)
    return before, (place - before)[:, None, None]


def _numbers(preset: str) -> dict[str, Any]:
    """The numbers of one detector: the model's, but for those that its preset states itself."""
    model = noise_model()
    if preset not in model["presets"]:
        raise unknown("detector", preset, model["presets"])
    return model | model["presets"][preset]


def _confidence(error: np.ndarray, c: dict[str, float], rng: np.random.Generator) -> np.ndarray:
    distance = np.linalg.norm(error, axis=-1) / 500
    sure = c["a"] / (distance + c["a"]) + c["b"] * distance
    return np.clip(sure + rng.normal(c["m"], c["s"], distance.shape), 0, 1)


def _runs(frames: int, rates: np.ndarray, mean: float, rng: np.random.Generator) -> np.ndarray:
    """(frames, len(rates)) bool: runs of geometric length covering the given shares of frames."""
    lead = int(10 * mean)  # runs that began before the clip
    begins = rng.random((lead + frames, len(rates))) < -np.log1p(-rates) / mean
    first, column = np.nonzero(begins)
    last = np.minimum(first + rng.geometric(1 / mean, len(first)), lead + frames)
    change = np.zeros((lead + frames + 1, len(rates)), dtype=np.int64)
    np.add.at(change, (first, column), 1)
    np.add.at(change, (last, column), -1)
    return np.cumsum(change, axis=0)[lead:-1] > 0


def _held(missing: np.ndarray) -> np.ndarray:
    """(N, 17) frame whose detection stands in each frame; frame 0 for a joint never seen."""
    frames = np.arange(len(missing))[:, None]
    last = np.maximum.accumulate(np.where(missing, -1, frames), axis=0)
    first = np.argmin(missing, axis=0)
    return np.where(last < 0, first, last)
