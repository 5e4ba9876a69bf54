"""What official checkpoints hold: prefixes, safetensors, and keys that are no names."""

import json
import struct
import tracemalloc

import pytest
import torch
from checkpoints import refused
from safetensors.torch import save_file

from htpbench.convert.official import LONGEST, MOST_KEYS, read
from htpbench.convert.spelling import Spelling
from htpbench.network import weights

STACKS = ("module.", "_orig_mod.", "model.", "module.module.", "module._orig_mod.", "net.module.")


@pytest.mark.parametrize("prefix", STACKS)
def test_prefixes_that_all_keys_share_are_taken_off(conversion, golden, prefix):
    torch.save({"model_pos": {prefix + k: v for k, v in golden.state.items()}}, "best.pth")
    code, said = conversion(golden.text)
    count = len(golden.state)
    assert code == 0 and f"under model_pos, keys with {prefix}; {count} of {count} keys" in said


def test_a_prefix_that_one_key_lacks_is_no_prefix(conversion, golden):
    state = {f"model.{key}": tensor for key, tensor in golden.state.items()}
    state["head.1.bias"] = state.pop("model.head.1.bias")
    torch.save(state, "best.pth")
    count = len(state)
    said = refused(conversion, golden.text)
    assert f"(bare) does not fit mixste.golden-18: 1 of {count} keys" in said
    assert f"not known ({count - 1}): model." in said


def test_missing_keys_are_spelled_with_their_prefixes(conversion, golden):
    del golden.state["Temporal_pos_embed"]
    torch.save({f"_orig_mod.module.{k}": v for k, v in golden.state.items()}, "best.pth")
    assert "missing (1): _orig_mod.module.Temporal_pos_embed" in refused(conversion, golden.text)
    for allowed in ("Temporal_pos_embed", "_orig_mod.module.Temporal_pos_embed"):
        assert conversion(golden.text, "--missing", allowed)[0] == 0


def test_safetensors_come_in_as_pickles_do(conversion, golden, tmp_path, monkeypatch):
    state = {f"module.{key}": tensor for key, tensor in golden.state.items()}
    state["module.head.1.bias"] = state["module.head.1.bias"].bfloat16()
    torch.save(state, "best.pth")
    assert conversion(golden.text)[0] == 0
    expected, _ = weights.read(tmp_path / "best.safetensors")
    save_file(state, "best.pth.safetensors")
    said = refused(conversion, golden.text, source="best.pth.safetensors")
    assert "exists and is something else; name another with --out" in said
    options = ("--out", "other.safetensors")
    code, said = conversion(golden.text, *options, source="best.pth.safetensors")
    assert code == 0 and "bare, keys with module.;" in said and "(100.0%)" in said
    found, card = weights.read(tmp_path / "other.safetensors")
    assert card["source"]["file"] == "best.pth.safetensors"
    assert found.keys() == expected.keys()
    assert all(found[name].equal(expected[name]) for name in found)


def flat(header):
    header = json.dumps(header).encode() if isinstance(header, dict) else header
    return struct.pack("<Q", len(header)) + header


EMPTY = {"shape": [0], "data_offsets": [0, 0]}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "not a readable safetensors file"),
        (b"PK\x03\x04" * 9, "a header of"),
        (struct.pack("<Q", 2**40), "a header of 1099511627776 bytes; expected at most"),
        (flat(b"[" * 99_999), "not a readable safetensors file"),
        (flat({}), "found none"),
        (flat({"a": {**EMPTY, "dtype": "F8_E4M3"}}), "a tensor of 1 axes and F8_E4M3"),
        (flat({"a": {**EMPTY, "dtype": "F32", "shape": [0] * 99}}), "a tensor of 99 axes and F32"),
        (flat({"a" * 60_000: {**EMPTY, "dtype": "F32"}}), "... of 60000 characters"),
        (flat({"a": {**EMPTY, "dtype": "F32", "shape": [2**40]}}), "not a readable safetensors"),
    ],
)
def test_safetensors_that_lie(conversion, golden, tmp_path, content, words):
    (tmp_path / "best.safetensors").write_bytes(content)
    assert words in refused(conversion, golden.text, source="best.safetensors")


ONE = torch.ones(1)


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"a" * 60_000: ONE}, "found (1): 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa'... of 60000 characters"),
        ({"a" * LONGEST: ONE}, "... of 300 characters"),
        ({10**5000: ONE}, "found (1): a key that is no text"),
        ({"model": {"a": ONE, -(10**400): ONE}}, "found (1): a key that is no text"),
        ({"a": ONE, None: ONE, 1.5: ONE, (1, 2): ONE}, "found (1): a key that is no text"),
        ({str(n): ONE for n in range(MOST_KEYS + 1)}, f"found {MOST_KEYS + 1}"),
    ],
    ids=range(6),
)
def test_keys_that_are_no_names(conversion, golden, state, words):
    torch.save(state, "best.pth")
    said = refused(conversion, golden.text)
    assert words in said and "their names below 300 characters" in said and len(said) < 1000


def test_the_longest_name_is_a_name(tmp_path):
    torch.save({"a" * (LONGEST - 1): ONE}, tmp_path / "best.pth")
    assert [*read(tmp_path / "best.pth").state] == ["a" * (LONGEST - 1)]


def test_spelling_does_not_hold_every_start_of_every_key(golden):
    keys = [f"{n:05}" + "a." * 146 for n in range(2000)]  # all starts of all keys: 100 MB
    tracemalloc.start()
    assert Spelling(golden.combination, keys).of("backbone.joint_code") == "Spatial_pos_embed"
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6
