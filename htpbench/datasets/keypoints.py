"""Keypoints of a user's video, as detectors write them: `--data keypoints:PATH`."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from htpbench.errors import BenchError, unknown
from htpbench.keypoints import filling, mapping, scale
from htpbench.keypoints.found import Asked, Found
from htpbench.keypoints.people import Followed, choose
from htpbench.keypoints.recognise import check_heeded, read
from htpbench.motion.cameras import screen
from htpbench.motion.clip import FRAME_RATE, SPLITS
from htpbench.motion.dataset import Dataset
from htpbench.motion.resampling import resample
from htpbench.motion.sides import exchanged
from htpbench.motion.skeleton import MIRROR
from htpbench.motion.video import Video
from htpbench.motion.views import Views
from htpbench.outside.files import faults_named
from htpbench.outside.waiting import log


class Keypoints(Dataset):
    """One person of one video, without 3D: a detector's file, or OpenPose's folder.

    size: of the images, "1920x1080", and fps: frames a second, where the file does not say them.
    person: the id of one of several people. joints: "demo" or "midpoint", how trunk and head are
    made of a detector's points. fill: "linear" or "hold", over frames where something is missing.
    images: the annotation file of COCO results. video: one of several in a file. order: that of
    the joints, where the file does not say it. mend_sides: turn frames back in which the detector
    took left for right.
    """

    detections = "given"

    def __init__(
        self,
        path: str,
        size: str = "",
        fps: float = 0.0,
        person: str = "",
        joints: str = "demo",
        fill: str = "linear",
        images: str = "",
        video: str = "",
        order: str = "",
        mend_sides: bool = False,
    ) -> None:
        place, self.card = Path(path), {}
        with faults_named(path, place):
            asked = Asked(images, video, order)
            found = read(place, asked)
            check_heeded(found.layout, asked)
            self.name = place.resolve().stem
            wide_high = scale.size_of(found.size, size)
            rate = scale.rate_of(found.rate, fps)
            track = choose(found, person)
            keypoints = self.mapped(found, track, wide_high, joints, fill)
            self.check_sides(keypoints, mend_sides)
        self.video = Video(
            self.name,
            self.name,
            self.name,
            "test",
            recorded=rate,
            keypoints=keypoints,
            size=wide_high,
            rate=rate,
            first=track.first,
        )
        told = np.array([*wide_high, rate], "<f8").tobytes()
        content = hashlib.sha256(keypoints.astype("<f4").tobytes() + told)
        self.fingerprint = content.hexdigest()[:12]
        resampled = "" if rate == FRAME_RATE else "resampled from "
        self.card |= {
            "size": scale.spelt(wide_high),
            "rate": f"{resampled}{rate:g} Hz",
            "person": track.told,
        }
        for note in found.notes:
            log.warning("%s: %s", path, note)

    def mapped(
        self, found: Found, track: Followed, size: tuple[int, int], joints: str, fill: str
    ) -> np.ndarray:
        """(T, 17, 3) float32, px and confidence, of a track; the card says what was done."""
        wide = np.array(size, dtype=float)
        made = mapping.mapping(found.order, joints)
        points = track.points  # (T, K, 3)
        seen = points[:, made.needed, :2]
        seen = seen[~np.isnan(seen[..., 0])]  # (n, 2)
        if not len(seen):
            raise BenchError(
                f"{found.layout}: none of the points that the map {made.name} needs is ever seen; "
                "choose another detector"
            )
        if found.shares:
            scale.check_shares(seen)
            points = points * [*wide, 1]
        else:
            scale.check_pixels(seen, size)
        filled, missing = filling.fill(points, found.order, made.needed, fill)
        there = ~np.isnan(points[..., 0]).all(axis=1)  # (T,)
        count, whole = int(missing[there].sum()), int(there.sum() * made.needed.sum())
        more = "" if found.order.title in found.layout else f", {found.order.title}"
        self.card |= {"layout": f"{found.layout}{more}", "joints": made.name}
        if track.first or track.left:
            self.card["frames"] = f"{track.first} to {track.first + len(points) - 1}"
        if track.absent:
            self.card["frames_filled"] = f"{track.absent} of {len(points)}, {fill}"
        if count:
            self.card["joints_filled"] = f"{count} of {whole}, {fill}"
        if found.notes:
            self.card["notes"] = "; ".join(found.notes)
        return made(filled).astype(np.float32)

    def check_sides(self, keypoints: np.ndarray, mend: bool) -> None:
        """Frames with exchanged sides are turned back in place, or worth a word."""
        wrong = exchanged(keypoints)
        count = f"{wrong.sum()} of {len(wrong)}"
        if mend:
            keypoints[wrong] = keypoints[wrong][:, MIRROR]
            self.card["sides_mended"] = count
        elif wrong.any():
            log.warning(
                "%s: left and right seem exchanged in %s frames, or in all others; "
                ",mend_sides=true (lift: --mend-sides) turns the fewer back",
                self.name,
                count,
            )

    @property
    def splits(self) -> tuple[str, ...]:
        """See Dataset."""
        return ("test",)

    def takes(self, split: str) -> tuple[Video, ...]:
        """See Dataset; there is nothing to train on."""
        if split not in SPLITS:
            raise unknown("split", split, SPLITS)
        if split == "train":
            raise BenchError(
                f"{self.name} is the keypoints of a video, without 3D poses: nothing to train on; "
                "train on other data and lift this"
            )
        return (self.video,)

    def views(
        self, split: str, source: str | None = None, cameras: str = "rotate", seed: int = 0
    ) -> Views:
        """See Dataset: screen units at 50 Hz; there is one camera, which is not known."""
        takes = self.takes(split)
        if source not in (None, self.detections):
            raise unknown("2D source", source, (self.detections,))
        poses = self.video.keypoints.astype(np.float64)
        if self.video.rate != FRAME_RATE:
            # the last frame lasts too: repeated, it covers the time up to its end
            poses = resample(np.concatenate([poses, poses[-1:]]), 1 / self.video.rate)
        poses[..., :2] = screen(poses[..., :2], self.video.size)
        return Views.of(takes, [poses], source=self.detections)
