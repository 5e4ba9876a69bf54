"""Damaged and hostile keypoints: one person in a video, or a BenchError; nothing is run."""

from __future__ import annotations

import json
import os
import pathlib
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from paths import SHARED, needs_shared
from test_fuzz import archive, damage, damaged, fuzz, npy, outcome
from test_hostile import TRAPS
from test_keypoints import alphapose, body

from htpbench.datasets.keypoints import Keypoints
from htpbench.errors import BenchError
from htpbench.motion import arrays
from htpbench.motion.members import opened

HEADER = b"\x93NUMPY\1\0F\0{'descr': '|O', 'fortran_order': False, 'shape': (), }"
HEADER += b" " * (9 + 70 - len(HEADER)) + b"\n"


def read(path):
    return Keypoints(str(path), size="1000x1000" * (path.suffix != ".npz"), fps=25.0)


def sound(data):
    keypoints = data.video.keypoints
    assert keypoints.dtype == np.float32 and keypoints.shape[1:] == (17, 3) and len(keypoints)
    assert np.isfinite(keypoints).all() and len(data.fingerprint) == 12
    assert ((keypoints[..., 2] >= 0) & (keypoints[..., 2] <= 1)).all()
    assert np.isfinite(data.views("test").poses2d).all()
    assert not pathlib.Path("trapped").exists()


def mmpose(points):
    people = [
        {"keypoints": one[:, :2].tolist(), "keypoint_scores": one[:, 2].tolist(), "bbox_score": 1}
        for one in points
    ]
    return [{"frame_id": frame, "instances": [one]} for frame, one in enumerate(people)]


POINTS = body(4).round(1)
TRIPLES = [one.ravel().tolist() for one in POINTS]
JSONS = {
    "alphapose": alphapose(POINTS, range(4), 1),
    "coco": [{"image_id": i, "keypoints": one, "score": 1} for i, one in enumerate(TRIPLES)],
    "mmpose": mmpose(POINTS),
    "demo": {"meta_info": {"keypoint_id2name": {}}, "instance_info": mmpose(POINTS)},
    "open": {f"{i}.jpg": {"people": [{"pose_keypoints_2d": one}]} for i, one in enumerate(TRIPLES)},
    "openpose": {"people": [{"pose_keypoints_2d": body(1, count=25).ravel().tolist()}]},
    "mediapipe": [[{"x": 0.5, "y": y, "visibility": 1} for y in np.linspace(0.2, 0.8, 33)]] * 3,
    "lists": POINTS.tolist(),
}


def objects(value, protocol=3):
    """A member that numpy would call an array of one object."""
    return HEADER + pickle.dumps(np.array(value, dtype=object), protocol)


def detectron(frames=4):
    rows = np.concatenate([POINTS[..., :2], POINTS[..., 2:], POINTS[..., 2:]], -1).swapaxes(1, 2)
    keypoints, boxes = np.empty((frames, 2), object), np.empty((frames, 2), object)
    for frame in range(frames):
        keypoints[frame] = [[], rows[frame, None].astype("f4")]
        boxes[frame] = [[], np.ones((1, 5), "f4")]
    held = {"keypoints": keypoints, "boxes": boxes}
    return {key: npy(value) for key, value in held.items()}


META = {"layout_name": "coco", "video_metadata": {"a": {"w": 1000, "h": 1000}}}
NPZS = {
    "detectron": detectron() | {"metadata": objects({"w": 1000, "h": 1000}, 2)},
    "custom": {
        "positions_2d": objects({"a": {"custom": [POINTS[..., :2].astype("f4")]}}),
        "metadata": objects(META),
    },
    "own": {"keypoints": npy(POINTS), "size": npy([1000, 1000]), "layout": npy("coco")},
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("keypoints")
    before = os.getcwd()
    os.chdir(path)  # where traps would leave something
    yield path
    os.chdir(before)


def test_what_is_damaged_here_is_read(folder):
    for name, data in JSONS.items():
        content = json.dumps(data).encode()
        assert outcome(read, folder / f"{name}.json", content, sound) == "read", name
    for name, members in NPZS.items():
        assert outcome(read, folder / f"{name}.npz", archive(members), sound) == "read", name


@fuzz
@given(st.sampled_from([*JSONS]), damage)
def test_damaged_json(folder, name, changes):
    content = damaged(json.dumps(JSONS[name]).encode(), changes)
    outcome(read, folder / "damaged.json", content, sound)


NUMBERS = [-1, 0, 0.5, 17, 1e9, 10**400, 2**63, float("nan"), float("inf")]
LISTS = [[], {}, [[]], [1], ["x"], [[1, 2]], {"x": 1}, [None], [0.0] * 51, [1.0] * 17]
VALUES = st.sampled_from([None, True, "", "1", "a\ud7ff", *NUMBERS, *LISTS])


def changed(data, place, value, add):
    """JSON with a value in the place of one that it holds, found by a number."""
    data = json.loads(json.dumps(data))
    holders, waiting = [], [data]
    while waiting:
        one = waiting.pop(0)
        keys = list(one) if isinstance(one, dict) else range(len(one))
        holders += [(one, key) for key in keys]
        waiting += [one[key] for key in keys if isinstance(one[key], dict | list)]
    one, key = holders[place % len(holders)]
    if add and isinstance(one, list):
        one.insert(key, value)
    elif add:
        del one[key]
    else:
        one[key] = value
    return data


@fuzz
@given(
    st.sampled_from([*JSONS]),
    st.lists(st.tuples(st.integers(0, 60), VALUES, st.booleans()), min_size=1, max_size=3),
)
def test_other_values_in_json(folder, name, changes):
    data = JSONS[name]
    for change in changes:
        if data:
            data = changed(data, *change)
    outcome(read, folder / "changed.json", json.dumps(data).encode(), sound)


@fuzz
@given(st.sampled_from([*NPZS]), damage)
def test_damaged_archives(folder, name, changes):
    outcome(read, folder / "damaged.npz", damaged(archive(NPZS[name]), changes), sound)


@fuzz
@given(st.sampled_from([(name, key) for name in NPZS for key in NPZS[name]]), damage)
def test_damaged_members_under_right_checksums(folder, which, changes):
    name, key = which
    members = NPZS[name] | {key: damaged(NPZS[name][key], changes)}
    outcome(read, folder / "members.npz", archive(members), sound)


KEPT = {"a": np.arange(6.0).reshape(2, 3), "b": [np.array([["x", "yz"]]), np.float32(3)], "c": ()}


def words():
    """Pieces of pickles of arrays, and of traps."""
    made = [pickle.dumps(KEPT, protocol) for protocol in (2, 4, 5)]
    cut = [program[at : at + 9] for program in made for at in range(2, len(program), 9)]
    return [*cut, b"R", b"b", b"0", b"(", b"t", b"h\x00", b"h\x02", b"\x85", b"cos\nmkdir\n"]


@fuzz
@given(st.sampled_from([2, 3, 4, 5]), damage)
def test_damaged_pickles_of_arrays(folder, protocol, changes):
    content = damaged(pickle.dumps(KEPT, protocol), changes)
    outcome(arrays.load_file, folder / "damaged.pkl", content, check=plain)


@fuzz
@given(st.lists(st.sampled_from(words()), max_size=25))
def test_any_words_of_a_pickle(folder, pieces):
    content = b"\x80\x04" + b"".join(pieces) + b"."
    outcome(arrays.load_file, folder / "words.pkl", content, check=plain)


def plain(found):
    """Whether nothing but plain values came out."""
    if isinstance(found, dict | list | tuple):
        for one in found.values() if isinstance(found, dict) else found:
            plain(one)
    else:
        usual = np.ndarray | str | bytes | bytearray | int | float | None
        assert isinstance(found, usual), type(found)
    assert not pathlib.Path("trapped").exists()


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_arrays_come_out_as_they_went_in(protocol):
    kept = {
        "f": np.asfortranarray(np.arange(12.0).reshape(3, 4)),
        "k": np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2),  # neither C nor Fortran
        "t": np.array([["a", "bc"]]),
        "s": np.array([b"x", b"yz"]),
        "o": np.array([[1, "a"], [None, b"b"]], dtype=object),
        "e": np.empty((0, 3), ">i2"),
        "big": np.arange(3, dtype=">f4"),
        "one": np.float16(0.5),
        "yes": np.array([True, False]),
    }
    program = pickle.dumps(kept, protocol)
    found = arrays.load(program, len(program))
    assert found.keys() == kept.keys()
    for key, value in kept.items():
        if key == "o":
            assert found[key] == value.tolist()
        else:
            assert np.array_equal(found[key], value) and np.shape(found[key]) == np.shape(value)
    old = program.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert protocol > 3 or np.array_equal(arrays.load(old, len(old))["f"], kept["f"])


@pytest.mark.parametrize(
    "axes", [b"K\x00K\x00\x86", b"K\x00K\x02\x86", b"K\x00\x85", b"X\1\0\0\0aK\x01\x86"]
)
def test_axes_that_an_array_has_not(axes):
    turned = np.arange(24.0).reshape(2, 3, 4).transpose(1, 0, 2)[:, :, 0:4]
    program = pickle.dumps(turned, 5)
    told = b"K\x01K\x00K\x02\x87"
    assert told in program
    with pytest.raises(BenchError, match=r"turns an? array|turns what"):
        arrays.load(program.replace(told, axes), len(program))


def test_arrays_by_python_2():
    program = (
        b"\x80\x02cnumpy.core.multiarray\n_reconstruct\nq\x01cnumpy\nndarray\nq\x02K\x00\x85U\x01b"
        b"\x87Rq\x03(K\x01K\x02K\x01\x86cnumpy\ndtype\nq\x04U\x02f4K\x00K\x01\x87Rq\x05(K\x03U\x01<"
        b"NNNJ\xff\xff\xff\xffJ\xff\xff\xff\xffK\x00tb\x89U\x08\x00\x00\x80?\x00\x00\x00\xc0tb."
    )
    assert arrays.load(program, len(program)).tolist() == [[1.0], [-2.0]]


@pytest.mark.parametrize("name", TRAPS)
def test_traps_do_not_spring(folder, name):
    said = outcome(arrays.load_file, folder / "trap.pkl", TRAPS[name], check=None)
    assert "no array needs" in said
    members = {"keypoints": HEADER + TRAPS[name]}
    said = outcome(read, folder / "trap.npz", archive(members), check=None)
    assert "no array needs" in said and not (folder / "trapped").exists()


@pytest.mark.parametrize(
    ("program", "said"),
    [
        (b"\x80\x02c_codecs\nencode\nX\1\0\0\0aX\5\0\0\0utf-8\x86R.", "calls '_codecs.encode' in"),
        (b"\x80\x02cbuiltins\nbytes\nK\x09\x85R.", "calls 'builtins.bytes' in a way"),
        (b"\x80\x02cnumpy.core.multiarray\nfromfile\n.", "asks for 'numpy.core.multiarray.fromf"),
        (b"\x80\x02cnumpy\nload\n.", "asks for 'numpy.load'"),
        (b"\x80\x02cnumpy\nndarray\n.", "neither array nor number"),
        (b"\x80\x02]q\0h\0a.", "lists within lists without an end"),
        (b"\x80\x02" + b"]" * 99 + b"a" * 98 + b".", "lists within lists without an end"),
        (b"\x80\x02}(NNu.", "has a NoneType for a key"),
        (b"\x80\x02K\1Q.", "asks for what lies outside"),
        (b"\x80\x02" + b"]" * 2**20 + b".", "more than 1572"),
        (b"\x80\x02N", "is damaged, perhaps cut short"),
        (b"", "is empty"),
    ],
    ids=range(12),
)
def test_pickles_that_are_no_arrays(folder, monkeypatch, program, said):
    if len(program) > 2**20:
        monkeypatch.setattr(arrays, "ALWAYS", 1572 - len(program))
    assert said in outcome(arrays.load_file, folder / "none.pkl", program, check=None)


@needs_shared
@pytest.mark.parametrize("path", sorted((SHARED / "formats" / "hostile").glob("*.*")), ids=str)
def test_hostile_files_are_refused(folder, path):
    tracemalloc.start()
    with pytest.raises(BenchError):
        if path.suffix == ".npz":
            with opened(path) as members:
                members.value(members.names[0])
        else:
            arrays.load_file(path)
    assert tracemalloc.get_traced_memory()[1] < 100e6
    tracemalloc.stop()
    assert not list(folder.glob("EXECUTED*"))
