"""Motion from BVH files: brought to the 17 joints of Human3.6M, millimetres, z up, 50 Hz.

A frame time is believed as the header says it; some files lie (CMU's subjects 60 and 61 say 120 Hz
and are 60), and motion alone does not prove it.
"""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import numpy as np

from htpbench.errors import BenchError
from htpbench.motion import sound
from htpbench.motion.bvh import Recording, parse
from htpbench.motion.clip import Clip
from htpbench.motion.dataset import Motion
from htpbench.motion.labels import Labels
from htpbench.motion.resampling import resample
from htpbench.motion.skeleton import JOINTS, PARENTS
from htpbench.motion.skeletons import Figure, chosen, joints17, named
from htpbench.outside.waiting import log

SHORTEST = 50  # frames of a piece, when a file is cut
AXES = ("x", "-z", "y")  # of the file, where x, y and z come from as long as y is up in it
NAMED = 3  # files that a line names
Found = tuple[list[np.ndarray], dict[str, str]]  # pieces of a file, and what was done to them


class Bvh(Motion):
    """A BVH file, or all of a folder and the folders in it.

    A clip has the name of its file. Where frames are bad it is cut, the second piece called NAME.2.
    Every third subject is for testing, beginning with the first, and the others are for training:
    a single file is a test.

    skeleton: a name that is known, or a TOML file that maps joints. subject: a pattern whose first
    group, found in a file's path, is the subject. skip_bad: leave out files that cannot be used.
    floor: "auto" puts the floor below the lowest joint, wherever it is.
    """

    def __init__(
        self,
        path: str,
        skeleton: str = "",
        subject: str = "",
        skip_bad: bool = False,
        floor: str = "checked",
    ) -> None:
        figures, place = chosen(skeleton), Path(path)
        files = found(place)
        folder = place if os.path.isdir(place) else place.parent
        names = [file.relative_to(folder).with_suffix("").as_posix() for file in files]
        if twice := [name for name, number in Counter(names).items() if number > 1]:
            raise BenchError(f"{path}: {twice[0]} is there twice, as .bvh and .BVH; rename one")
        held: dict[str, Found] = {}
        recorded: dict[str, float] = {}
        bad: dict[str, BenchError] = {}
        for name, file in zip(names, files, strict=True):
            try:
                held[name], recorded[name] = read(file, figures, floor)
            except BenchError as fault:
                if not skip_bad:
                    more = "; or leave such files out: ,skip_bad=true (--skip-bad)"
                    raise BenchError(f"{fault}{more * (len(files) > 1)}") from fault.__cause__
                bad[name] = fault
        if not held:
            raise BenchError(f"{path}: none of {len(files)} files can be used; {first(bad)}")
        labels = Labels([*held], subject)
        clips = [
            Clip(
                f"{name}.{number}" if number > 1 else name,
                labels.subject(name),
                labels.action(name),
                labels.split(name),
                piece.astype(np.float32),
                trial=name,
                recorded=recorded[name],
            )
            for name, (pieces, _) in held.items()
            for number, piece in enumerate(pieces, 1)
        ]
        told = summed([told for _, told in held.values()])
        if bad:
            told["left_out"] = f"{len(bad)} of {len(files)} files"
            log.warning("%s: %d of %d files left out; %s", path, len(bad), len(files), first(bad))
        if labels.all_apart:
            log.warning(
                "%s: each of %d files is a subject of its own; where one person is in several, "
                "give a pattern that finds whose a file is: ,subject=PATTERN",
                path,
                len(held),
            )
        super().__init__(place.resolve().stem, clips, told)


def found(path: Path) -> list[Path]:
    """The BVH files at a path, of any case; those that are hidden are left out and counted."""
    if not os.path.isdir(path):
        return [path]
    every = [
        one
        for one in sorted(path.rglob("*"))
        if one.suffix.lower() == ".bvh" and not os.path.isdir(one)
    ]
    seen = [
        one
        for one in every
        if not any(part.startswith(".") for part in one.relative_to(path).parts)
    ]
    if not seen:
        raise BenchError(f"{path}: holds no file *.bvh; expected a BVH file or a folder of them")
    if len(seen) < len(every):
        hidden = len(every) - len(seen)
        log.warning("%s: %d BVH files; %d hidden ones left out", path, len(seen), hidden)
    return seen


def first(bad: dict[str, BenchError]) -> str:
    """The first files that are bad, and why."""
    said = [str(fault) for fault in list(bad.values())[:NAMED]]
    return "; ".join(said + ["..."] * (len(bad) > NAMED))


def summed(told: list[dict[str, str]]) -> dict[str, str]:
    """What was done to files, once for all of which it holds."""
    counted = Counter((key, value) for each in told for key, value in each.items())
    of_all: dict[str, list[str]] = {}
    for (key, value), count in sorted(counted.items()):
        some = f" in {count} of {len(told)} files" if count < len(told) else ""
        of_all.setdefault(key, []).append(f"{value}{some}")
    return {key: ", ".join(values) for key, values in of_all.items()}


def read(file: Path, figures: dict[str, Figure], floor: str) -> tuple[Found, float]:
    """What a file holds of sound motion, and its rate in Hz; BenchError names file and fault.

    Most exporters let the root's position channels replace its OFFSET, some add them to it: where
    there is one, it is taken as the person stands on the floor.
    """
    recording = parse(file)
    rate = 1 / recording.frame_time
    moved = recording.offsets[0].any() and any(channel < 3 for channel in recording.channels[0])
    faults = []
    try:
        name, recording = named(recording, figures)
        if len(recording.values) < figures[name].lead + 2:
            raise BenchError(
                f"{len(recording.values)} frames; expected at least 2 after the first "
                f"{figures[name].lead}, which in files of {name} are no motion; record longer"
            )
        for added in (False, True) if moved else (True,):
            try:
                pieces, told = settled(recording, figures[name], added, floor)
                root = {"root_offset": "added" if added else "replaced"} if moved else {}
                return (pieces, root | told), rate
            except BenchError as fault:
                faults.append(fault)
        raise faults[0]
    except BenchError as fault:
        raise BenchError(f"{file}: {fault}") from fault.__cause__


def settled(recording: Recording, figure: Figure, added: bool, floor: str) -> Found:
    """The pieces (N, 17, 3) of a recording between its glitches, and what was done to them."""
    joints, told = joints17(recording, figure, added), {}
    length = sound.leg(joints)
    unit = sound.unit(length / figure.millimetres)
    if unit and not sound.LEG[0] < length < sound.LEG[1]:
        told["unit"] = unit
        scaled = recording.scaled(sound.UNITS[unit] / figure.millimetres)
        joints = joints17(scaled, figure, added)
    joints = constant_bones(resample(joints, recording.frame_time))
    whole = sound.judged([joints], floor, AXES)
    (joints,), (bad,) = whole.clips, whole.bad
    turns = np.flatnonzero(np.diff(bad, prepend=True, append=True))  # good from, bad from, ...
    runs = [joints[a:b] for a, b in turns.reshape(-1, 2) if not bad.any() or b - a >= SHORTEST]
    if not runs:
        raise BenchError(
            f"{bad.sum()} of {len(bad)} frames at 50 Hz are glitches, and nowhere is 1 s without; "
            "record longer, or mend the file"
        )
    return runs, told | whole.told


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
