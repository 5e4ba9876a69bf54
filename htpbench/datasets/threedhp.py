"""MPI-INF-3DHP as P-STMO prepared it: `--data 3dhp:PATH`."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from htpbench.datasets.mpi3dhp import pinhole, sequences
from htpbench.datasets.mpi3dhp.sequences import Seen, Split
from htpbench.errors import BenchError, unknown
from htpbench.motion.clip import FRAME_RATE, SPLITS, Take
from htpbench.motion.filmed import Filmed, Shot
from htpbench.outside.files import fingerprint, listed

CITATION = (
    "Mehta, Rhodin, Casas, Fua, Sotnychenko, Xu, Theobalt: Monocular 3D Human Pose Estimation In "
    "The Wild Using Improved CNN Supervision. 3DV 2017."
)
RAW = ("annot_data.mat", "annot.mat", "*/annot_data.mat", "*/*/annot.mat")


class Threedhp(Filmed):
    """MPI-INF-3DHP: data_train_3dhp.npz, data_test_3dhp.npz, or a folder that holds both.

    2D is "gt", the annotation itself. Rates of training are as recorded, 25 and 50 Hz.
    """

    layout = "3dhp"
    citation = CITATION
    detections = "gt"

    def __init__(self, path: str) -> None:
        self.name = "3dhp"
        paths = found(Path(path))
        self.seen: dict[str, list[Seen]] = {}
        self.known: dict[str, dict[str, Take]] = {}
        for place in paths:
            split, seen = sequences.read(place)
            if split in self.seen:
                raise BenchError(f"{place}: {split} is in both files; expected one of each")
            self.seen[split], self.known[split] = seen, made(split, seen)
        self.fingerprint = fingerprint(paths)
        self.card = {"truth": told(self.seen), "rate": rates(self.seen)}
        if "test" in self.seen:
            counts = [(seen.valid.sum(), len(seen.valid)) for seen in self.seen["test"]]
            valid, frames = map(sum, zip(*counts, strict=True))
            self.card["valid"] = f"{valid} of {frames} frames"

    @property
    def splits(self) -> tuple[str, ...]:
        """See Dataset."""
        return tuple(split for split in SPLITS if split in self.seen)

    def takes(self, split: str) -> tuple[Take, ...]:
        """See Dataset."""
        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        if split not in self.splits:
            raise BenchError(
                f"{self.name} has no {split} sequences; expected data_{split}_3dhp.npz beside the "
                "other file: name the folder of both"
            )
        return tuple(self.known[split].values())

    def shots(self, split: str, source: str | None = None) -> Iterator[Shot]:
        """See Filmed."""
        if source not in (None, self.detections):
            raise unknown("2D source", source, (self.detections,))
        self.takes(split)
        for seen in self.seen[split]:
            yield Shot(
                self.known[split][seen.sequence],
                seen.camera,
                seen.size,
                seen.poses2d,
                seen.poses3d,
                rate=seen.rate or FRAME_RATE,
                valid=seen.valid,
            )


def found(place: Path) -> list[Path]:
    """The file, or those of a folder: P-STMO's names, else D3DP's, which end in _ori."""
    if not os.path.isdir(place):
        return [place]
    for suffix in ("", "_ori"):
        paths = [place / f"data_{split}_3dhp{suffix}.npz" for split in SPLITS]
        if there := [path for path in paths if os.path.exists(path)]:
            return there
    held = ", ".join(path.name for path in listed(place))[:200] or "nothing"
    raw = any(next(place.glob(pattern), None) for pattern in RAW)
    why = "; the files of MPI-INF-3DHP itself must be converted first" if raw else ""
    raise BenchError(f"{place}: found {held}; expected {sequences.LAYOUT}{why}")


def made(split: Split, seen: list[Seen]) -> dict[str, Take]:
    """One take a sequence, by its name; sequences of training have a subject and a number."""
    takes = {}
    for name in dict.fromkeys(one.sequence for one in seen):
        subject, _, trial = name.partition(" ")
        takes[name] = Take(name, subject, trial or name, split, trial=trial)
    return takes


def told(seen: dict[str, list[Seen]]) -> str:
    """Which truth the files have, univ_annot3 or annot3: the one that most sequences of a file fit.

    Not all of them need to: a body whose height is the universal one has two truths alike.
    """
    said = {}
    for split, views in seen.items():
        by_sequence = {one.sequence: one for one in views}.values()  # by one camera each
        said[split] = [
            pinhole.truth(one.poses3d[one.valid], one.poses2d[one.valid]) for one in by_sequence
        ]
    most = {
        split: Counter(sorted(each, reverse=True)).most_common(1)[0][0]
        for split, each in said.items()
    }
    if len({*most.values()}) > 1:
        return "mixed: " + ", ".join(f"{split} {truth}" for split, truth in most.items())
    (truth,), every = {*most.values()}, [one for each in said.values() for one in each]
    count = every.count(truth)
    return truth if count == len(every) else f"{truth} in {count} of {len(every)} sequences"


def rates(seen: dict[str, list[Seen]]) -> str:
    """What is known of the frames a second."""
    known = sorted({one.rate for one in seen.get("train", []) if one.rate})
    spelt = " and ".join(f"{rate:g}" for rate in known)
    parts = [f"train as recorded, {spelt} Hz"] if known else []
    parts += [f"test not recorded, taken for {FRAME_RATE:g} Hz"] if "test" in seen else []
    return "; ".join(parts)
