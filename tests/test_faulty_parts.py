"""The contracts that third parties subclass find what is faulty."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import small
import torch

from htpbench.backbones.mixste import MixSTE, Pair
from htpbench.datasets.synthetic import Synthetic
from htpbench.errors import BenchError
from htpbench.motion.clip import Clip
from htpbench.motion.dataset import Motion
from htpbench.network.contracts import Pruner
from htpbench.network.positions import even_positions, top
from htpbench.pruners.tpc import TPC
from htpbench.pruners.tps import TPS
from htpbench.recoverers.tra import TRA
from htpbench.recoverers.tri import TRI
from htpbench.testing import (
    BackboneContract,
    DatasetContract,
    PrunerContract,
    RecovererContract,
)

SMALL = dict(blocks=3, width=16, heads=2, mlp_ratio=2.0, drop_path=0.1)

synthetic = cache(Synthetic)


# What the contracts are for: each of these faults is found by the test named beside it.


class Unsorted(TPS):
    def select(self, view, r):
        return super().select(view, r).flip(1)


class Drawn(TPC):
    def select(self, view, r):
        self.noise = torch.rand(view.kept.shape) * 1e6
        return super().select(view, r)


class BlindToCentre(TPS):
    def select(self, view, r):
        return super().select(replace(view, keep=None), r)


class BatchMixer(TPC):
    def select(self, view, r):
        return super().select(replace(view, tokens=view.tokens * view.tokens.mean(dim=0)), r)


class Writer(TPC):
    def select(self, view, r):
        view.tokens.add_(1.0)
        return super().select(view, r)


class Undeclared(Pruner):
    def select(self, view, r):
        return top(view.received(), r, view.keep)


class ValueShapes(TPS):
    def select(self, view, r):
        assert int(view.kept.max()) >= r
        return super().select(view, r)


class NotStatic(TPC):
    static = True


@pytest.mark.parametrize(
    ("pruner", "test"),
    [
        (Unsorted, "positions_are_sorted_unique_and_allowed"),
        (BlindToCentre, "positions_are_sorted_unique_and_allowed"),
        (Undeclared, "positions_are_sorted_unique_and_allowed"),
        (Drawn, "same_view_same_positions"),
        (Writer, "same_view_same_positions"),
        (BatchMixer, "each_clip_alone_keeps_the_same"),
        (ValueShapes, "shapes_are_static"),
        (NotStatic, "static_positions_do_not_depend_on_content"),
    ],
)
def test_faulty_pruners_are_found(pruner, test):
    contract = PrunerContract()
    contract.pruner = pruner()
    with pytest.raises((AssertionError, RuntimeError)):
        getattr(contract, f"test_{test}")()


class DeclaredAttention(Undeclared):
    needs = frozenset({"attention"})


class OneWay(TPS):
    """Links every frame to the next alone."""

    def links(self, view):
        n = view.kept.shape[1]
        return torch.eye(n).roll(1, dims=1).bool().expand(len(view.kept), -1, -1)


class Promised(TPS):
    """Declares edges and has no graph."""

    edges = True


@pytest.mark.parametrize(
    ("pruner", "said"), [(OneWay, "a link goes one way"), (Promised, "without links")]
)
def test_faulty_graphs_are_found(pruner, said):
    contract = PrunerContract()
    contract.pruner = pruner()
    with pytest.raises(AssertionError, match=said):
        contract.test_links_are_a_graph()


class TestDeclaredAttention(PrunerContract):
    pruner = DeclaredAttention()


class BlindPair(Pair):
    """Looks at masked frames too, and shares out more attention than there is."""

    def forward(self, tokens, keys=None):
        return super().forward(tokens)

    def received(self, tokens):
        return 2 * super().received(tokens)


class BlindMixSTE(MixSTE):
    def __init__(self, **settings):
        super().__init__(**settings)
        for block in self.blocks:
            block.__class__ = BlindPair
        self.unused = torch.nn.Parameter(torch.ones(1))

    def embed(self, poses2d):
        return super().embed(poses2d + poses2d.mean(dim=0))

    def head(self, tokens):
        poses = super().head(tokens)
        return poses + torch.rand(()) if tokens.device.type == "cpu" else poses[:, :1]

    def summary(self, tokens):
        return tokens


@pytest.mark.parametrize(
    "test",
    [
        "shapes_from_embed_to_head",
        "runs_again_the_same",
        "each_clip_alone_gives_the_same",
        "parameters_learn",
        "masked_frames_are_not_looked_at",
        "each_frame_looks_where_it_may",
        "received_attention_is_shared_out",
        "costs_can_be_counted",
    ],
)
def test_a_faulty_backbone_is_found(test):
    contract = BackboneContract()
    contract.backbone, contract.variant = BlindMixSTE, SMALL
    with pytest.raises(AssertionError):
        getattr(contract, f"test_{test}")()


class ByRank(TRI):
    """Spreads the kept poses evenly, wherever they came from."""

    def forward(self, x, kept, frames):
        even = even_positions(27, kept.shape[1]).expand_as(kept)
        return super().forward(x, even, frames)


class Forgetful(TRA):
    """Loses a frame in `mark`, mixes the batch, ignores what is asked for."""

    def mark(self, tokens, kept, stage):
        return tokens[:, 1:]

    def forward(self, x, kept, frames):
        return super().forward(x + x.mean(dim=0), kept, torch.arange(27, device=x.device))


@pytest.mark.parametrize(
    ("recoverer", "test"),
    [
        (ByRank, "full_length_or_what_is_asked"),
        (Forgetful, "full_length_or_what_is_asked"),
        (Forgetful, "each_clip_alone_gives_the_same"),
        (Forgetful, "mark_keeps_the_shape"),
    ],
)
def test_faulty_recoverers_are_found(recoverer, test):
    contract = RecovererContract()
    contract.recoverer, contract.exact = recoverer, True
    with pytest.raises(AssertionError):
        getattr(contract, f"test_{test}")()


def changed(change, name="a", split="train", subject="S1"):
    clip = synthetic().clips[0]
    return Clip(name, subject, clip.action, split, change(clip.positions.copy()))


def growing(positions):
    return positions * np.linspace(1, 1.05, len(positions), dtype=np.float32)[:, None, None]


@pytest.mark.parametrize(
    ("change", "test"),
    [
        (lambda p: p / 1000, "a_person_in_millimetres_with_z_up"),
        (lambda p: p[:, :, [0, 2, 1]], "a_person_in_millimetres_with_z_up"),
        (lambda p: p[:, np.roll(np.arange(17), 1)], "a_person_in_millimetres_with_z_up"),
        (lambda p: p.astype(np.float64), "clips_have_their_layout"),
        (lambda p: p * np.nan, "clips_have_their_layout"),
        (growing, "bones_stay_constant"),
        (lambda p: p[::40], "nobody_is_faster_than_people_are"),
    ],
)
def test_faulty_motion_is_found(change, test):
    with pytest.raises((AssertionError, BenchError)):
        getattr(DatasetContract(), f"test_{test}")([changed(change)])


def test_a_subject_in_both_splits_is_found():
    clips = (changed(np.asarray), changed(np.asarray, name="b", split="test"))
    with pytest.raises(AssertionError, match="S1"):
        DatasetContract().test_takes_are_named_once_and_subjects_apart(Motion("leaky", clips))


@pytest.mark.parametrize(
    ("changes", "test"),
    [
        ({"poses2d": lambda v: v.poses2d.astype(np.float64)}, "views_have_their_layout"),
        ({"poses2d": lambda v: v.poses2d + np.float32(0.5)}, "views_have_their_layout"),
        ({"poses3d": lambda v: v.poses3d + 1}, "views_have_their_layout"),
        ({"poses3d": lambda v: v.poses3d / 1000}, "views_have_their_layout"),
        ({"stop": lambda v: v.stop - 1}, "views_have_their_layout"),
        ({"rates": lambda v: v.rates * 0}, "views_have_their_layout"),
        ({"valid": lambda v: ~v.valid}, "views_have_their_layout"),
        ({"root": lambda v: v.root + 1000}, "the_2d_is_where_cameras_see_the_3d"),
    ],
)
def test_faulty_views_are_found(changes, test):
    data = small.motion()
    views = data.views("test")
    for sound in (views, replace(views, root=None, cameras=None)):
        DatasetContract().test_views_have_their_layout(data, [sound])
    found = [replace(views, **{name: change(views) for name, change in changes.items()})]
    with pytest.raises(AssertionError):
        if test == "views_have_their_layout":
            DatasetContract().test_views_have_their_layout(data, found)
        else:
            DatasetContract().test_the_2d_is_where_cameras_see_the_3d(found)
