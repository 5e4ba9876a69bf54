"""What is known of Human3.6M without its data: cameras, subjects, actions, joints, faults."""

from __future__ import annotations

from functools import cache
from typing import Literal

import numpy as np

from htpbench.motion.cameras import Camera
from htpbench.outside import files
from htpbench.systems.shipped import data_folder

CITATION = (
    "Ionescu, Papava, Olaru, Sminchisescu: Human3.6M: Large Scale Datasets and Predictive Methods "
    "for 3D Human Sensing in Natural Environments. TPAMI 2014."
)
TRAIN, TEST = ("S1", "S5", "S6", "S7", "S8"), ("S9", "S11")
SPLIT_OF: dict[str, Literal["train", "test"]] = dict.fromkeys(TRAIN, "train")
SPLIT_OF |= dict.fromkeys(TEST, "test")
LENSES = ("54138969", "55011271", "58860488", "60457274")  # ids, in the order of the files' cameras
ACTIONS = (  # in the order of their numbers, which begin with 2
    *("Directions", "Discussion", "Eating", "Greeting", "Phoning", "Posing", "Purchases"),
    *("Sitting", "SittingDown", "Smoking", "Photo", "Waiting", "Walking", "WalkDog"),
    "WalkTogether",
)
FIRST_NUMBER = 2
RAW_NAMES = {"TakingPhoto": "Photo", "WalkingDog": "WalkDog"}  # those of S1, as handed out
ALL_JOINTS = 32
KEPT = (0, 1, 2, 3, 6, 7, 8, 12, 13, 14, 15, 17, 18, 19, 25, 26, 27)  # 17 of the 32
LEFT_OUT = ("S11", "Directions")  # one of its videos is damaged, so nobody scores it
BLOCKED = {  # takes whose capture drifts off the images: by VideoPose3D's name, MotionBERT's
    "S9/Greeting": "s_09_act_05_subact_02",
    "S9/SittingDown 1": "s_09_act_10_subact_02",
    "S9/Waiting 1": "s_09_act_13_subact_01",
}
CHOICES = ("keep", "drop")  # what may be done with them
ARCHIVE = "data_3d_h36m.npz"  # VideoPose3D's file of the 3D

Cameras = dict[str, tuple[Camera, ...]]  # by subject, in the order of LENSES


@cache
def cameras() -> Cameras:
    """The cameras of baselines/motion/h36m_cameras.toml."""
    told = files.load_toml(data_folder() / "baselines" / "motion" / "h36m_cameras.toml")
    lenses = {one.pop("id"): one for one in told["lens"]}
    assert tuple(lenses) == LENSES
    held: dict[str, dict[str, Camera]] = {}
    for one in told["placed"]:
        subject, lens = one.pop("subject"), one.pop("lens")
        held.setdefault(subject, {})[lens] = Camera(**one, **lenses[lens])
    return {subject: tuple(held[subject][lens] for lens in LENSES) for subject in SPLIT_OF}


def spelt(key: str) -> str:
    """A key with its action called as the field does: "TakingPhoto 1" becomes "Photo 1"."""
    action, space, trial = key.partition(" ")
    return f"{RAW_NAMES.get(action, action)}{space}{trial}"


def sizes() -> dict[str, tuple[int, int]]:
    """Width and height, px, of the images of each lens."""
    return {lens: one.size for lens, one in zip(LENSES, cameras()["S1"], strict=True)}


def lacking(actions: set[str]) -> dict[str, str]:
    """What a card says of how many actions there are, where some are missing."""
    some = 0 < len(actions) < len(ACTIONS)
    return {"actions": f"{len(actions)} of {len(ACTIONS)}"} if some else {}


def seventeen(poses: np.ndarray) -> np.ndarray:
    """(N, 32 or 17, ...) as 17 joints."""
    return poses[:, KEPT] if poses.shape[1] == ALL_JOINTS else poses
