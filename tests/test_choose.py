"""`choose`: what there is to choose from, the choice, its reasons, and what is refused."""

import pytest
import small

from htpbench.bench.candidates import networks, runs, schedules, turns
from htpbench.engines.eager import Eager
from htpbench.errors import BenchError
from htpbench.network import weights
from htpbench.network.build import build
from htpbench.records.choice import Candidate, choose
from htpbench.records.row import Row
from htpbench.report.choice import behind, doubts, front_table, sentences
from htpbench.study.constraint import parse as limit
from htpbench.systems.combination import parse
from htpbench.systems.registry import ENGINES

BEST = "accuracy.mpjpe"
BUDGET = [limit("time.p90 <= 30 ms")]


def candidate(name, seconds, error, high=None):
    """A network of a time and an error, in rows that say no more."""

    def row(metric, value, high=None):
        told = {"study": "run", "key": f"{name} {metric}", "environment": "1", "unit": "1"}
        low = None if high is None else 2 * value - high
        ends = {"low": low, "high": high}
        return Row(combination=name, metric=metric, value=value, status="ok", **ends, **told)

    card = {"time.p90": row("time.p90", seconds, high), BEST: row(BEST, error)}
    return Candidate(name, "tiny", "eager", "float32", card)


SLOW, FITS = candidate("slow", 0.05, 50.0), candidate("fits", 0.02, 60.0)
SLOWEST, FAST = candidate("slowest", 0.09, 40.0), candidate("fast", 0.01, 70.0)
BAD = candidate("bad", 0.04, 65.0)


def test_the_best_that_keeps_the_budget_is_taken():
    choice = choose([BAD, SLOWEST, FAST, SLOW, FITS], BUDGET, BEST)
    assert choice.taken == FITS and choice.within == [FAST]
    assert choice.next == SLOW, "the smallest budget that buys anything better"
    assert set(choice.front) == {SLOWEST, SLOW, FITS, FAST}


def test_of_what_is_as_good_the_cheapest_is_taken():
    close, apart = candidate("close", 0.01, 60.29), candidate("apart", 0.01, 60.31)
    assert choose([FITS, close], BUDGET, BEST).taken == close, "within 0.5 %"
    assert choose([FITS, apart], BUDGET, BEST).taken == FITS, "beyond 0.5 %"
    hardly = candidate("hardly", 0.09, 59.8)
    assert choose([FITS, hardly], BUDGET, BEST).next is None, "hardly better is not better"


def test_an_interval_keeps_the_budget_as_a_whole_or_not():
    inside, outside = candidate("in", 0.029, 50.0, 0.0299), candidate("out", 0.029, 40.0, 0.0301)
    choice = choose([inside, outside], BUDGET, BEST)
    assert (choice.taken, choice.next) == (inside, outside)


def test_where_nothing_keeps_the_budget_the_nearest_is_told():
    choice = choose([SLOWEST, SLOW], BUDGET, BEST)
    assert choice.taken is None and choice.next == SLOW
    said = [*sentences(choice, BUDGET, BEST)]
    assert said[0] == "nothing keeps time.p90 <= 30 ms" and "not slow with tiny on" in said[1]
    assert choose([], BUDGET, BEST).next is None


def test_more_is_better_where_the_metric_says_so():
    good = [limit(f"{BEST} <= 80")]
    assert choose([SLOW, FAST], good, "time.p90").taken == FAST
    few, many = candidate("few", 0.01, 50.0), candidate("many", 0.02, 50.0)
    for one, rate in ((few, 2.0), (many, 3.0)):
        one.card["time.clips_per_second"] = candidate("x", 0, rate).card[BEST]
    assert choose([few, many], good, "time.clips_per_second").taken == many


def test_what_is_taken_and_what_is_not_is_said_in_the_units_that_people_read():
    choice = choose([SLOWEST, FAST, SLOW, FITS], BUDGET, BEST)
    taken, beyond, behind = sentences(choice, BUDGET, BEST)
    assert taken.startswith("take fits with tiny on eager: MPJPE 60.0 mm, ")
    assert "~20.00 ms" in taken, "times without what a clock says of its noise are doubtful"
    assert beyond.startswith("not slow") and beyond.endswith("over the budget")
    assert behind.startswith("not fast") and behind.endswith("which is +10.0 mm")
    table = front_table(choice, BUDGET, BEST)
    assert [*table["combination"]] == ["fast", "fits", "slow", "slowest"]
    assert [*table[""]] == ["", "*", "", ""]


def test_whose_times_are_not_to_be_trusted_is_told_with_the_cure():
    told = doubts([FITS, FAST], ["time.p90", BEST])
    assert told.startswith("times are not to be trusted: fits with tiny on eager and 1 more: timed")
    assert "close what runs" in told and "--retry" in told
    assert doubts([FITS], [BEST]) == ""


def test_what_is_as_good_is_said_to_take_more():
    assert "as good within 0.5 %" in behind(candidate("a", 1, 60.2), FITS, BEST)


@pytest.mark.parametrize(
    ("trained", "expected"),
    [
        (
            "mixste.tiny-81+tpc:21@1+tra",
            [
                "mixste.tiny-81",
                "mixste.tiny-81+tpc:21@1+tra",
                "mixste.tiny-81+tps:41@2+tri",
                "mixste.tiny-81+tps:41@0+tri",
                "mixste.tiny-81+tps:41@0,27@2+tri",
                "mixste.tiny-81+tps:27@0+tri",
                "mixste.tiny-81+tps:27@0,9@2+tri",
                "mixste.tiny-81+tps:9@0+tri",
            ],
        ),
        (
            "mhformer.tiny-81",  # of one pose a pass
            [
                "mhformer.tiny-81",
                "mhformer.tiny-81+tps:41@1",
                "mhformer.tiny-81+tps:41@0",
                "mhformer.tiny-81+tps:41@0,27@1",
                "mhformer.tiny-81+tps:27@0",
                "mhformer.tiny-81+tps:27@0,9@1",
                "mhformer.tiny-81+tps:9@0",
            ],
        ),
        (
            "mixste.tiny-7",  # a half and a third are as many
            [
                "mixste.tiny-7",
                "mixste.tiny-7+tps:3@2+tri",
                "mixste.tiny-7+tps:3@0+tri",
            ],
        ),
        (
            "mixste.tiny-7+tps:5@2",  # one pose, where the whole network gives all
            ["mixste.tiny-7", "mixste.tiny-7+tps:3@2+tri", "mixste.tiny-7+tps:3@0+tri"],
        ),
        ("hdformer", ["hdformer"]),  # nowhere to prune
        ("motionagformer", ["motionagformer"]),  # weights for one length
    ],
)
def test_a_network_is_tried_whole_as_trained_and_at_a_ladder_of_schedules(trained, expected):
    named = trained if "-" in trained else small.tiny(trained)
    found = [str(one) for one in schedules(parse(named))]
    assert found == [one if "-" in one else small.tiny(one) for one in expected]


@pytest.mark.parametrize("backbone", ["mhformer", "motionbert", "motionagformer", "poseformer"])
def test_whatever_is_tried_can_be_built(backbone):
    for one in schedules(parse(small.tiny(backbone))):
        build(one)


@pytest.mark.parametrize("frames", range(1, 12))
def test_networks_of_few_frames_have_schedules_that_fall(frames):
    for one in schedules(parse(f"mixste.tiny-{frames}")):
        assert parse(str(one)) == one


def test_passes_of_one_pose_and_of_all_are_not_set_beside_one_another(tmp_path):
    for name in (small.NETWORK, "mhformer.tiny-9"):
        lifter = build(parse(name))
        card = {"schedule": "any", "recipe": {"combination": name}}
        weights.write(tmp_path / f"{name}.safetensors", lifter.state_dict(), card)
    files = [str(path) for path in sorted(tmp_path.glob("*.safetensors"))]
    assert [one.engine for one in turns(files[:1], ["eager"], ["float32"], "cpu")] == ["eager"]
    with pytest.raises(BenchError, match="a pass gives all poses of a clip in seq2seq"):
        turns(files, ["eager"], ["float32"], "cpu")


def test_a_precision_that_is_named_twice_is_tried_once():
    assert runs(["eager"], ["float32", "float32"], "cpu") == [("eager", "float32")]


def test_shipped_networks_of_one_pass_are_chosen_from():
    assert "mixste.tiny-81" in networks(()) and "d3dp.tiny-81" not in networks(())
    with pytest.raises(BenchError, match=r"d3dp.tiny-81 draws poses by many passes; leave it out"):
        networks(["d3dp.tiny-81"])


def test_engines_are_taken_with_the_precisions_that_they_have():
    found = runs(["onnxruntime", "eager"], ["float32", "int8"], "cpu")
    assert found == [("onnxruntime", "float32"), ("onnxruntime", "int8"), ("eager", "float32")]
    assert ("eager", "float32") in runs((), ["float32"], "cpu")
    assert "compile" not in dict(runs((), ["float32"], "cpu")), "which takes minutes"


class Other(Eager):
    """torch under another name."""


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    small.motion_file(tmp_path)
    tensors = build(parse(small.NETWORK)).state_dict()
    weights.write(
        tmp_path / "own.safetensors",
        tensors,
        {"schedule": "any", "recipe": {"combination": small.NETWORK}},
    )
    monkeypatch.setitem(ENGINES.registered, "other", Other)
    command = small.command_line(tmp_path, monkeypatch, capsys)
    asked = ["--weights", "own.safetensors", "--data", "motion.npz", "--budget"]
    return lambda *rest: command("choose", *asked, *rest)


def test_a_network_is_chosen_and_the_command_that_exports_it_is_told(call, tmp_path):
    asked = ["cost.flops <= 1 G", "--engine", "eager", "--engine", "other"]
    code, out, err = call(*asked)
    assert code == 0, err
    assert "the front of 10" in out, "five networks under two engines"
    assert out.count("\ntake mixste.tiny-9") == 1
    assert "--weights own.safetensors --out lifter.pt2" in out.splitlines()[-1]
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")}
    assert call(*asked)[1] == out
    assert before == {path: path.read_bytes() for path in tmp_path.rglob("*.jsonl")}, "resumed"


def test_a_budget_of_time_is_measured_and_kept(call):
    asked = ["--engine", "eager", "--processes", 1]
    code, out, err = call("time.p90 <= 60000 ms", *asked)
    assert code == 0 and "take mixste.tiny-9" in out, err
    code, out, _ = call("time.p90 <= 1e-6 ms", *asked)
    assert code == 1 and "nothing keeps time.p90" in out and "not mixste.tiny-9" in out


def test_what_cannot_run_is_named_and_the_rest_is_chosen_from(call, monkeypatch):
    def prepare(self, lifter, precision):
        raise RuntimeError("on purpose")

    monkeypatch.setattr(Other, "prepare", prepare, raising=False)
    asked = ["accuracy.mpjpe <= 1e4 mm", "--best", "cost.flops", "--engine", "eager"]
    code, out, err = call(*asked, "--engine", "other")
    assert code == 0 and "the front of 5" in out
    assert f"not measured: {small.NETWORK} with own.safetensors on other and 4 more" in err
    assert "failed: RuntimeError: on purpose" in err
    assert call(*asked[:-2], "--engine", "other")[0] == 1, "nothing was measured"


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (["time.p90 <= 30 mm"], "unknown unit of time.p90 'mm'; did you mean ms?"),
        (["time.p91 <= 30 ms"], "unknown metric 'time.p91'; did you mean time.p9"),
        (["time.p90 < 30"], "expected METRIC <= NUMBER"),
        (["cost.flops <= 1 G", "--best", "accuracy.mpjpee"], "unknown metric"),
        (["accuracy.mpjpe_by_clip <= 1"], "unknown metric"),
        (["cost.flops<=1<=2"], "expected METRIC <= NUMBER"),
        (["cost.flops <= 1e300 G"], "expected METRIC <= NUMBER"),
        (["time.speedup >= 2"], "time.speedup is over the reference"),
        (["time.busy <= 1", "--engine", "eager"], "time.busy is not measured of any of these"),
        (["cost.flops <= 1 G", "--device", "cud"], "cud"),
        (["cost.flops <= 1 G", "--weights", "random"], "random weights say nothing"),
        (["cost.flops <= 1 G", "--engine", "egaer"], "unknown engine 'egaer'; did you mean eager"),
        (["cost.flops <= 1 G", "--engine", "eager", "--precision", "int8"], "unknown precision"),
        (["cost.flops <= 1 G", "--weights", "gone"], "unknown weights 'gone'"),
        (["cost.flops <= 1 G", "--processes", "0"], "processes"),
    ],
)
def test_what_cannot_be_chosen_by_is_refused(call, asked, words):
    code, _, err = call(*asked)
    assert code == 2 and words in err, err


def test_weights_of_an_unknown_combination_are_refused(call, tmp_path):
    tensors, _ = weights.read(tmp_path / "own.safetensors")
    weights.write(tmp_path / "nameless.safetensors", tensors, {"schedule": "any"})
    code, _, err = call("cost.flops <= 1 G", "--weights", "nameless.safetensors")
    assert code == 2 and "their card does not say of which combination" in err
