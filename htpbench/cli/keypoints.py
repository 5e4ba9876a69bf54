"""What says on the command line whose keypoints are lifted, and how they are shown to a lifter."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Group, Parameter

from htpbench.errors import BenchError

if TYPE_CHECKING:
    from htpbench.motion.showing import Showing

FILE = Group("Keypoints", sort_key=1)
CAMERA = Group("Camera", sort_key=2)
MOST = 1_000_000  # pixels, and of a direction's length; squares of far more overflow


@Parameter(name="*", group=FILE)
@dataclass(frozen=True)
class FileOptions:
    """What the file of keypoints does not say itself; the options of the data set `keypoints`."""

    size: Annotated[str | None, Parameter(help="Of the images, in pixels: 1920x1080.")] = None
    fps: Annotated[float | None, Parameter(help="Frames a second.")] = None
    person: Annotated[
        str | None, Parameter(help="Whom to follow, by id; default: the longest track.")
    ] = None
    joints: Annotated[
        Literal["midpoint", "demo"] | None,
        Parameter(help="How 17 joints are made of a detector's; default: as the backbone's demo."),
    ] = None
    fill: Annotated[
        Literal["linear", "hold"] | None, Parameter(help="What stands in for what was not seen.")
    ] = None
    images: Annotated[str | None, Parameter(help="The annotation file of COCO results.")] = None
    video: Annotated[str | None, Parameter(help="Which, of a file that holds several.")] = None
    order: Annotated[str | None, Parameter(help="Of joints, in arrays that do not say it.")] = None
    mend_sides: Annotated[
        bool, Parameter(negative="", help="Turn frames back in which left and right are exchanged.")
    ] = False


@Parameter(name="*", group=CAMERA)
@dataclass(frozen=True)
class CameraOptions:
    """How the keypoints are shown to the lifter; the fields of Showing."""

    framing: Annotated[
        Literal["width", "person", "facing"],
        Parameter(
            help="width: as they are; person: as tall as in training; facing: turned to face the "
            "person as well."
        ),
    ] = "width"
    focal: Annotated[
        float | None, Parameter(help="Focal length in pixels, for facing; default: a phone's.")
    ] = None
    gravity: Annotated[
        str | None,
        Parameter(
            allow_leading_hyphen=True,
            help="Downward in camera axes (x right, y down, z forward), for facing: X,Y,Z.",
        ),
    ] = None

    def showing(self) -> Showing:
        """The same, checked."""
        from htpbench.motion.showing import Showing

        if self.framing != "facing" and (self.focal is not None or self.gravity is not None):
            raise BenchError("--focal and --gravity go with --framing facing")
        if self.focal is not None and not 1 <= self.focal <= MOST:
            raise BenchError(f"--focal {self.focal:g}: expected pixels, 1 to {MOST:,}")
        more = {} if self.gravity is None else {"down": direction(self.gravity)}
        return Showing(self.framing, self.focal, **more)


def direction(text: str) -> tuple[float, float, float]:
    """Three numbers, of which one at least is not 0."""
    try:
        x, y, z = (float(part) for part in text.split(","))
    except ValueError:
        x = y = z = math.nan
    if not 1 / MOST <= math.hypot(x, y, z) <= MOST:
        raise BenchError(
            f"--gravity {text:.100}: expected three numbers, x right, y down, z forward, such as "
            "0,1,0 of a camera that is held level"
        )
    return x, y, z


def spec(path: str, told: FileOptions, joints: str) -> str:
    """The data set that a file of keypoints and what is told of it are; `joints`: the usual map."""
    if told.fps == 0:  # which a file's option has where nothing is said
        raise BenchError("--fps 0: expected frames a second, as 25")
    given = {one.name: getattr(told, one.name) for one in fields(told)}
    if not re.search(r",joints=[^,]*(,|$)", path):
        given["joints"] = given["joints"] or joints
    written = {name: "true" if value is True else value for name, value in given.items() if value}
    return f"keypoints:{path}" + "".join(f",{name}={value}" for name, value in written.items())
