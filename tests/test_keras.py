"""Official weights in files of Keras: names come out alike whatever was built before, axes as torch
has them, and nothing in a file is trusted. No file of the authors was at hand: these are written
here, by the names that their code gives (../shared/keys/uplift.json)."""

import json
import re
import sys

import h5py
import numpy as np
import pytest
import torch
from packed import tensors
from paths import GOLDEN, SHARED, needs_shared

from htpbench.convert import keras
from htpbench.convert.convert import convert
from htpbench.errors import BenchError
from htpbench.network import weights
from htpbench.systems.cards import Variant
from htpbench.systems.combination import parse
from htpbench.systems.registry import BACKBONES

MODEL = "uplift_upsample_transformer"
PLAIN = {
    "keypoint_embedding": f"{MODEL}/keypoint_embedding",
    "spatial_norm": f"{MODEL}/spatial_norm",
    "spatial_to_temporal_mapping": f"{MODEL}/spatial_to_temporal_fc",
    "head1.0": f"{MODEL}/temporal_fc",
    "head2.0": f"{MODEL}/strided_temporal_fc",
}
CODES = {
    "spatial_pos_encoding.pe": "spatial_pe/positional_encoding_weights",
    "temporal_pos_encoding.pe": "temporal_pe/positional_encoding_weights",
    "learnable_strided_input_token_layer.learnable_token": (
        "strided_input_token_layer/learnable_masked_token"
    ),
}
PARTS = ("wq", "wk", "wv", "projection", "fc1", "fc2")
SMALL = dict(blocks=2, width=16, heads=8, mlp_ratio=2.0, drop_path=0.0, spatial_blocks=2,
             spatial_width=8, strides=[4, 4, 3], paddings=[(1, 1), (0, 0), (0, 0)], barred=1,
             frames=41)  # fmt: skip


class Naming:
    """Keras' names of weights, by their attributes; `before`: layers of each kind built before."""

    def __init__(self, keys, before=0):
        self.before = before
        places = {"spatial": 0, "temporal": 0, "strided_temporal": 0}
        for key in keys:
            if found := re.match(r"(\w+)_blocks\.(\d+)\.", key):
                places[found[1]] = max(places[found[1]], int(found[2]) + 1)
        self.plain = places["spatial"] + places["temporal"]
        self.first = {"spatial": 0, "temporal": places["spatial"], "strided_temporal": self.plain}

    def of(self, key):
        if found := re.fullmatch(r"strided_temporal_pos_encodings\.(\d+)\.pe", key):
            place = f"strided_temporal_pe_{int(found[1]) + 1}/positional_encoding_weights"
        elif found := re.fullmatch(r"(\w+)_blocks\.(\d+)\.(\w+)(?:\.(\w+))?\.(\w+)", key):
            place = f"{self.root}/{self.block(*found.groups())}"
        elif key in CODES:
            place = CODES[key]
        else:
            layer, _, last = key.rpartition(".")
            place = f"{PLAIN[layer].replace(MODEL, self.root)}/{last}"
        return f"{place}:0"

    @property
    def root(self):
        return self.numbered(MODEL, 0)

    def numbered(self, kind, number):
        number += self.before
        return f"{kind}_{number}" if number else kind

    def block(self, kind, index, module, layer, last):
        place = self.first[kind] + int(index)
        past = max(place - self.plain, 0)  # strided blocks before
        dense = 6 * (place - past) + 4 * past
        if module.startswith("norm"):
            inner = self.numbered("layer_normalization", 2 * place + int(module[-1]) - 1)
        elif module == "attn":
            inner = self.numbered("mha", place)
            inner += "/" + self.numbered("dense", dense + PARTS.index(layer))
        elif kind == "strided_temporal":
            inner = self.numbered("strided_mlp", int(index))
            number = 2 * int(index) + (layer == "strided_conv")
            inner += "/" + self.numbered("conv1d", number)
        else:
            inner = self.numbered("mlp", place) + "/"
            inner += self.numbered("dense", dense + PARTS.index(layer))
        return f"{kind}_block_{int(index) + 1}/{inner}/{last}"


def save(path, named):
    """As Keras 2 saves: a group for each direct part of the model, with its weights' names."""
    layers = {}
    for name in named:
        first, second, *_ = name.split("/")
        layers.setdefault(second if first.startswith(MODEL) else first, []).append(name)
    with h5py.File(path, "w") as file:
        file.attrs["layer_names"] = [layer.encode() for layer in layers]
        file.attrs["backend"] = b"tensorflow"
        file.create_group("top_level_model_weights").attrs["weight_names"] = []
        for layer, names in layers.items():
            group = file.create_group(layer)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name in names:
                group.create_dataset(name, data=named[name])


def expected(state, text):
    """Our names, and kernels with the axes of outputs first."""
    combination = parse(text)
    return {
        weights.official_key(key, combination): torch.from_numpy(
            np.ascontiguousarray(one.T if key.endswith(".kernel") else one)
        )
        for key, one in state.items()
    }


def converted(path, state, text, before):
    naming = Naming(state, before)
    save(path, {naming.of(key): one for key, one in state.items()})
    out = path.with_suffix(".safetensors")
    card, _ = convert(path, text, out)
    assert card["source"]["keys"] == card["source"]["found"] == len(state)
    assert card["source"]["layout"] == "bare"
    found, wanted = weights.read(out)[0], expected(state, text)
    assert found.keys() == wanted.keys()
    assert all(found[name].equal(wanted[name]) for name in wanted)


@pytest.fixture
def state(monkeypatch):
    """The weights of the golden case by attribute, and a variant of its size."""
    monkeypatch.setitem(BACKBONES.card("uplift").variants, "golden", Variant(**SMALL))
    found = tensors(GOLDEN / "uplift-eps.json")
    return {k[8:]: one.numpy() for k, one in found.items() if k.startswith("weights/")}


@pytest.mark.parametrize("before", [0, 3, 95])
def test_names_of_layers_do_not_depend_on_what_was_built_before(tmp_path, state, before):
    """With 3 before, the layers of one attention are dense_9 to dense_12."""
    converted(tmp_path / "best.h5", state, "uplift.golden-41", before)


@needs_shared
def test_the_published_size_comes_in_by_the_names_of_the_official_code(tmp_path):
    told = json.loads((SHARED / "keys/uplift.json").read_text())["state_dict"]
    names = {key: one["keras_name"] for key, one in told.items()}
    assert {key: Naming(told).of(key) for key in told} == names and len(names) == 192
    rng = np.random.default_rng(0)
    state = {key: rng.normal(size=one["shape"]).astype(np.float32) for key, one in told.items()}
    converted(tmp_path / "best.h5", state, "uplift-71", 2)


NAME = "model/dense/kernel:0"


@pytest.fixture
def file(tmp_path):
    """A file of one weight; the tests change it."""
    path = tmp_path / "best.h5"
    with h5py.File(path, "w") as file:
        layer = file.create_group("dense")
        layer.attrs["weight_names"] = [NAME.encode()]
        layer.create_dataset(NAME, data=np.ones((2, 3), np.float32))
    return path


def other(**asked):
    """Another dataset in the place of the one that is there."""

    def change(file):
        del file["dense"][NAME]
        file["dense"].create_dataset(NAME, **asked)

    return change


def linked(link):
    def change(file):
        del file["dense"][NAME]
        file["elsewhere"] = np.ones((2, 3), np.float32)
        file["dense"][NAME] = link
        del file["elsewhere"]

    return change


def unlisted(file):
    del file["dense"].attrs["weight_names"]


def twice(file):
    file.copy("dense", "dense_1")


def virtual(file):
    del file["dense"][NAME]
    layout = h5py.VirtualLayout((2, 3), "f4")
    layout[:] = h5py.VirtualSource("/etc/hostname", "data", (2, 3))
    file["dense"].create_virtual_dataset(NAME, layout)


def enormous(file):
    """Numbers that the file does not hold are zeros to HDF5, however many."""
    other(shape=(2**20, 2**20), dtype="f4")(file)


def many(file):
    for number in range(keras.MOST_PARTS):
        file["dense"].create_group(f"more_{number}")


def circular(file):
    file["dense"]["model"]["again"] = file["dense"]


def named(name):
    def change(file):
        file["dense"].create_dataset(name, data=np.ones(2, np.float32))

    return change


FAULTS = {
    "integers": (other(data=np.ones((2, 3), np.int32)), "expected numbers of float16, 32 or 64"),
    "text": (other(data=["a"], dtype=h5py.string_dtype()), "expected numbers of float"),
    "big-endian": (other(data=np.ones(2, ">f4")), "expected numbers of float"),
    "nothing": (other(data=h5py.Empty("f4")), "is not what is there"),
    "packed": (other(data=np.ones((2, 3), "f4"), compression="gzip"), "is packed or elsewhere"),
    "another file's numbers": (
        other(shape=(6,), dtype="f4", external=[("/etc/hostname", 0, 24)]),
        "is packed or elsewhere",
    ),
    "virtual": (virtual, "is packed or elsewhere"),
    "enormous": (enormous, "which is not what is there"),
    "a link": (linked(h5py.SoftLink("/elsewhere")), "is neither group nor numbers"),
    "another file": (linked(h5py.ExternalLink("o.h5", "/x")), "is neither group nor numbers"),
    "a type": (lambda file: file.__setitem__("x", np.dtype("f4")), "is neither group nor numbers"),
    "no name": (named("kernel"), "'kernel' is no name that Keras gives"),
    "too long a name": (named("x" * 400 + ":0"), "is no name that Keras gives"),
    "no text": (named("\x1b:0"), "is no name that Keras gives"),
    "in circles": (circular, "more than 16384 parts, or 16 within each other"),
    "many parts": (many, "more than 16384 parts"),
    "no names": (unlisted, "has no weight_names; expected what Keras 2 writes"),
    "twice": (twice, "model.0.dense.0.kernel is there twice"),
    "no layer": (lambda file: file.create_dataset("x", data=1.0), "'' is no name"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_save_weights_does_not_write_is_refused(file, fault):
    change, words = FAULTS[fault]
    assert keras.contents(file).keys() == {"model.0.dense.0.kernel"}
    with h5py.File(file, "r+") as opened:
        change(opened)
    with pytest.raises(BenchError, match=f"^{re.escape(str(file))}: .*{words}"):
        keras.contents(file)


def test_more_than_the_file_holds_is_refused(file):
    """One dataset under many names would add up to any size."""
    with h5py.File(file, "r+") as opened:
        layer = opened["dense"]
        layer["model/dense_0/kernel:0"] = np.ones(2**18, np.float32)
        for number in range(1, 9):
            layer[f"model/dense_{number}/kernel:0"] = layer["model/dense_0/kernel:0"]
    with pytest.raises(BenchError, match="more than the file holds"):
        keras.contents(file)


@pytest.mark.parametrize("left", [0, 5, 100, 900])
def test_a_file_cut_short_is_refused(file, left):
    file.write_bytes(file.read_bytes()[:left])
    with pytest.raises(BenchError, match="not a readable HDF5 file of Keras"):
        keras.contents(file)


def test_the_extra_is_named_where_h5py_is_missing(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(BenchError, match=r"pip install htpbench\[keras\]"):
        keras.contents(file)
