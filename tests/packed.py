"""Golden cases in little room: most tensors were drawn, so a seed and small differences hold them.

`python tests/packed.py CASE.json...` puts cases, with the safetensors beside them, in tests/golden.

Official cases draw parameters, and some inputs, as mean + std * torch.randn after a seed. Kept is
how far each float32 lies from the one computed here, in units in the last place: mostly -1 to 1.
What was not drawn, as every output, is kept whole. No number is rounded or made anew: `unpack`
gives the official tensors bit for bit or fails. Normals are computed by numpy in float64, for the
last bits of torch's own depend on the processor.
"""

import hashlib
import json
import lzma
import sys
from functools import cache
from pathlib import Path

import numpy as np
import torch
from paths import GOLDEN
from safetensors.numpy import load, load_file, save

DRAWS = 600_000  # how many numbers of a generator are looked through
SEEDS = 3  # a case's seed and those after it, which drew its inputs
BLOCK, HALF = 16, 8  # torch draws 16 normals at once: 8 cosines, then their 8 sines
TIE = 4e-15  # float64 errs by less: farther from a tie, every processor rounds alike
SMALL = 1e-5  # beside 1: of a number below it, few digits would be right
BYTES = tuple(np.uint32(shift) for shift in (0, 8, 16, 24))


def tensors(path):
    """The tensors of a case, packed or not, by the path of its JSON."""
    packed = path.with_suffix(".xz")
    found = unpack(packed.read_bytes()) if packed.is_file() else beside(path)
    return {name: torch.from_numpy(tensor.copy()) for name, tensor in found.items()}


def beside(path):
    return load_file(path.with_suffix(".safetensors"))


def pack(tensors, seeds=()):
    """The bytes that `unpack` takes; `seeds` are those that may have drawn the tensors."""
    kept, draws = dict(tensors), {}
    for name, tensor in tensors.items():
        if drawn := found_draw(tensor, seeds):
            draws[name] = (tensor.shape, *drawn)
            apart = tensor.view(np.int32) - expected(*draws[name])  # what wraps, wraps back
            unsigned = (apart << 1 ^ apart >> 31).view(np.uint32)  # 0, -1, 1, -2 as 0, 1, 2, 3
            kept[name] = np.stack([(unsigned >> shift).astype(np.uint8) for shift in BYTES])
    about = {"draws": json.dumps(draws), "sha256": digest(tensors)}
    return lzma.compress(save(kept, about), preset=9 | lzma.PRESET_EXTREME)


def unpack(content):
    """The tensors that were packed, bit for bit; ValueError where they are others."""
    content = lzma.decompress(content)
    header = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    about, tensors = header["__metadata__"], load(content)
    for name, drawn in json.loads(about["draws"]).items():
        parts = zip(tensors[name].astype(np.uint32), BYTES, strict=True)
        unsigned = sum(part << shift for part, shift in parts)
        apart = (unsigned >> 1).view(np.int32) ^ -(unsigned & 1).view(np.int32)
        tensors[name] = (expected(*drawn) + apart).view(np.float32)
    if digest(tensors) != about["sha256"]:
        raise ValueError("the tensors of this packed case are not those that were packed")
    return tensors


def digest(tensors):
    found = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        found.update(f"{name} {tensor.dtype} {tensor.shape} ".encode() + tensor.tobytes())
    return found.hexdigest()


def expected(shape, seed, at, mean, std):
    """The float32 of a draw, read as integers: neighbours are 1 apart."""
    found = scaled(normals(seed, at, int(np.prod(shape))), mean, std).astype(np.float32)
    return found.reshape(shape).view(np.int32)


def scaled(drawn, mean, std):
    found = mean + std * drawn
    return np.where(np.abs(found) < SMALL * abs(std), 0, found)


def normals(seed, at, count):
    """What torch.randn(count) gives after `at` other numbers, in float64; at least 16."""
    starts = [*range(at, at + count - BLOCK + 1, BLOCK)]
    starts += [at + count] if count % BLOCK else []
    pairs = uniforms(seed)[np.add.outer(starts, np.arange(BLOCK))].reshape(-1, 2, HALF)
    angles = (np.float32(2 * np.pi) * pairs[:, 1]).astype(np.float64)  # rounded as torch rounds
    radii = np.sqrt(-2 * np.log(1 - pairs[:, 0].astype(np.float64)))
    drawn = np.stack((radii * np.cos(angles), radii * np.sin(angles)), axis=1).ravel()
    found = np.empty(count)
    found[: count // BLOCK * BLOCK] = drawn[: count // BLOCK * BLOCK]
    found[-BLOCK:] = drawn[-BLOCK:]  # torch draws the last 16 anew where a block would be cut
    return found


@cache
def uniforms(seed):
    """What torch.rand gives after manual_seed(seed): 24 bits of each word."""
    words = np.random.RandomState(seed).randint(0, 2**32, DRAWS, dtype=np.uint32)
    return (words & 0xFFFFFF).astype(np.float32) / np.float32(2**24)


def found_draw(tensor, seeds):
    """(seed, at, mean, std) of the draw that gave a tensor, or None."""
    values = tensor.ravel().astype(np.float64)
    if tensor.dtype != np.float32 or (values.size < BLOCK + HALF and values.size != BLOCK):
        return None  # the first 8 must be of a block that was not drawn anew
    start = values[:HALF] - values[:HALF].mean()
    for seed in seeds:
        alike = windows(seed) @ start
        at = int(alike.argmax())
        if alike[at] <= (1 - 1e-6) * np.linalg.norm(start):
            continue
        drawn = normals(seed, at, values.size)
        std, mean = np.polyfit(drawn, values, 1)
        if np.abs(mean + std * drawn - values).max() > 1e-5:
            continue
        while near_a_tie(scaled(drawn, mean, std), TIE * (abs(mean) + abs(std))):
            std *= 1 + 1e-9
        return seed, at, float(mean), float(std)
    return None


@cache
def windows(seed):
    """All 8 cosines in a row, from each place of the generator: centred, of length 1."""
    drawn = uniforms(seed).astype(np.float64)
    cosines = np.sqrt(-2 * np.log(1 - drawn[:-HALF])) * np.cos(2 * np.pi * drawn[HALF:])
    found = np.lib.stride_tricks.sliding_window_view(cosines, HALF)
    found = found - found.mean(axis=1, keepdims=True)
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def near_a_tie(exact, error):
    """Whether one of them may be rounded to either of two float32, were it wrong by `error`."""
    rounded = exact.astype(np.float32)
    half = np.spacing(np.abs(rounded)).astype(np.float64) / 2
    return bool(((np.abs(np.abs(exact - rounded) - half) < error) & (exact != 0)).any())


if __name__ == "__main__":
    for case in map(Path, sys.argv[1:]):
        first = json.loads(case.read_text()).get("seed")
        packed = pack(beside(case), range(first, first + SEEDS) if first is not None else ())
        (GOLDEN / f"{case.stem}.xz").write_bytes(packed)
        (GOLDEN / case.name).write_bytes(case.read_bytes())
