"""Weights: official keys, files that are not what they should be, and what a file serves."""

import json
import os
import re
import stat

import pytest
import torch
from paths import SHARED, needs_shared
from safetensors.torch import save_file

from htpbench.errors import BenchError, OtherLengths
from htpbench.network import weights
from htpbench.network.build import build
from htpbench.systems.combination import parse
from htpbench.systems.registry import RECOVERERS

TINY = "mixste.tiny-27+tpc:9@2+tra"


@needs_shared
@pytest.mark.parametrize(
    ("model", "text"),
    [
        ("mixste", "mixste-243"),
        ("hot_mixste", "mixste-243+tpc:81@3+tra"),
        ("tpc_mixste", "mixste-243+tpc:81@3"),
        ("mhformer", "mhformer-351"),
        ("tpc_mhformer", "mhformer-351+tpc:117@1"),
        ("mhformer_f9", "mhformer-9"),
        ("ktpformer", "ktpformer-243"),
        ("strided", "strided-351"),
        ("pstmo", "pstmo-243"),
        ("motionbert", "motionbert-243"),
        ("motionbert_base", "motionbert.original-243"),
        ("hot_motionbert", "motionbert-243+tpc:81@1+tra"),
        ("motionagformer", "motionagformer-243"),
        ("motionagformer_large", "motionagformer.l-243"),
        ("hot_motionagformer", "motionagformer.hot-243+tpc:81@7+tra~bias=false~heads=4"),
    ],
)
def test_official_keys_fit_one_by_one(model, text):
    official = json.loads((SHARED / "keys" / f"{model}.json").read_text())
    combination = parse(text)
    with torch.device("meta"):
        ours = {key: list(tensor.shape) for key, tensor in build(combination).state_dict().items()}
    theirs = [
        (name, value["shape"])
        for key, value in official["state_dict"].items()
        if (name := weights.official_key(key, combination))  # the others are never used
    ]
    assert len(theirs) == len(ours)
    assert dict(theirs) == ours


@pytest.fixture
def tiny():
    torch.manual_seed(0)
    return build(TINY)


def in_a_file(lifter, recoverer="tra"):
    """A lifter's tensors under the names that a file has."""
    return {
        re.sub(r"^recoverer\.", f"recoverer.{recoverer}.", key): tensor.clone()
        for key, tensor in lifter.state_dict().items()
    }


def test_written_and_read_again(tmp_path, tiny):
    path = tmp_path / "new" / "folder" / "tiny.safetensors"
    tensors, card = in_a_file(tiny), {"combination": TINY, "steps": 3}
    weights.write(path, {**tensors, "backbone.turned": torch.arange(6.0).view(2, 3).T}, card)
    found, found_card = weights.read(path)
    assert found.pop("backbone.turned").equal(torch.tensor([[0.0, 3], [1, 4], [2, 5]]))
    assert found_card == card
    assert found.keys() == tensors.keys()
    assert all(found[key].equal(tensors[key]) for key in tensors)
    assert sorted(p.name for p in path.parent.iterdir()) == ["tiny.json", "tiny.safetensors"]
    mask = os.umask(0)
    os.umask(mask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask, "others cannot read it"


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BenchError, match=r"cannot write .*file/w.safetensors.*another folder"):
        weights.write(tmp_path / "file" / "w.safetensors", {"a": torch.ones(1)}, {})


def test_one_file_serves_its_recoverers(monkeypatch, tiny):
    other = type("Other", (RECOVERERS.load("tra"),), {})
    monkeypatch.setitem(RECOVERERS.registered, "trb", other)
    tensors = in_a_file(tiny)
    tensors |= {
        key.replace("recoverer.tra.", "recoverer.trb."): tensor + 1
        for key, tensor in tensors.items()
        if key.startswith("recoverer.")
    }
    torch.manual_seed(1)
    for text, queries in (
        (TINY, tensors["recoverer.tra.queries"]),
        ("mixste.tiny-27+tpc:9@2+trb", tensors["recoverer.trb.queries"]),
        ("mixste.tiny-27+tps:9@2+tri", None),
        ("mixste.tiny-27", None),
    ):
        lifter = build(text)
        weights.load_into(lifter, parse(text), tensors)
        loaded = lifter.state_dict()
        assert loaded["backbone.frame_code"].equal(tensors["backbone.frame_code"])
        if queries is not None:
            assert loaded["recoverer.queries"].equal(queries)


def lose(tensors):
    del tensors["backbone.joint_code"]


def lose_the_recoverer(tensors):
    for key in [key for key in tensors if key.startswith("recoverer.")]:
        del tensors[key]


def add(tensors):
    tensors["backbone.blocks.9.norm"] = torch.ones(1)


def bend(tensors):
    tensors["recoverer.tra.codes.0"] = torch.zeros(1, 13, 32)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lose, ["missing: backbone.joint_code (1)"]),
        (lose_the_recoverer, ["missing: recoverer.attention.key.bias", "(10)"]),
        (add, ["not known: backbone.blocks.9.norm (1)"]),
        (bend, ["wrong shape: recoverer.codes.0 is [1, 13, 32], not [1, 9, 32] (1)"]),
    ],
)
def test_tensors_that_do_not_fit_are_listed_and_not_loaded(tiny, change, said):
    tensors = in_a_file(tiny)
    change(tensors)
    before = {key: tensor.clone() for key, tensor in tiny.state_dict().items()}
    for tensor in tensors.values():
        tensor += 1
    with pytest.raises(BenchError) as refused:
        weights.load_into(tiny, parse(TINY), tensors)
    for words in [f"the weights do not fit {TINY}", *said]:
        assert words in str(refused.value)
    assert all(before[key].equal(tensor) for key, tensor in tiny.state_dict().items())


def test_weights_that_own_lengths_say_which_they_have():
    tensors = in_a_file(build("motionagformer.tiny-27+tps:9@2+tri"), recoverer="tri")
    other = "motionagformer.tiny-27+tps:13@1,9@2+tri"
    said = "the file serves 27@0, 9@2 alone, not 27@0, 13@1, 9@2$"
    with pytest.raises(OtherLengths, match=said):
        weights.load_into(build(other), parse(other), tensors)
    same = "motionagformer.tiny-27+tpc:9@2+tri"
    weights.load_into(build(same), parse(same), tensors)


def test_an_official_checkpoint_with_a_key_of_its_own_is_refused(tiny):
    state = dict(tiny.state_dict())
    weights.load_official(tiny, parse(TINY), state)
    with pytest.raises(BenchError, match=r"not known: module.head.2.weight"):
        weights.load_official(tiny, parse(TINY), {**state, "module.head.2.weight": torch.ones(1)})


@pytest.fixture
def saved(tmp_path, tiny):
    path = tmp_path / "tiny.safetensors"
    weights.write(path, in_a_file(tiny), {"combination": TINY})
    return path


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.999])
def test_a_truncated_file_is_named(saved, share):
    content = saved.read_bytes()
    saved.write_bytes(content[: int(share * len(content))])
    with pytest.raises(BenchError, match=r"tiny.safetensors is not a readable safetensors file"):
        weights.read(saved)


@pytest.mark.parametrize("garbage", [b"hello", b"\xff" * 64, b"\x80\x04\x95" * 30, b"{}"])
def test_a_garbage_file_is_named(saved, garbage):
    saved.write_bytes(garbage)
    with pytest.raises(BenchError, match=r"tiny.safetensors is not a readable safetensors file"):
        weights.read(saved)


@pytest.mark.parametrize("card", [None, b"", b"{", b"\xff\xfe\x00", b"[1, 2]", b'"text"'])
def test_a_missing_or_faulty_card_is_named(saved, card):
    path = saved.with_suffix(".json")
    path.unlink()
    if card is not None:
        path.write_bytes(card)
    with pytest.raises(BenchError, match=r"tiny.json: the weights' card cannot be read"):
        weights.read(saved)


def test_weights_are_found_by_path_or_name(saved):
    assert weights.find(str(saved)) == saved
    with pytest.raises(
        BenchError, match=r"unknown weights 'nonsense'.*path to a .safetensors file"
    ):
        weights.find("nonsense")
    with pytest.raises(BenchError, match=r"weights .*gone.safetensors: No such file"):
        weights.find(str(saved.with_stem("gone")))


def test_every_shipped_file_has_its_card_and_fits():
    for name, path in weights.shipped().items():
        tensors, card = weights.read(path)
        assert weights.find(name) == path
        assert tensors and card


def test_a_file_of_another_writer_can_be_read(tmp_path):
    path = tmp_path / "w.safetensors"
    save_file({"backbone.a": torch.ones(2, dtype=torch.float16)}, path)
    path.with_suffix(".json").write_text("{}")
    tensors, card = weights.read(path)
    assert tensors["backbone.a"].dtype == torch.float16 and card == {}
