"""Hostile and damaged checkpoints, and files that are none: traps do not spring, lies are told,
and nothing is written."""

import os
import pathlib
import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch
from checkpoints import PASSENGERS, checkpoint, parts, refused, tensor, text
from hypothesis import given
from hypothesis import strategies as st
from test_fuzz import damage, damaged, fuzz, outcome

from htpbench.convert import archive, pickled
from htpbench.convert.convert import read
from htpbench.convert.pickled import OPAQUE, Storage, Stored, follow
from htpbench.errors import BenchError


def changed(**items):
    return lambda state: {**state, **items}


def nan(state):
    state["head.1.bias"][1] = float("nan")
    return state


def overflowing(state):
    return {**state, "head.1.bias": torch.full((3,), 1e300, dtype=torch.float64)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (nan, "NaN or infinity (1): head.1.bias"),
        (overflowing, "NaN or infinity (1): head.1.bias"),
        (changed(epoch=3), "tensors and nothing else, bare or under one of model_pos, model"),
        (lambda state: {"net": state, "epoch": 1}, "found (2): 'net' 'epoch'"),
        (lambda state: {"model": state, "model_pos": state}, "found (2): 'model' 'model_pos'"),
        (lambda state: {"model": {**state, "x": None}}, "found (1): 'x'"),
        (lambda state: {"model": {}}, "found none"),
        (lambda state: [state], "found none"),
        (lambda state: next(iter(state.values())), "found none"),
        (lambda state: {**state, 1: torch.ones(1)}, "found (1): 1"),
        (lambda state: {**state, "\x1b[31m": torch.ones(1)}, r"found (1): '\x1b[31m'"),
        (lambda state: {**state, "\ud800": torch.ones(1)}, r"found (1): '\ud800'"),
        (
            lambda state: {**state, "backbone.regression.1.bias": torch.ones(3)},
            "head.1.bias and backbone.regression.1.bias would be the same parameter",
        ),
        (changed(**{"head.1.bias": torch.ones(1).expand(3)}), "in a storage of 1 numbers"),
        (lambda state: {str(i): t for i, t in enumerate(state.values())}, ": 0 of "),
        (lambda state: torch.nn.Linear(2, 2), "asks for 'torch.nn.modules.linear.Linear'"),
    ],
)
def test_states_that_are_none(conversion, golden, change, words):
    torch.save(change(golden.state), "best.pth")
    assert words in refused(conversion, golden.text)


class Calls:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


TRAPPED = text("trapped")
# Each leaves `trapped` behind when pickle.loads runs it.
TRAPS = {
    "mkdir": pickle.dumps(Calls(os.mkdir, "trapped"), 2),
    "system": pickle.dumps(Calls(os.system, "mkdir trapped"), 2),
    "exec": pickle.dumps(Calls(exec, "import os; os.mkdir('trapped')"), 2),
    "eval, protocol 4": pickle.dumps(Calls(eval, "__import__('os').mkdir('trapped')"), 4),
    "text protocol": b"cos\nmkdir\n(S'trapped'\ntR.",
    "INST": b"(S'trapped'\nios\nmkdir\n.",
    "OBJ": b"(cos\nmkdir\n" + TRAPPED + b"o.",
    "getattr": b"c__builtin__\ngetattr\nc__builtin__\n__import__\n" + text("os")
    + b"\x85R" + text("mkdir") + b"\x86R" + TRAPPED + b"\x85R.",
    "dotted name": b"\x80\x04" + text("os") + text("path.os.mkdir") + b"\x93" + TRAPPED + b"\x85R.",
    "dotted name of torch": b"\x80\x04" + text("torch") + text("os.mkdir") + b"\x93" + TRAPPED
    + b"\x85R.",
    "method of a path": b"\x80\x04" + text("pathlib") + text("Path.mkdir")
    + b"\x93cpathlib\nPosixPath\n" + TRAPPED + b"\x85R\x85R.",
    "numpy runs text": b"cnumpy.testing._private.utils\nrunstring\n"
    + text("import os; os.mkdir('trapped')") + b"}\x86R.",
    "in a dictionary": b"}" + text("model") + b"cos\nmkdir\n" + TRAPPED + b"\x85Rs.",
    "as state": b"c__builtin__\nset\n)\x81cos\nmkdir\n" + TRAPPED + b"\x85R0.",
    "by a class": b"c__builtin__\nmap\ncos\nmkdir\n" + TRAPPED + b"\x85\x86\x81c__builtin__\nlist\n"
    b"q\x000h\x00.",
}  # fmt: skip
SILENT = {"by a class"}  # map is lazy: it shows a class that pickle would make an object of


@pytest.mark.parametrize("name", TRAPS)
def test_traps_do_not_spring(conversion, golden, name):
    pathlib.Path("best.pth").write_bytes(checkpoint(TRAPS[name]))
    said = refused(conversion, golden.text)
    assert "no checkpoint needs" in said


@pytest.mark.parametrize("name", [name for name in TRAPS if name not in SILENT])
def test_the_traps_would_spring(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(TRAPS[name])
    assert (tmp_path / "trapped").is_dir()


@pytest.mark.parametrize("place", ["epoch", "model_pos", "state"])
def test_a_trap_beside_good_weights(conversion, golden, place):
    trap = Calls(os.mkdir, "trapped")
    good = {"model": golden.state, "epoch": 1}
    if place == "state":
        golden.state["head.2.bias"] = trap
    torch.save(good if place == "state" else {**good, place: trap}, "best.pth")
    assert "asks for 'posix.mkdir'" in refused(conversion, golden.text)


def test_names_that_are_allowed_are_not_called_either():
    program = b"c_codecs\nencode\n" + text("a") + b"\x85R."
    assert follow(program) is OPAQUE and pickle.loads(program) == b"a"
    assert follow(b"cpathlib\nPath\n)\x81}" + text("x") + text("y") + b"sb.") is OPAQUE


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (b"", "not a readable checkpoint"),
        (b"\x80\x02", "not a readable checkpoint"),
        (b".", "not a readable checkpoint"),
        (b"h\x07.", "not a readable checkpoint"),
        (b"\x82\x01.", "the operation EXT1"),
        (b"Pos.mkdir\n.", "the operation PERSID"),
        (b"K\x01K\x02\x86Q.", "names numbers in a way"),
        (b"K\x01)R.", "calls what is no function"),
        (b"ccollections\nOrderedDict\nK\x01R.", "calls what is no function"),
        (b"K\x01K\x02a.", "adds to a int"),
        (b"}K\x01a.", "adds to a dict"),
        (b"](K\x01K\x02u.", "adds to a list"),
        (b"}(K\x01u.", "not a readable checkpoint"),
        (b"L" + b"9" * 5000 + b"L\n.", "not a readable checkpoint"),
        (b"\x8b\xff\xff\xff\x7f.", "not a readable checkpoint"),
        (b"X\xff\xff\xff\xffabc.", "not a readable checkpoint"),
        (b"X\x00\x00\x00\x02" + b"a" * 2**25 + b".", "expected at most 16777216"),
    ],
    ids=range(17),
)
def test_pickles_that_are_no_checkpoints(tmp_path, program, words):
    assert words in outcome(reading, tmp_path / "best.pth", checkpoint(program), check=None)


@pytest.mark.parametrize("word", [b"\x94", b"(", b"\x85", b"h\x00"])
def test_long_programs_are_given_up(tmp_path, monkeypatch, word):
    monkeypatch.setattr(pickled, "MOST_OPERATIONS", 3000)
    path = tmp_path / "best.pth"
    said = outcome(reading, path, checkpoint(b")q\x00" + word * 9000 + b"."), check=None)
    assert "more than 3000 operations" in said
    said = outcome(reading, path, checkpoint(b")q\x00" + word * 2990 + b"."), check=None)
    assert "found none" in said or "not a readable" in said


def reading(path):
    return archive.tensors(path, read(path).state)


FOUR = {"data/0": np.arange(4, dtype="<f4").tobytes()}


def test_the_tensor_of_these_tests_is_read(tmp_path):
    path = tmp_path / "best.pth"
    path.write_bytes(checkpoint(tensor(shape=(2, 2), stride=(1, 2)), FOUR))
    assert reading(path)["a"].equal(torch.tensor([[0.0, 2], [1, 3]]))
    path.write_bytes(checkpoint(tensor(length=0, shape=(0, 3), stride=(3, 1)), {"data/0": b""}))
    assert reading(path)["a"].shape == (0, 3)


@pytest.mark.parametrize(
    ("program", "members", "words"),
    [
        (tensor(length=10**12), FOUR, "has 16 bytes, not 4000000000000"),
        (tensor(length=10**12, shape=(10**12,)), FOUR, "has 16 bytes, not 4000000000000"),
        (tensor(length=2, shape=(2,)), FOUR, "'archive/data/0' has 16 bytes; expected at most 8"),
        (tensor(shape=(5,)), FOUR, "shape [5] in a storage of 4 numbers"),
        (tensor(offset=1), FOUR, "shape [4] in a storage of 4 numbers"),
        (tensor(stride=(2,)), FOUR, "shape [4] in a storage of 4 numbers"),
        (tensor(shape=(10**9, 10**9), stride=(0, 0)), FOUR, "in a storage of 4 numbers"),
        (tensor(shape=(10**30,), stride=(0,)), FOUR, "by what is no shape"),
        (tensor(shape=(-4,)), FOUR, "by what is no shape"),
        (tensor(offset=-1), FOUR, "by what is no shape"),
        (tensor(stride=(-1,)), FOUR, "by what is no shape"),
        (tensor(shape=(2, 2)), FOUR, "by what is no shape"),
        (tensor(shape=(1,) * 99, stride=(1,) * 99), FOUR, "by what is no shape"),
        (tensor(shape=(2.0,)), FOUR, "by what is no shape"),
        (tensor(shape="abcd", stride="abcd"), FOUR, "by what is no shape"),
        (tensor(length=-4), FOUR, "names numbers in a way"),
        (tensor(length="4"), FOUR, "names numbers in a way"),
        (tensor(kind="UntypedStorage"), FOUR, "names numbers in a way"),
        (tensor(key="../../etc/passwd"), FOUR, "not a readable checkpoint"),
        (tensor(key="1"), FOUR, "not a readable checkpoint"),
        (tensor(), {}, "not a readable checkpoint"),
        (tensor(), {"data/0": b"\0" * 12}, "has 12 bytes, not 16"),
    ],
    ids=range(22),
)
def test_tensors_that_lie(tmp_path, program, members, words):
    content = checkpoint(program, members)
    assert words in outcome(reading, tmp_path / "best.pth", content, check=None)


def renamed(content, old, new):
    assert content.count(old) == 2 and len(old) == len(new)
    return content.replace(old, new)


def claiming(content, size):
    """The directory's last entry with other sizes, packed and unpacked."""
    entry = content.rindex(b"PK\x01\x02")
    return content[: entry + 20] + struct.pack("<II", size, size) + content[entry + 28 :]


GOOD = checkpoint(tensor(), FOUR)
BOMB = {"data/0": b"\0" * 2**26}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a readable checkpoint"),
        (b"hello" * 99, "not a readable checkpoint"),
        (TRAPS["mkdir"], "not a readable checkpoint"),
        (GOOD[:-30], "not a readable checkpoint"),
        (GOOD[len(GOOD) // 2 :], "not a readable checkpoint"),
        (checkpoint(GOOD), "not a readable checkpoint"),
        (checkpoint(tensor(), FOUR, zipfile.ZIP_DEFLATED), "is packed, which torch.save never"),
        (checkpoint(tensor(length=2**24), BOMB, zipfile.ZIP_LZMA), "is packed"),
        (renamed(GOOD, b"archive/data.pkl", b"archive/data.pkx"), "holds 0 checkpoints"),
        (renamed(GOOD, b"archive/data.pkl", b"../../../ata.pkl"), "holds 0 checkpoints"),
        (GOOD.replace(b"little", b"bigbig"), "not a readable checkpoint"),  # the checksum
        (claiming(GOOD, 2**32 - 2), "has 4294967294 bytes; expected at most 16"),
    ],
    ids=range(12),
)  # fmt: skip
def test_files_that_are_no_checkpoints(tmp_path, content, words):
    assert words in outcome(reading, tmp_path / "best.pth", content, check=None)


def test_storages_that_share_bytes_do_not_add_up(tmp_path):
    path = tmp_path / "best.pth"
    path.write_bytes(checkpoint(tensor(), {"data/0": b"\0" * 2**20}))
    wanted = {
        str(dtype): Stored(Storage(dtype, "0", 2**18), 0, (2**18,), (1,))
        for dtype in (torch.float32, torch.int32)
    }
    for one in wanted:
        assert archive.tensors(path, {one: wanted[one]})[one].numel() == 2**18
    with pytest.raises(BenchError, match="has 1048576 bytes; expected at most"):
        archive.tensors(path, wanted)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("checkpoints")
    before = os.getcwd()
    os.chdir(path)  # where traps would leave something
    yield path
    os.chdir(before)


STATE = {"model": {"a": torch.ones(4, 4).T, "b": torch.arange(3)}, "args": PASSENGERS["args"]}
PROGRAM, STORAGES = parts(STATE)


@fuzz
@given(damage)
def test_damaged_bytes(folder, changes):
    content = damaged(checkpoint(PROGRAM, STORAGES), changes)
    outcome(reading, folder / "damaged.pth", content, check=harmless)


@fuzz
@given(damage)
def test_damaged_pickles_under_right_checksums(folder, changes):
    content = checkpoint(damaged(PROGRAM, changes), STORAGES)
    outcome(reading, folder / "damaged.pth", content, check=harmless)


WORDS = [
    *(b"N", b"}", b"]", b")", b"(", b"t", b"\x85", b"\x86", b"\x87", b"R", b"\x81", b"\x92", b"b"),
    *(b"s", b"u", b"a", b"e", b"d", b"l", b"o", b"0", b"1", b"2", b"Q", b"\x93", b"\x90", b"\x8f"),
    *(b"q\x00", b"q\x01", b"h\x00", b"h\x01", b"\x94", b"K\x04", b"\x82\x01", b"\x97", b"."),
    *(TRAPPED, text("os"), text("mkdir"), text("storage"), text("0"), text("cpu"), text("model")),
    *(b"cos\nmkdir\n", b"ios\nmkdir\n", b"c__builtin__\nset\n", b"ccollections\nOrderedDict\n"),
    *(b"ctorch._utils\n_rebuild_tensor_v2\n", b"ctorch\nFloatStorage\n", tensor()[:-1]),
]


@fuzz
@given(st.lists(st.sampled_from(WORDS), max_size=25))
def test_any_words_of_a_pickle(folder, words):
    content = checkpoint(b"".join(words) + b".", FOUR)
    outcome(reading, folder / "words.pth", content, check=harmless)


def harmless(found):
    assert all(isinstance(one, torch.Tensor) for one in found.values())
    assert sum(one.numel() for one in found.values()) < 100
    assert not pathlib.Path("trapped").exists()
