"""Official checkpoints: every layout comes in, poses are those of the official code, traps do not
spring, and nothing is written unless all is well."""

import argparse
import io
import json
import os
import pathlib
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest
import small
import torch
from hypothesis import given
from hypothesis import strategies as st
from official.common import close
from paths import ROOT
from safetensors.torch import load_file
from test_fuzz import damage, damaged, fuzz, outcome

from htpbench import weights
from htpbench.cards import Variant
from htpbench.combination import parse
from htpbench.convert import archive, pickled
from htpbench.convert.convert import convert, read
from htpbench.convert.pickled import OPAQUE, Storage, Stored, follow
from htpbench.convert.spelling import official_spelling
from htpbench.errors import BenchError, OtherLengths
from htpbench.registry import BACKBONES
from htpbench.setting import Setting
from htpbench.study import load

MIXSTE = {"heads": 8, "mlp_ratio": 2.0, "drop_path": 0.0}
STREAMS = {"blocks": 2, "width": 32, "heads": 8, "mlp_ratio": 4.0, "representation": 64}
MHFORMER = {"heads": 8, "hidden": 64, "encoder_depth": 4, "encoder_heads": 9}
DROPS = {"drop_path": 0.0, "dropout": 0.0, "embedding_dropout": 0.0}
# golden case: the combination that it is, and its size
CASES = {
    "mixste-eps": ("mixste.golden-18", {"blocks": 3, "width": 32, **MIXSTE}),
    "hot_mixste-b": ("mixste.golden-21+tpc:7@1+tra", {"blocks": 4, "width": 40, **MIXSTE}),
    "ktpformer-eps": ("ktpformer.golden-18", {"blocks": 3, "width": 32, **MIXSTE}),
    "d3dp_denoiser-a": ("d3dp.golden-9", {"blocks": 3, "width": 32, **MIXSTE}),
    "motionbert-eps": ("motionbert.golden-18", STREAMS),
    "motionagformer-eps": ("motionagformer.golden-18", {**STREAMS, "neighbours": 2}),
    "mhformer-eps": ("mhformer.golden-18", {"blocks": 3, "width": 32, **MHFORMER, **DROPS}),
}
TINY = "mixste-eps"


class Golden:
    """A golden case with the variant that its size is."""

    def __init__(self, name, monkeypatch):
        self.text, size = CASES[name]
        self.combination = None
        variants = BACKBONES.card(self.text.partition(".")[0]).variants
        monkeypatch.setitem(variants, "golden", Variant(**size))
        self.combination = parse(self.text)
        self.tensors = load_file(ROOT / "tests/golden" / f"{name}.safetensors")
        self.state = OrderedDict(
            (key.removeprefix("weights/"), tensor)
            for key, tensor in self.tensors.items()
            if key.startswith("weights/")
        )
        self.inputs, self.expected = (self.tensors["input"],), self.tensors["output"]
        self.tolerance = 1e-5
        if "timesteps" in self.tensors:  # a denoiser
            self.inputs += (self.tensors["input_3d"][:, 0], self.tensors["timesteps"])
            self.expected, self.tolerance = self.tensors["output_single"], 1e-4


@pytest.fixture
def golden(request, monkeypatch):
    return Golden(getattr(request, "param", TINY), monkeypatch)


def wrapped(state):
    return OrderedDict((f"module.{key}", tensor) for key, tensor in state.items())


PASSENGERS = {
    "epoch": np.int64(3),
    "min_loss": np.float64(39.5),
    "lr": 1e-4,
    "random_state": np.random.RandomState(0),
    "generator": np.random.default_rng(0),
    "args": argparse.Namespace(frames=18, out=pathlib.Path("x"), kinds=[int, {1, 2}]),
    "history": np.arange(3.0),
    "optimizer": {"state": {0: {"exp_avg": torch.ones(3)}}, "param_groups": [{"betas": (0.9, 1)}]},
}
LAYOUTS = {
    "bare": (lambda state: state, "bare"),
    "bare, module": (wrapped, "bare, keys with module."),
    "model_pos": (
        lambda state: {**PASSENGERS, "model_pos": wrapped(state)},
        "under model_pos, keys with module.",
    ),
    "model": (lambda state: {"model": state, **PASSENGERS}, "under model"),
    "state_dict": (
        lambda state: {
            "state_dict": {
                key: torch.nn.Parameter(tensor) if tensor.is_floating_point() else tensor
                for key, tensor in state.items()
            }
        },
        "under state_dict",
    ),
}


@pytest.fixture(scope="module")
def setting(tmp_path_factory):
    return Setting(load(str(small.study(tmp_path_factory.mktemp("study")))))


def poses(setting, path, golden):
    """The golden input lifted by what `--weights PATH` gives."""
    mine = setting.under(weights=str(path))
    assert mine.lineage(golden.combination) == "same"
    lifter = mine.lifter(golden.combination).eval()
    if golden.combination.pruner:
        lifter.pruner.noise = golden.tensors["density_noise"]
    with torch.inference_mode():
        return lifter(*golden.inputs).poses


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("golden", CASES, indirect=True)
def test_every_layout_of_every_backbone_gives_the_official_poses(tmp_path, golden, layout, setting):
    hold, said = LAYOUTS[layout]
    source, out = tmp_path / "best.pth", tmp_path / "new" / "best.safetensors"
    torch.save(hold(golden.state), source)
    card, new = convert(source, golden.text, out)
    assert new and card == weights.read(out)[1]
    count = len(golden.state)
    told = card["source"]
    assert (told["layout"], told["keys"], told["found"]) == (said, count, count)
    assert told["missing"] == [] and len(told["sha256"]) == 64
    close(poses(setting, out, golden), golden.expected, golden.tolerance)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_every_protocol_of_pickle(tmp_path, golden, setting, protocol):
    source, out = tmp_path / "best.pth", tmp_path / "best.safetensors"
    torch.save({"model": golden.state, **PASSENGERS}, source, pickle_protocol=protocol)
    convert(source, golden.text, out)
    close(poses(setting, out, golden), golden.expected, golden.tolerance)


def test_views_other_precisions_and_shared_storages_come_in(tmp_path, golden):
    key = "STEblocks.0.mlp.fc1.weight"
    strange = dict(golden.state)
    both = torch.stack([golden.state[key].T, golden.state[key].T])
    strange[key] = both[1].T  # within a larger storage, columns first
    strange["STEblocks.0.norm1.weight"] = golden.state["STEblocks.0.norm1.weight"].double()
    strange["STEblocks.0.norm1.bias"] = strange["STEblocks.0.norm2.bias"]
    torch.save(strange, tmp_path / "a.pth")
    convert(tmp_path / "a.pth", golden.text, tmp_path / "a.safetensors")
    found, _ = weights.read(tmp_path / "a.safetensors")
    assert found["backbone.spatial.mlp.0.weight"].equal(golden.state[key])
    wide = found["backbone.spatial.norm1.weight"]
    assert wide.dtype == torch.float32 and wide.equal(golden.state["STEblocks.0.norm1.weight"])
    assert found["backbone.spatial.norm1.bias"].equal(golden.state["STEblocks.0.norm2.bias"])


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """The verb on best.pth in an empty folder: (exit code, what it said on one line)."""
    monkeypatch.chdir(tmp_path)

    def run(text, *options):
        code = small.call(monkeypatch, "weights", "convert", "best.pth", "--as", text, *options)
        out, err = capsys.readouterr()
        assert "Traceback" not in err and bool(out) != bool(err)
        return code, " ".join((out + err).split())

    return run


def refused(call, *arguments):
    """What the verb says of a file that it must not take; nothing is written or run."""
    before = {path: path.stat().st_mtime_ns for path in pathlib.Path().iterdir()}
    code, said = call(*arguments)
    assert code == 2 and said.startswith("error: "), said
    assert {path: path.stat().st_mtime_ns for path in pathlib.Path().iterdir()} == before
    return said


def test_the_verb_says_what_it_found_and_repeats_itself(call, golden, monkeypatch, tmp_path):
    torch.save({"model_pos": wrapped(golden.state)}, "best.pth")
    code, said = call(golden.text)
    assert code == 0
    count = len(golden.state)
    assert f"keys with module.; {count} of {count} keys (100.0%) of mixste.golden-18" in said
    assert "written: best.safetensors" in said and "sha256: " in said
    assert sorted(os.listdir()) == ["best.json", "best.pth", "best.safetensors"]
    card = json.loads(pathlib.Path("best.json").read_text())
    assert card["source"]["sha256"] in said and "not say how" in card["trained"]
    assert "unchanged: best.safetensors" in call(golden.text)[1]
    motion = small.motion_file(tmp_path)
    told = ["--data", motion, "--weights", "best.safetensors", "--meter", "accuracy"]
    assert small.call(monkeypatch, "run", golden.text, f"{golden.text}+tps:9@1+tri", *told) == 0


def test_another_file_is_not_replaced(call, golden):
    torch.save(golden.state, "best.pth")
    assert call(golden.text, "--out", "mine.safetensors")[0] == 0
    golden.state["head.1.bias"] += 1
    torch.save(golden.state, "best.pth")
    said = refused(call, golden.text, "--out", "mine.safetensors")
    assert "mine.safetensors or its card exists and is something else" in said
    pathlib.Path("best.json").write_text("{}")
    assert "name another with --out" in refused(call, golden.text)
    assert "ends in .safetensors" in refused(call, golden.text, "--out", "mine.pth")


def test_keys_that_do_not_fit_are_listed_in_their_own_spelling(call, golden):
    state = golden.state
    for key in ("TTEblocks.1.norm2.weight", "Temporal_pos_embed"):
        del state[key]
    state["fcn.weight"] = torch.ones(1)
    state["head.1.bias"] = torch.ones(4)
    state["head.0.bias"] = state["head.0.bias"].long()
    torch.save({"model": wrapped(state)}, "best.pth")
    said = refused(call, golden.text)
    count = len(state) + 1
    for words in (
        f"does not fit mixste.golden-18: {count - 4} of {count} keys ({100 - 400 / count:.1f} %)",
        "missing (2): module.TTEblocks.1.norm2.weight module.Temporal_pos_embed",
        "not known (1): module.fcn.weight",
        "module.head.1.bias is [4], not [3]",
        "module.head.0.bias holds torch.int64, not torch.float32",
    ):
        assert words in said
    assert "--missing" not in said


def test_missing_keys_may_be_allowed_one_by_one(call, golden, setting):
    dropped = ("Temporal_pos_embed", "STEblocks.1.norm1.bias")
    for key in dropped:
        del golden.state[key]
    torch.save({"model": wrapped(golden.state)}, "best.pth")
    allowed = ["--missing", "module.Temporal_pos_embed"]
    said = refused(call, golden.text, *allowed)
    assert "missing (1): module.STEblocks.1.norm1.bias --missing KEY allows" in said
    assert "misses no such key" in refused(call, golden.text, "--missing", "head.1.bias")
    allowed += ["--missing", "backbone.blocks.1.spatial.norm1.bias"]
    code, said = call(golden.text, *allowed)
    count = len(golden.state)
    assert code == 0 and f"{count} of {count + 2} keys" in said
    found, card = weights.read(pathlib.Path("best.safetensors"))
    missing = ["backbone.blocks.1.spatial.norm1.bias", "backbone.frame_code"]
    assert card["source"]["missing"] == missing
    assert not found["backbone.blocks.1.spatial.norm1.bias"].any()  # as initialised
    assert "unchanged" in call(golden.text, *allowed)[1]
    assert setting.under(weights="best.safetensors").lifter(golden.combination)


@pytest.mark.parametrize("golden", ["motionagformer-eps"], indirect=True)
def test_lengths_of_its_own_are_told(tmp_path, golden):
    torch.save(golden.state, tmp_path / "a.pth")
    with pytest.raises(OtherLengths, match="file serves 18@0 alone, not 18@0, 9@1\nof another sh"):
        convert(tmp_path / "a.pth", f"{golden.text}+tps:9@1+tri", tmp_path / "a.safetensors")


@pytest.mark.parametrize("golden", ["hot_mixste-b"], indirect=True)
def test_a_checkpoint_with_recovery_is_no_backbone_alone(tmp_path, golden):
    torch.save(golden.state, tmp_path / "a.pth")
    with pytest.raises(BenchError, match=r"100.0 %\)\nnot known \(10\):\n  cross_attention"):
        convert(tmp_path / "a.pth", "mixste.golden-21", tmp_path / "a.safetensors")
    convert(tmp_path / "a.pth", golden.text, tmp_path / "a.safetensors")
    assert "recoverer.tra.queries" in weights.read(tmp_path / "a.safetensors")[0]


# Two spellings come to the same key, and nothing else in the file says which.
LOST = ("CHI_blocks.0.norm2.weight", "CHI_blocks.0.norm2.bias",
        "pattention.attn.norm1.weight", "pattention.attn.norm1.bias")  # fmt: skip


@pytest.mark.parametrize("golden", CASES, indirect=True)
def test_our_keys_are_spelled_as_theirs(golden):
    """With one key gone its exact spelling, but where its kind is gone with it and two would do."""
    keys = list(golden.state)
    for key in keys[::4]:
        ours = weights.official_key(key, golden.combination)
        spelled = official_spelling(ours, golden.combination, [k for k in keys if k != key])
        assert weights.official_key(spelled, golden.combination) == ours
        assert spelled == key or key.endswith(LOST)


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
        (changed(epoch=3), "expected tensors alone, bare or under one of model_pos, model"),
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
def test_states_that_are_none(call, golden, change, words):
    torch.save(change(golden.state), "best.pth")
    assert words in refused(call, golden.text)


def checkpoint(program, members=None, method=zipfile.ZIP_STORED):
    """A zip as torch.save writes it, around any pickle and any storages."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as file:
        file.writestr("archive/data.pkl", program)
        file.writestr("archive/byteorder", "little")
        for name, content in (members or {}).items():
            file.writestr(f"archive/{name}", content)
    return stream.getvalue()


def parts(state):
    """The pickle and the storages that torch.save writes."""
    stream = io.BytesIO()
    torch.save(state, stream)
    with zipfile.ZipFile(stream) as file:
        held = {name.partition("/")[2]: file.read(name) for name in file.namelist()}
    return held.pop("data.pkl"), {n: c for n, c in held.items() if n.startswith("data/")}


class Calls:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *arguments):
        self.reduced = function, arguments

    def __reduce__(self):
        return self.reduced


def text(words):
    return b"X" + struct.pack("<I", len(words)) + words.encode()


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
def test_traps_do_not_spring(call, golden, name):
    pathlib.Path("best.pth").write_bytes(checkpoint(TRAPS[name]))
    said = refused(call, golden.text)
    assert "no checkpoint needs" in said


@pytest.mark.parametrize("name", [name for name in TRAPS if name not in SILENT])
def test_the_traps_would_spring(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    pickle.loads(TRAPS[name])
    assert (tmp_path / "trapped").is_dir()


@pytest.mark.parametrize("place", ["epoch", "model_pos", "state"])
def test_a_trap_beside_good_weights(call, golden, place):
    trap = Calls(os.mkdir, "trapped")
    good = {"model": golden.state, "epoch": 1}
    if place == "state":
        golden.state["head.2.bias"] = trap
    torch.save(good if place == "state" else {**good, place: trap}, "best.pth")
    assert "asks for 'posix.mkdir'" in refused(call, golden.text)


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


def tensor(kind="FloatStorage", key="0", length=4, offset=0, shape=(4,), stride=(1,), name="a"):
    """A state dict of one tensor that says of itself what it likes."""

    def number(n):
        return text(n) if isinstance(n, str) else pickle.dumps(n, 2)[2:-1]

    def numbers(values):
        return b"(" + b"".join(map(number, values)) + b"t"

    storage = b"(" + text("storage") + b"ctorch\n" + kind.encode() + b"\n" + text(key)
    storage += text("cuda:0") + number(length) + b"tQ"
    made = storage + number(offset) + numbers(shape) + numbers(stride) + b"\x89}"
    return b"}" + text(name) + b"ctorch._utils\n_rebuild_tensor_v2\n(" + made + b"tRs."


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


def test_the_format_before_torch_1_6_is_named_with_a_way_out(call, golden):
    torch.save(golden.state, "best.pth", _use_new_zipfile_serialization=False)
    assert "torch before 1.6; write it anew: python -c" in refused(call, golden.text)
    torch.save(torch.load("best.pth", weights_only=True), "best.pth")
    assert call(golden.text)[0] == 0


def test_no_such_file(call, golden):
    assert "best.pth: no such file" in refused(call, golden.text)
    os.mkdir("best.pth")
    assert "best.pth: no such file" in refused(call, golden.text)


def test_a_folder_that_cannot_be_written(call, golden):
    torch.save(golden.state, "best.pth")
    pathlib.Path("file").write_text("in the way")
    assert "cannot write" in refused(call, golden.text, "--out", "file/w.safetensors")


def test_drafts_are_taken_away_where_the_disk_is_full(call, golden, monkeypatch):
    torch.save(golden.state, "best.pth")

    def full(tensors, path):
        path.write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(weights, "save_file", full)
    assert "No space left" in refused(call, golden.text)


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
