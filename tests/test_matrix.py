"""The grid: every backbone with every pruner and recoverer, as `ls --matrix` tells and as it is.

A cell is run at its tiny size, forward and backward, in every use that is not on the list below.
"""

import re
from collections import Counter

import pytest
import small
import torch

from htpbench.errors import BenchError
from htpbench.network.build import build
from htpbench.network.contracts import Backbone, Block
from htpbench.network.matrix import Cell, cell, counted, grid
from htpbench.systems.cards import BackboneCard, shipped
from htpbench.systems.registry import BACKBONES, PRUNERS

KEPT = (13, 9, 5, 3)  # frames after each stage
RECOVERERS = (None, *shipped("recoverer"))
COLUMNS = [(pruner, recoverer) for pruner in shipped("pruner") for recoverer in RECOVERERS]

ONE_POSE = ("poseformer", "strided", "pstmo", "uplift")

# All that built systems refuse each other, with the words of the real refusal. "*": any of them;
# recoverer None: no recoverer. A refusal that comes or goes must come or go here.
REFUSED = {
    # Nothing would bring the frames back that seq2seq must return.
    ("*", "*", None, "seq2seq"): "seq2seq needs a recoverer",
    # Its first temporal block owns F x F and F x C parameters.
    ("ktpformer", "*", "*", "b = 0"): "expected b from 1 to 3 for ktpformer",
    # CHI has cross-attention between hypotheses alone.
    **{
        ("mhformer", name, "*", "b = 2"): f"{name} reads the attention of block 2, which has none"
        for name in ("tpa", "mgptp", "htp")
    },
    # BatchNorm over frames: each length has parameters of its own.
    ("motionagformer", "*", "*", "any schedule"): "motionagformer cannot serve any schedule",
    ("motionagformer", "*", "*", "masked"): "motionagformer cannot be masked",
    # Its 3 x 3 convolutions see whichever frames lie beside each other.
    ("stcformer", "*", "*", "masked"): "stcformer cannot be masked",
    **{
        ("stcformer", name, "*", "edges"): "blocks of stcformer mix neighbouring frames"
        for name in ("htp", "tcep")
    },
    # A U-net over time has no block whose frames are free.
    ("hdformer", "*", "*", "any use"): "hdformer has no block before which frames can be pruned",
    # Their heads make one pose of all frames.
    **{
        (name, "*", "*", "seq2seq"): f"{name} gives one pose a clip, not seq2seq"
        for name in ONE_POSE
    },
    **{
        (name, "*", "tri", "any use"): f"tri recovers poses, and {name} gives one a clip"
        for name in ONE_POSE
    },
    # Its strided layers fit one length each.
    ("uplift", "*", None, "any use"): "uplift needs all F frames at its head",
    ("uplift", "*", "tra", "f < F"): "uplift needs all F frames at its head",
    ("uplift", "*", "trc", "f < F"): "uplift needs all F frames at its head",
    # A denoiser is called again with what it returned.
    ("d3dp", "*", None, "any use"): "d3dp needs all F frames at its head",
    ("d3dp", "*", "tra", "f < F"): "d3dp needs all F frames at its head",
    ("d3dp", "*", "trc", "f < F"): "d3dp needs all F frames at its head",
    ("d3dp", "*", "tri", "f < F"): "d3dp needs all F frames at its head",
}


def listed(backbone, pruner, recoverer):
    """Use -> words of the refusal, of one cell, from the fixed list."""
    found = {}
    for (*names, use), words in REFUSED.items():
        asked = (backbone, pruner, recoverer)
        if all(one in ("*", other) for one, other in zip(names, asked, strict=True)):
            found[use] = words
    return {"any use": found["any use"]} if "any use" in found else found


def spelled(backbone, pruner, recoverer, stages):
    """A combination of the tiny size; stages: (r, b)."""
    schedule = ",".join(f"{r}@{b}" for r, b in stages)
    text = f"{small.tiny(backbone)}+{pruner}:{schedule}"
    return text if recoverer is None else f"{text}+{recoverer}"


def attempt(backbone, pruner, recoverer, use):
    """Build a cell for one use: pruned before one block where the use names it, else the last."""
    blocks = BACKBONES.card(backbone).variants["tiny"].blocks
    b = int(use[4:]) if use.startswith("b = ") else max(places(backbone, pruner, recoverer))
    assert b < max(blocks, 1)
    pruner = f"{pruner}~edges=1" if use == "edges" else pruner
    text = spelled(backbone, pruner, recoverer, [(5, b)])
    text += ":5" if use == "f < F" else ""
    pipeline = "seq2seq" if use == "seq2seq" else None
    how = dict(any_schedule=use == "any schedule", masked=use == "masked")
    return build(text, pipeline, **how)


def places(backbone, pruner, recoverer):
    """The blocks before which a cell can be pruned, by the fixed list."""
    blocks = range(BACKBONES.card(backbone).variants["tiny"].blocks) or [0]
    return [b for b in blocks if f"b = {b}" not in listed(backbone, pruner, recoverer)]


class Once:
    """A backbone's class that builds one for all who ask alike: here nobody runs it."""

    def __init__(self, cls):
        self.cls, self.known = cls, {}

    def __getattr__(self, name):
        return getattr(self.cls, name)

    def __call__(self, **asked):
        if repr(asked) not in self.known:
            self.known[repr(asked)] = self.cls(**asked)
        return self.known[repr(asked)]


@pytest.mark.parametrize("backbone", shipped("backbone"))
def test_the_grid_tells_what_is_refused_and_all_else_can_be_built(backbone, monkeypatch):
    once = Once(BACKBONES.load(backbone))
    monkeypatch.setattr(BACKBONES, "load", lambda name: once)
    uses = {f"b = {b}" for b in range(BACKBONES.card(backbone).variants["tiny"].blocks)}
    uses |= {"seq2seq", "any schedule", "masked"}
    for pruner, recoverer in COLUMNS:
        names = (backbone, pruner, recoverer)
        found, expected = cell(*names, variant="tiny"), listed(*names)
        assert found.refusals.keys() == expected.keys(), names
        assert found.state == ("refused" if "any use" in expected else "works"), names
        asked = uses | ({"f < F"} if recoverer else set())
        asked |= {"edges"} if "edges" in PRUNERS.card(pruner).options else set()
        for use in {"any use"} if "any use" in expected else asked:
            if use in expected:
                with pytest.raises(BenchError, match=re.escape(expected[use])):
                    attempt(*names, use)
            else:
                attempt(*names, use)


@pytest.mark.parametrize(("pruner", "recoverer"), COLUMNS)
@pytest.mark.parametrize("backbone", shipped("backbone"))
def test_runs_forward_and_backward(backbone, pruner, recoverer):
    refused = listed(backbone, pruner, recoverer)
    allowed = places(backbone, pruner, recoverer)
    for pipeline in ("seq2seq", "seq2frame"):
        if {pipeline, "any use"} & refused.keys():
            continue
        for stages in sorted({1, min(4, len(allowed))}):  # those between are beginnings of the last
            before = allowed[:stages] if pipeline == "seq2seq" else allowed[-stages:]
            schedule = list(zip(KEPT, before, strict=False))
            run(spelled(backbone, pruner, recoverer, schedule), pipeline, schedule)


def run(text, pipeline, schedule):
    """One step of training: shapes, the kept frames, and gradients."""
    lifter = build(text, pipeline)
    torch.manual_seed(0)
    lifted = lifter.train()(*lifter.example(batch=2))
    framewise = pipeline == "seq2frame"
    target = lifted.at(lifter.centre) if framewise else lifted.poses
    loss = target.square().mean()
    if lifted.auxiliary:
        loss = loss + lifted.auxiliary.poses.square().mean()
    loss.backward()
    length = lifter.frames if lifter.recoverer else schedule[-1][0]
    length = 1 if lifter.backbone.one_pose else length
    assert lifted.poses.shape == (2, length, 17, 3), (text, pipeline)
    assert [kept.shape for kept in lifted.kept] == [(2, r) for r, _ in schedule], text
    if framewise:
        assert all((kept == lifter.centre).any(dim=1).all() for kept in lifted.kept), text
    gradients = [p.grad for p in lifter.parameters() if p.grad is not None]
    assert all(gradient.isfinite().all() for gradient in gradients), (text, pipeline)
    learning = sum(bool(gradient.any()) for gradient in gradients)
    assert learning > 0.9 * len(list(lifter.parameters())), (text, pipeline)


def test_the_whole_grid_is_told(monkeypatch, capsys):
    cells = grid()
    states = Counter(one.state for one in cells.values())
    whole = len(shipped("backbone")) * len(COLUMNS)
    assert states["works"] + states["refused"] == whole
    assert small.call(monkeypatch, "ls", "--matrix") == 0
    lines = capsys.readouterr().out.splitlines()
    heads = lines[1].split()
    assert heads == BACKBONES.names()
    split = [re.split(r"\s{2,}", line.strip()) for line in lines[3:]]
    rows = {name: states for name, *states in split}
    notes = dict(re.findall(r"^\((\d+)\) (.+)$", "\n".join(lines), flags=re.MULTILINE))
    for (backbone, pruner, recoverer), one in cells.items():
        said = rows[pruner if recoverer is None else f"{pruner}+{recoverer}"][heads.index(backbone)]
        state, _, numbers = said.partition(" (")
        assert state == one.state, (backbone, pruner, recoverer)
        told = {notes[number] for number in numbers.rstrip(")").split()}
        assert told == {f"{use}: {reason}" for use, reason in one.refusals.items()}
    assert counted(list(cells.values())) in lines


def test_under_an_engine_no_pass_is_replayed(monkeypatch, capsys):
    usual, engine = grid(), grid("onnxruntime")
    for names, one in engine.items():
        more = {*one.refusals} - {*usual[names].refusals}
        refused = usual[names].state == "refused" or names[0] == "d3dp"
        assert more == (set() if refused else {"seq2frame, flip"}), names
        assert one.state == usual[names].state
    assert small.call(monkeypatch, "ls", "--matrix", "--engine", "onnxruntime") == 0
    assert "seq2frame, flip: onnxruntime replays no frames" in capsys.readouterr().out
    assert small.call(monkeypatch, "ls", "--matrix", "--engine", "onxruntime") == 2
    assert "did you mean onnxruntime" in capsys.readouterr().err
    assert small.call(monkeypatch, "ls", "--engine", "onnxruntime") == 2


def test_states_are_counted():
    part = Cell({"seq2seq": "it needs a recoverer"})
    cells = [Cell({}), Cell({}), part, Cell({"any use": "x"})]
    assert (
        counted(cells) == "4 cells: 3 work (1 of them not in every use: see the notes), 1 refused"
    )


class Deaf(Block):
    def forward(self, tokens, keys=None):
        return tokens


class Deafs(Backbone):
    def __init__(self, frames, lengths, blocks):
        super().__init__()
        self.blocks = torch.nn.ModuleList(Deaf() for _ in range(blocks))

    def embed(self, *inputs):
        return inputs[0]

    def head(self, tokens):
        return tokens


def test_backbones_of_other_houses_are_in_the_grid(monkeypatch):
    monkeypatch.setitem(BACKBONES.registered, "deaf", Deafs)
    assert cell("deaf", "tps", "tri").refusals == {
        "any use": "deaf needs a class attribute `card`: a BackboneCard"
    }
    words = dict(title="Deaf", summary="", citation="", pipeline="seq2seq", default="only")
    Deafs.card = BackboneCard(**words, variants={"only": {"blocks": 2}})
    assert cell("deaf", "tps", "tri").refusals == {}
    assert cell("deaf", "tpa", "tri").state == "refused"
    assert (
        grid()["deaf", "tpa", "tri"].refusals["any use"] == "tpa reads attention, which deaf lacks"
    )


def test_a_refusal_that_goes_is_seen(monkeypatch):
    """What the list is for: were CHI readable, the grid would no longer agree with it."""
    monkeypatch.setattr("htpbench.network.matrix.blind", lambda backbone, variant: [])
    with pytest.raises(AssertionError, match="b = 2"):
        test_the_grid_tells_what_is_refused_and_all_else_can_be_built("mhformer", monkeypatch)
