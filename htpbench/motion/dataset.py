"""The contract of data sets, and those that are made of clips in the world."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Iterable, Sequence
from inspect import isabstract, signature
from typing import Any, ClassVar

import numpy as np

from htpbench.errors import BenchError, unknown
from htpbench.motion.clip import SPLITS, Clip, Take, fingerprint
from htpbench.motion.filming import make_views
from htpbench.motion.views import Views


class Dataset(ABC):
    """What views come from, named SCHEME:PATH[,option=value...] where data is asked for.

    A class that is registered under a scheme is made with the path; its further parameters are the
    options, by keyword, each with a default that is a text, a number or a bool. It raises
    BenchError for files that it cannot take.

    name: what rows call the data. fingerprint: 12 hex digits that change with anything in it.
    card: what else rows say of it, where it was put right. detections, cameras: the 2D source and
    the cameras, where a study names none. layout: of the field's data, by which cards of backbones
    name the official protocol. measured: the splits whose truth is in millimetres.
    citation: of its paper, as cards write it.
    """

    name: str
    fingerprint: str
    card: dict[str, Any]
    detections: str = "cpn"
    cameras: ClassVar[str] = "rotate"
    layout: ClassVar[str] = ""
    citation: ClassVar[str] = ""
    measured: ClassVar[tuple[str, ...]] = SPLITS

    @classmethod
    def fault(cls, name: str) -> str | None:
        """What is wrong with the declaration of a scheme's data set; None: nothing."""
        if isabstract(cls):
            missing = ", ".join(sorted(cls.__abstractmethods__))
            return f"it lacks {missing}; expected a subclass of htpbench.Motion, or these"
        parameters = [*signature(cls).parameters.values()]
        if not parameters:
            return "its constructor takes nothing; expected (self, path, option=default, ...)"
        for one in parameters[1:]:
            if not isinstance(one.default, bool | int | float | str):
                return f"its option {one.name} has no default that is a text, a number or a bool"
        return None

    @abstractmethod
    def takes(self, split: str) -> tuple[Take, ...]:
        """What is recorded for "train" or for "test"; BenchError where there is nothing."""

    @abstractmethod
    def views(
        self, split: str, source: str | None = None, cameras: str = "rotate", seed: int = 0
    ) -> Views:
        """A split as cameras see it: "all" of them each take, or in turn ("rotate").

        source: of the 2D; None: `detections`. The seed is that of whatever is drawn. BenchError
        names the sources that there are, or the split that is missing.
        """

    @property
    @abstractmethod
    def splits(self) -> tuple[str, ...]:
        """Which of "train" and "test" there are."""

    def motion(self, split: str) -> tuple[Clip, ...] | None:
        """The clips in the world; None where the data brings 2D and cameras of its own."""
        return None

    def mean_pose(self, split: str, seed: int = 0) -> np.ndarray | None:
        """(17, 3) mm, root-relative, in camera axes; None without 3D."""
        views = self.views(split, seed=seed)
        return None if views.poses3d is None else views.poses3d[views.valid].mean(axis=0)


class Motion(Dataset):
    """Clips under one name, each with a name of its own, else BenchError.

    Cameras are the rig's four, detections are simulated. A reader of motion is a subclass that
    gives its clips to this constructor.
    """

    def __init__(
        self, name: str, clips: Iterable[Clip], card: dict[str, Any] | None = None
    ) -> None:
        self.name, self.clips, self.card = name, tuple(clips), card or {}
        names = Counter(clip.name for clip in self.clips)
        if twice := [clip for clip, count in names.items() if count > 1]:
            raise BenchError(f"clips have the same name, {twice[0]!r}; expected each name once")
        self.fingerprint = fingerprint(self.clips)

    @property
    def splits(self) -> tuple[str, ...]:
        """See Dataset."""
        return tuple(dict.fromkeys(clip.split for clip in self.clips))

    def motion(self, split: str) -> tuple[Clip, ...]:
        """The clips of "train" or "test"; BenchError if there is no such split or it is empty."""
        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        clips = tuple(clip for clip in self.clips if clip.split == split)
        if not clips:
            raise BenchError(
                f"motion {self.name!r} has no {split} clips; use the other split or other motion"
            )
        return clips

    takes = motion

    def views(
        self, split: str, source: str | None = None, cameras: str = "rotate", seed: int = 0
    ) -> Views:
        """See Dataset; "gt" is the exact projection."""
        return make_views(self.motion(split), source or self.detections, cameras, seed)

    def mean_pose(self, split: str, seed: int = 0) -> np.ndarray:
        """See Dataset."""
        poses3d = self.views(split, "gt", seed=seed).poses3d
        assert poses3d is not None
        return poses3d.mean(axis=0)


def join(sets: Sequence[Dataset]) -> Dataset:
    """Several data sets as one; BenchError where somebody would be trained and tested on."""
    if len(sets) == 1:
        return sets[0]
    name = " + ".join(one.name for one in sets)
    clips: list[Clip] = []
    card: dict[str, Any] = {}
    for one in sets:
        if not isinstance(one, Motion):
            raise BenchError(f"{one.name} has cameras of its own; expected motion alone in {name}")
        clips += one.clips
        card |= {f"{key} of {one.name}": value for key, value in one.card.items()}
    check_apart(sets)
    return Motion(name, clips, card=card)


def check_apart(sets: Iterable[Dataset]) -> None:
    """BenchError where somebody would be trained and tested on."""
    sets = [*sets]
    train, test = (
        {take.subject for one in sets if split in one.splits for take in one.takes(split)}
        for split in SPLITS
    )
    if both := train & test:
        raise BenchError(
            f"subject {min(both)!r} is in train and test of "
            f"{' + '.join(one.name for one in sets)}; rename one of the two if they "
            "are not the same person, else leave out one data set"
        )
