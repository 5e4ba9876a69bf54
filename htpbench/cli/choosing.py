"""The verb that finds a network for a budget."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from htpbench.cli.data import Data, Skeleton, SkipBad, named
from htpbench.cli.shared import Device, Protocol, RowsFolder, app, err, natural, opened, out, warn
from htpbench.cli.timing import Batch, Retry, Threads, WaitQuiet, clock, quiet, threaded

if TYPE_CHECKING:
    from htpbench.records.choice import Candidate


@app.command(sort_key=5.5)
def choose(
    *,
    budget: Annotated[
        list[str],
        Parameter(help='METRIC <= NUMBER [UNIT], as "time.p90 <= 30 ms"; repeat for several.'),
    ],
    best: Annotated[
        str, Parameter(help="The metric that should be as good as the budget allows.")
    ] = "accuracy.mpjpe",
    weights: Annotated[
        list[str] | None, Parameter(help="To choose from. Default: those that are shipped.")
    ] = None,
    engine: Annotated[
        list[str] | None,
        Parameter(help="To choose from. Default: eager, and those of the extras installed."),
    ] = None,
    precision: Annotated[
        list[str] | None, Parameter(help="To choose from. Default: float32.")
    ] = None,
    data: Data = None,
    skip_bad: SkipBad = False,
    skeleton: Skeleton = None,
    protocol: Protocol = None,
    results: RowsFolder = Path("results"),
    batch: Batch = None,
    threads: Threads = None,
    processes: Annotated[int, Parameter(help="In which time is measured.")] = 5,
    retry: Retry = False,
    wait_quiet: WaitQuiet = None,
    seed: int = 0,
    device: Device = "cpu",
) -> None:
    """Choose a network, its schedule and an engine for a budget. The same command resumes."""
    from htpbench.bench.candidates import turns
    from htpbench.bench.choosing import applicable, comparable, measured, one_pass
    from htpbench.bench.runner import Runner
    from htpbench.measuring.context import Context
    from htpbench.measuring.environment import check_device
    from htpbench.outside.progress import bar
    from htpbench.records.choice import choose as taken_of
    from htpbench.records.choice import metrics
    from htpbench.report.choice import doubts, failures, front_table, sentences
    from htpbench.report.console import plain_lines
    from htpbench.study import constraint
    from htpbench.study.loading import by_hand
    from htpbench.systems.catalogue import measured_by

    limits = [constraint.parse(one) for one in budget]
    names, data = metrics(limits, best), named(data, skip_bad, skeleton)
    comparable(names)
    check_device(device)
    listed = turns(weights or (), engine or (), precision or ("float32",), device)
    timing = clock(batch, threads, False, [device], processes=processes)
    first = listed[0]
    asked = measured_by(names)
    how = {"protocol": protocol, "weights": first.weights}
    study = one_pass(by_hand(first.combinations, asked, data, {}, timing, **how))
    threaded(study)
    context, quiet_s = Context(study, device, natural(seed)), quiet(wait_quiet)
    runner = opened(Runner(context, results, retry=retry, quiet_s=quiet_s), data, None)
    applicable(runner, listed, names)
    with bar(err) as tick:
        found = list(measured(runner, listed, tick))
    known = [one for one in found if one.card.keys() >= {*names}]
    for line in failures(one for one in found if one not in known):
        warn(line)
    if line := doubts(known, names):
        warn(line)
    choice = taken_of(known, limits, best)
    remarks = [f"the front of {len(known)}; * what is taken"]
    out.print(plain_lines(front_table(choice, limits, best), remarks))
    for line in sentences(choice, limits, best):
        out.print(line, highlight=False, markup=False, soft_wrap=True)
    if choice.taken is None:
        sys.exit(1)
    out.print(export(choice.taken), highlight=False, markup=False, soft_wrap=True)
    if choice.taken.precision != "float32":  # which the file does not say
        how = f"run it by {choice.taken.engine} in {choice.taken.precision}"
        out.print(how, highlight=False, markup=False, soft_wrap=True)


def export(taken: Candidate) -> str:
    """The command that writes it as a file."""
    from htpbench.engines import OnnxEngine
    from htpbench.systems.registry import ENGINES

    suffix = "onnx" if issubclass(ENGINES.load(taken.engine), OnnxEngine) else "pt2"
    words = ["htpbench", "export", taken.combination, "--weights", taken.weights]
    return shlex.join([*words, "--out", f"lifter.{suffix}"])
