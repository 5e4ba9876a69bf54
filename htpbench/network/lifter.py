"""The lifter: embed, blocks with pruning, recovery, head. It owns the loop that joins the parts."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import cast

import torch
from torch import Tensor, nn

from htpbench.errors import BenchError
from htpbench.network.attention import check_attention
from htpbench.network.checks import check, tried
from htpbench.network.contracts import Backbone, Lifted, OnePose, Pruner, Recoverer, Shapes, View
from htpbench.network.conventions import Conventions
from htpbench.network.positions import even_positions, with_kept
from htpbench.network.token_state import Present, chosen, gathered, itself, masked, unmasked

Span = Callable[[str], AbstractContextManager]


def unmarked(part: str) -> AbstractContextManager:
    """A span that nobody times; a function of a module, for lifters are pickled."""
    return nullcontext()


class Lifter(nn.Module):
    """A combination as a network: 2D clip (B, F, J, channels) in, `Lifted` out.

    recovered: f, how many evenly spaced frames the recoverer brings back.
    centred: the centre frame (F - 1) // 2 survives every pruning (seq2frame).
    masked: the first pruning leaves all frames in place and bars attention from those it dropped,
    until the next pruning or the end; what comes out is the same.
    conventions: how the backbone's joints and numbers differ from ours.
    """

    def __init__(
        self,
        backbone: Backbone,
        frames: int,
        pruner: Pruner | None = None,
        schedule: tuple[tuple[int, int], ...] = (),
        recoverer: Recoverer | None = None,
        recovered: int | None = None,
        centred: bool = False,
        masked: bool = False,
        conventions: Conventions | None = None,
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.conventions = conventions or Conventions()
        self.recoverer = recoverer
        self.pruner = pruner
        self.schedule = schedule
        self.frames = frames
        self.recovered = recovered or frames
        self.centred = centred
        self.masked = masked
        self.span: Span = unmarked  # a meter times parts by name

    @property
    def centre(self) -> int:
        """The frame that seq2frame predicts."""
        return (self.frames - 1) // 2

    def with_schedule(
        self,
        schedule: tuple[tuple[int, int], ...],
        pruner: Pruner | None = None,
        recoverer: Recoverer | None = None,
    ) -> Lifter:
        """The same parameters under another schedule, by default with the same parts.

        BenchError as in `build`: lengths that own parameters, attention that is not there.
        """
        if self.backbone.per_length:
            wanted = ",".join(f"{r}@{b}" for r, b in schedule)
            raise BenchError(
                f"{type(self.backbone).__name__} has parameters for each frame of its own "
                f"schedule; build it anew for {wanted}"
            )
        pruner = pruner or self.pruner
        if pruner and "attention" in pruner.needs:
            check_attention(type(pruner).__name__, schedule, self.backbone)
        return Lifter(
            self.backbone,
            self.frames,
            pruner,
            schedule,
            recoverer or self.recoverer,
            self.recovered,
            self.centred,
            self.masked,
            self.conventions,
        )

    def forward(self, *inputs: Tensor, replay: tuple[Tensor, ...] | None = None) -> Lifted:
        """Lift a clip; `replay`: keep the frames of another pass, its `kept` (flip, hypotheses).

        A graph of links is not replayed: it is that of the clip at hand.
        """
        batch, device = inputs[0].shape[0], inputs[0].device
        frames = torch.arange(self.frames, device=device).expand(batch, -1)  # (B, F)
        present = Present(self.embed(*inputs), frames)
        early: Tensor | None = None
        places = {block for _, block in self.schedule}
        needed = self.recoverer is not None and "early" in self.recoverer.needs
        kept_per_stage: list[Tensor] = []
        for index, block in enumerate(self.backbone.blocks):
            if needed and not kept_per_stage:
                early = present.tokens  # else nothing holds what is pruned
            if index in places:
                replayed = replay[len(kept_per_stage)] if replay is not None else None
                present = self.prune(present, kept_per_stage, inputs[0], index, replayed)
            present = present._replace(tokens=block(present.tokens, present.allowed))
        present = unmasked(present, kept_per_stage)
        return self.finish(present, tuple(kept_per_stage), early)

    def embed(self, *inputs: Tensor) -> Tensor:
        """(B, F, S, C): the tokens of all frames."""
        with self.span("embed"):
            return self.backbone.embed(self.conventions.enter(inputs[0]), *inputs[1:])

    def prune(
        self,
        present: Present,
        kept_per_stage: list[Tensor],
        poses2d: Tensor,
        block: int,
        replayed: Tensor | None,
    ) -> Present:
        """What enters a block before which frames are pruned; appends those kept, (B, r).

        replayed (B, r): the original numbers of the frames to keep, instead of the pruner's.
        """
        stage, r = len(kept_per_stage), self.schedule[len(kept_per_stage)][0]
        with self.span("prune"):
            present = unmasked(present, kept_per_stage)
            view = self.view(present, poses2d, block, stage)
            if replayed is None:
                positions = self.pruner.select(view, r)  # type: ignore[union-attr]
                check(positions, view.kept, r, self.pruner)
            else:
                positions = torch.searchsorted(view.kept.contiguous(), replayed)
            links = self.links(view)
            tokens = chosen(present.tokens, positions)  # (B, r, S, C)
            kept_per_stage.append(view.kept.gather(1, positions))
        if self.recoverer is not None:
            with self.span("recover"):
                tokens = self.recoverer.mark(tokens, kept_per_stage[-1], stage)
        if self.masked and stage == 0:
            return masked(tokens, present, positions, links)
        return gathered(tokens, view.kept, positions, links)

    def links(self, view: View) -> Tensor | None:
        """(B, n, n) bool: the frames that each may look at, where the pruner's graph says so."""
        if self.pruner is None or not self.pruner.edges:
            return None
        links = self.pruner.links(view)
        if links is None:
            return None
        return links | itself(links)

    def finish(
        self, present: Present, kept_per_stage: tuple[Tensor, ...], early: Tensor | None
    ) -> Lifted:
        """Recover before or after the head, as the recoverer declares."""
        tokens, kept = present.tokens, present.frames
        if self.recoverer is None:
            return self.head(tokens, kept, kept_per_stage)
        wanted = even_positions(self.frames, self.recovered, tokens.device)  # (f,)
        if self.centred:
            centre = torch.full((1,), self.centre, device=wanted.device)
            wanted = with_kept(wanted[None], centre)[0]
        frames = wanted.expand(tokens.shape[0], -1)  # (B, f)
        more = {} if early is None else {"early": early[:, wanted]}
        if self.recoverer.where == "tokens":
            with self.span("recover"):
                tokens = self.recoverer(tokens, kept, wanted, **more)  # (B, f, S, C)
            return self.head(tokens, frames, kept_per_stage)
        lifted = self.head(tokens, kept, kept_per_stage)
        with self.span("recover"):
            poses = self.recoverer(lifted.poses, kept, wanted, **more)  # (B, f, J, 3)
        return lifted._replace(poses=poses, frames=frames)

    def head(self, tokens: Tensor, frames: Tensor, kept: tuple[Tensor, ...]) -> Lifted:
        """What is said of tokens (B, f, S, C) of `frames` (B, f), in the parameters' precision."""
        backbone, leave = self.backbone, self.conventions.leave
        with self.span("head"):
            tokens = tokens.to(next(backbone.parameters(), tokens).dtype)
            said = backbone.auxiliary(tokens) if self.training else None
            auxiliary = None if said is None else Lifted(leave(said), frames, kept)
            if backbone.one_pose:
                centre = frames.new_full((frames.shape[0], 1), self.centre)
                one = cast(OnePose, backbone).head(tokens, frames)
                return Lifted(leave(one), centre, kept, auxiliary)
            return Lifted(leave(backbone.head(tokens)), frames, kept, auxiliary)

    def view(
        self,
        present: Present,
        poses2d: Tensor,
        block: int,
        stage: int,
    ) -> View:
        """What the pruner of one stage may look at."""
        frames = present.frames
        keep = (frames == self.centre).int().argmax(dim=1) if self.centred else None  # (B,)
        return View(
            tokens=present.tokens,
            poses2d=poses2d,
            kept=frames,
            block=block,
            stage=stage,
            keep=keep,
            summary=self.backbone.summary,
            attention=self.backbone.blocks[block].received,  # type: ignore[arg-type]
        )

    def try_pruner(self) -> None:
        """Let the pruner choose on drawn clips, stage after stage; Faulty names its mistake."""
        with torch.device("cpu"), torch.random.fork_rng(devices=[]), torch.no_grad():
            torch.manual_seed(0)
            poses2d, *_ = self.example(batch=2)  # of one clip, positions for all would go unseen
            kept = torch.arange(self.frames).repeat(len(poses2d), 1)  # (B, F)
            for stage, (r, block) in enumerate(self.schedule):
                tokens = torch.randn(*kept.shape, self.backbone.stacked, self.backbone.width)
                view = self.view(Present(tokens, kept), poses2d, block, stage)
                kept = kept.gather(1, tried(self.pruner, view, r))  # (B, r)

    def shapes(self) -> Shapes:
        """The sizes of one forward pass, for published costs; features counted on `meta`."""
        backbone = self.backbone
        kept = tuple(r for r, _ in self.schedule)
        probe = torch.empty(1, 1, backbone.stacked, backbone.width, device="meta")
        return Shapes(
            frames=self.frames,
            lengths=(self.frames, *kept)[: len(kept)],
            kept=kept,
            recovered=self.recovered,
            stacked=backbone.stacked,
            width=backbone.width,
            features=backbone.summary(probe).shape[-1],
            joints=backbone.joints,
            pruner_counts_itself=hasattr(self.pruner, "published_macs"),
        )

    def example(self, batch: int = 1, device: str = "cpu", seed: int = 0) -> tuple[Tensor, ...]:
        """Random inputs of the right shapes: a 2D clip (B, F, J, channels), what else is asked."""
        clip = (batch, self.frames, self.backbone.joints)
        channels = self.backbone.channels
        known = {"poses2d": (*clip, channels), "noisy3d": (*clip, 3), "time": (batch,)}
        shapes = {name: known[name] for name in self.backbone.inputs}
        if device == "meta":
            return tuple(torch.empty(shape, device="meta") for shape in shapes.values())
        generator = torch.Generator().manual_seed(seed)
        drawn = {n: torch.rand(s, generator=generator).to(device) for n, s in shapes.items()}
        if "time" in drawn:
            drawn["time"] = (1000 * drawn["time"]).long()
        return tuple(drawn.values())
