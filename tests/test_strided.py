"""StridedTransformer and P-STMO beside their golden cases: strides, codes, single clips."""

import pytest
import torch

from htpbench.backbones.strided import official_strides
from htpbench.errors import BenchError
from htpbench.network.build import build
from htpbench.testing.drawn import noise

BOTH = ["strided", "pstmo"]


@pytest.mark.parametrize(
    ("frames", "strides"),
    [
        (351, (3, 9, 13)),
        (243, (3, 3, 3, 3, 3)),
        (81, (3, 3, 3, 3)),
        (27, (3, 3, 3)),
        (9, (1, 3, 3)),
        (28, (3, 3, 3, 3)),
        (1, (3, 3, 3)),
    ],
)
def test_strides_are_those_of_the_official_code_and_end_at_one(frames, strides):
    assert official_strides(frames) == strides


@pytest.mark.parametrize("backbone", BOTH)
@torch.no_grad()
def test_the_first_code_is_of_frame_numbers_and_later_ones_of_ranks(backbone):
    backbone = build(f"{backbone}.tiny-27").eval().backbone
    tokens, kept = noise(2, 5, 1, backbone.width), torch.tensor([[0, 4, 13, 20, 26]] * 2)
    before = backbone.head(tokens, kept)
    assert not before.allclose(backbone.head(tokens, torch.arange(5).expand(2, -1)))
    unread = {0: [n for n in range(27) if n not in kept[0]], 1: range(2, 27), 2: range(1, 27)}
    for index, code in enumerate(backbone.codes):
        code[:, list(unread[index])] = 9.0  # 5 frames come to 2, to 1, to 1
    assert backbone.head(tokens, kept).equal(before)
    for code in backbone.codes:
        code += noise(*code.shape)  # not one number for all: a norm takes that away
        assert not backbone.head(tokens, kept).allclose(before)
        before = backbone.head(tokens, kept)


@pytest.mark.parametrize("backbone", BOTH)
def test_the_head_for_training_is_silent_in_measurements(backbone):
    lifter = build(f"{backbone}.tiny-27+tps:9@1")
    (clip,) = lifter.example(batch=2)
    assert lifter.eval()(clip).auxiliary is None
    said = lifter.train()(clip).auxiliary
    assert said.poses.shape == (2, 9, 17, 3) and said.frames.equal(said.kept[0])


@pytest.mark.parametrize("backbone", BOTH)
def test_training_by_single_clips_is_refused(backbone):
    lifter = build(f"{backbone}.tiny-27").train()
    with pytest.raises(BenchError, match="--batch of 2 clips or more"):
        lifter(*lifter.example(batch=1))
