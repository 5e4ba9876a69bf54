"""Packed golden cases: bit for bit what was packed, small where it was drawn, never another."""

import lzma

import numpy as np
import packed
import pytest
import torch
from paths import GOLDEN

SEED = 7


@pytest.fixture
def drawn():
    """Draws of every length that torch treats in its own way, and what was not drawn."""
    torch.manual_seed(SEED)
    made = {f"drawn {n}": 1 + 0.15 * torch.randn(n) for n in (3, 16, 18, 24, 70, 5000)}
    made["shaped"] = torch.randn(6, 5, 4) * 0.02
    made["bits"] = torch.tensor([0.0, -0.0, float("nan"), float("inf"), 1e-45] * 5)
    made["constant"] = torch.ones(32)
    made["whole"] = torch.arange(40)
    made["scalar"] = torch.tensor(2.0, dtype=torch.float64)
    return {name: tensor.numpy() for name, tensor in made.items()}


def test_every_bit_comes_back(drawn):
    content = packed.pack(drawn, [SEED - 1, SEED])
    found = packed.unpack(content)
    assert found.keys() == drawn.keys()
    for name, tensor in drawn.items():
        assert (found[name].dtype, found[name].shape) == (tensor.dtype, tensor.shape), name
        assert found[name].tobytes() == tensor.tobytes(), name
    whole = packed.pack(drawn)
    assert len(content) < 0.3 * len(whole)
    assert packed.digest(packed.unpack(whole)) == packed.digest(drawn)


@pytest.mark.parametrize("count", [16, 17, 31, 32, 70, 1000])
@pytest.mark.parametrize("before", [0, 16, 40])
def test_normals_are_those_of_torch(count, before):
    torch.manual_seed(SEED)
    torch.rand(before)
    theirs = torch.randn(count).numpy()
    assert np.abs(packed.normals(SEED, before, count) - theirs).max() < 2e-6


@pytest.mark.parametrize("towards", [-np.inf, np.inf])
def test_a_processor_may_round_float64_otherwise(monkeypatch, towards):
    """All committed cases: log, sine and cosine are wrong in their last bit."""
    for name in ("log", "sin", "cos"):
        right = getattr(np, name)
        monkeypatch.setattr(np, name, lambda x, right=right: np.nextafter(right(x), towards))
    for path in sorted(GOLDEN.glob("*.xz")):
        packed.unpack(path.read_bytes())


def test_a_number_that_changed_is_told(drawn):
    content = bytearray(lzma.decompress(packed.pack(drawn, [SEED])))
    content[-1] ^= 1
    with pytest.raises(ValueError, match="not those that were packed"):
        packed.unpack(lzma.compress(bytes(content)))
