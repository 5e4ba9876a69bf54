"""What a sweep says first and last, and what narrow terminals show."""

import io
import re
import subprocess

import pytest
import small
from paths import ROOT
from rich.console import Console

from htpbench.cli import duration
from htpbench.network import matrix
from htpbench.outside import progress
from htpbench.outside.fitting import Ending, short
from htpbench.records.rows import Row, Store
from htpbench.report import cost
from htpbench.report.finding import finding
from htpbench.report.standing import standing
from htpbench.report.sweeps import with_delta
from htpbench.report.tables import sweep_table
from htpbench.study.loading import load
from htpbench.study.study import Study
from htpbench.systems.registry import BACKBONES

LONG = "motionagformer.xs-243+tps~k=2:121@0,81@3+tri"
A, B, C = "mixste.tiny-81", "mixste.tiny-81+tps:9@1+tri", "mixste.tiny-81+tps:3@0+tri"
THIRD = "control: unpruned, every third frame"


def printed(what, width):
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(what)
    return console.file.getvalue()


@pytest.mark.parametrize("width", [20, 46, 80, 200])
def test_a_line_keeps_its_end(width):
    said = printed(Ending(f"{LONG}: accuracy"), width).rstrip("\n")
    assert len(said) == min(width, len(f"{LONG}: accuracy")) and said.endswith("+tri: accuracy")
    assert said.startswith("…") == (width < 54) and "\n" not in said


def test_the_bar_shows_what_differs_at_80_columns():
    console = Console(width=80, file=io.StringIO(), force_terminal=True, color_system=None)
    with progress.bar(console) as tick:
        tick(3, 17, f"{LONG}: accuracy")
    *_, last = (line for line in console.file.getvalue().splitlines() if "3/17" in line)
    assert "121@0,81@3+tri: accuracy" in last and LONG not in last


def test_the_bar_tells_what_is_left_of_units_that_take_minutes(monkeypatch):
    now = iter(range(0, 10**6, 90))  # seconds
    console = Console(width=120, file=io.StringIO(), force_terminal=True, color_system=None)
    monkeypatch.setattr(console, "get_time", lambda: next(now))
    with progress.bar(console) as tick:
        for done in range(4):
            tick(done, 40, "accuracy")
    assert re.search(r"3/40 \d+:\d\d:\d\d \d+:\d\d:\d\d left", console.file.getvalue())


@pytest.mark.parametrize("width", [60, 80, 240])
def test_the_matrix_is_whole_at_any_width(width):
    said = printed(matrix.matrix(), width)
    lines = said.splitlines()
    assert max(map(len, lines)) <= width and "…" not in said
    heads = lines[: next(i for i, line in enumerate(lines) if "──" in line)]
    assert sum(len(line.replace(" ", "")) for line in heads) == sum(map(len, BACKBONES.names()))
    (cells,) = [line.split()[1:] for line in lines if line.split()[:1] == ["mgptp+tra"]]
    mark = "works" if width == 240 else "+"
    states = [one.state for (_, *two), one in matrix.grid().items() if two == ["mgptp", "tra"]]
    assert cells.count(mark) == states.count("works")
    assert ("- refused" in said) == (width < 240) and ") any schedule" in said


@pytest.mark.parametrize("width", [60, 80, 240])
def test_costs_are_whole_at_any_width(width):
    names = ("params", "flops_published", "flops", "macs_fvcore", "macs_ptflops")
    rows = [
        {"combination": name, "note": None, **dict.fromkeys(names, 123.456e9)}
        for name in ("mixste-243", "mixste-243+tps:121@0,81@3+tri", "mixste-243+tps:9@0+tra")
    ]
    said = printed(cost.render(rows, "table"), width)
    assert max(map(len, said.splitlines())) <= width
    assert said.count("123456.00") == 3 and said.count("123.46") == 12
    assert ("…+tps:9@0" in said) == (width < 240) == ("mixste-243+tps:9@0+tra" not in said)
    assert ("… mixste-243" in said) == (width < 240)


def test_names_are_cut_only_where_all_have_the_same_backbone():
    assert short([A, B, THIRD]) == ([A, "…+tps:9@1+tri", THIRD], A)
    assert short([A, B, "mixste.tiny-27+tps:9@1"])[1] == ""
    assert short([A]) == ([A], "")


def row(name, metric, value=1.0, at="10:00:00", **more):
    facts = {"study": "s", "environment": "e", "unit": "1", "at": f"2026-01-01T{at}Z"}
    told = {"key": f"{name} {metric} {at}", "combination": name, "metric": metric, **more}
    return Row(**{**facts, **told}, value=value)


def test_a_unit_took_the_time_since_the_row_before_it():
    rows = [
        row(A, "cost.flops", at="10:00:00"),
        row(A, "accuracy.mpjpe", at="10:00:30"),
        row(A, "accuracy.auc", at="10:00:31"),
        row(B, "accuracy.mpjpe", at="10:00:41"),
        row(C, "accuracy.mpjpe", at="18:00:00"),  # after a break
        row(C, "cost.flops", at="18:00:05"),
        row(B, "cost.flops", at="09:00:00"),  # of another file
    ]
    known = duration.durations(rows)
    assert known == {(A, "accuracy"): 31, (B, "accuracy"): 10, (C, "cost"): 5}
    units = [(A, "accuracy"), (B, "accuracy"), ("new", "accuracy"), (duration.UNKNOWN, "cost")]
    assert duration.estimate(units, known) == 31 + 10 + 20.5 + 5
    assert duration.estimate([*units, (A, "time")], known) is None
    broken = Row(**{**vars(rows[1]), "at": "yesterday"})
    assert duration.durations([rows[0], broken, rows[2]]) == {}


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(2, "10 seconds"), (84, "80 seconds"), (100, "2 minutes"), (9000, "2.5 h")],
)
def test_times_as_people_say_them(seconds, said):
    assert duration.spoken(seconds).startswith(said)


def test_a_sweep_says_first_how_long_it_takes(tmp_path, monkeypatch, capsys):
    small.quick(monkeypatch)
    monkeypatch.chdir(tmp_path)
    path = small.study(tmp_path)

    def said():
        assert small.call(monkeypatch, "sweep", path) == 0
        return capsys.readouterr().err.splitlines()[0]

    assert said().startswith("small: 2 combinations, meters cost; nothing like it was measured yet")
    assert said() == "small: 2 combinations, meters cost; all of it is measured"
    small.study(tmp_path, combinations=[small.NETWORK, small.PRUNED, "mixste.tiny-9+tps:5@0+tri"])
    assert said().endswith("; about 10 seconds, as it took here")
    timed = {"name": "timed", "meters": ("time",)}
    path = small.study(tmp_path, **timed)
    said()
    monkeypatch.setenv("HTPBENCH_MACHINE", "another")
    assert said().endswith("; about 10 seconds, as it took on another machine")
    path = small.study(tmp_path)
    assert said().endswith("all of it is measured"), "costs are the same on all machines"


def test_the_shipped_demo_says_it_in_a_fresh_clone():
    study, store = load("demo"), Store(ROOT / "results")
    units = [(name, meter) for name in study.combinations for meter in study.meters]
    seconds = duration.estimate(units, duration.durations(store.read("demo")))
    assert 30 < seconds < 600


def told(study, rows):
    table = with_delta(sweep_table(rows), rows, A)
    return finding(study, table, standing(study, rows))


def network(name, flops, errors, speedup):
    axis, mean = ["x", "y"], sum(errors) / 2
    ends = {"low": speedup - 0.1, "high": speedup + 0.1}
    return [
        *([row(name, "cost.flops", flops)] if flops else []),
        *([row(name, "time.speedup", speedup, **ends)] if flops else []),
        *(row(name, f"time.{one}", 0.0) for one in ("drift", "overhead")),
        row(name, "accuracy.mpjpe", mean),
        row(name, "accuracy.mpjpe_by_clip", errors, axis=axis),
        row(name, "accuracy.frames_by_clip", [5.0, 5.0], axis=axis),
    ]


ROWS = [
    *network(A, 1e9, [40.0, 42.0], 1.0),
    *network(B, 4e8, [40.5, 42.5], 1.5),
    *network(C, 1e8, [60.0, 62.0], 3.0),
    *network(THIRD, None, [41.0, 43.0], 0),
]
STUDY = Study(name="s", title="", meters=["cost", "time"], combinations=[A, B, C])


def test_the_finding_is_the_cheapest_that_the_plain_third_of_the_frame_rate_does_not_beat():
    assert told(STUDY, ROWS) == (
        f"of 3 on the front {B} takes 0.400 GFLOPs, 40 % of the 1.00 of {A}, "
        "is 1.50 [1.40, 1.60] times as fast and has an MPJPE of 41.5 mm (+0.50 mm); "
        "the unpruned network on every third frame, at a third of the operations, "
        "has an MPJPE of 42.0 mm (+1.00 mm)"
    )


def test_the_finding_without_a_control_without_a_front_and_without_errors():
    alone = [one for one in ROWS if one.combination != THIRD]
    assert told(STUDY, alone).startswith(f"of 3 on the front {A} takes 1.00 GFLOPs and has")
    assert "third" not in told(STUDY, alone)
    search = {"backbone": A, "pruners": ["tps"], "recoverers": ["tri"], "sampler": "brute"}
    strict = Study(
        **{**STUDY.model_dump(), "search": {**search, "constraints": ["cost.flops <= 1"]}}
    )
    assert told(strict, ROWS) == "no network with a known cost and MPJPE is on the front"
    counted = [one for one in ROWS if one.metric == "cost.flops"]
    assert told(STUDY, counted) == "", "nothing is known of speed, which it asks for first"
    cheap = STUDY.model_copy(update={"objectives": ["cost.flops", "time.speedup"]})
    assert told(cheap, counted) == f"of 3 {C} has the least FLOPs, all counted: 0.100 G"


def test_git_ignores_what_a_user_measures_and_not_what_is_committed():
    def ignored(path):
        asked = ["git", "-C", str(ROOT), "check-ignore", "--no-index", "-q", path]
        return subprocess.run(asked, check=False).returncode == 0

    if not (ROOT / ".git").exists():
        pytest.skip("no checkout")
    assert ignored("results/a-cpu-2c/demo.0.jsonl") and ignored("reports/local/demo/demo.md")
    assert not ignored("results/reference-cpu/demo.0.jsonl")
    assert not ignored("reports/demo/demo.md")
