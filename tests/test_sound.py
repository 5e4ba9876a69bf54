"""What is wrong with motion: named, or put right where that is certain."""

import numpy as np
import pytest
import small
from paths import REAL_MOTION, SHARED, needs_real_motion, needs_shared

from htpbench.datasets import open_data
from htpbench.datasets.synthetic import Synthetic
from htpbench.errors import BenchError
from htpbench.motion import sound
from htpbench.motion.skeleton import MIRROR

ORDER_3DHP = [14, 8, 9, 10, 11, 12, 13, 15, 1, 16, 0, 5, 6, 7, 2, 3, 4]


@pytest.fixture(scope="module")
def clips():
    return [clip.positions[:200] for clip in Synthetic().clips[:16]]


def each(clips, change):
    return [change(clip.copy()) for clip in clips]


def mirrored(clip):
    return clip * np.array([-1, 1, 1], np.float32)


def armless(clip):
    return clip[:, [*range(11), 14, 15, 16, 11, 12, 13]]


def jumping(clip):
    clip[::10] += 500
    return clip


def stretched(clip):
    grown = np.linspace(0.3, 3, len(clip), dtype=np.float32)[:, None]
    clip[:, 13] = clip[:, 12] + grown * (clip[:, 13] - clip[:, 12])
    return clip


def uneven(clip):
    clip[:, 13] = clip[:, 12] + 2 * (clip[:, 13] - clip[:, 12])
    return clip


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda p: p / 1000, "a leg of 0.9.* mm; .* look like metres: multiply by 1000"),
        (lambda p: p / 10, "look like centimetres: multiply by 10"),
        (lambda p: p / 25.4, "look like inches"),
        (lambda p: p * 10, "in another unit than millimetres; scale them"),
        (lambda p: p * np.nan, "NaN or infinity"),
        (lambda p: p + np.float32(2e6), "a joint is 2 km away"),
        (lambda p: p - p[:, :1], r"root-relative: joint 0 \(Hip\) stays at the origin"),
        (lambda p: p - np.float32([0, 0, 950]), "the floor is not at 0: .* ,floor=auto"),
        (lambda p: p + np.float32([0, 0, 1000]), "the floor is not at 0: .* by -999 mm upward"),
        (mirrored, "left and right are exchanged: knees are bent backward in"),
        (lambda p: p[:, MIRROR], "left and right are exchanged: knees"),
        (armless, "the arms' left and right are exchanged: .* swap the arms'"),
        (lambda p: p[..., [0, 2, 1]], "left and right are exchanged"),  # turned by a reflection
        (lambda p: p[:, np.argsort(ORDER_3DHP)], "the bone to .* (changes its length|differ by)"),
        (lambda p: np.repeat(p[:, :1], 17, axis=1), "the bone to RHip has no length"),
        (jumping, r"frames at 50 Hz have a joint above 20 m/s"),
        (lambda p: p[::12], "above 20 m/s or 500 m/s2"),  # a wrong rate
        (stretched, "the bone to LWrist changes its length by"),
        (uneven, "the bone to LWrist and the one of the right side differ by 100%"),
        (lambda p: p[..., [0, 2, 1]] * np.float32([1, -1, 1]) + 900, "z is not up: .* along -y"),
    ],
)
def test_what_is_wrong_is_named(clips, change, said):
    with pytest.raises(BenchError, match=said):
        sound.judged(each(clips, change))


@pytest.mark.parametrize(
    ("change", "axis"),
    [
        (lambda p: p[..., [0, 2, 1]] * np.float32([1, 1, -1]), "y"),
        (lambda p: p[..., [0, 2, 1]] * np.float32([1, -1, 1]), "-y"),
        (lambda p: p[..., [2, 0, 1]], "x"),
        (lambda p: p[..., [2, 0, 1]] * np.float32([-1, 1, -1]), "-x"),
        (lambda p: p * np.float32([1, -1, -1]), "-z"),
    ],
)
def test_another_axis_that_is_up_for_certain_is_turned(clips, change, axis):
    found = sound.judged(each(clips, change))
    assert found.told == {"up": axis}
    for before, after in zip(clips, found.clips, strict=True):
        assert np.array_equal(before[..., 2], after[..., 2])  # up is up, and left stays left
        flat = before[..., :2] - before[:, :1, :2], after[..., :2] - after[:, :1, :2]
        turn = np.linalg.lstsq(flat[0].reshape(-1, 2), flat[1].reshape(-1, 2), rcond=None)[0]
        assert np.linalg.det(turn) == pytest.approx(1, abs=1e-3)
        assert flat[0].reshape(-1, 2) @ turn == pytest.approx(flat[1].reshape(-1, 2), abs=0.1)


def test_sound_motion_is_left_as_it_is(clips):
    found = sound.judged(clips)
    assert found.told == {} and all(a is b for a, b in zip(clips, found.clips, strict=True))


def test_the_floor_is_found_where_that_is_asked_for(clips):
    found = sound.judged(each(clips, lambda p: p - np.float32([0, 0, 950])), floor="auto")
    assert found.told == {"floor": "put 80 mm below the lowest joint"}
    assert sound.low(sound.some(found.clips)) == pytest.approx(80, abs=0.1)
    with pytest.raises(BenchError, match="unknown floor 'oto'; did you mean auto"):
        sound.judged(clips, floor="oto")


def laid(clip):
    """On the back, the head 3 m and more along x."""
    flat = clip[..., [2, 1, 0]] * np.float32([1, 1, -0.5]) + np.float32([3000, 0, 0])
    flat[..., 2] += 150 - flat[:, :1, 2]
    return flat


def test_few_jumps_are_mentioned_once(tmp_path, caplog):
    arrays = small.arrays()
    arrays["positions"][10] += 500
    np.savez(tmp_path / "jump.npz", **arrays)
    with caplog.at_level("WARNING", "htpbench"):
        open_data(str(tmp_path / "jump.npz"))
    assert "3 of 86 frames jump" in caplog.text


def test_who_lies_is_not_turned_and_who_floats_beside_the_floor_is_doubtful(clips):
    axes = ("x", "y", "z")
    lying = sound.some(each(clips, laid))
    assert sound.upward(lying, "checked", axes) is None
    standing = lying - [3000, 0, -2000]
    assert sound.upward(standing, "checked", axes) == (0, 1)
    for offset in ([-3000, 0, 0], [0, 0, 2000]):  # either may be meant; neither can be
        with pytest.raises(BenchError, match=r"z is not up: .* 1\.00 of the way along x"):
            sound.upward(lying + offset, "checked", axes)


@needs_real_motion
def test_real_motion_passes_clip_by_clip():
    motion = open_data(str(REAL_MOTION))
    assert motion.card == {}
    for clip in motion.clips:
        assert sound.judged([clip.positions]).told == {}, clip.name


@needs_shared
@pytest.mark.parametrize("name", ["cmu17b.npz", "../real/beam_cmu17_layout.npz"])
def test_other_real_motion_passes(name):
    assert open_data(str(SHARED / "motion" / name)).card == {}


CASES = SHARED / "cases"


@needs_shared
@pytest.mark.parametrize("name", ["root_offset", "six_channels", "prefixed_names", "z_up"])
def test_one_walk_is_the_same_however_it_is_written(tmp_path, name):
    read = {}
    for case in ("good", name):
        (tmp_path / case).mkdir()
        path = tmp_path / case / "walk.bvh"
        path.write_bytes((CASES / f"bvh_{case}.bvh").read_bytes())
        read[case] = open_data(f"bvh:{path}")
    assert read[name].fingerprint == read["good"].fingerprint
    told = {"root_offset": {"root_offset": "replaced"}, "z_up": {"up": "z"}}
    assert read[name].card == told.get(name, {}) and read["good"].card == {}


@needs_shared
@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("bvh:bvh_floor_at_hips.bvh", "the floor is not at 0: the lowest joint is -868 mm"),
        ("npz_mirrored.npz", "left and right are exchanged"),
    ],
)
def test_faulty_files_are_refused(name, said):
    scheme, _, file = name.rpartition(":")
    with pytest.raises(BenchError, match=said) as caught:
        open_data(f"{scheme}{':' * bool(scheme)}{CASES / file}")
    assert file in str(caught.value)


@needs_shared
def test_another_rate_is_resampled_and_told(tmp_path):
    motion = open_data(str(CASES / "npz_25hz.npz"))
    assert motion.card == {"resampled": "25 Hz"}
    assert [clip.recorded for clip in motion.clips] == [25.0, 25.0]


def test_slow_recordings_are_brought_to_50_hz(tmp_path):
    arrays = small.arrays()
    np.savez(tmp_path / "slow.npz", **(arrays | {"frame_rate": np.array(30)}))
    motion = open_data(str(tmp_path / "slow.npz"))
    assert motion.card == {"resampled": "30 Hz"}
    for clip, (_, positions) in zip(motion.clips, small.clips(), strict=True):
        assert len(clip.positions) == (len(positions) - 1) * 50 // 30 + 1
        assert clip.positions[5] == pytest.approx(positions[3], abs=0.01)
