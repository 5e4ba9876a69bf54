"""Pruners with mistakes are named, with what they returned, before anything is measured."""

import time

import pytest
import small
import torch

from htpbench.bench.devices import deadline
from htpbench.errors import Faulty, TimedOut
from htpbench.measuring import kept
from htpbench.measuring.evaluation import prepare
from htpbench.measuring.prediction import predict
from htpbench.network.build import build
from htpbench.network.checks import check
from htpbench.pruners.tps import TPS
from htpbench.systems.registry import PRUNERS

# What each does to the right positions, [0, 4, 8] of 9 for each of two clips; what is said of it.
MISTAKES = {
    "none": (lambda view, good: None, "returned None; expected positions"),
    "empty": (lambda view, good: (), "returned a tuple; expected positions"),
    "listed": (lambda view, good: good.tolist(), "returned a list; expected positions"),
    "numpyy": (lambda view, good: good.numpy(), "returned a ndarray; expected"),
    "floats": (lambda view, good: good * torch.nan, r"returned torch.float32 of shape \[2, 3\]"),
    "short": (lambda view, good: good.int(), r"returned torch.int32 of shape \[2, 3\] on cpu"),
    "mask": (lambda view, good: view.kept == 4, r"returned torch.bool of shape \[2, 9\]"),
    "elsewhere": (lambda view, good: good.to("meta"), r"\[2, 3\] on meta; expected .* on cpu$"),
    "fewer": (lambda view, good: good[:, 1:], r"int64 of shape \[2, 2\] .*int64 of shape \[2, 3\]"),
    "flat": (lambda view, good: good[0], r"returned torch.int64 of shape \[3\] on cpu"),
    "one_for_all": (lambda view, good: good[:1], r"returned torch.int64 of shape \[1, 3\]"),
    "outside": (lambda view, good: good + 1000, "positions outside 0 to 8: 1000, 1004, 1008$"),
    "negative": (lambda view, good: good - 1, "positions outside 0 to 8: -1, 3, 7$"),
    "twice": (lambda view, good: good * 0 + 4, "a position twice: 4, 4, 4$"),
    "unsorted": (lambda view, good: good.flip(1), "positions that do not rise: 8, 4, 0$"),
    "second_clip": (lambda view, good: good * torch.tensor([[1], [0]]), "twice: 0, 0, 0$"),
    "random": (lambda view, good: good - torch.randint(2, (3,)) * (good > 0), "asked again"),
    "boom": (lambda view, good: 1 / 0, r"failed \(test_positions.py, line \d+\): ZeroDivisionE"),
    "writer": (lambda view, good: good + 0 * int(view.tokens.add_(1).sum()), "view.tokens in pla"),
    "painter": (lambda view, good: good + 0 * int(view.poses2d.neg_().sum()), "view.poses2d in"),
}


@pytest.fixture
def mistaken(monkeypatch):
    """Make a pruner known that does what it should, changed."""

    def make(name, wrong):
        class Mistaken(TPS):
            def select(self, view, r):
                return wrong(view, super().select(view, r).clone())

        monkeypatch.setitem(PRUNERS.registered, name, Mistaken)

    return make


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_is_named(mistaken, name):
    wrong, said = MISTAKES[name]
    mistaken(name, wrong)
    with pytest.raises(Faulty, match=f"^the pruner {name} .*{said}"):
        build(f"mixste.tiny-9+{name}:3@1+tri")


def test_the_centre_frame_must_stay_in_seq2frame_alone(mistaken):
    mistaken("shy", lambda view, good: good - (good == 4).int())
    build("mixste.tiny-9+shy:3@1+tri")
    with pytest.raises(Faulty, match=r"the pruner shy .*without the centre .*: 0, 3, 8$"):
        build("mixste.tiny-9+shy:3@1")


def test_every_stage_is_tried(mistaken):
    mistaken("numbers", lambda view, good: view.kept.gather(1, good))
    build("mixste.tiny-9+numbers:5@1+tri")
    with pytest.raises(Faulty, match=r"the pruner numbers .* outside 0 to 4: 0, 4, 8$"):
        build("mixste.tiny-9+numbers:5@1,3@2+tri")


def test_the_shape_is_looked_at_in_every_pass(mistaken):
    mistaken("squeezed", lambda view, good: good.squeeze(0))
    lifter = build("mixste.tiny-9+squeezed:3@1+tri")
    with pytest.raises(Faulty, match=r"the pruner squeezed returned torch.int64 of shape \[3\]"):
        lifter(*lifter.example(batch=1))


def test_a_pass_reads_no_value():
    kept, positions = torch.empty(2, 9, device="meta"), torch.empty(2, 3, device="meta")
    check(positions.long(), kept, 3, None)  # on meta there are no values to read


def test_meters_look_at_what_was_kept_of_their_clips(mistaken):
    mistaken("moody", lambda view, good: good.flip(1) if view.poses2d.min() < 0 else good)
    lifter = build("mixste.tiny-9+moody:3@1+tri")  # drawn clips lie between 0 and 1
    evaluation = prepare(small.motion(), 9, "seq2seq", limit=4)
    with pytest.raises(Faulty, match="the pruner moody returned positions that do not rise"):
        predict(lifter, evaluation.views, evaluation.windows)
    with pytest.raises(Faulty, match="the pruner moody returned positions that do not rise"):
        kept.measure(lifter, evaluation)


def test_trying_ends_at_the_time_limit(mistaken):
    mistaken("slow", lambda view, good: time.sleep(60))
    with pytest.raises(TimedOut), deadline(0.2):
        build("mixste.tiny-9+slow:3@1+tri")


def test_trying_draws_no_random_numbers():
    drawn = []
    for text in ("mixste.tiny-9", "mixste.tiny-9+tpc:5@1,3@2+tri"):
        torch.manual_seed(0)
        build(text)
        drawn.append(torch.rand(1))
    assert drawn[0].equal(drawn[1])


def test_one_mistake_fails_alone(mistaken, monkeypatch, capsys, tmp_path):
    small.quick(monkeypatch)
    mistaken("boom", MISTAKES["boom"][0])
    names = [f"mixste.tiny-9+{name}:3@1+tri" for name in ("boom", "tps")]
    arguments = ["--meter", "cost", "--results", tmp_path]
    assert small.call(monkeypatch, "run", *names, *arguments) != 2
    said = capsys.readouterr().out
    assert "the pruner boom failed" in " ".join(said.split()) and names[1] in said
    assert small.call(monkeypatch, "cost", names[0]) == 1, "none was counted: docs/cli.md"
    assert f"left out: {names[0]}: the pruner boom failed" in "".join(capsys.readouterr())
