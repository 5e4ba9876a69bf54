"""Reading a look-alike of the whole of Human3.6M, in VideoPose3D's layout and in MotionBERT's.

    python -m benchmarks.look_alike [--folder FOLDER] [--orders]

As many subjects, takes, cameras and frames as the real files have, of random walks; 2.5 GB on disk,
and some minutes to write. Each measurement runs in a process of its own: seconds from the start of
reading to views, and the most memory that it held, interpreter and libraries included. Then the
orders of evaluation, without files or poses (`--orders`: these alone): which rows each batch shows,
of F = 243 seq2seq and F = 351 seq2frame, by the official protocols.
"""

from __future__ import annotations

import argparse
import pickle
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from htpbench.datasets.human36m.facts import ACTIONS, FIRST_NUMBER, LENSES
from htpbench.motion.views import Views

# Frames of each camera, by subject (S7 and S8, S9 and S11 are told together; halves here).
FRAMES = {"S1": 62_094, "S5": 99_079, "S6": 62_466, "S7": 83_150, "S8": 83_149}
FRAMES |= {"S9": 67_918, "S11": 67_918}
BERT = {"train": 1_559_752, "test": 566_920}
TEST = 4 * (FRAMES["S9"] + FRAMES["S11"])
ORDERS = (
    (243, "seq2seq", "hot"),
    (243, "seq2seq", "mixste"),
    (351, "seq2frame", "hot"),
    (243, "seq2seq", "motionbert"),
)
SPECS = {"h36m": "h36m:{}", "motionbert": "motionbert:{}/h36m_sh_conf_cam_source_final.pkl"}


def walk(rng: np.random.Generator, frames: int, shape: tuple[int, ...], step: float) -> np.ndarray:
    """(frames, *shape) float32."""
    return rng.normal(0, step, (frames, *shape)).astype(np.float32).cumsum(axis=0)


def lengths(rng: np.random.Generator, total: int, count: int) -> list[int]:
    """So many lengths of videos, which sum to a total."""
    drawn = rng.uniform(0.5, 1.5, count)
    ends = np.round(np.cumsum(drawn) / drawn.sum() * total).astype(int)
    return np.diff(ends, prepend=0).tolist()


def videopose3d(folder: Path) -> None:
    """data_3d_h36m.npz and data_2d_h36m_cpn_ft_h36m_dbb.npz."""
    rng = np.random.default_rng(0)
    keys = [f"{action}{trial}" for action in ACTIONS for trial in (" 1", "")]
    three, two = {}, {}
    for subject, total in FRAMES.items():
        used = [key for key in keys if (subject, key) != ("S11", "Directions")]
        three[subject], two[subject] = {}, {}
        for key, frames in zip(used, lengths(rng, total, len(used)), strict=True):
            body = rng.normal(0, 0.3, (32, 3)) + np.array([0, 0, 1])
            three[subject][key] = (walk(rng, frames, (32, 3), 1e-4) + body).astype(np.float32)
            seen = [walk(rng, frames, (17, 2), 0.05) + np.float32(500) for _ in LENSES]
            two[subject][key] = seen
    sides = [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]
    metadata = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": sides}
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=three)
    file = folder / "data_2d_h36m_cpn_ft_h36m_dbb.npz"
    np.savez_compressed(file, positions_2d=two, metadata=metadata)


def motionbert(folder: Path) -> None:
    """h36m_sh_conf_cam_source_final.pkl."""
    rng, data = np.random.default_rng(0), {}
    for split, subjects in (("train", (1, 5, 6, 7, 8)), ("test", (9, 11))):
        total = BERT[split]
        names = [
            (f"s_{subject:02d}_act_{act:02d}_subact_{sub:02d}_ca_{lens + 1:02d}", lens, act)
            for lens in range(4)
            for subject in subjects
            for act in range(2, 17)
            for sub in (1, 2)
        ]
        each = lengths(rng, total, len(names))
        image = walk(rng, total, (17, 3), 0.01) + np.float32(500)
        part = {
            "joint_2d": walk(rng, total, (17, 2), 0.01) + np.float32(500),
            "confidence": np.ones((total, 17, 1), np.float32),
            "joint3d_image": image,
            "camera_name": np.repeat([LENSES[lens] for _, lens, _ in names], each),
            "source": [name for (name, *_), n in zip(names, each, strict=True) for _ in range(n)],
        }
        if split == "test":
            part |= {
                "action": [
                    ACTIONS[act - FIRST_NUMBER]
                    for (*_, act), n in zip(names, each, strict=True)
                    for _ in range(n)
                ],
                "2.5d_factor": np.full(total, 4.0),
                "joints_2.5d_image": image * np.float32(4),
            }
        data[split] = part
    with (folder / "h36m_sh_conf_cam_source_final.pkl").open("wb") as file:
        pickle.dump(data, file, protocol=4)


def held() -> float:
    """GB that this process has held at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def read(name: str, split: str, folder: Path) -> str:
    """Reading a split, in this process."""
    from htpbench.datasets import open_data

    began = time.perf_counter()
    views = open_data(SPECS[name].format(folder)).views(split, cameras="all")
    seconds = time.perf_counter() - began
    rows = f"{len(views.start)} views of {len(views.poses2d):,} frames"
    return f"{name}, {split}: {rows} in {seconds:.1f} s, at most {held():.2f} GB"


def bare(total: int, count: int) -> Views:
    """So many views without poses, which have so many frames in all."""
    each = np.array(lengths(np.random.default_rng(0), total, count))
    stop, number = np.cumsum(each), np.arange(count)
    nothing = np.zeros((total, 1, 1), np.float32)
    return Views(
        poses2d=nothing,
        poses3d=nothing,
        root=nothing[:, 0],
        valid=np.ones(total, dtype=bool),
        start=stop - each,
        stop=stop,
        clip=number,
        camera=number,
        rates=np.full(count, 50.0),
        clips=(),
        cameras=None,
        source="none",
    )


def order(frames: int, pipeline: str, protocol: str) -> str:
    """What it takes to tell which rows each batch of an evaluation shows."""
    from htpbench.measuring.prediction import BATCH
    from htpbench.motion.protocols import cut

    views = bare(BERT["test"], 240) if protocol == "motionbert" else bare(TEST, 236)
    before, began = held(), time.perf_counter()
    windows = cut(views, frames, pipeline, protocol=protocol)
    kept = sum(getattr(windows, one).nbytes for one in ("view", "start", "stop", "first", "low"))
    scored = 0
    for first in range(0, len(windows), BATCH):
        batch = windows[first : first + BATCH]
        scored += len(batch.index[batch.scored])
    seconds = time.perf_counter() - began
    return (
        f"F = {frames} {pipeline}, {protocol}: {len(windows):,} windows score {scored:,} frames in "
        f"{seconds:.1f} s; arrays {kept / 1e9:.3f} GB, {held() - before:.3f} GB more than before"
    )


def main() -> None:
    """Write what is missing, and measure, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="of the files; written where they are missing")
    parser.add_argument("--orders", action="store_true", help="the orders alone: no files")
    parser.add_argument("--read", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--order", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        print(read(*given.read, given.folder), flush=True)
    elif given.order is not None:
        print(order(*ORDERS[given.order]), flush=True)
    else:
        if not given.orders:
            with tempfile.TemporaryDirectory() as scratch:
                files(given.folder or Path(scratch))
        for number in range(len(ORDERS)):
            again("--order", str(number))


def files(folder: Path) -> None:
    """Write what is missing in a folder, and read all of it."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, write in (
        ("data_2d_h36m_cpn_ft_h36m_dbb.npz", videopose3d),
        ("h36m_sh_conf_cam_source_final.pkl", motionbert),
    ):
        if not (folder / file).exists():
            write(folder)
    for name in SPECS:
        for split in ("train", "test"):
            again("--folder", str(folder), "--read", name, split)


def again(*arguments: str) -> None:
    """This script in a process of its own, whose memory is that of one measurement."""
    subprocess.run([sys.executable, "-m", "benchmarks.look_alike", *arguments], check=True)


if __name__ == "__main__":
    main()
