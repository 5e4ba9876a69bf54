"""Temporal correlation-enhanced pruning of HTP; the form is ours (docs/htp.md)."""

from __future__ import annotations

import torch
from torch import Tensor

from htpbench.errors import BenchError, unknown
from htpbench.network.contracts import Pruner, View
from htpbench.network.positions import ahead, exactly, highest, top

CORRELATIONS = ("both", "motion", "pose")
SCORES = ("diverse", "central")
SOURCES = ("tokens", "poses2d")


class TCEP(Pruner):
    """Keeps r frames by their place on a temporal graph: each frame with the n most like it.

    Frames are alike where pose and motion point the same way: the mean of the cosines of the
    frames' features and of their central differences, or one of the two (`correlation`). A graph
    links j to i where either is among the other's n most alike. "diverse" keeps frames unlike
    their neighbours on it, "central" those with the most and the most alike neighbours. With
    `coverage` the best frame of each of ceil(r / 2) equal spans comes first. Before them come the
    first and the last frame, and before these the centre of seq2frame.

    of: what a frame's features are: "tokens", or "poses2d", the 2D pose relative to its root, which
    is the same for all hypotheses and steps of a clip. edges: until the next pruning attention goes
    along the links of the graph alone.
    """

    def __init__(
        self,
        n: int = 8,
        correlation: str = "both",
        score: str = "diverse",
        coverage: int = 1,
        of: str = "tokens",
        edges: int = 0,
    ) -> None:
        if n < 1:
            raise BenchError(f"tcep: n = {n} neighbours; expected at least 1")
        if correlation not in CORRELATIONS:
            raise unknown("correlation of tcep", correlation, CORRELATIONS)
        if score not in SCORES:
            raise unknown("score of tcep", score, SCORES)
        if of not in SOURCES:
            raise unknown("source of tcep", of, SOURCES)
        self.n = n
        self.correlation = correlation
        self.score = score
        self.coverage = bool(coverage)
        self.of = of
        self.edges = bool(edges)

    @torch.no_grad()  # selection has no gradient
    def select(self, view: View, r: int) -> Tensor:
        """See Pruner."""
        return top(self.ranked(self.scores(self.features(view)), r), r, view.keep)

    @torch.no_grad()
    def links(self, view: View) -> Tensor:
        """See Pruner."""
        return self.nearest(self.alike(self.features(view)))

    def features(self, view: View) -> Tensor:
        """(B, f, D): what frames are compared by."""
        if self.of == "tokens":
            return view.features
        return (view.poses - view.poses[:, :, :1])[..., :2].flatten(2)  # joint 0 is the root

    def scores(self, features: Tensor) -> Tensor:
        """(B, f, D) -> (B, f): what each frame is worth on the graph."""
        alike = self.alike(features)  # (B, f, f)
        links = self.nearest(alike)  # (B, f, f) bool
        if self.score == "central":
            return (links * alike).sum(dim=-1)
        return (links * (1 - alike)).sum(dim=-1) / links.sum(dim=-1).clamp(min=1)

    def alike(self, features: Tensor) -> Tensor:
        """(B, f, D) -> (B, f, f) from -1 to 1, exactly symmetric; a still clip has motion 0."""
        features = features.to(torch.promote_types(features.dtype, torch.float32))
        after = torch.cat((features[:, 1:], features[:, -1:]), dim=1)
        before = torch.cat((features[:, :1], features[:, :-1]), dim=1)
        with exactly(features.device):
            parts = {"pose": cosines(features), "motion": cosines(after - before)}
        if self.correlation == "both":
            return (parts["pose"] + parts["motion"]) / 2
        return parts[self.correlation]

    def nearest(self, alike: Tensor) -> Tensor:
        """(B, f, f) -> (B, f, f) bool, symmetric: the n most alike of each frame, both ways."""
        length = alike.shape[-1]
        itself = torch.eye(length, dtype=torch.bool, device=alike.device)
        near = alike.masked_fill(itself, float("-inf"))
        links = highest(near, min(self.n, length)) & near.isfinite()
        return links | links.transpose(1, 2)

    def ranked(self, scores: Tensor, r: int) -> Tensor:
        """(B, f): scores as ranks; the ends come first, then the best of each span."""
        length = scores.shape[1]
        rank = length - ahead(scores).sum(dim=-1)  # (B, f): f for the best, then f - 1
        frame = torch.arange(length, device=scores.device)
        if self.coverage:
            spans = -(-r // 2)
            span = (2 * frame + 1) * spans // (2 * length)  # (f,)
            inside = span == torch.arange(spans, device=span.device)[:, None]  # (spans, f)
            best = torch.where(inside, rank[:, None], 0).amax(dim=-1)  # (B, spans)
            rank = rank + length * (rank == best[:, span])
        ends = (frame == 0) | (frame == length - 1)  # setting them would copy from the host
        return (rank + 2 * length * ends).float()


def cosines(vectors: Tensor) -> Tensor:
    """(B, f, D) -> (B, f, f): cosines between all pairs, 0 where a vector is 0."""
    unit = vectors / vectors.norm(dim=-1, keepdim=True).clamp(min=1e-8)
    product = unit @ unit.transpose(1, 2)
    return torch.minimum(product, product.transpose(1, 2))  # exactly symmetric
