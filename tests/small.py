"""Small things that several test files run: motion of a few frames, studies, the command line."""

import os
import signal
import subprocess
import sys
from contextlib import suppress
from functools import cache, lru_cache
from pathlib import Path

import forked
import numpy as np
import torch
from paths import ROOT

from htpbench import cli
from htpbench.bench import child, together
from htpbench.bench.runner import Runner
from htpbench.datasets.synthetic import Synthetic
from htpbench.measuring import additive, counting, timing
from htpbench.measuring import timed as timed_network
from htpbench.measuring.context import Context
from htpbench.meters.accuracy import RULED
from htpbench.meters.selection import LINKS, STAGES, WINDOWS
from htpbench.meters.time import OF_ENGINES, ON_GPU
from htpbench.motion.dataset import Motion
from htpbench.motion.filming import make_views
from htpbench.motion.people import people
from htpbench.motion.skeleton import PARENTS
from htpbench.network.build import build
from htpbench.records import clocks
from htpbench.records.measurement import Measurement
from htpbench.records.results import Results
from htpbench.records.rows import Row
from htpbench.systems import cards, catalogue
from htpbench.systems.combination import parse
from htpbench.systems.registry import BACKBONES

NETWORK = "mixste.tiny-9"
PRUNED = "mixste.tiny-9+tps:3@1+tri"
RUNNING = []  # the processes that this test has started
OBJECTIVES = {
    "cost": ("cost.flops", "cost.params"),
    "time": ("time.forward", "time.first"),
    "accuracy": ("accuracy.mpjpe", "accuracy.p_mpjpe"),
}


@cache
def tiny(backbone, frames=27):
    """A backbone at its tiny size, and the F that it is built for, or the next that it takes."""
    card = cards.shipped("backbone")[backbone]
    step = card.multiple_of
    return f"{backbone}.tiny-{card.variants['tiny'].frames or -(-frames // step) * step}"


@cache
def drawn(seed=0):
    """The people of "synthetic", who take a second; their clips cannot be changed."""
    clips = people(seed)
    for clip in clips:
        clip.positions.flags.writeable = False
    return clips


@lru_cache(16)  # motions of a few clips go through as well
def viewed(clips, *how):
    """Their views, which studies of the same motion share: whoever evaluates copies them."""
    return make_views(clips, *how)


@cache
def clips():
    """Two clips to train on and two to test on, 20 to 23 frames each: (clip, positions)."""
    motion = Synthetic()
    chosen = [*motion.motion("train")[:2], *motion.motion("test")[:2]]
    return [(clip, clip.positions[100 : 120 + i]) for i, clip in enumerate(chosen)]


def arrays():
    """The arrays of a motion file."""
    stops = np.cumsum([len(positions) for _, positions in clips()])
    named = {
        f"clip_{field}": np.array([getattr(clip, field) for clip, _ in clips()])
        for field in ("name", "subject", "action", "split")
    }
    return {
        "positions": np.concatenate([positions for _, positions in clips()]),
        "clip_start": np.array([0, *stops[:-1]]),
        "clip_end": stops,
        **named,
        "parents": np.array(PARENTS),
        "frame_rate": np.array(50.0),
    }


def motion_file(folder):
    """A motion file of 86 frames."""
    path = Path(folder) / "motion.npz"
    np.savez(path, **arrays())
    return path


def motion():
    """The same motion without a file."""
    cut = tuple(type(c)(c.name, c.subject, c.action, c.split, p) for c, p in clips())
    return Motion("motion", cut)


def study(folder, text="", name="small", combinations=(NETWORK, PRUNED), meters=("cost",)):
    """A study of random weights on the small motion; returns its path."""
    first, *others = (OBJECTIVES[meter] for meter in meters if meter in OBJECTIVES)
    objectives = [first[0], others[-1][0] if others else first[1]]
    lines = [
        f'title = "small"\nmeters = {list(meters)}\nweights = "random"',
        f"objectives = {objectives}",
        f"combinations = {list(combinations)}",
        text,
        f'[evaluation]\ndata = "{motion_file(folder)}"\nwindows = 4\nflip = false',
        "[timing]\nrounds = 3\nround_s = 0.003\nprocesses = 1",
    ]
    path = Path(folder) / f"{name}.toml"
    path.write_text("\n".join(lines) + "\n")
    return path


@cache
def committed():
    """The committed rows; nobody changes results, which are read once for all tests."""
    return Results.read(ROOT / "results")


@cache
def costs(base):
    """Counts the combinations of a backbone; a test proves that they are those of the whole."""
    return additive.Costs(base)


@cache
def counted(text):
    """Parameters, published FLOPs and all FLOPs of a combination by their metrics."""
    combination = parse(text)
    if not BACKBONES.load(combination.backbone).per_length:
        return costs(combination.unpruned).of(combination)
    with torch.device("meta"):
        lifter = counting.freeze(build(combination))
    with (
        counting.published_counter(lifter) as published,
        counting.everything_counter() as everything,
    ):
        lifter(*lifter.example(device="meta"))
    params = sum(one.numel() for one in lifter.parameters())
    found = params, 2 * sum(published), everything.get_total_flops()
    return dict(zip(additive.METRICS, found, strict=True))


def metrics(name):
    """What a meter measures of a network of one pass on a CPU, by a pruner without a graph.

    A clock in one process.
    """
    special = [metric.name for metric in RULED]
    special += [f"time.{one}" for one in (*ON_GPU, *OF_ENGINES, "tells")]
    special += [f"{one}_by_clip" for one in special] + [WINDOWS, STAGES, LINKS]
    known = (metric for metric in catalogue.meter(name).metrics if not metric.derived)
    return tuple(metric.name for metric in known if metric.name not in special)


def runner(study, results, device="cpu", seed=0, **changes):
    """A study on a device, with a store."""
    return Runner(Context(study, device, seed), results, **changes)


def machine(results):
    """The one folder of rows below the results."""
    (rows,) = {path.parent for path in Path(results).rglob("*.jsonl")}
    return rows


def quick_cost(lifter):
    """Stands for `counting.measure`: all costs are the frames that the blocks see, no tracing."""
    kept = {b: r for r, b in lifter.schedule}
    lengths, present = [], lifter.frames
    for block in range(len(lifter.backbone.blocks)):
        present = kept.get(block, present)
        lengths.append(present)
    return [Measurement(metric, sum(lengths)) for metric in metrics("cost")]


def in_this_process(run, left, number):
    """Stands for `Run.child`: measures here."""
    found = together.Child()

    def say(**line):
        if "combination" in line:
            found.found[line.pop("combination")] = line

    child.work(run.asked(left, number), say)
    return found


def timed(name, seconds, reference=(1.0,) * 5, meter="time", conditions=(), **told):
    """Rows of a clock's session: what each process found, of the network and its reference."""
    parts = [
        {
            "rounds": [mine] * 3,
            "reference": [base] * 3,
            "calls": [mine] * 3,
            "first": [mine],
            "parts": [0.1 * mine, 0.7 * mine, 0.1 * mine, 0.0, 0.1 * mine],
            "overhead": [0.0],
            "cpu": [1.0],
            "probe": [1.0],
            "clip": [1, 9],
            **told,
        }
        for mine, base in zip(seconds, reference, strict=True)
    ]
    common = {"study": "demo", "environment": "e", "combination": name}
    conditions = {"processes": len(parts), **dict(conditions)}
    return [
        Row(
            key=f"{name} {one.metric} {conditions} {reference}",
            metric=one.metric,
            value=one.value,
            unit=catalogue.metric(one.metric).unit,
            low=one.low,
            high=one.high,
            samples=one.samples,
            axis=one.axis,
            reason=one.note,
            conditions=conditions,
            **common,
        )
        for one in clocks.joined(meter, parts)
    ]


def undrawn(patch):
    """No figure of any report is drawn, with the patch."""
    drawing = ("sweeps.figures", "sweeps.throughput_figure", "trained.regime_figures")
    for place in (*drawing, "printed.published_figures"):
        patch.setattr(f"htpbench.report.{place}", lambda *_: [])


def quick(patch):
    """Sweeps count and draw nothing, start no processes and warm up briefly, with the patch."""
    patch.setattr(timed_network, "WARM_UP_S", 0.05)
    patch.setattr(timing, "FIRST_S", 0.0)
    patch.setattr(together.Run, "child", in_this_process)
    patch.setattr(counting, "measure", quick_cost)
    patch.setattr("htpbench.report.sweeps.figures", lambda *_: [])


def environment():
    """The variables of a process that is started."""
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1"}


@cache
def warm():
    """The process that all others of these tests are forked from."""
    return forked.Server(environment())


def started(*arguments, cwd):
    """Python with `arguments` in a process of its own, warm, not waited for."""
    if not forked.POSSIBLE:
        return launched(*arguments, cwd=cwd)
    RUNNING.append(forked.Forked(warm(), [*map(str, arguments)], cwd, environment()))
    return RUNNING[-1]


def launched(*arguments, cwd):
    """The same as a shell starts it: where how it starts is the point."""
    process = subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        cwd=cwd,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell's background job ignores Ctrl-C and hands that on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    RUNNING.append(process)
    return process


def end_what_runs():
    """Kill what was started and still runs: a test that fails leaves no process to the next."""
    while RUNNING:
        process = RUNNING.pop()
        process.kill()
        process.wait(60)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe:
                with suppress(BrokenPipeError):
                    pipe.close()


def finished(process):
    """(exit code, stdout, stderr) of a process that was started."""
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


def command_line(folder, monkeypatch, capsys):
    """The quick command line in a folder: run(*arguments) gives (exit code, stdout, stderr)."""
    monkeypatch.chdir(folder)
    quick(monkeypatch)

    def run(*arguments):
        code = call(monkeypatch, *arguments)
        out, err = capsys.readouterr()
        return code, out, err

    return run


def call(monkeypatch, *arguments):
    """The command line in this process; returns the exit code. capsys has what it printed."""
    monkeypatch.setattr(sys, "argv", ["htpbench", *map(str, arguments)])
    try:
        cli.main()
    except SystemExit as stop:
        return stop.code
    return 0


@cache
def walk(frames=80):
    """A BVH file of a Daz figure that walks on the spot at 60 Hz."""
    bones = [  # depth, name, offset in cm
        (0, "hip", (0, 0, 0)),
        *((1, "abdomen", (0, 8, 0)), (2, "chest", (0, 18, 0)), (3, "neck", (0, 24, 0))),
        (4, "head", (0, 8, 0)),
        *(
            bone
            for side, out in (("l", 1), ("r", -1))
            for bone in (
                *((3, f"{side}Collar", (3 * out, 20, 0)), (4, f"{side}Shldr", (14 * out, 0, 0))),
                *((5, f"{side}ForeArm", (28 * out, 0, 0)), (6, f"{side}Hand", (25 * out, 0, 0))),
            )
        ),
        *(
            bone
            for side, out in (("l", 1), ("r", -1))
            for bone in (
                *((1, f"{side}Thigh", (9 * out, -3, 0)), (2, f"{side}Shin", (0, -42, 0))),
                (3, f"{side}Foot", (0, -41, 0)),
            )
        ),
    ]
    lines, depth = ["HIERARCHY"], 0
    for level, name, offset in bones:
        lines += ["}"] * (depth - level)
        channels = "Xposition Yposition Zposition " if level == 0 else ""
        kind, moves = ("ROOT", 6) if level == 0 else ("JOINT", 3)
        lines += [f"{kind} {name}", "{", f"OFFSET {offset[0]} {offset[1]} {offset[2]}"]
        lines.append(f"CHANNELS {moves} {channels}Zrotation Xrotation Yrotation")
        depth = level + 1
    lines += ["}"] * depth + ["MOTION", f"Frames: {frames}", "Frame Time: 0.016667"]
    for frame in range(frames):
        swing = np.sin(2 * np.pi * frame / 60)
        turns = {"lThigh": -25 * swing, "rThigh": 25 * swing, "lShin": 30, "rShin": 30}
        row = [0, 92, 0]
        for _, name, _ in bones:
            row += [{"lShldr": -75, "rShldr": 75}.get(name, 0), turns.get(name, 0), 0]
        lines.append(" ".join(f"{number:.4f}" for number in row))
    return "\n".join(lines) + "\n"
