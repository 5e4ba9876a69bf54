"""Motion from BVH files: brought to the 17 joints of Human3.6M, millimetres, z up, 50 Hz.

A frame time is believed as the header says it; some files lie (CMU's subjects 60 and 61 say 120 Hz
and are 60), and motion alone does not prove it. The floor is where the file has it, at y = 0.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion.bvh import Recording, parse, positions
from htpbench.motion.clip import FARTHEST, FRAME_RATE, Clip, Motion
from htpbench.motion.skeleton import JOINTS, PARENTS

FASTEST = 20.0  # m/s
HARDEST = 500.0  # m/s2
BACKWARD = np.sin(np.radians(20))  # what a knee may seem to bend backward: hips and knees twist
MOST_BAD = 0.05  # of the frames of a file; they are cut out
SHORTEST = 50  # frames of a piece, when a file is cut
LEG = (500, 1200)  # mm from hip to ankle; outside, the file has another unit


@dataclass(frozen=True)
class Figure:
    """A skeleton that people use: where its nodes are on the body and how large its unit is."""

    millimetres: float  # of one unit
    lead: int  # frames at the start that are no motion: the T-pose, and blending out of it
    complete: Callable[[Recording], Recording]  # puts in what the file leaves out
    joints: tuple[str, ...]  # of each of the 17 joints: the nodes in whose middle it lies
    beside: tuple[str, ...] = ()  # other nodes that `complete` needs

    def missing(self, names: tuple[str, ...]) -> list[str]:
        """The nodes that are needed and not among `names`; those with a + are put in."""
        needed = [*" ".join(self.joints).split(), *self.beside]
        return sorted({name for name in needed if name[0] != "+"}.difference(names))


def _cgspeed(recording: Recording) -> Recording:
    """Puts back what CMU's conversion by cgspeed drops where the skeleton branches.

    The thorax is as long as the upper back and goes on bending as the back does; the wrist bone
    has half the length of the radius. Within 5 mm of the original skeletons.
    """
    offsets = dict(zip(recording.names, recording.offsets.copy(), strict=True))
    thorax = 2 * offsets["Spine1"] - offsets["Spine"]
    thorax *= np.linalg.norm(offsets["Spine1"]) / (np.linalg.norm(thorax) or 1)
    dropped = {
        **dict.fromkeys(("Neck", "LeftShoulder", "RightShoulder"), thorax),
        **{f"{side}FingerBase": offsets[f"{side}Hand"] / 2 for side in ("Left", "Right")},
    }
    for name, bone in dropped.items():
        if not offsets[name].any():
            offsets[name] = bone
    patched = replace(recording, offsets=np.stack(list(offsets.values())))
    return _with(patched, "+thorax", "Spine1", 1.35 * offsets["Neck"])


def _crowned(head: str) -> Callable[[Recording], Recording]:
    """Adds the middle of the head, 125 mm above its joint, to a figure measured in centimetres."""
    return lambda recording: _with(recording, "+crown", head, np.array([0, 12.5, 0]))


def _with(recording: Recording, name: str, parent: str, offset: np.ndarray) -> Recording:
    """The recording with one more end site."""
    return replace(
        recording,
        names=(*recording.names, name),
        parents=(*recording.parents, recording.names.index(parent)),
        offsets=np.concatenate([recording.offsets, offset[None]]),  # (J + 1, 3)
        channels=(*recording.channels, ()),
    )


FIGURES = {
    "cgspeed": Figure(
        25.4 / 0.45,  # CMU's unit, from its FAQ
        1,
        _cgspeed,
        (
            "LeftUpLeg RightUpLeg",
            *("RightUpLeg", "RightLeg", "RightFoot"),
            *("LeftUpLeg", "LeftLeg", "LeftFoot"),
            *("Spine", "+thorax", "Head", "Head_end"),
            *("LeftArm", "LeftForeArm", "LeftFingerBase"),
            *("RightArm", "RightForeArm", "RightFingerBase"),
        ),
        ("Spine1", "Neck", "LeftShoulder", "RightShoulder", "LeftHand", "RightHand"),
    ),
    "Daz": Figure(
        10,
        10,
        _crowned("head"),
        (
            "lThigh rThigh",
            *("rThigh", "rShin", "rFoot"),
            *("lThigh", "lShin", "lFoot"),
            *("abdomen chest", "lCollar rCollar", "head", "+crown"),
            *("lShldr", "lForeArm", "lHand"),
            *("rShldr", "rForeArm", "rHand"),
        ),
    ),
    "iClone": Figure(
        10,
        0,
        _crowned("CC_Base_Head"),
        (
            "CC_Base_L_Thigh CC_Base_R_Thigh",
            *("CC_Base_R_Thigh", "CC_Base_R_Calf", "CC_Base_R_Foot"),
            *("CC_Base_L_Thigh", "CC_Base_L_Calf", "CC_Base_L_Foot"),
            "CC_Base_Spine01 CC_Base_Spine02",
            *("CC_Base_L_Clavicle CC_Base_R_Clavicle", "CC_Base_Head", "+crown"),
            *("CC_Base_L_Upperarm", "CC_Base_L_Forearm", "CC_Base_L_Hand"),
            *("CC_Base_R_Upperarm", "CC_Base_R_Forearm", "CC_Base_R_Hand"),
        ),
    ),
}


def read(path: str | Path) -> Motion:
    """The motion in a BVH file, or in all files *.bvh of a folder; BenchError names the fault.

    A clip has the name of its file, SUBJECT_TRIAL_ACTION.bvh where SUBJECT is a number; else the
    whole name is the subject. Where frames are bad a clip is cut, its second piece called NAME.2.
    Every third subject is for testing, beginning with the first, and the others are for training:
    a single file is a test.
    """
    path = Path(path)
    files = sorted(path.glob("*.bvh")) if os.path.isdir(path) else [path]
    if not files:
        raise BenchError(f"{path}: holds no file *.bvh; expected a BVH file or a folder of them")
    labels = [_labels(file.stem) for file in files]
    testing = sorted({subject for subject, _ in labels})[::3]
    clips = []
    for file, (subject, action) in zip(files, labels, strict=True):
        split = "test" if subject in testing else "train"
        for number, piece in enumerate(_pieces(file), 1):
            name = f"{file.stem}.{number}" if number > 1 else file.stem
            clips.append(Clip(name, subject, action, split, piece))
    return Motion(path.resolve().stem, tuple(clips))


def _labels(stem: str) -> tuple[str, str]:
    """Subject and action: ("60", "salsa daz") of 60_10_salsa_daz, as CMU numbers its files."""
    number, *words = stem.split("_")
    if not number.isdecimal():
        return stem, "unknown"
    return number, " ".join(word for word in words if not word.isdecimal()) or "unknown"


def _pieces(file: Path) -> list[np.ndarray]:
    """What a file holds of sound motion: positions (N, 17, 3) float32, as a Clip has them."""
    recording = parse(file)
    try:
        joints = constant_bones(resample(joints17(recording), recording.frame_time))
        leg = np.linalg.norm(np.diff(joints[0, 1:4], axis=0), axis=1).sum()
        if not LEG[0] < leg < LEG[1]:
            raise BenchError(
                f"a leg of {leg:.0f} mm; expected {LEG[0]} to {LEG[1]}: the unit is not the usual "
                "one of this skeleton; scale offsets and positions"
            )
        if not (far := np.abs(joints).max()) < FARTHEST:
            raise BenchError(
                f"a joint is {far / 1e6:.0f} km away; expected less than 1; move it to the origin"
            )
        bad = glitches(joints)
        turns = np.flatnonzero(np.diff(bad, prepend=True, append=True))  # good from, bad from, ...
        runs = [joints[a:b] for a, b in turns.reshape(-1, 2) if not bad.any() or b - a >= SHORTEST]
        if bad.mean() > MOST_BAD or not runs:
            raise BenchError(
                f"{bad.sum()} of {len(bad)} frames at 50 Hz have a joint above {FASTEST:g} m/s or "
                f"{HARDEST:g} m/s2 or a knee bent backward; expected at most {MOST_BAD:.0%}, and "
                "1 s without; check the Frame Time, cut the file or move it elsewhere"
            )
    except BenchError as fault:
        raise BenchError(f"{file}: {fault}") from None
    return [run.astype(np.float32) for run in runs]


def joints17(recording: Recording) -> np.ndarray:
    """The 17 joints (T, 17, 3), mm, z up, at the rate of the file; BenchError if it has others."""
    missing = {name: figure.missing(recording.names) for name, figure in FIGURES.items()}
    name = min(missing, key=lambda name: len(missing[name]))
    if missing[name]:
        lacks = "; ".join(f"of {name}: {', '.join(nodes)}" for name, nodes in missing.items())
        raise BenchError(
            f"unknown skeleton; expected the joints of one that is known, and it lacks {lacks}; "
            "rename its joints or retarget the motion"
        )
    figure = FIGURES[name]
    if len(recording.values) < figure.lead + 2:
        raise BenchError(
            f"{len(recording.values)} frames; expected at least 2 after the first {figure.lead}, "
            f"which in files of {name} are no motion; record longer"
        )
    recording = figure.complete(recording)
    x, y, z = figure.millimetres * positions(recording)[figure.lead :].transpose(2, 0, 1)
    upright = np.stack([x, -z, y], axis=-1)  # (T, J, 3)
    nodes = [[recording.names.index(node) for node in joint.split()] for joint in figure.joints]
    return np.stack([upright[:, node].mean(axis=1) for node in nodes], axis=1)  # (T, 17, 3)


def resample(joints: np.ndarray, frame_time: float) -> np.ndarray:
    """(T, 17, 3) to (N, 17, 3) at 50 Hz, linear: at 120 Hz and 50 m/s2 that errs by 0.4 mm."""
    seconds = np.arange(int((len(joints) - 1) * frame_time * FRAME_RATE + 0.01) + 1) / FRAME_RATE
    place = np.minimum(seconds / frame_time, len(joints) - 1)  # (N,)
    before = np.minimum(place.astype(int), len(joints) - 2)
    share = (place - before)[:, None, None]
    return (1 - share) * joints[before] + share * joints[before + 1]


def constant_bones(joints: np.ndarray) -> np.ndarray:
    """(N, 17, 3) with every bone at its median length; the root and all directions are kept."""
    fixed = joints.copy()
    for joint, parent in enumerate(PARENTS[1:], 1):
        bone = joints[:, joint] - joints[:, parent]
        lengths = np.linalg.norm(bone, axis=1, keepdims=True)  # (N, 1)
        if lengths.min() < 1:
            raise BenchError(f"the bone to {JOINTS[joint]} has no length; expected a body")
        fixed[:, joint] = fixed[:, parent] + bone * (np.median(lengths) / lengths)
    return fixed


def glitches(joints: np.ndarray) -> np.ndarray:
    """Which of N frames (N, 17, 3) no person moves like: too fast, too hard, knees backward."""
    bad = np.zeros(len(joints), dtype=bool)
    velocity = np.diff(joints, axis=0) * FRAME_RATE / 1000  # (N - 1, 17, 3) m/s
    push = np.diff(velocity, axis=0) * FRAME_RATE  # (N - 2, 17, 3) m/s2
    bad[1:] |= (np.linalg.norm(velocity, axis=2) > FASTEST).any(axis=1)
    bad[1:-1] |= (np.linalg.norm(push, axis=2) > HARDEST).any(axis=1)
    across = _unit(joints[:, 4] - joints[:, 1])  # (N, 3), to the left; a bent knee turns about it
    for hip, knee, ankle in ((1, 2, 3), (4, 5, 6)):
        thigh = _unit(joints[:, knee] - joints[:, hip])
        shank = _unit(joints[:, ankle] - joints[:, knee])
        bad |= np.sum(np.cross(thigh, shank) * across, axis=1) < -BACKWARD
    return bad


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
