"""BVH: broken files, kinematics worked out by hand and by reference, the way to 17 joints."""

import numpy as np
import pytest
from paths import REAL_MOTION, SHARED, needs_real_motion, needs_shared

from htpbench.datasets import open_data
from htpbench.datasets.bvh import constant_bones
from htpbench.datasets.synthetic import Synthetic
from htpbench.errors import BenchError
from htpbench.measuring.evaluation import prepare
from htpbench.motion import bvh, skeletons, sound
from htpbench.motion.skeleton import JOINTS, PARENTS
from htpbench.testing import DatasetContract

FOLDER = SHARED / "motion" / "bvh"
FILES = sorted(FOLDER.glob("*.bvh"))
FIGURES = ("06_08_basketball_iclone", "11_01_soccer_kick", "60_10_salsa_daz")
CGSPEED = [path for path in FILES if path.stem not in FIGURES]
OWN = [path for path in FILES if path.stem != "11_01_soccer_kick"]  # cmu17 has it from elsewhere
TINY = """HIERARCHY
ROOT base
{
  OFFSET 1 2 3
  CHANNELS 6 Xposition Yposition Zposition Zrotation Yrotation Xrotation
  JOINT arm
  {
    OFFSET 0 10 0
    CHANNELS 2 Xrotation Zrotation
    End Site
    {
      OFFSET 5 0 0
    }
  }
}
MOTION
Frames: 2
Frame Time: 0.02
0 0 0 0 0 0 0 0
10 20 30 90 0 0 90 90
"""
# A person of the Daz skeleton, T-pose, centimetres, y up, facing +z: x, y, z of each node.
PERSON = {
    "abdomen": (0, 115, 0),
    "chest": (0, 125, 0),
    "head": (0, 155, 2),
    **{
        f"{side}{node}": (sign * x, y, z)
        for side, sign in (("l", 1), ("r", -1))
        for node, x, y, z in (
            ("Thigh", 9, 90, 0),
            ("Shin", 9, 50, 1),
            ("Foot", 9, 8, 0),
            ("Collar", 3, 142, 0),
            ("Shldr", 16, 142, 0),
            ("ForeArm", 42, 142, 0),
            ("Hand", 66, 142, 0),
        )
    },
}


def person(folder, name="01_02_slow_walk", places=None, tall=1.0, root=None, frame_time=1 / 120):
    """A file in which the person glides along `root` (T, 3), cm; by default at 1.44 m/s along x."""
    if root is None:
        root = np.arange(300)[:, None] * [1.2, 0, 0]
    joints = [
        f"JOINT {node} {{\nOFFSET {' '.join(str(tall * n) for n in place)}\nCHANNELS 0\n}}"
        for node, place in (places or PERSON).items()
    ]
    head = "HIERARCHY\nROOT hip\n{\nOFFSET 0 0 0\nCHANNELS 3 Xposition Yposition Zposition"
    rows = [" ".join(map(str, row)) for row in root.tolist()]
    motion = ["}", "MOTION", f"Frames: {len(rows)}", f"Frame Time: {frame_time}", *rows]
    path = folder / f"{name}.bvh"
    path.write_text("\n".join([head, *joints, *motion]))
    return path


def tiny(folder, text=TINY):
    path = folder / "tiny.bvh"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def test_a_tree_worked_out_by_hand(tmp_path):
    recording = bvh.parse(tiny(tmp_path))
    assert recording.names == ("base", "arm", "arm_end")
    assert recording.parents == (-1, 0, 1)
    assert recording.frame_time == 0.02
    placed = bvh.positions(recording)
    assert placed[0] == pytest.approx(np.array([[1, 2, 3], [1, 12, 3], [6, 12, 3]]))
    # The root's channels add to its offset. Rz(90) takes the arm to -x. Its end goes through the
    # arm's Rz (5 along y), then Rx (5 along z), then the root's Rz, which leaves z alone.
    assert placed[1] == pytest.approx(np.array([[11, 22, 33], [1, 22, 33], [1, 22, 38]]))


def test_spelling_that_programs_differ_in(tmp_path):
    other = TINY.replace("ROOT base\n{", "ROOT base {").replace("End Site", "End site")
    other = other.replace("Frame Time: 0.02", "Frame Time:\t2e-2\n").replace("Xr", "XR")
    other = "\ufeff" + other.replace("arm", "left arm").replace("\n", "\r\n") + "\r\n\r\n"
    one, two = bvh.parse(tiny(tmp_path)), bvh.parse(tiny(tmp_path, other))
    assert two.names == ("base", "left arm", "left arm_end")
    assert np.array_equal(bvh.positions(one), bvh.positions(two))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("HIERARCHY", "HIERARCHIE", "line 1: found 'HIERARCHIE'; expected HIERARCHY"),
        ("ROOT base", "JOINT base", "line 2: found 'JOINT base'; expected ROOT"),
        ("ROOT base", "ROOT", "line 2: found 'ROOT'; expected a name"),
        ("JOINT arm", "JOINT base", "line 6: found 'JOINT base'; expected a name of its own"),
        ("JOINT arm", "ROOT arm", "line 6: found 'ROOT arm'; expected JOINT"),
        ("  {\n    OFFSET 0", "    OFFSET 0", "line 7: found 'OFFSET 0 10 0'; expected {"),
        ("OFFSET 0 10 0", "OFFSET 0 10", "line 8: .* expected 3 numbers"),
        ("OFFSET 0 10 0", "OFFSET 0 nan 0", "line 8: .* expected 3 numbers"),
        ("OFFSET 0 10 0", "SET 0 10 0", "line 8: .* expected OFFSET"),
        ("CHANNELS 2", "CHANNELS 3", "line 9: .* expected CHANNELS, their number"),
        ("CHANNELS 2", f"CHANNELS {'9' * 9999}", "line 9: .* expected CHANNELS, their number"),
        ("2 Xrotation", "2 Wrotation", "line 9: .* expected CHANNELS, their number"),
        ("OFFSET 5 0 0", "OFFSET 5 0 0\nJOINT x", "line 13: found 'JOINT x'; expected }"),
        ("MOTION", "", "line 17: found 'Frames: 2'; expected MOTION"),
        ("}\nMOTION", "MOTION", "line 15: found 'MOTION'; expected JOINT, End Site or }"),
        ("Frames: 2", "Frames: 3", "line 20: found the end of the file; expected frame 3 of the 3"),
        ("Frames: 2", "Frames: 1", "line 20: found '10 20 .* expected nothing after the 1 frames"),
        ("Frames: 2", "Frames: 0", "line 17: found 'Frames: 0'; expected 1 to"),
        ("Frames: 2", "Frames: 1000000000", "line 17: .* expected 1 to 87484 frames"),
        ("Frames: 2", "Frames: two", 'line 17: .* expected "Frames:" and a number'),
        ("0.02", "0", "line 18: .* expected 0.001 to 0.2 s"),
        ("0.02", "nan", "line 18: .* expected 0.001 to 0.2 s"),
        ("Frame Time:", "Time:", 'line 18: .* expected "Frame Time:" and a number'),
        ("90 90\n", "90", "line 20: .* expected 8 numbers .* not 7 words"),
        ("10 20", "inf 20", "line 20: .* expected 8 numbers"),
        ("10 20", "1e300 20", "line 20: .* expected 8 numbers within 1e.06"),
        ("10 20", "__import__('os') 20", 'line 20: found "__import__.* expected 8 numbers'),
        ("10 20", f"{'7' * 200_000} 20", "line 20: .* expected 8 numbers"),
        ("10 20", f"{'7' * 300_000} 20", "line 20: .* expected at most 262144 characters"),
        (TINY, "", "line 0: found the end of the file; expected HIERARCHY"),
        (TINY, "\0" * 100, "line 1: .* expected HIERARCHY"),
    ],
)
def test_faults_are_named_with_file_line_and_remedy(tmp_path, old, new, message):
    assert TINY.count(old) == 1
    path = tiny(tmp_path, TINY.replace(old, new))
    with pytest.raises(BenchError, match=message) as caught:
        bvh.parse(path)
    assert str(path) in str(caught.value) and "export the file again" in str(caught.value)
    assert len(str(caught.value)) < 400 + len(str(path))


def test_what_is_no_text_or_no_file(tmp_path):
    with pytest.raises(BenchError, match="not text"):
        bvh.parse(tiny(tmp_path, b"HIERARCHY\n\xff\xfe"))
    with pytest.raises(BenchError, match=r"gone\.bvh: No such file"):
        bvh.parse(tmp_path / "gone.bvh")
    (tmp_path / "folder.bvh").mkdir()
    with pytest.raises(BenchError, match=r"folder\.bvh: expected a regular file"):
        bvh.parse(tmp_path / "folder.bvh")
    with (tmp_path / "vast.bvh").open("wb") as file:
        file.truncate(bvh.MOST_BYTES + 1)  # takes no room on the disk
    with pytest.raises(BenchError, match="expected at most 134217728; cut it"):
        bvh.parse(tmp_path / "vast.bvh")


def test_a_hundred_thousand_joints_in_each_other_are_refused(tmp_path):
    joints = "".join(f"JOINT j{i}\n{{\nOFFSET 0 1 0\nCHANNELS 0\n" for i in range(100_000))
    with pytest.raises(BenchError, match=r"line 4002: found 'JOINT j999'.*of 1000 nodes at most"):
        bvh.parse(tiny(tmp_path, TINY.replace("  JOINT arm", joints + "JOINT arm")))


def test_as_deep_as_is_allowed(tmp_path):
    joints = "".join(f"JOINT j{i}\n{{\nOFFSET 0 1 0\nCHANNELS 0\n" for i in range(997))
    text = TINY.replace("  JOINT arm", joints + "JOINT arm").replace("MOTION", "}" * 997 + "MOTION")
    placed = bvh.positions(bvh.parse(tiny(tmp_path, text)))
    assert placed[0, -2] == pytest.approx([1, 2 + 997 + 10, 3])


@needs_shared
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_kinematics_equal_the_reference(path):
    recording = bvh.parse(path)
    with np.load(FOLDER / "fk.npz") as reference:
        told = {key: reference[f"{path.stem}/{key}"] for key in ("joints", "parents", "positions")}
    assert recording.names == tuple(told["joints"].tolist())
    assert recording.parents == tuple(told["parents"].tolist())
    assert np.abs(bvh.positions(recording) - told["positions"]).max() < 1e-3


@needs_shared
@pytest.mark.parametrize("path", CGSPEED, ids=lambda path: path.stem)
def test_seventeen_joints_equal_the_reference(path):
    with np.load(FOLDER / "fk.npz") as reference:
        expected = reference[f"{path.stem}/h36m17_mm_zup"]
    name, recording = skeletons.named(bvh.parse(path), skeletons.known())
    assert name == "cgspeed"
    found = skeletons.joints17(recording, skeletons.known()[name])
    assert found.shape == expected.shape
    assert np.abs(found - expected).max() < 1e-3  # mm: the reference is float32, metres away


@needs_real_motion
@pytest.mark.parametrize("path", OWN, ids=lambda path: path.stem)
def test_bones_equal_those_of_the_subject(path):
    with np.load(REAL_MOTION) as real:
        subject = real["subjects"].tolist().index(path.stem.split("_")[0])
        expected = real["subject_bone_mm"][subject]
    joints = open_data(f"bvh:{path}").clips[0].positions[0]
    bones = np.linalg.norm(joints[1:] - joints[list(PARENTS[1:])], axis=1)  # (16,)
    # Medians of one clip, not of all of the subject's: the trunk bends. Limbs are rigid.
    assert np.abs(bones - expected).max() < 6
    assert np.abs(bones - expected)[:6].max() < 0.1


@pytest.fixture(scope="module")
def recorded():
    return open_data(f"bvh:{FOLDER}")


@needs_shared
class TestFolder(DatasetContract):
    @pytest.fixture
    def data(self, recorded):
        return recorded

    def test_all_files_are_there_on_the_floor(self, data):
        assert {clip.name.removesuffix(".2") for clip in data.clips} == {f.stem for f in FILES}
        for clip in data.clips:
            ankles = clip.positions[:, [3, 6], 2].min(axis=1)
            assert 30 < np.percentile(ankles, 5) < 130, clip.name
        assert {clip.subject for clip in data.motion("test")} == {"02", "07", "35"}

    def test_walks_and_runs_have_their_speed(self, data):
        clips = {clip.name: clip.positions for clip in data.clips}
        for name, low, high in (
            ("07_01_walk", 1.2, 1.6),
            ("16_15_walk", 0.5, 1.6),
            ("02_03_run", 2.5, 3.6),
        ):
            way = np.linalg.norm(np.diff(clips[name][:, 0, :2], axis=0), axis=1).mean() * 50 / 1000
            assert low < way < high, name

    def test_bad_frames_are_cut_out(self, data):
        assert "60_10_salsa_daz.2" in {clip.name for clip in data.clips}
        for clip in data.clips:
            assert not sound.glitches(clip.positions).any()


def test_a_person_arrives_in_millimetres_z_up_at_50_hz(tmp_path):
    motion = open_data(f"bvh:{person(tmp_path)}")
    (clip,) = motion.clips
    assert (motion.name, clip.name) == ("01_02_slow_walk", "01_02_slow_walk")
    assert (clip.subject, clip.action, clip.split) == ("01", "slow walk", "test")
    assert clip.positions.shape == (121, 17, 3) and clip.positions.dtype == np.float32
    glide = np.arange(121)[:, None] * [28.8, 0, 0] + [120, 0, 0]  # ten frames lead in
    expected = {
        "Hip": [0, 0, 900],
        "RHip": [-90, 0, 900],
        "LKnee": [90, -10, 500],
        "Spine": [0, 0, 1200],
        "Thorax": [0, 0, 1420],
        "Neck": [0, -20, 1550],
        "Head": [0, -20, 1675],
        "LWrist": [660, 0, 1420],
        "RElbow": [-420, 0, 1420],
    }
    for joint, place in expected.items():
        off = np.abs(clip.positions[:, JOINTS.index(joint)] - glide - place).max()
        assert off < 0.01, joint


def test_bones_become_constant_and_directions_stay():
    rng = np.random.default_rng(0)
    joints = Synthetic().clips[0].positions[:40].astype(float)
    wobbly = joints[:, :1] + (joints - joints[:, :1]) * rng.uniform(0.9, 1.1, (40, 1, 1))
    fixed = constant_bones(wobbly)
    bones, before = (p[:, 1:] - p[:, list(PARENTS[1:])] for p in (fixed, wobbly))
    lengths, old = (np.linalg.norm(b, axis=2, keepdims=True) for b in (bones, before))
    assert lengths[:, :, 0].max(axis=0) == pytest.approx(np.median(old, axis=0)[:, 0])
    assert np.ptp(lengths, axis=0).max() < 1e-9 < np.ptp(old, axis=0).min()
    assert np.abs(bones / lengths - before / old).max() < 1e-9


def test_a_folder_has_subjects_of_both_splits(tmp_path):
    root = np.zeros((30, 3))
    for name in ("07_01", "07_02_jump", "8_1", "9_1_a_2_b", "dance_3", "zoe"):
        person(tmp_path, name, root=root)
    (tmp_path / "notes.txt").write_text("nothing")
    told = {c.name: (c.subject, c.action, c.split) for c in open_data(f"bvh:{tmp_path}").clips}
    assert told == {
        "07_01": ("07", "unknown", "test"),
        "07_02_jump": ("07", "jump", "test"),
        "8_1": ("8", "unknown", "train"),
        "9_1_a_2_b": ("9", "a b", "train"),
        "dance_3": ("dance_3", "unknown", "test"),
        "zoe": ("zoe", "unknown", "train"),
    }


def test_the_control_of_a_single_file_is_told(tmp_path):
    path = person(tmp_path)
    single = prepare(open_data(f"bvh:{path}"), 27, "seq2seq")
    assert single.card["mean_pose"] == "of the test views: there are no others"
    person(tmp_path, "02_01_run")
    both = prepare(open_data(f"bvh:{tmp_path}"), 27, "seq2seq")
    assert "mean_pose" not in both.card


def test_glitches_are_jumps_jerks_and_knees_bent_backward():
    clean = Synthetic().clips[0].positions[:60].astype(float)
    assert not sound.glitches(clean).any()
    jump, jerk, knee = clean.copy(), clean.copy(), clean.copy()
    jump[30:] += [5000, 0, 0]  # 250 m/s
    assert np.flatnonzero(sound.glitches(jump)).tolist() == [29, 30]
    jerk[30, 16] += [0, 0, 150]  # 7.5 m/s there and back: 750 m/s2
    assert 30 in np.flatnonzero(sound.glitches(jerk)) and sound.glitches(jerk).sum() <= 3
    across = clean[:, 4] - clean[:, 1]
    ahead = np.stack([across[:, 1], -across[:, 0], 0 * across[:, 0]], axis=1)
    ahead *= 300 / np.linalg.norm(ahead, axis=1, keepdims=True)
    knee[:, 2] = knee[:, 1] - [0, 0, 300]
    knee[:, 3] = knee[:, 2] - [0, 0, 300] - ahead
    assert not sound.glitches(knee).any()
    knee[:, 3] += 2 * ahead
    assert sound.glitches(knee).all()


@pytest.mark.parametrize(("at", "frames"), [(150, [58, 61]), (30, [112])])
def test_a_file_is_cut_where_it_jumps(tmp_path, at, frames):
    root = np.arange(300)[:, None] * [1.2, 0, 0] + (np.arange(300) >= at)[:, None] * [0, 0, 400]
    clips = open_data(f"bvh:{person(tmp_path, root=root)}").clips
    assert [clip.name for clip in clips] == ["01_02_slow_walk", "01_02_slow_walk.2"][: len(frames)]
    assert [len(clip.positions) for clip in clips] == pytest.approx(frames, abs=2)
    assert not any(sound.glitches(clip.positions).any() for clip in clips)


def backward(folder):
    behind = {node: (x, y, -30 if "Shin" in node else z) for node, (x, y, z) in PERSON.items()}
    return person(folder, places=behind)


def headless(folder):
    return person(folder, places={n: p for n, p in PERSON.items() if n not in ("head", "lShin")})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (backward, "left and right are exchanged: knees are bent backward in 100%"),
        (headless, "nearest that is known, Daz, needs also head, lShin; give a map"),
        (
            lambda folder: person(folder, tall=0.1),
            "a leg of 82 mm; expected 500 to 1200: positions are in another unit",
        ),
        (lambda folder: person(folder, tall=0), "the bone to RHip has no length"),
        (lambda folder: person(folder, root=np.zeros((11, 3))), "11 frames; expected at least 2"),
        (lambda folder: person(folder, root=np.full((30, 3), 2e5)), "a joint is 2 km away"),
        (lambda folder: folder / "none.bvh", "No such file"),
        (lambda folder: folder, "holds no file"),
    ],
)
def test_motion_that_is_refused_says_why(tmp_path, make, message):
    path = make(tmp_path)
    with pytest.raises(BenchError, match=message) as caught:
        open_data(f"bvh:{path}")
    assert str(caught.value).startswith(str(path))
