"""The contract of motion data."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from htpbench.motion.clip import FRAME_RATE, SPLITS
from htpbench.motion.dataset import Motion
from htpbench.motion.skeleton import JOINTS, LEFT, MIRROR, PARENTS


class DatasetContract:
    """Motion that a reader gives. Override the fixture `motion`.

    bone_tolerance: mm by which a bone may change within a clip.
    """

    bone_tolerance: ClassVar[float] = 1.0

    @pytest.fixture
    def motion(self) -> Motion:
        """The motion under test."""
        raise NotImplementedError("override the fixture `motion`")

    @staticmethod
    def bones(positions: np.ndarray) -> np.ndarray:
        """(N, 17, 3) mm -> (N, 16) lengths, joint 1 to its parent first."""
        return np.linalg.norm(positions[:, 1:] - positions[:, list(PARENTS[1:])], axis=2)

    def test_clips_have_their_layout(self, motion: Motion) -> None:
        """(N, 17, 3) float32, finite; names once each; a fingerprint of 12 hex digits."""
        assert motion.clips, "no clips"
        for clip in motion.clips:
            shape = clip.positions.shape
            assert shape[0] > 0 and shape[1:] == (len(JOINTS), 3), f"{clip.name}: {shape}"
            assert clip.positions.dtype == np.float32, f"{clip.name}: {clip.positions.dtype}"
            assert np.isfinite(clip.positions).all(), f"{clip.name} is not finite"
            assert clip.split in SPLITS, f"{clip.name}: split {clip.split!r}"
        assert len({clip.name for clip in motion.clips}) == len(motion.clips), "a name twice"
        assert len(motion.fingerprint) == 12 and int(motion.fingerprint, 16) >= 0

    def test_nobody_is_in_both_splits(self, motion: Motion) -> None:
        """Subjects are apart."""
        train, test = ({c.subject for c in motion.clips if c.split == s} for s in SPLITS)
        assert not train & test, f"in both splits: {sorted(train & test)}"

    def test_a_person_in_millimetres_with_z_up(self, motion: Motion) -> None:
        """Legs of 0.5 to 1.2 m, heads 0.5 to 2.2 m above ankles in most frames, sides alike."""
        head, ankle, knee = (JOINTS.index(name) for name in ("Head", "RAnkle", "RKnee"))
        for clip in motion.clips:
            lengths = np.median(self.bones(clip.positions), axis=0)  # (16,)
            leg = lengths[ankle - 1] + lengths[knee - 1]
            assert 500 < leg < 1200, f"{clip.name}: a leg of {leg:.0f}, expected millimetres"
            left = np.array(LEFT) - 1
            right = MIRROR[list(LEFT)] - 1
            unlike = np.abs(lengths[left] / lengths[right] - 1).max()
            assert unlike < 0.2, f"{clip.name}: left and right differ by {unlike:.0%}"
        above = [c.positions[:, head, 2] - c.positions[:, ankle, 2] for c in motion.clips]
        height = float(np.median(np.concatenate(above)))
        assert 500 < height < 2200, f"heads are {height:.0f} mm above ankles; z must be up"

    def test_bones_stay_constant(self, motion: Motion) -> None:
        """No bone of a clip changes by more than `bone_tolerance`."""
        for clip in motion.clips:
            change = np.ptp(self.bones(clip.positions), axis=0).max()
            assert change <= self.bone_tolerance, f"{clip.name}: a bone changes by {change:.2f} mm"

    def test_nobody_is_faster_than_people_are(self, motion: Motion) -> None:
        """Below 20 m/s: glitches, metres for millimetres and wrong frame rates are above."""
        for clip in motion.clips:
            steps = np.linalg.norm(np.diff(clip.positions, axis=0), axis=2)  # (N - 1, 17) mm
            speed = steps.max(initial=0) * FRAME_RATE / 1000
            assert speed < 20, f"{clip.name}: a joint moves at {speed:.1f} m/s"
