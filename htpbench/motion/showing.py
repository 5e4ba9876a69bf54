"""Showing: what is done to the keypoints of videos before a lifter sees them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from htpbench.errors import BenchError
from htpbench.motion.framing import HEIGHT, UPRIGHT, Framing, framing, height
from htpbench.motion.video import Video
from htpbench.motion.views import Views

# Of the longer side: 24 to 28 mm lenses, as phones have, once video stabilisation has cropped.
FOCAL = 0.85
STRANGE = 1.5  # times taller or smaller than in training, from where on it is worth a word


@dataclass(frozen=True)
class Showing:
    """How videos are shown to a lifter.

    framing: one of htpbench.motion.framing.FRAMINGS. focal: px; None: FOCAL of the longer side.
    down: which way is down, camera axes.
    """

    framing: str = "width"
    focal: float | None = None
    down: tuple[float, float, float] = UPRIGHT

    def told(self) -> dict[str, Any]:
        """What is not left as it was."""
        told: dict[str, Any] = {} if self.framing == "width" else {"framing": self.framing}
        if self.framing == "facing":
            told["focal"] = self.focal or f"{FOCAL:g} of the longer side"
            told["down"] = list(self.down)
        return told

    def half(self, video: Video) -> float:
        """Half of a video's width over its focal length."""
        focal = self.focal or FOCAL * max(video.size)
        return video.size[0] / 2 / focal


AS_IT_IS = Showing()


def shown(views: Views, showing: Showing) -> tuple[Views, list[Framing]]:
    """The views as a lifter is to see them, and how each was framed; BenchError where none can be.

    Nothing but videos is touched.
    """
    poses2d, framings = views.poses2d.copy(), []
    for clip, a, b in zip(views.clip, views.start, views.stop, strict=True):
        video, view = views.clips[clip], poses2d[a:b]  # a part of `poses2d`
        if not isinstance(video, Video):
            if showing != AS_IT_IS:
                raise BenchError("--framing is for keypoints of videos")
            framings.append(Framing())
            continue
        one = framing(view, showing.framing, showing.half(video), showing.down)
        poses2d[a:b] = one.shown(view)
        framings.append(one)
    return replace(views, poses2d=poses2d), framings


def remarks(views: Views, showing: Showing) -> list[str]:
    """What whoever lifts videos so should know."""
    found = []
    for clip, a, b in zip(views.clip, views.start, views.stop, strict=True):
        video, view = views.clips[clip], views.poses2d[a:b]
        if showing.framing != "width" or not isinstance(video, Video):
            continue
        taller = height(view[..., :2]) / HEIGHT
        if not 1 / STRANGE < taller < STRANGE:
            found.append(
                f"{video.name}: the person is {taller:.2g} times as tall in the image as those "
                "that lifters are trained on; --framing person evens that out, --framing facing "
                "also turns the camera to face them"
            )
    return found
