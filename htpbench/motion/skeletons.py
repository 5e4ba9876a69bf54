"""Skeletons that people use, and how each becomes the 17 joints of Human3.6M."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import Field, ValidationError, field_validator

from htpbench.errors import BenchError, unknown
from htpbench.motion.bvh import Recording, positions
from htpbench.motion.skeleton import JOINTS
from htpbench.outside import files
from htpbench.outside.models import Strict, faults
from htpbench.systems.shipped import data_folder

CENTIMETRE = 10.0  # mm, of one unit: what exporters write most


class Place(NamedTuple):
    """In the middle of some nodes; or, of two, `at` of the way from the first to the second."""

    nodes: tuple[str, ...]
    at: float | None = None


@dataclass(frozen=True)
class Figure:
    """A skeleton that people use: where its nodes are on the body and how large its unit is."""

    millimetres: float  # of one unit
    lead: int  # frames at the start that are no motion: the T-pose, and blending out of it
    complete: Callable[[Recording], Recording]  # puts in what the file leaves out
    joints: tuple[Place, ...]  # of each of the 17 joints
    beside: tuple[str, ...] = ()  # other nodes that `complete` needs

    @property
    def needed(self) -> set[str]:
        """The nodes that a file must have; those with a + are put in."""
        named = {node for place in self.joints for node in place.nodes} | {*self.beside}
        return {name for name in named if name[0] != "+"}


def middles(*joints: str) -> tuple[Place, ...]:
    """Places in the middle of nodes, which a text names."""
    return tuple(Place(tuple(joint.split())) for joint in joints)


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
        middles(
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
        CENTIMETRE,
        10,
        _crowned("head"),
        middles(
            "lThigh rThigh",
            *("rThigh", "rShin", "rFoot"),
            *("lThigh", "lShin", "lFoot"),
            *("abdomen chest", "lCollar rCollar", "head", "+crown"),
            *("lShldr", "lForeArm", "lHand"),
            *("rShldr", "rForeArm", "rHand"),
        ),
    ),
    "iClone": Figure(
        CENTIMETRE,
        0,
        _crowned("CC_Base_Head"),
        middles(
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


class Between(Strict):
    """A place on the line through two nodes."""

    start: str = Field(alias="from")
    to: str
    at: float


class SkeletonMap(Strict):
    """A skeleton as a file tells it: each of the 17 joints by the names of nodes.

    A text is a node, a list its middle, {from, to, at} a place on a line. `unit_mm` is found from
    the legs where it is left out; `lead` frames at the start are no motion.
    """

    title: str = ""
    source: str = ""
    unit_mm: float = Field(default=CENTIMETRE, gt=0)
    lead: int = Field(default=0, ge=0)
    joints: dict[str, str | list[str] | Between]

    @field_validator("joints")
    @classmethod
    def whole(cls, joints: dict[str, Any]) -> dict[str, Any]:
        """All 17, and no others, each by names of nodes; + begins those that are put in."""
        if missing := [name for name in JOINTS if name not in joints]:
            raise BenchError(f"lacks {', '.join(missing)}")
        if foreign := [name for name in joints if name not in JOINTS]:
            raise unknown("joint", foreign[0], JOINTS)
        for joint, told in joints.items():
            nodes = place(told).nodes
            if not nodes or any(node[:1] in ("", "+") for node in nodes):
                raise BenchError(f"{joint} = {told!r:.60}: expected the name of a node, or some")
        return joints

    def figure(self) -> Figure:
        """As the figures that are built in."""
        places = tuple(place(self.joints[name]) for name in JOINTS)
        return Figure(self.unit_mm, self.lead, lambda recording: recording, places)


def place(told: Any) -> Place:
    """Where a map says that a joint is."""
    if isinstance(told, Between):
        return Place((told.start, told.to), told.at)
    return Place((told,) if isinstance(told, str) else tuple(told))


def read_map(path: Path) -> Figure:
    """A skeleton from a TOML file; BenchError names the file and every field that is wrong."""
    try:
        return SkeletonMap.model_validate(files.load_toml(path)).figure()
    except (BenchError, ValidationError) as error:
        said = faults(error) if isinstance(error, ValidationError) else error
        raise BenchError(
            f"{path} is not a valid map of a skeleton: {said}; docs/data.md has examples"
        ) from None


@cache
def known() -> dict[str, Figure]:
    """The figures that are built in, and the maps of baselines/skeletons, by their names."""
    folder = data_folder() / "baselines" / "skeletons"
    return FIGURES | {path.stem: read_map(path) for path in sorted(folder.glob("*.toml"))}


def chosen(skeleton: str) -> dict[str, Figure]:
    """What a file is held against: all that are known, one of them, or the map in a file."""
    if not skeleton:
        return known()
    if skeleton in known():
        return {skeleton: known()[skeleton]}
    if not skeleton.endswith(".toml"):
        raise unknown("skeleton", skeleton, [*known(), "the path of a map, *.toml"])
    return {skeleton: read_map(Path(skeleton))}


def named(recording: Recording, figures: Mapping[str, Figure]) -> tuple[str, Recording]:
    """The figure that a recording is of, and the recording with its names for the nodes.

    Case, and what stands before all names ("mixamorig:"), do not matter. BenchError tells the
    nearest figure and what it lacks.
    """
    fits = {name: fit(recording.names, figure.needed) for name, figure in figures.items()}
    # Of those that fit it is the one that asks for most: a Mixamo file has all nodes of LAFAN1's.
    nearest = min(fits, key=lambda name: (len(fits[name][1]), -len(figures[name].needed)))
    renamed, missing = fits[nearest]
    if missing:
        raise BenchError(
            f"unknown skeleton; the nearest that is known, {nearest}, needs also "
            f"{', '.join(sorted(missing))}; give a map of its joints with ,skeleton=MAP.toml "
            "(--skeleton; docs/data.md has examples)"
        )
    return nearest, replace(recording, names=renamed)


def fit(names: tuple[str, ...], needed: Iterable[str]) -> tuple[tuple[str, ...], set[str]]:
    """The names as a figure spells them, and the nodes that it needs and are not there."""
    plain = {name.lower(): name for name in needed}
    lower = [name.lower() for name in names]
    anchor = min(plain)
    before = {one.removesuffix(anchor) for one in lower if one.endswith(anchor)} | {""}
    best: tuple[tuple[str, ...], set[str]] = names, set(needed)
    for prefix in sorted(before, key=lambda one: (len(one), one)):
        spelt = tuple(
            plain.get(one.removeprefix(prefix), name) if one.startswith(prefix) else name
            for one, name in zip(lower, names, strict=True)
        )
        missing = set(needed) - set(spelt)
        if len(missing) < len(best[1]):
            best = spelt, missing
    return best


def joints17(recording: Recording, figure: Figure, added: bool = True) -> np.ndarray:
    """The 17 joints (T, 17, 3), mm, z up, at the rate of the file; names are the figure's."""
    recording = figure.complete(recording)
    x, y, z = figure.millimetres * positions(recording, added)[figure.lead :].transpose(2, 0, 1)
    upright = np.stack([x, -z, y], axis=-1)  # (T, J, 3)
    joints = []
    for place in figure.joints:
        nodes = upright[:, [recording.names.index(node) for node in place.nodes]]  # (T, n, 3)
        if place.at is None:
            joints.append(nodes.mean(axis=1))
        else:
            joints.append(nodes[:, 0] + place.at * (nodes[:, 1] - nodes[:, 0]))
    return np.stack(joints, axis=1)
