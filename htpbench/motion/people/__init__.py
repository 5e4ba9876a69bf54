"""Embedded motion without data files or licences: drawn people who walk, sit, jump, reach ..."""

from __future__ import annotations

import numpy as np

from htpbench.motion.clip import Clip
from htpbench.motion.people.actions import jump, reach, sit, squat, wave
from htpbench.motion.people.body import Body, pose
from htpbench.motion.people.gait import run, turn, walk

ACTIONS = (walk, run, turn, squat, wave, reach, jump, sit)

TRAIN_SUBJECTS = 12
TEST_SUBJECTS = 4

# shares of the stature (usual adult proportions)
SHARES = {
    "ankle": 0.045,
    "shank": 0.255,
    "thigh": 0.25,
    "hip": 0.072,
    "spine": 0.13,
    "thorax": 0.145,
    "neck": 0.066,
    "head": 0.064,
    "shoulder": 0.09,
    "upper_arm": 0.16,
    "forearm": 0.143,
}


def people(seed: int = 0) -> list[Clip]:
    """Clips of 12 train and 4 test subjects, 8 actions each, about 50,000 frames."""
    clips = []
    for subject in range(TRAIN_SUBJECTS + TEST_SUBJECTS):
        person = _body(np.random.default_rng([seed, subject]))
        for number, action in enumerate(ACTIONS, start=1):  # 0 would repeat the body's stream
            rng = np.random.default_rng([seed, subject, number])
            positions = pose(person, action(person, int(rng.integers(300, 501)), rng))
            name = action.__name__
            clips.append(
                Clip(
                    name=f"S{subject + 1:02d}_{name}",
                    subject=f"S{subject + 1:02d}",
                    action=name,
                    split="train" if subject < TRAIN_SUBJECTS else "test",
                    positions=positions.astype(np.float32),
                )
            )
    return clips


def _body(rng: np.random.Generator) -> Body:
    """A body of 1.5 to 1.9 m, each bone a little off the usual proportions."""
    stature = rng.uniform(1500, 1900)
    return Body(**{bone: stature * share * rng.normal(1, 0.035) for bone, share in SHARES.items()})
