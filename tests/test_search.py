"""Search: constraints in words, the space, samplers, brute force, costs without tracing each."""

import random
from collections import Counter
from itertools import pairwise

import numpy as np
import optuna
import pytest
import small
import torch

from htpbench.bench.runner import Runner
from htpbench.errors import BenchError
from htpbench.measuring import additive, counting
from htpbench.measuring.additive import Costs, ranked
from htpbench.network.build import build
from htpbench.records.rows import Row, Store
from htpbench.search.suggest import excesses, sampler, suggest
from htpbench.search.sweep import Trials, sweep
from htpbench.study import constraint, space
from htpbench.study.loading import load
from htpbench.study.search import Search
from htpbench.systems.combination import parse

BOTH = ["mixste.tiny-9", "motionbert.tiny-27"]
BASE = {"backbone": "mixste.tiny-9", "pruners": ["tps", "tpc"], "recoverers": ["tri", "tra"]}


def search(**changes):
    return Search(**{**BASE, "trials": 5, **changes})


def brute(**changes):
    return Search(**{**BASE, "sampler": "brute", **changes})


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("cost.flops <= 0.2e9", 2e8, 2.1e8),
        (" time.speedup>=1.2 ", 1.2, 1.1),
        ("time.p90 <= 30 ms", 0.03, 0.031),
        ("time.p90<=0.03s", 0.03, 0.031),
        ("cost.flops <= .2 G", 2e8, 2.1e8),
    ],
)
def test_a_constraint_is_read_and_says_how_far_it_is_passed(text, inside, outside):
    read = constraint.parse(text)
    assert read.excess(inside) <= 0 < read.excess(outside)
    assert constraint.parse(str(read)) == read


@pytest.mark.parametrize(
    "text",
    ["cost.flops < 1", "cost.flops <= x", "<= 1", "a <= nan", "a <= 1.2.3", "a <= 1e999", ""],
)
def test_what_is_no_constraint_is_refused(text):
    with pytest.raises(BenchError, match="expected METRIC <= NUMBER"):
        search(constraints=[text])


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"r": [9]}, "search.r has .9.: expected numbers from 1 to 8"),
        ({"b": [4, 0]}, "search.b has .4.: expected numbers from 0 to 3"),
        ({"r": [3, 3]}, "each number once"),
        ({"r": [3], "least": 2}, "search.least goes without search.r"),
        ({"pruners": ["tps", "tps"]}, "each once"),
        ({"pruners": ["tcep", "tcep~n=8"]}, "each once"),
        ({"pruners": ["tcep~m=8"]}, "unknown option of tcep 'm'"),
        ({"trials": None}, "search.trials"),
        ({"sampler": "brute"}, "not with \"brute\""),
        ({"backbone": "poseformer.tiny-9"}, "tps with tri on poseformer.tiny-9: .*; leave it out"),
        ({"backbone": "hdformer.tiny-16"}, "hdformer has no block"),
        ({"backbone": []}, "`backbone` is ..; expected backbones, each once"),
        ({"backbone": [*BOTH, BOTH[0]]}, "`backbone` is .*expected backbones, each once"),
        ({"backbone": ["mixste-9", "mixste.paper-9"]}, "mixste-9, mixste.paper-9: .* once"),
        ({"backbone": [BOTH[0], "mixste.tiny-9+tps:3@1+tri"]}, "expected a backbone alone"),
        ({"backbone": BOTH, "r": [9]}, "search.r has .9.: expected numbers from 1 to 8"),
        ({"backbone": BOTH, "b": [3]}, "search.b has .3.: expected numbers from 0 to 2"),
    ],
)  # fmt: skip
def test_a_space_that_makes_no_sense_is_refused(changes, words):
    with pytest.raises(BenchError, match=words):
        search(**changes)


def test_a_constraint_on_what_no_meter_measures_ends_the_sweep(tmp_path):
    text = '[search]\nbackbone = "mixste.tiny-9"\npruners = ["tps"]\nrecoverers = ["tri"]\n'
    text += 'trials = 1\nconstraints = ["cost.flop <= 1"]'
    bench = small.runner(load(str(small.study(tmp_path, text))), tmp_path / "r")
    with pytest.raises(BenchError, match=r"unknown metric of a constraint 'cost.flop'.*cost.flops"):
        sweep(bench)


@pytest.mark.parametrize(
    "space_of",
    [
        brute(),
        brute(stages=2, r=[5, 3], b=[3, 1, 0]),
        brute(stages=9, r=[8, 4, 1], pruners=["tps"]),
        brute(least=8, stages=1, recoverers=["tri"]),
        brute(stages=1, pruners=["tps", "tcep~n=4", "tcep~n=6"], recoverers=["tra~heads=4", "tri"]),
        brute(backbone=BOTH, stages=2, recoverers=["tri"]),
    ],
)
def test_the_whole_space_once(space_of):
    every = list(space.enumerated(space_of))
    assert len(every) == len(set(every)) == space.size(space_of)
    assert all(parse(str(one)) == one for one in every), "each is valid"
    assert {one.unpruned for one in every} == set(space_of.bases)
    for one in every:
        assert 1 <= len(one.schedule) <= space_of.stages
        assert {r for r, _ in one.schedule} <= set(space.ranks(space_of, one.unpruned))
        assert {b for _, b in one.schedule} <= set(space.places(space_of, one.unpruned))


def test_five_r_before_eight_blocks_make_1230_schedules():
    paper = brute(
        backbone="mixste-243",
        stages=4,
        r=[189, 121, 81, 49, 27],
        pruners=["tps"],
        recoverers=["tri"],
    )
    assert space.size(paper) == len(set(space.enumerated(paper))) == 1230


@pytest.mark.parametrize("backbone", ["mixste.tiny-9", BOTH])
@pytest.mark.parametrize("name", ["tpe", "nsga2"])
def test_samplers_draw_from_the_lists_and_hear_of_constraints(name, backbone):
    some = {"backbone": backbone, "pruners": ["tps", "tcep~n=4"], "r": [7, 5, 3], "b": [2, 0]}
    asked = search(sampler=name, trials=30, constraints=["cost.flops <= 8"], **some)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    trials = optuna.create_study(directions=["minimize"] * 2, sampler=sampler(asked, 0))
    drawn = set()
    for _ in range(30):
        trial = trials.ask()
        combination = suggest(trial, asked)
        drawn.add(combination)
        size = sum(combination.lengths())
        for text, excess in excesses(asked, {"cost.flops": row("cost.flops", size)}).items():
            trial.set_constraint(text, excess)
        trials.tell(trial, [size, -size])
        assert trials.trials[-1].constraints == {"cost.flops <= 8": size - 8}
    inside = set(space.enumerated(brute(**some)))
    assert drawn <= inside and len(drawn) > 8
    assert {one.unpruned for one in drawn} == set(asked.bases)
    assert trials.sampler.__class__.__name__ == {"tpe": "TPESampler"}.get(name, "NSGAIISampler")


def row(metric, value):
    named = {"study": "s", "combination": "c", "environment": "e"}
    return Row(key=metric, metric=metric, value=value, unit="1", **named)


def test_what_was_not_measured_is_no_constraint_value():
    asked = search(constraints=["cost.flops <= 8", "time.speedup >= 2"])
    assert excesses(asked, {"cost.flops": row("cost.flops", 5.0)}) == {"cost.flops <= 8": -3.0}


def test_brute_force_measures_each_of_the_space_once_and_then_nothing(tmp_path, monkeypatch):
    text = '[search]\nbackbone = "mixste.tiny-9"\npruners = ["tps"]\nrecoverers = ["tri", "tra"]\n'
    text += 'sampler = "brute"\nstages = 2\nr = [5, 3]\nb = [1, 3]'
    monkeypatch.setattr(counting, "measure", small.quick_cost)
    path = small.study(tmp_path, text)
    rows = sweep(small.runner(load(str(path)), tmp_path / "r"))
    expected = {str(one) for one in space.enumerated(load(str(path)).search)}
    assert len(expected) == (4 + 1) * 2
    expected |= {small.NETWORK, small.PRUNED}
    held = Store(tmp_path / "r").read()
    assert Counter((r.combination, r.metric) for r in held) == Counter(
        (name, metric) for name in expected for metric in small.metrics("cost")
    )
    asked = []
    monkeypatch.setattr(Runner, "outcome", lambda *arguments: asked.append(arguments))
    again = sweep(small.runner(load(str(path)), tmp_path / "r"))
    assert again == rows and asked == []


def drawn(backbone, count, seed):
    """Random combinations of one backbone: all parts, also unpruned and seq2frame."""
    rng = random.Random(seed)
    base = parse(backbone)
    blocks = base.card.variants[base.variant].blocks
    names = [backbone]
    uses = ["+tra", "", "+tra:5", "+trc"]
    uses += [] if base.card.one_pose else ["+tri", "+tri:5"]
    for _ in range(count):
        stages = rng.randint(1, min(4, blocks))
        kept = sorted(rng.sample(range(1, base.frames), stages), reverse=True)
        before = sorted(rng.sample(range(blocks), stages))
        schedule = ",".join(f"{r}@{b}" for r, b in zip(kept, before, strict=True))
        recoverer = rng.choice(uses)
        names.append(f"{backbone}+{rng.choice(['tps', 'tpc'])}:{schedule}{recoverer}")
    return [parse(name) for name in names]


def traced(combination):
    """The same costs, of the whole network."""
    with torch.device("meta"):
        lifter = counting.freeze(build(combination))
    with counting.published_counter(lifter) as published, counting.everything_counter() as counter:
        lifter(*lifter.example(device="meta"))
    params = sum(one.numel() for one in lifter.parameters())
    return params, 2 * sum(published), counter.get_total_flops()


@pytest.mark.parametrize(
    ("backbone", "count"), [("mixste.tiny-27", 8), ("mixste-81", 2), ("strided.tiny-27", 8)]
)
def test_costs_put_together_are_those_traced_as_a_whole(backbone, count):
    costs = Costs(parse(backbone))
    combinations = drawn(backbone, count, seed=count)
    first = [costs.of(combination) for combination in combinations]
    expected = [
        dict(zip(additive.METRICS, traced(combination), strict=True))
        for combination in combinations
    ]
    assert first == expected
    assert [costs.of(combination) for combination in combinations] == first, "all met before"


def test_a_rank_goes_across_backbones():
    plan = list(space.enumerated(brute(backbone=BOTH, stages=1, r=[7, 3], pruners=["tps"])))
    order = ranked(plan)
    assert [flops for flops, _ in order] == [Costs(one).of(one)["cost.flops"] for _, one in order]
    assert {one for _, one in order} == set(plan)
    assert all(one[0] <= other[0] for one, other in pairwise(order))


def test_a_search_of_two_backbones_is_one_sweep(tmp_path, monkeypatch):
    text = f'[search]\nbackbone = {BOTH}\npruners = ["tps"]\nrecoverers = ["tri"]\n'
    text += "trials = 8\nstages = 1\nr = [5, 3]\nb = [1, 2]"
    monkeypatch.setattr(counting, "measure", small.quick_cost)
    path = small.study(tmp_path, text, combinations=[])
    rows = sweep(small.runner(load(str(path)), tmp_path / "r"))
    found = {parse(row.combination) for row in rows}
    assert {one.unpruned for one in found} == set(map(parse, BOTH))
    assert load(str(path)).reference_combination() == parse(BOTH[0])
    assert all(row.status == "ok" for row in rows)


def test_what_data_hold_decides_whether_a_search_goes_on(tmp_path):
    text = '[search]\nbackbone = "mixste.tiny-9"\npruners = ["tps"]\nrecoverers = ["tri"]\n'
    text += "trials = 2\nr = [5, 3]\nb = [1, 2]"
    path = small.study(tmp_path, text, meters=("cost", "accuracy"))

    def trials():
        runner = small.runner(load(str(path)), tmp_path / "r")
        return Trials(runner, None, 0).all.study_name

    first = trials()
    assert trials() == first
    arrays = small.arrays()
    np.savez(tmp_path / "motion.npz", **arrays | {"positions": arrays["positions"] + 1})
    assert trials() != first


def test_a_rank_is_by_cost_and_blocks_are_not_traced_again(monkeypatch):
    plan = list(space.enumerated(brute(stages=3, r=[7, 5, 3], pruners=["tpc"])))
    made = []
    monkeypatch.setattr(additive, "Costs", lambda base: made.append(Costs(base)) or made[-1])
    order = ranked(plan)
    assert {one for _, one in order} == set(plan)
    assert all(one[0] <= other[0] for one, other in pairwise(order))
    (costs,) = made
    blocks = [key for key in costs.known if isinstance(key[0], int)]
    assert len(blocks) <= 4 * 4, "4 blocks, 4 lengths"
    with pytest.raises(BenchError, match=r"expected a combination of mixste.tiny-9"):
        costs.of(parse("mixste.tiny-27"))


def test_plan_counts_a_space_and_ranks_it(monkeypatch, capsys, tmp_path):
    text = '[search]\nbackbone = "mixste.tiny-9"\npruners = ["tps"]\nrecoverers = ["tri"]\n'
    path = small.study(
        tmp_path, text + 'sampler = "brute"\nr = [7, 3]\nb = [1, 3]', combinations=[]
    )
    assert small.call(monkeypatch, "plan", "--study", path, "--rank", 2) == 0
    out = capsys.readouterr().out
    assert "the search space has 5 combinations" in out
    assert [line.split()[0] for line in out.splitlines() if "+tps" in line] == [
        "mixste.tiny-9+tps:3@1+tri",
        "mixste.tiny-9+tps:7@1,3@3+tri",
    ]
    assert small.call(monkeypatch, "plan", small.NETWORK, "--rank", 2) == 2
    assert "a --study with a [search] table" in capsys.readouterr().err
