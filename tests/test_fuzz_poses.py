"""Files of poses that are faulty, damaged or hostile: they are read as they are, or refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_fuzz import archive, damage, damaged, fuzz, npy, outcome
from test_pose_files import MINIMAL, track, walking

from htpbench.errors import BenchError
from htpbench.poses import files, npz, sound


def spoilt(value):
    poses = walking(20)
    poses[3, 4, 1] = value
    return poses


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"poses": spoilt(np.nan)}, "poses holds NaN"),
        ({"truth": spoilt(np.inf)}, "truth holds NaN, infinity"),
        ({"poses": spoilt(1e7)}, "numbers of 1e\\+06 and more"),
        ({"poses": walking(20)[:, :16]}, r"poses has the shape \(20, 16, 3\); expected"),
        ({"poses": walking(20)[..., :2]}, "poses has the shape"),
        ({"poses": walking(20)[0]}, "has the shape"),
        ({"poses": np.array(1.0)}, "poses has the shape"),
        ({"poses": np.zeros((0, 17, 3))}, "0 tracks|shape"),
        ({"poses": walking(20).astype(str)}, "poses is <U32; expected numbers"),
        ({"poses": np.array([{}])}, "poses is object; expected numbers"),
        ({"truth": walking(19)}, "truth has the shape"),
        ({"truth": walking(20) + np.float32(3000)}, "subtract it from all joints"),
        ({"truth": walking(20) / 1000}, "multiply metres by 1000"),
        ({"rate": np.array(0.0)}, "rate is 0.0; expected 0.1 to 1000"),
        ({"rate": np.array(np.nan)}, "rate is nan"),
        ({"rate": np.array([30.0, 30.0])}, "rate has the shape"),
        ({"keypoints": walking(20)}, "keypoints without size"),
        ({"size": np.array([0, 480])}, "size is 0; expected a whole number from 1"),
        ({"size": np.array([1, 2, 3])}, "size has the shape"),
        ({"view": np.arange(20) - 1}, "view holds other numbers"),
        ({"view": np.full(20, 2**40)}, "tracks; expected 1 to"),
        ({"frame": np.arange(20)[::-1].copy()}, "do not ascend"),
        ({"frame": np.arange(0, 40, 2)}, "frames of view 0 are 2 apart"),
        ({"conditions": np.array("[]")}, "conditions is no JSON object"),
        ({"conditions": np.array("{")}, "conditions is not valid JSON"),
        ({"conditions": np.array('{"tracks": [1]}')}, "conditions is no JSON object"),
        ({"clip": np.array(["a", "b", "a" * 2000])}, "more than 1024 characters"),
        ({"kept": np.ones((1, 1, 9), bool)}, "lacks window_first, window_view, window_rate"),
    ],
)
def test_faults_are_named(tmp_path, change, said):
    path = tmp_path / "faulty.npz"
    np.savez(path, **(MINIMAL | change))
    with pytest.raises(BenchError, match=said) as caught:
        files.read(path)
    assert str(caught.value).startswith(f"{path}: ")


def test_a_rate_is_asked_for(tmp_path):
    np.savez(tmp_path / "a.npz", poses=walking(3))
    with pytest.raises(BenchError, match="lacks rate, the poses a second"):
        files.read(tmp_path / "a.npz")
    np.savez(tmp_path / "a.npz", positions=walking(3))
    with pytest.raises(BenchError, match="lacks poses and holds positions; docs"):
        files.read(tmp_path / "a.npz")


def changed(**changes):
    """The JSON of a track with changes."""
    document = {"format": "htpbench poses", "units": "mm", "tracks": [{"rate": 30}]}
    document["tracks"][0] |= {"poses": walking(2).tolist()} | changes
    return document


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ([], "no poses of ours"),
        ({"format": "htpbench poses", "units": "m", "tracks": []}, "no poses of ours"),
        ({"format": "htpbench poses", "units": "mm", "tracks": []}, "0 tracks; expected 1 to"),
        ({"format": "htpbench poses", "units": "mm", "tracks": [3]}, "no list of objects"),
        ({"format": "htpbench poses", "units": "mm", "tracks": [{}]}, "lacks rate, poses"),
        (changed(poses=[[1, 2], [3]]), '"poses" is no table of numbers'),
        (changed(poses="x"), '"poses" is no table of numbers'),
        (changed(poses=[[[float("nan")] * 3] * 17]), "poses holds NaN"),
        (changed(poses=[[[None] * 3] * 17]), "poses holds NaN"),
        (changed(rate=10**400), '"rate" is no table of numbers'),
        (changed(rate=[1, 2]), "rate is"),
        (changed(first=0.5), "first frame is 0.5"),
        (changed(name=3), '"name" is no text'),
        (changed(told=[]), '"told" no object'),
        (changed(kept=[]), '"kept" is no object of rate, first and stages'),
        (changed(kept={"rate": 1, "first": [0], "stages": [["012"]]}), "more than 0 and 1"),
        (changed(kept={"rate": 1, "first": [0], "stages": [["01"], ["0"]]}), '"kept" is no'),
        (changed(kept={"rate": 1, "first": [0, 1], "stages": [["01"]]}), "kept has the shape"),
        (changed(kept={"rate": 1, "first": [1, 0], "stages": [["1", "1"]]}), "do not ascend"),
    ],
)
def test_faults_of_json_are_named(tmp_path, document, said):
    path = tmp_path / "faulty.json"
    path.write_text(json.dumps(document))
    with pytest.raises(BenchError, match=said) as caught:
        files.read(path)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("damaged")


@pytest.fixture(scope="module")
def sources(folder):
    """Bytes of sound files, and of the arrays of the npz."""
    held = {}
    for suffix in files.READ:
        files.write(folder / f"sound{suffix}", [track(frames=9), track("b", frames=4)])
        held[suffix] = (folder / f"sound{suffix}").read_bytes()
    with np.load(folder / "sound.npz") as arrays:
        held["arrays"] = {key: npy(arrays[key]) for key in arrays.files}
    return held


def plausible(tracks):
    """What every track that is read must be."""
    assert 0 < len(tracks) <= sound.MOST_TRACKS
    for one in tracks:
        for array in (one.poses, one.truth, one.keypoints):
            assert array is None or array.shape == (len(one.poses), 17, 3)
            assert array is None or (array.dtype == np.float32 and (np.abs(array) <= 1e6).all())
        assert 0.1 <= one.rate <= 1000 and isinstance(one.name, str)
        if one.kept is not None:
            assert len(one.kept.nearest(np.array([0.0, 1.0]))) == 2


@fuzz
@given(damage, st.sampled_from(files.READ))
def test_damaged_files(folder, sources, changes, suffix):
    content = damaged(sources[suffix], changes)
    outcome(files.read, folder / f"damaged{suffix}", content, plausible)


@fuzz
@given(st.sampled_from(sorted(npz.KINDS)), st.sampled_from([0, 128]), damage)
def test_damaged_arrays_under_right_checksums(folder, sources, key, cut, changes):
    content = sources["arrays"][key]  # all of it is damaged, or its header alone
    broken = damaged(content[: cut or None], changes) + content[cut or len(content) :]
    members = sources["arrays"] | {key: broken}
    outcome(files.read, folder / "damaged.npz", archive(members), plausible)


@fuzz
@given(st.binary(max_size=300), st.sampled_from(files.READ))
def test_random_files(folder, content, suffix):
    assert outcome(files.read, folder / f"random{suffix}", content, plausible) != "read"


tree = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)
KEYS = ("name", "rate", "first", "camera", "told", "size", "kept", "poses", "truth", "keypoints")


@fuzz
@given(st.dictionaries(st.sampled_from(KEYS), tree, min_size=1))
def test_json_of_anything(folder, changes):
    content = json.dumps(changed(**changes)).encode()
    outcome(files.read, folder / "any.json", content, plausible)


def test_little_files_that_claim_much(folder, sources):
    arrays = sources["arrays"]
    huge = arrays["poses"].replace(b"(13, 17, 3)", b"(9999999999, 17, 3)")
    said = outcome(files.read, folder / "vast.npz", archive(arrays | {"poses": huge}), plausible)
    assert "poses claims" in said or "not a readable npz" in said
    packed = archive(
        {"poses": npy(np.zeros((500_000, 17, 3), np.float32)), "rate": npy(np.array(9))}
    )
    assert "poses claims" in outcome(files.read, folder / "vast.npz", packed, plausible)
    text = json.dumps(changed(poses=["x" * 10**5, *["y"] * 10**4])).encode()
    assert "no table of numbers" in outcome(files.read, folder / "vast.json", text, plausible)
    views = archive({"poses": arrays["poses"], "clip": npy(np.full(10**6, "a"))})
    assert "1000000 tracks" in outcome(files.read, folder / "vast.npz", views, plausible)
