"""A real detector's noise beside the simulated ones: the table that their presets are fitted to.

    .venv/bin/python benchmarks/detector_noise.py FOLDER

FOLDER holds beam.npz: real detections of one person in four views, 100 frames at 60 Hz, with the
truth triangulated from them. All at 50 Hz and for a person of 324 px. Simulated: this very clip, 20
draws, means. r: autocorrelation at so many frames about each joint's mean, or about its mean in the
view; steady: length of that mean. "sides right": frames nearer to the mirrored truth mirrored. The
truth shares the errors of the heavy model: the line "other three" of quality.json, with the truth
of the three other views, holds that truth's error too, and what is true lies between the two.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from htpbench.motion.detections import noise_model, simulate
from htpbench.motion.resampling import resample
from htpbench.motion.skeleton import MIRROR
from htpbench.outside import files

HEIGHT, DRAWS, LAGS = 324, 20, (1, 5, 9, 15)
REAL = {"poses2d": "real, heavy", "poses2d_lite": "real, lite"}
OTHERS = "noise at 324 px, 50 Hz: truth from the other three views"
TOLD = (  # what quality.json calls the columns, where it has them
    *("mean", "median", "p95"),
    *(f"autocorrelation {lag}, about joint mean" for lag in LAGS),
    *(f"autocorrelation {lag}, about joint and view mean" for lag in LAGS),
    *("", "frame to frame, rms", "confidence mean", ""),
    *("correlation of confidence and distance", ""),
)
COLUMNS = (
    *("mean px", "median", "95 %", *(f"r{lag}" for lag in LAGS), *(f"r{lag} view" for lag in LAGS)),
    *("steady px", "step px", "confidence", "its std", "r with px", "swapped"),
)


def project(beam: Mapping[str, np.ndarray]) -> np.ndarray:
    """Exact pixels (4, N, 17, 2) of the truth, as each camera sees it."""
    seen = []
    for number in range(len(beam["K"])):
        frame = beam["positions"] @ beam["R"][number].T + beam["t"][number]  # (N, 17, 3)
        q = frame[..., :2] / frame[..., 2:]
        k1, k2, p1, p2 = beam["distortion"][number]
        r2 = np.sum(q * q, axis=-1, keepdims=True)
        product = q[..., :1] * q[..., 1:]  # (N, 17, 1)
        bent = q * (1 + r2 * (k1 + r2 * k2)) + 2 * product * [p1, p2]
        bent += (r2 + 2 * q * q) * [p2, p1]
        lens = beam["K"][number]
        seen.append(bent @ lens[:2, :2].T + lens[:2, 2])
    return np.stack(seen)


def slower(views: np.ndarray, rate: float) -> np.ndarray:
    """(4, n, 17, K) at a rate to (4, N, 17, K) at 50 Hz."""
    return np.stack([resample(one, 1 / rate) for one in views])


def mirrored(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """(4, N) bool: which detections lie nearer to the mirrored truth."""
    as_is, other = (
        np.linalg.norm(found[..., :2] - truth, axis=-1).mean(axis=-1)
        for truth in (exact, exact[:, :, MIRROR])
    )
    return other < as_is


def right(found: np.ndarray, exact: np.ndarray) -> np.ndarray:
    """Detections (4, N, 17, 3) with the sides put right."""
    return np.where(mirrored(found, exact)[..., None, None], found[:, :, MIRROR], found)


def statistics(found: np.ndarray, exact: np.ndarray) -> list[float]:
    """One number a column, of detections (4, N, 17, 3) at 50 Hz; exact (4, N, 17, 2)."""
    error = found[..., :2] - exact
    distance, sure = np.linalg.norm(error, axis=-1), found[..., 2]
    numbers = [distance.mean(), np.median(distance), np.quantile(distance, 0.95)]
    for about in ((0, 1), 1):
        rest = error - error.mean(axis=about, keepdims=True)
        numbers += [np.mean(rest[:, :-n] * rest[:, n:]) / np.mean(rest**2) for n in LAGS]
    numbers.append(np.linalg.norm(error.mean(axis=1), axis=-1).mean())
    numbers.append(np.sqrt(np.sum(np.diff(error, axis=1) ** 2, axis=-1).mean()))
    numbers += [sure.mean(), sure.std(), np.corrcoef(sure.ravel(), distance.ravel())[0, 1]]
    return [*numbers, mirrored(found, exact).mean()]


def simulated(exact: np.ndarray, preset: str, draw: int) -> np.ndarray:
    """Detections (4, N, 17, 3) of a preset."""
    views = []
    for number, one in enumerate(exact):
        seen, sure = simulate(one, preset, np.random.default_rng([draw, number]))
        views.append(np.concatenate([seen, sure[..., None]], axis=-1))
    return np.stack(views)


def lines(folder: Path) -> dict[str, list[float]]:
    """The rows of the table; NaN: not known."""
    with np.load(folder / "beam.npz", allow_pickle=False) as stored:
        beam = {name: stored[name] for name in stored}
    factor = HEIGHT / beam["person_px"][..., None, None]  # (4, n, 1, 1)
    whole, rate = project(beam) * factor, float(beam["fps"])
    exact, table = slower(whole, rate), {}
    for name, title in REAL.items():
        found = np.concatenate([beam[name][..., :2] * factor, beam[name][..., 2:]], axis=-1)
        table[title] = statistics(slower(found, rate), exact)
        if mirrored(found, whole).any():
            table[f"{title}, sides right"] = statistics(slower(right(found, whole), rate), exact)
    told = files.load_json(folder / "quality.json")[OTHERS]
    table["real, heavy, other three"] = [told.get(name, np.nan) for name in TOLD]
    for preset, numbers in noise_model()["presets"].items():
        drawn = [simulated(exact, preset, draw) for draw in range(DRAWS)]
        table[preset] = np.mean([statistics(one, exact) for one in drawn], axis=0).tolist()
        if "body_swap" in numbers:
            straight = [statistics(right(one, exact), exact) for one in drawn]
            table[f"{preset}, sides right"] = np.mean(straight, axis=0).tolist()
    return table


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of beam.npz and quality.json")
    folder = parser.parse_args().folder
    if not (folder / "beam.npz").exists():
        print(f"skipped: {folder / 'beam.npz'} is absent")
        return
    rows = [["", *COLUMNS], ["---"] * (1 + len(COLUMNS))]
    rows += [
        [title, *("" if np.isnan(one) else f"{one:.2f}" for one in numbers)]
        for title, numbers in lines(folder).items()
    ]
    for row in rows:
        print("|", " | ".join(row), "|")


if __name__ == "__main__":
    main()
