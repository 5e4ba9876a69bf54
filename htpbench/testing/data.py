"""The contract of data sets."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import pytest

from htpbench.datasets import open_data
from htpbench.errors import BenchError
from htpbench.motion import sound
from htpbench.motion.clip import SPLITS, Clip
from htpbench.motion.dataset import Dataset
from htpbench.motion.skeleton import JOINTS, LEFT, MIRROR, ROOT
from htpbench.motion.views import Views


class DatasetContract:
    """A data set as evaluation and training rely on it.

    Set `spec`, as --data takes it, or override the fixture `data`. bone_tolerance: mm by which a
    bone may change within a clip of the world.
    """

    spec: ClassVar[str]
    bone_tolerance: ClassVar[float] = 1.0

    @pytest.fixture
    def data(self) -> Dataset:
        """The data set under test."""
        return open_data(self.spec)

    @pytest.fixture
    def views(self, data: Dataset) -> list[Views]:
        """Of each split, by one camera a take."""
        return [data.views(split) for split in data.splits]

    @pytest.fixture
    def clips(self, data: Dataset) -> list[Clip]:
        """Of all splits; data that brings cameras of its own has none."""
        found = [data.motion(split) for split in data.splits]
        if None in found:
            pytest.skip("no motion in the world")
        return [clip for clips in found for clip in clips or ()]

    def test_takes_are_named_once_and_subjects_apart(self, data: Dataset) -> None:
        """Splits are there or refused; a fingerprint of 12 hex digits."""
        assert data.name and data.splits and set(data.splits) <= set(SPLITS)
        assert len(data.fingerprint) == 12 and int(data.fingerprint, 16) >= 0
        takes = {split: data.takes(split) for split in data.splits}
        assert all(take.split == split for split, held in takes.items() for take in held)
        names = [take.name for held in takes.values() for take in held]
        assert len(names) == len(set(names)), "a name twice"
        train, test = ({take.subject for take in takes.get(split, ())} for split in SPLITS)
        assert not train & test, f"in both splits: {sorted(train & test)}"
        for split in {*SPLITS, "no split"} - {*data.splits}:
            with pytest.raises(BenchError):
                data.takes(split)

    def test_views_have_their_layout(self, data: Dataset, views: list[Views]) -> None:
        """Finite float32, end to end, roots at 0, confidence from 0 to 1; mm where it says so."""
        for one in views:
            rows = len(one.poses2d)
            assert one.poses2d.shape == (rows, 17, 3) and one.poses2d.dtype == np.float32
            assert np.isfinite(one.poses2d).all(), "2D is not finite"
            assert one.poses2d[..., 2].min() >= 0 and one.poses2d[..., 2].max() <= 1, "confidence"
            assert one.valid.shape == (rows,) and one.valid.dtype == bool and one.valid.any()
            assert one.start[0] == 0 and one.stop[-1] == rows and (one.start < one.stop).all()
            assert (one.start[1:] == one.stop[:-1]).all(), "views are not end to end"
            assert len(one.clip) == len(one.camera) == len(one.rates) == len(one.start)
            assert (one.rates > 0).all() and one.clip.max() < len(one.clips)
            if one.poses3d is not None:
                assert one.poses3d.shape == (rows, 17, 3) and one.poses3d.dtype == np.float32
                assert np.isfinite(one.poses3d).all() and not one.poses3d[:, ROOT].any()
                if one.clips[0].split in data.measured:
                    leg = sound.leg(one.poses3d)
                    assert sound.LEG[0] < leg < sound.LEG[1], f"a leg of {leg:.0f}: millimetres?"
            if one.unit != "m":
                assert one.scale is not None, f"networks say {one.unit}: how many mm are these?"
                assert one.scale.shape == (rows,) and (one.scale > 0).all()

    def test_views_are_the_same_when_asked_again(self, data: Dataset) -> None:
        """What is drawn depends on the seed alone."""
        split = data.splits[0]
        one, two = data.views(split, seed=1), data.views(split, seed=1)
        assert np.array_equal(one.poses2d, two.poses2d) and one.source == two.source

    def test_the_2d_is_where_cameras_see_the_3d(self, views: list[Views]) -> None:
        """Half of the joints within 5 % of half the image's width, where there are cameras."""
        known = [one for one in views if one.projects]
        if not known:
            pytest.skip("no cameras, or no 3D")
        for one in known:
            apart = np.linalg.norm(one.poses2d[..., :2] - one.exact(), axis=2)
            assert np.median(apart) < 0.05, f"half of them {np.median(apart):.2f} away"

    def test_clips_have_their_layout(self, clips: list[Clip]) -> None:
        """(N, 17, 3) float32, finite."""
        for clip in clips:
            shape = clip.positions.shape
            assert shape[0] > 0 and shape[1:] == (len(JOINTS), 3), f"{clip.name}: {shape}"
            assert clip.positions.dtype == np.float32, f"{clip.name}: {clip.positions.dtype}"
            assert np.isfinite(clip.positions).all(), f"{clip.name} is not finite"

    def test_a_person_in_millimetres_with_z_up(self, clips: list[Clip]) -> None:
        """Whatever `htpbench.motion.sound` checks, with nothing to put right; sides alike."""
        found = sound.judged([clip.positions for clip in clips])
        assert not found.told, f"had to be put right: {found.told}"
        for clip in clips:
            lengths = np.median(sound.bones(clip.positions), axis=0)  # (16,)
            left = np.array(LEFT) - 1
            right = MIRROR[list(LEFT)] - 1
            unlike = np.abs(lengths[left] / lengths[right] - 1).max()
            assert unlike < 0.2, f"{clip.name}: left and right differ by {unlike:.0%}"

    def test_bones_stay_constant(self, clips: list[Clip]) -> None:
        """No bone of a clip changes by more than `bone_tolerance`."""
        for clip in clips:
            change = np.ptp(sound.bones(clip.positions), axis=0).max()
            assert change <= self.bone_tolerance, f"{clip.name}: a bone changes by {change:.2f} mm"

    def test_nobody_is_faster_than_people_are(self, clips: list[Clip]) -> None:
        """Below 20 m/s: glitches, metres for millimetres and wrong frame rates are above."""
        for clip in clips:
            speed = sound.speeds(clip.positions).max(initial=0)
            assert speed < sound.FASTEST, f"{clip.name}: a joint moves at {speed:.1f} m/s"
