"""The grid of `ls --matrix`: every backbone with every pruner and recoverer, and what is refused.

All of it is read from cards and from what classes declare; only the blocks that have attention to
read are looked up, on a backbone of few frames on `meta`. A test asks the real `build` and runs
every cell.
"""

from __future__ import annotations

from collections import Counter
from functools import cache
from typing import NamedTuple

import torch
from rich.box import SIMPLE_HEAD
from rich.console import Group
from rich.table import Column, Table

from htpbench.network.attention import readable
from htpbench.outside.fitting import Fitting
from htpbench.systems.cards import BackboneCard
from htpbench.systems.refusals import WHOLLY, refusals
from htpbench.systems.registry import BACKBONES, PRUNERS, RECOVERERS

BRIEF = {"works": "+", "refused": "-"}  # where a terminal is narrow


class Cell(NamedTuple):
    """What becomes of one backbone with one pruner and one recoverer, or with none."""

    refusals: dict[str, str]  # use -> reason; uses are "b = 0", "seq2seq", "f < F", ...

    @property
    def state(self) -> str:
        """works or refused; a cell that works may refuse some uses."""
        return "refused" if WHOLLY in self.refusals else "works"


def grid(engine: str = "eager") -> dict[tuple[str, str, str | None], Cell]:
    """(backbone, pruner, recoverer) -> its cell, of all that is known, as an engine runs it."""
    columns = [(p, r) for p in PRUNERS.names() for r in (None, *RECOVERERS.names())]
    return {(b, p, r): cell(b, p, r, engine=engine) for b in BACKBONES.names() for p, r in columns}


def cell(
    backbone: str,
    pruner: str,
    recoverer: str | None,
    variant: str | None = None,
    engine: str = "eager",
) -> Cell:
    """One cell, for the default variant unless another is named."""
    card = BACKBONES.card(backbone)
    if not isinstance(card, BackboneCard):
        return Cell({WHOLLY: f"{backbone} needs a class attribute `card`: a BackboneCard"})
    found = refusals(backbone, pruner, recoverer)
    if "attention" in PRUNERS.load(pruner).needs and WHOLLY not in found:
        blocks = blind(backbone, variant or card.default)
        for b in blocks:
            found[f"b = {b}"] = f"{pruner} reads attention, which this block of {backbone} lacks"
        if len(blocks) == card.variants[variant or card.default].blocks:
            found[WHOLLY] = f"{pruner} reads attention, which {backbone} lacks"
    for b in range(card.first):
        found[f"b = {b}"] = f"{backbone} can be pruned from b = {card.first} on"
    if engine != "eager" and "noisy3d" not in BACKBONES.load(backbone).inputs:
        found["seq2frame, flip"] = f"{engine} replays no frames of another pass: set flip = false"
    return Cell({WHOLLY: found[WHOLLY]} if WHOLLY in found else found)


@cache
def blind(backbone: str, variant: str) -> list[int]:
    """The blocks that can be pruned before, and that have no temporal attention to read."""
    card = BACKBONES.card(backbone)
    assert isinstance(card, BackboneCard)
    size = card.variants[variant]
    frames = size.frames or 3 * card.multiple_of
    with torch.device("meta"):
        built = BACKBONES.load(backbone)(
            frames=frames, lengths=[frames] * size.blocks, **size.parameters()
        )
    return [b for b in range(card.first, size.blocks) if b not in readable(built)]


def matrix(engine: str = "eager") -> Group:
    """The grid as a table, a count of its cells, and the reason of every refusal below it."""
    cells = grid(engine)
    notes = list(dict.fromkeys(note for cell in cells.values() for note in cell.refusals.items()))
    brief = Group(drawn(cells, notes, brief=True), ", ".join(f"{b} {a}" for a, b in BRIEF.items()))
    said = [f"({i}) {use}: {reason}" for i, (use, reason) in enumerate(notes, 1)]
    return Group(Fitting(drawn(cells, notes), brief), counted(list(cells.values())), *said)


def drawn(
    cells: dict[tuple[str, str, str | None], Cell],
    notes: list[tuple[str, str]],
    brief: bool = False,
) -> Table:
    """A line a pruner and recoverer, a column a backbone."""
    heads = [Column(name, overflow="fold") for name in BACKBONES.names()]
    table = Table(
        Column("", no_wrap=True), *heads, box=SIMPLE_HEAD, collapse_padding=True, pad_edge=False
    )
    for pruner, recoverer in dict.fromkeys((p, r) for _, p, r in cells):
        row = [cells[backbone, pruner, recoverer] for backbone in BACKBONES.names()]
        system = pruner if recoverer is None else f"{pruner}+{recoverer}"
        table.add_row(system, *(spelled(one, notes, brief) for one in row))
    return table


def spelled(cell: Cell, notes: list[tuple[str, str]], brief: bool = False) -> str:
    """`works (1 3)`, or `+ 1 3`: the state, and the numbers of the notes on it."""
    numbers = " ".join(str(notes.index(note) + 1) for note in cell.refusals.items())
    if brief:
        return f"{BRIEF[cell.state]} {numbers}".strip()
    return f"{cell.state} ({numbers})" if numbers else cell.state


def counted(cells: list[Cell]) -> str:
    """How many cells there are of each state."""
    states = Counter(cell.state for cell in cells)
    partly = sum(cell.state == "works" and bool(cell.refusals) for cell in cells)
    return (
        f"{len(cells)} cells: {states['works']} work ({partly} of them not in every use: see the "
        f"notes), {states['refused']} refused"
    )
