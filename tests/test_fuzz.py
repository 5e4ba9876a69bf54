"""Damaged and hostile files: the readers of motion give sound motion or a BenchError.

Nothing in a file is run, no other exception or warning comes out, and a small file takes little
memory.
"""

from __future__ import annotations

import io
import re
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_bvh import TINY, person
from test_npz import small

from htpbench.datasets import npz as npz_module
from htpbench.datasets.bvh import Bvh
from htpbench.errors import BenchError
from htpbench.motion import bvh
from htpbench.motion.clip import FARTHEST, SPLITS

MOST_MEMORY = 100e6  # bytes at the peak, for files of some kilobytes
fuzz = settings()  # of the profile: see conftest.py


def sound(motion):
    for clip in motion.clips:
        assert clip.positions.dtype == np.float32 and clip.positions.shape[1:] == (17, 3)
        assert len(clip.positions) and (np.abs(clip.positions) < FARTHEST).all()
        assert clip.split in SPLITS
    assert len({clip.name for clip in motion.clips}) == len(motion.clips) > 0
    train, test = ({c.subject for c in motion.clips if c.split == split} for split in SPLITS)
    assert not train & test
    assert len(motion.fingerprint) == 12


def outcome(read, path, content, check=sound):
    """What becomes of a file: "read", or why not. Any other exception fails the test."""
    path.write_bytes(content)
    tracemalloc.start()
    try:
        found = read(path)
    except BenchError as fault:
        said = str(fault)
        assert said.startswith(f"{path}: ") and 20 < len(said) - len(str(path)) < 1000
        return said
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < MOST_MEMORY, f"{peak / 1e6:.0f} MB for {len(content)} bytes"
    check(found)
    return "read"


def damaged(content, changes):
    """Bytes overwritten, cut out, inserted and repeated, each at a share of the length."""
    content = bytearray(content)
    for kind, share, payload in changes:
        place = int(share * len(content))
        match kind:
            case "overwrite":
                content[place : place + len(payload)] = payload
            case "cut":
                del content[place : place + len(payload) ** 2]
            case "insert":
                content[place:place] = payload
            case "repeat":
                content[place:place] = content[place : place + len(payload) ** 2]
    return bytes(content)


damage = st.lists(
    st.tuples(
        st.sampled_from(["overwrite", "cut", "insert", "repeat"]),
        st.floats(0, 1, exclude_max=True),
        st.binary(min_size=1, max_size=20),
    ),
    min_size=1,
    max_size=3,
)


def npy(array):
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def archive(members, method=zipfile.ZIP_DEFLATED):
    """A zip of {key: bytes of the .npy}, checksums right."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        for key, content in members.items():
            file.writestr(f"{key}.npy", content)
    return stream.getvalue()


VALID = {key: npy(array) for key, array in small().items()}


@pytest.fixture(scope="module")
def npz(tmp_path_factory):
    return tmp_path_factory.mktemp("npz") / "damaged.npz"


@fuzz
@given(damage, st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]))
def test_damaged_bytes_of_an_archive(npz, changes, method):
    outcome(npz_module.Npz, npz, damaged(archive(VALID, method), changes))


@fuzz
@given(damage)
def test_a_damaged_directory_of_an_archive(npz, changes):
    content = archive(VALID)
    directory = content.index(b"PK\x01\x02")
    outcome(npz_module.Npz, npz, content[:directory] + damaged(content[directory:], changes))


@fuzz
@given(st.sampled_from(list(npz_module.LAYOUT)), damage)
def test_damaged_arrays_under_right_checksums(npz, key, changes):
    outcome(npz_module.Npz, npz, archive(VALID | {key: damaged(VALID[key], changes)}))


@fuzz
@given(st.sampled_from(list(npz_module.LAYOUT)), damage)
def test_damaged_headers_of_arrays(npz, key, changes):
    header, data = VALID[key][:128], VALID[key][128:]
    outcome(npz_module.Npz, npz, archive(VALID | {key: damaged(header, changes) + data}))


numbers = st.sampled_from([0, 1, -1, 0.5, 10, 20, 30, 31, 50, 1e4, 1e6, 2**31, 1e39, 1e300, np.nan])
texts = st.text(st.characters(codec=None, exclude_categories=()), max_size=300)
values = st.one_of(
    numbers,
    st.sampled_from([-np.inf, -(2**63), 2**63 - 1, 2**64 - 1, True, None, b"x", ""]),
    texts,
    st.lists(numbers, max_size=3),
    st.lists(texts, max_size=3),
    st.lists(st.sampled_from(["train", "test", "01", "02"]), min_size=2, max_size=2),
)
kinds = st.sampled_from(
    [None, "f2", "f4", ">f8", "g", "i1", ">i4", "i8", "u4", "?", "c8", "U2", "S3"]
)


def reshaped(array, value, kind, shape):
    """`array` with `value` in it somewhere or in its place, of another kind and shape."""
    with np.errstate(all="ignore"):
        try:
            if shape is None:
                array = array.copy()
                array.reshape(-1)[-1:] = value
            else:
                array = np.resize(np.array(value), shape)
            return array if kind is None else array.astype(kind)
        except (ValueError, TypeError, OverflowError):
            return np.array([], "f4")


@fuzz
@given(
    st.lists(
        st.tuples(
            st.sampled_from(list(npz_module.LAYOUT)),
            values,
            kinds,
            st.sampled_from([None, (), (0,), (1,), (2,), (2, 2), (30, 17, 3), (0, 17, 3)]),
        ),
        min_size=1,
        max_size=2,
    ),
    st.sets(st.sampled_from(list(npz_module.LAYOUT)), max_size=1),
)
def test_arrays_of_other_values_kinds_and_shapes(npz, changes, dropped):
    arrays = {key: array for key, array in small().items() if key not in dropped}
    for key, *change in changes:
        arrays[key] = reshaped(small()[key], *change)
    outcome(npz_module.Npz, npz, archive({key: npy(array) for key, array in arrays.items()}))


def header(text, version=(1, 0), pad=0):
    text = text.encode("latin1") + b" " * pad + b"\n"
    size = struct.pack("<H" if version == (1, 0) else "<I", len(text))
    return b"\x93NUMPY" + bytes(version) + size + text


def described(descr="'<f4'", shape="(30, 17, 3)"):
    return header(f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}")


HALF = np.array([0xD800, 0x31], "<u4").view("<U1")  # half a surrogate pair
BEYOND = np.array([0x110000, 0x31], "<u4").view("<U1")  # no character at all


@pytest.mark.parametrize(
    ("key", "content", "said"),
    [
        ("positions", npy(np.zeros((100_000, 17, 3), "f4")), "positions claims 20400000 bytes"),
        ("positions", described(shape="(99999999, 17, 3)"), "positions claims 20399999796 bytes"),
        ("positions", described(shape="(-30, 17, 3)") + bytes(6120), "not a readable npz"),
        ("positions", described("'|O'") + bytes(6120), "positions is object"),
        ("positions", header("-" * 9000 + "1"), "not a readable npz"),
        ("positions", header("(" * 9000), "not a readable npz"),
        ("positions", header("{[]: 1}"), "not a readable npz"),
        ("positions", described("()"), "not a readable npz"),
        ("positions", header("", (2, 0), 2**26), "npy version .2, 0.; expected 1.0"),
        ("positions", npy(np.full((30, 17, 3), 1e300)), "positions hold NaN or infinity"),
        ("positions", npy(np.full((30, 17, 3), 6e4, "f2")), "the bone to RHip has no length"),
        ("clip_start", npy(np.zeros(0, int)), "clip_end is int64 .2,.; expected .* shape"),
        ("clip_end", npy(np.array([2**63 - 1, 30])), "frames 0:9223372036854775807 of 30"),
        ("clip_end", npy(np.array([21, 30])), "two clips share frames"),
        ("clip_name", described("'<U0'", "(2,)"), "same name, ''"),
        ("clip_name", npy(np.array(["a" * 300, "b"])), "clip_name is <U300; expected at most 256"),
        ("clip_name", npy(HALF), r"clip '\\ud800' .* expected names that are Unicode text"),
        ("clip_name", npy(BEYOND), "not a readable npz"),
    ],
    ids=range(18),
)
def test_hostile_arrays(npz, key, content, said):
    assert re.search(said, outcome(npz_module.Npz, npz, archive(VALID | {key: content})))


def test_an_archive_without_clips(npz):
    arrays = {key: array[:0] if array.shape == (2,) else array for key, array in small().items()}
    content = archive({key: npy(array) for key, array in arrays.items()})
    assert "there are no clips" in outcome(npz_module.Npz, npz, content)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_packing_that_has_no_bound(npz, method):
    content = archive(VALID | {"positions": described() + bytes(2**20)}, method)
    assert "packed in another way" in outcome(npz_module.Npz, npz, content)


def test_an_archive_that_lies_about_sizes_and_places(npz):
    content = archive(VALID | {"positions": described(shape="(4000000, 17, 3)") + bytes(6120)})
    entry = content.index(b"PK\x01\x02")
    lie = content[: entry + 24] + b"\xf0\xff\xff\xff" + content[entry + 28 :]  # 4 GB, unpacked
    assert "positions claims 816000000 bytes" in outcome(npz_module.Npz, npz, lie)
    content = archive(VALID)
    entry = content.index(b"PK\x01\x02")
    away = struct.pack("<HHQ", 1, 8, 2**64 - 1)  # ZIP64: where the member lies
    name = entry + 46 + len("positions.npy")
    lie = content[: entry + 30] + struct.pack("<H", len(away)) + content[entry + 32 : entry + 42]
    lie += b"\xff" * 4 + content[entry + 46 : name] + away + content[name:-10]
    (size,) = struct.unpack("<L", content[-10:-6])  # of the directory
    lie += struct.pack("<L", size + len(away)) + content[-6:]
    assert "not a readable npz" in outcome(npz_module.Npz, npz, lie)


def in_place(recording):
    assert np.isfinite(bvh.positions(recording)).all()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("bvh")


@pytest.fixture(scope="module")
def body(folder):
    """A small file that holds a person."""
    content = person(folder, root=np.zeros((30, 3))).read_bytes()
    assert outcome(Bvh, folder / "person.bvh", content) == "read"
    return content


@fuzz
@given(damage)
def test_damaged_bytes_of_a_tree(folder, changes):
    outcome(bvh.parse, folder / "tree.bvh", damaged(TINY.encode(), changes), check=in_place)


@fuzz
@given(damage)
def test_damaged_bytes_of_a_person(folder, body, changes):
    outcome(Bvh, folder / "person.bvh", damaged(body, changes))


LINES = """
{
}
ROOT hip
JOINT head
JOINT lThigh {
End Site
OFFSET 0 0 0
OFFSET 1e6 -1e6 1e-300
OFFSET nan inf 0
CHANNELS 0
CHANNELS -1 Xposition
CHANNELS 3 Xrotation Xrotation Xrotation
CHANNELS 99999999999999999999 Zrotation
MOTION
Frames: 2
Frames: -5
Frames: 10000
Frames: 99999999999999999999
Frames: 1e3
Frame Time: 0
Frame Time: -0.01
Frame Time: 0.001
Frame Time: 0.05
Frame Time: 1e-300
Frame Time: nan
0 0 0
1e6 -1e6 1e6
1e999 0 0
0x10 0 0
٣ 1_0 ½
\0
""".splitlines()


@fuzz
@given(
    st.lists(
        st.tuples(
            st.integers(0, 200), st.integers(0, 2), st.lists(st.sampled_from(LINES), max_size=2)
        ),
        min_size=1,
        max_size=3,
    ),
    st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "utf-32", "utf-7", "cp1252", "cp037"]),
)
def test_other_lines_and_encodings_of_a_person(folder, body, changes, encoding):
    lines = body.decode().splitlines()
    for place, out, put in changes:
        place %= len(lines)
        lines[place : place + out] = put
    content = "\n".join(lines).encode(encoding, "replace")
    outcome(Bvh, folder / "person.bvh", content)


@fuzz
@given(st.integers(0, 10**6), st.floats(width=64) | st.integers() | st.text(max_size=20))
def test_another_number_in_a_person(folder, body, place, number):
    numbers = list(re.finditer(r"-?\d[\d.e-]*", body.decode()))
    found = numbers[place % len(numbers)]
    content = body[: found.start()] + str(number).encode(errors="replace") + body[found.end() :]
    outcome(Bvh, folder / "person.bvh", content)


def test_a_small_file_of_many_nodes_and_frames_takes_little_memory(folder, body):
    limbs = "".join(f"JOINT n{i}\n{{\nOFFSET 0 1 0\nCHANNELS 0\n}}\n" for i in range(900))
    text = body.decode().replace("JOINT head", limbs + "JOINT head", 1)
    text = text.replace("3 Xposition Yposition Zposition", "1 Yrotation")
    head, _ = text.split("Frames:")
    for frames, expected in ((4000, r"expected 1 to \d+ frames"), (250, "^read$")):
        text = f"{head}Frames: {frames}\nFrame Time: 0.01\n" + "0\n" * frames
        assert re.search(expected, outcome(Bvh, folder / "wide.bvh", text.encode()))


def test_a_file_name_that_is_no_text(folder, body):
    path = folder / "\udcff.bvh"
    path.write_bytes(body)
    with pytest.raises(BenchError, match="expected names that are Unicode text"):
        Bvh(path)
    path.unlink()
