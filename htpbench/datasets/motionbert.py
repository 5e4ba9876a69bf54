"""Human3.6M as MotionBERT has it: `--data motionbert:PATH`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from htpbench.datasets.human36m.facts import BLOCKED, CHOICES, CITATION, lacking
from htpbench.datasets.human36m.slices import WHOLE, Slices
from htpbench.datasets.human36m.stacked import Part, Stacked
from htpbench.errors import BenchError, unknown
from htpbench.motion import arrays
from htpbench.motion.clip import SPLITS, Take
from htpbench.motion.filmed import Filmed, Shot
from htpbench.outside.files import faults_named, fingerprint

SOURCES = ("sh", "gt")
TRUTH = "mm, 2.5D image space: never beside errors in camera space"


class Motionbert(Filmed):
    """Human3.6M by MotionBERT: h36m_sh_conf_cam_source_final.pkl, or a folder of slices of it.

    blocked: "drop" leaves out the three takes of S9 whose truth drifts off the images, "keep" has
    them. 2D is "sh", detections of a stacked hourglass, or "gt", that of the truth. Slices are for
    training alone.
    """

    layout = "motionbert"
    citation = CITATION
    unit = "2.5D"
    measured = ("test",)
    detections = "sh"

    def __init__(self, path: str, blocked: str = "drop") -> None:
        if blocked not in CHOICES:
            raise unknown("choice of blocked", blocked, CHOICES)
        place, self.name = Path(path), "motionbert"
        self.slices: Slices | None = None
        self.held: dict[str, Stacked] = {}
        self.parts: dict[str, list[Part]] = {}
        if os.path.isdir(place):
            self.slices = Slices(place)
            self.card = {"slices": f"{len(self.slices.paths)} of {self.slices.frames} frames"}
            self.fingerprint = fingerprint(self.slices.paths)
            return
        with faults_named(place):
            self.unpack(place, blocked)
        self.fingerprint = fingerprint([place], blocked)
        self.card = {"truth": TRUTH, "blocked": blocked}
        self.card |= lacking({part.take.action for part in self.parts.get("test", [])})

    def unpack(self, place: Path, blocked: str) -> None:
        """The splits of the pickle, and the videos of each that are used."""
        whole = arrays.load_file(place)
        if not isinstance(whole, dict) or not any(split in whole for split in SPLITS):
            found = ", ".join(map(str, whole))[:200] if isinstance(whole, dict) else ""
            raise BenchError(f"found {found or type(whole).__name__}; expected train and test")
        for split in ("train", "test"):
            if split not in whole:
                continue
            self.held[split] = held = Stacked(whole.pop(split), split)
            out = {*BLOCKED.values()} if blocked == "drop" else set[str]()
            used = [part for part in held.parts if part.take.name not in out]
            # Takes are in the order of their last videos, and videos of one in that of the file, so
            # that the last video of the file is the last view: MotionBERT leaves it out if it is
            # short. Which other windows there are does not depend on the order.
            last = {part.take.name: i for i, part in enumerate(used)}
            if used:
                self.parts[split] = sorted(used, key=lambda part: last[part.take.name])
        if not self.parts:
            raise BenchError("all videos are blocked ones; blocked=keep has them")
        train, test = ({p.take.subject for p in self.parts.get(each, [])} for each in SPLITS)
        if both := train & test:
            raise BenchError(f"subject {min(both)!r} is in train and test; expected subjects apart")

    @property
    def splits(self) -> tuple[str, ...]:
        """See Dataset."""
        return ("train",) if self.slices else tuple(self.parts)

    def takes(self, split: str) -> tuple[Take, ...]:
        """See Dataset."""
        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        if split not in self.splits:
            why = f"slices are for training alone: scoring needs {WHOLE}" if self.slices else ""
            raise BenchError(f"{self.name} has no {split} videos{why and '; '}{why}")
        if self.slices:
            return self.slices.takes
        return tuple({part.take.name: part.take for part in self.parts[split]}.values())

    def shots(self, split: str, source: str | None = None) -> Iterator[Shot]:
        """See Filmed."""
        if source not in (None, *SOURCES):
            raise unknown("2D source", source, SOURCES)
        self.takes(split)
        if self.slices:
            return self.slices.shots(source == "gt")
        return (self.shot(self.held[split], part, source == "gt") for part in self.parts[split])

    def shot(self, held: Stacked, part: Part, exact: bool) -> Shot:
        """A video; `exact`: with the 2D of its truth."""
        image = held.cut("joint3d_image", part)
        poses2d, poses3d = image[..., :2], image
        if not exact:
            poses2d = held.cut("joint_2d", part)
            if "confidence" in held.columns:
                confidence = held.cut("confidence", part)
                poses2d = np.concatenate([poses2d, confidence[..., None]], axis=2)
        scale = np.full(len(image), part.size[0] / 2)  # px a unit of what networks say
        if held.split == "test":
            factor = held.cut("2.5d_factor", part)
            if not (np.isfinite(factor) & (factor > 0)).all():
                raise BenchError(
                    f"{part.take.name}_{part.lens}: 2.5d_factor is not above 0; expected mm a px"
                )
            poses3d, scale = held.cut("joints_2.5d_image", part), scale * factor
        return Shot(
            part.take, part.lens, part.size, poses2d, poses3d, scale=scale, image=image[..., :2]
        )

    def mean_pose(self, split: str, seed: int = 0) -> np.ndarray | None:
        """See Dataset; None of training videos, whose truth is px."""
        return super().mean_pose(split, seed) if split in self.measured else None
