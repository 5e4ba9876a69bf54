"""Checkpoints for the tests that convert them: golden cases, layouts, and files made by hand."""

import argparse
import io
import pathlib
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import torch
from packed import tensors
from paths import GOLDEN

from htpbench.systems.cards import Variant
from htpbench.systems.combination import parse
from htpbench.systems.registry import BACKBONES

MIXSTE = {"heads": 8, "mlp_ratio": 2.0, "drop_path": 0.0}
STREAMS = {"blocks": 2, "width": 32, "heads": 8, "mlp_ratio": 4.0, "representation": 64}
MHFORMER = {"heads": 8, "hidden": 64, "encoder_depth": 4, "encoder_heads": 9}
DROPS = {"drop_path": 0.0, "dropout": 0.0, "embedding_dropout": 0.0}
STRIDED = {"blocks": 2, "width": 16, "heads": 8, "strides": []}
UNDROPPED = {"dropout": 0.0, "embedding_dropout": 0.0}
# golden case: the combination that it is, and its size
CASES = {
    "mixste-eps": ("mixste.golden-18", {"blocks": 3, "width": 32, **MIXSTE}),
    "hot_mixste-b": ("mixste.golden-21+tpc:7@1+tra", {"blocks": 4, "width": 40, **MIXSTE}),
    "ktpformer-eps": ("ktpformer.golden-18", {"blocks": 3, "width": 32, **MIXSTE}),
    "d3dp_denoiser-a": ("d3dp.golden-9", {"blocks": 3, "width": 32, **MIXSTE}),
    "motionbert-eps": ("motionbert.golden-18", STREAMS),
    "motionagformer-eps": ("motionagformer.golden-18", {**STREAMS, "neighbours": 2}),
    "strided-eps": ("strided.golden-27", {**STRIDED, **UNDROPPED, "hidden": 32}),
    "pstmo-eps": ("pstmo.golden-27", {**STRIDED, **UNDROPPED, "hidden": 24}),
    "poseformer-eps": ("poseformer.golden-9", {"blocks": 2, "width": 4, **MIXSTE, "heads": 2}),
    "mhformer-eps": ("mhformer.golden-18", {"blocks": 3, "width": 32, **MHFORMER, **DROPS}),
    "stcformer-eps": (
        "stcformer.golden-18",
        {"blocks": 3, "width": 32, "heads": 8, "dropout": 0.0, "part_dropout": 0.0},
    ),
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
        self.tensors = tensors(GOLDEN / f"{name}.json")
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


def refused(conversion, *arguments, **named):
    """What the verb says of a file that it must not take; nothing is written or run."""
    before = {path: path.stat().st_mtime_ns for path in pathlib.Path().iterdir()}
    code, said = conversion(*arguments, **named)
    assert code == 2 and said.startswith("error: "), said
    assert {path: path.stat().st_mtime_ns for path in pathlib.Path().iterdir()} == before
    return said


def checkpoint(program, members=None, method=zipfile.ZIP_STORED):
    """A zip as torch.save writes it, around any pickle and any storages."""
    stream = io.BytesIO()
    held = {"data.pkl": program, "byteorder": "little", **(members or {})}
    with zipfile.ZipFile(stream, "w") as file:
        for name, content in held.items():  # of 1980: today's bytes might be those of a pickle
            file.writestr(zipfile.ZipInfo(f"archive/{name}"), content, method)
    return stream.getvalue()


def parts(state):
    """The pickle and the storages that torch.save writes."""
    stream = io.BytesIO()
    torch.save(state, stream)
    with zipfile.ZipFile(stream) as file:
        held = {name.partition("/")[2]: file.read(name) for name in file.namelist()}
    return held.pop("data.pkl"), {n: c for n, c in held.items() if n.startswith("data/")}


def text(words):
    return b"X" + struct.pack("<I", len(words)) + words.encode()


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
