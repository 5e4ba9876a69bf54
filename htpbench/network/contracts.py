"""The contracts between backbone, pruner and recoverer, on one page.

Letters in shapes: B batch, F frames of the input clip, f frames still present, r frames kept,
S the axis that is never pruned (joints, or MHFormer's hypotheses), C width, J joints.

No backbone knows that pruning exists, no pruner knows which backbone it runs in: the loop that
joins them is `htpbench.network.lifter.Lifter`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, NamedTuple

from torch import Tensor, nn


class Block(nn.Module, ABC):
    """One place in a backbone's stack before which frames can be pruned."""

    @abstractmethod
    def forward(self, tokens: Tensor, allowed: Tensor | None = None) -> Tensor:
        """(B, f, S, C) -> (B, f, S, C).

        allowed (B, 1 or f, f) bool: frames that temporal attention may look at, the same for all
        (1) or of each frame its own (f).
        """

    def received(self, tokens: Tensor) -> Tensor:
        """(B, f): temporal attention that each frame receives in this block, summing to 1."""
        raise NotImplementedError(f"{type(self).__name__} has no temporal self-attention to read")


class Backbone(nn.Module, ABC):
    """A video pose transformer, cut where frames can be pruned and where they are recovered.

    Built as `cls(frames=F, lengths=lengths, **variant)`: lengths[i] is the number of frames that
    block i sees, `variant` the hyper-parameters of the card.
    """

    inputs: ClassVar[tuple[str, ...]] = ("poses2d",)  # inputs[0] is always the 2D clip
    channels: ClassVar[int] = 2  # 3 where the detection's confidence is an input
    per_length: ClassVar[bool] = False  # True: parameters depend on `lengths`
    length_key: ClassVar[str]  # where per_length: a parameter of each block, one row a frame
    dense: ClassVar[bool] = False  # True: the head needs all F frames (denoisers)
    one_pose: ClassVar[bool] = False  # True: the head makes one pose of all frames, see OnePose
    mixes_frames: ClassVar[bool] = False  # True: blocks mix neighbours, so that no mask holds
    joints: int = 17
    stacked: int = 17  # S
    width: int  # C
    blocks: nn.ModuleList  # of Block; empty: no place to prune

    @abstractmethod
    def embed(self, *inputs: Tensor) -> Tensor:
        """(B, F, J, channels), ... -> (B, F, S, C): all before the first place to prune."""

    def summary(self, tokens: Tensor) -> Tensor:
        """(B, f, S, C) -> (B, f, D): one feature a frame, for clustering."""
        return tokens.mean(dim=2)

    @abstractmethod
    def head(self, tokens: Tensor) -> Tensor:
        """(B, f, S, C) -> (B, f, J, 3), metres: all that follows TRA's place."""

    def auxiliary(self, tokens: Tensor) -> Tensor | None:
        """(B, f, S, C), entering the head -> (B, f, J, 3): a pose a frame, for training alone."""
        return None


class OnePose(Backbone):
    """A backbone whose head contracts the frames: seq2frame by its build."""

    one_pose = True

    @abstractmethod
    def head(self, tokens: Tensor, kept: Tensor) -> Tensor:  # type: ignore[override]
        """(B, f, S, C) of the frames kept (B, f) -> (B, 1, J, 3): the pose of (F - 1) // 2."""


@dataclass(frozen=True)
class View:
    """All that a pruner may look at when block `block` is about to run."""

    tokens: Tensor  # (B, f, S, C), entering the block
    poses2d: Tensor  # (B, F, J, channels), the whole input clip
    kept: Tensor  # (B, f), original frame numbers
    block: int
    stage: int
    keep: Tensor | None  # (B,), position that must survive (the centre in seq2frame)
    summary: Callable[[Tensor], Tensor]
    attention: Callable[[Tensor], Tensor]

    @cached_property
    def features(self) -> Tensor:
        """(B, f, D): the backbone's summary of each frame."""
        return self.summary(self.tokens)

    @cached_property
    def poses(self) -> Tensor:
        """(B, f, J, channels): the 2D poses of the frames still present."""
        index = self.kept[:, :, None, None].expand(-1, -1, *self.poses2d.shape[2:])
        return self.poses2d.gather(1, index)

    def received(self) -> Tensor:
        """(B, f): attention each frame receives in the block about to run."""
        return self.attention(self.tokens)


class Shapes(NamedTuple):
    """What `published_macs` may know: the sizes of one forward pass at batch 1."""

    frames: int  # F
    lengths: tuple[int, ...]  # frames before each pruning
    kept: tuple[int, ...]  # frames after each pruning
    recovered: int  # f frames that come out
    stacked: int  # S
    width: int  # C
    features: int  # D, width of the clustering features
    joints: int  # J
    pruner_counts_itself: bool  # the pruner has published_macs of its own


class Pruner(ABC):
    """Says which frames survive. Keyword arguments of the constructor are its options."""

    static: ClassVar[bool] = False  # True: positions depend on the frame numbers alone
    needs: ClassVar[frozenset[str]] = frozenset()  # {"attention"} if it reads view.received()
    edges: bool = False  # True: until the next pruning a frame looks at itself and its links alone

    @abstractmethod
    def select(self, view: View, r: int) -> Tensor:
        """(B, r) positions in the present sequence: sorted, unique, `view.keep` in them."""

    def links(self, view: View) -> Tensor | None:
        """(B, f, f) bool, symmetric: the graph of frames it selects by; None: it has none."""
        return None


class Recoverer(nn.Module, ABC):
    """Brings the full length back. Built as `cls(frames, ranks, stacked, width)`.

    ranks: frames kept at each stage, or None for weights that serve any schedule.
    """

    where: ClassVar[str]  # "tokens": before the head; "poses": after it
    needs: ClassVar[frozenset[str]] = frozenset()  # {"early"}: `forward` is given these tokens

    def mark(self, tokens: Tensor, kept: Tensor, stage: int) -> Tensor:
        """Called after each pruning with (B, r, S, C) and (B, r); identity unless overridden."""
        return tokens

    @abstractmethod
    def forward(self, x: Tensor, kept: Tensor, frames: Tensor) -> Tensor:
        """(B, r, S, C) or (B, r, J, 3), kept (B, r) -> the same at the frame numbers `frames` (f,).

        With `needs`: early=(B, f, S, C), the tokens of `frames` before the first pruning.
        """


class Lifted(NamedTuple):
    """What a lifter returns."""

    poses: Tensor  # (B, f, J, 3), metres
    frames: Tensor  # (B, f), original number of each pose
    kept: tuple[Tensor, ...]  # one (B, r) a stage, original frame numbers
    auxiliary: Lifted | None = None  # in training: what a head for training alone says

    def among(self, targets: Tensor) -> Tensor:
        """(B, F, J, 3) -> (B, f, J, 3): what is told of all frames, of the frames of the poses."""
        return targets.gather(1, self.frames[:, :, None, None].expand(-1, -1, *targets.shape[2:]))

    def at(self, frame: int) -> Tensor:
        """(B, J, 3): the pose of one original frame, which must be among `frames`."""
        position = (self.frames == frame).int().argmax(dim=1)  # (B,)
        index = position[:, None, None, None].expand(-1, 1, *self.poses.shape[2:])
        return self.poses.gather(1, index)[:, 0]  # (B, J, 3)
