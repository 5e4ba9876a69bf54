"""One process's view of how long networks take: rounds that visit all of them in random order.

What it hands over is joined with that of other processes by `htpbench.records.clocks`, since
processes differ more than rounds do. Drift of the machine hits every network of a round alike.
"""

from __future__ import annotations

import random
import traceback
from collections.abc import Callable, Hashable, Iterator, Mapping
from functools import partial
from typing import TypeVar

import numpy as np
import torch
from torch import nn

from htpbench.errors import Faulty
from htpbench.measuring.clock import Clock, Probe, current
from htpbench.measuring.timed import Settings, Timed, check_usable
from htpbench.network.lifter import Lifter
from htpbench.records.measurement import Measurement

FIRST_S = 1.0  # at the least, before anything is measured: clocks rise, threads start
Name = TypeVar("Name", bound=Hashable)


def measure(
    makers: Mapping[Name, Callable[[], Lifter]],
    device: str = "cpu",
    batch: int = 1,
    rounds: int = 5,
    round_s: float = 0.1,
    graph: bool = False,
    record: bool = False,
    begin: Callable[[Name], object] = lambda one: None,
) -> Iterator[tuple[Name, list[Measurement] | Exception]]:
    """What `records.clocks.joined` takes of each network, or why it has none.

    The first is the reference that speed-ups refer to. `begin` gets the one that is worked at.
    `graph`: passes are replays of a CUDA graph; `record`: the device's time is measured by such
    replays beside them. Poisoned where nothing works on the device now.
    """
    reference, *_ = makers
    clock, probe = Clock(device), Probe()
    pool = torch.cuda.graph_pool_handle() if clock.cuda else None
    how = Settings(device, batch, round_s, graph, clock.cuda and (graph or record), pool)
    held: dict[tuple, nn.Parameter] = {}
    timed: dict[Name, Timed] = {}
    failed: dict[Name, Exception] = {}

    def attempt(one: Name, work: Callable[[], object]) -> None:
        begin(one)
        try:
            work()
        except Exception as error:  # one network must not cost the others
            let_go(error)
            check_usable(device, error)
            failed[one] = error

    def load(one: Name) -> None:
        lifter = sharing(makers[one](), held)
        least_s = FIRST_S if one == reference else 0.0
        timed[one] = Timed(clock, lifter, how, least_s)

    with current(device):
        for one in makers:
            attempt(one, partial(load, one))
        shares = []
        for _ in range(rounds):
            shares.append(probe.share())
            left = [one for one in timed if one not in failed]
            for one in random.sample(left, len(left)):
                attempt(one, timed[one].visit)
    for one in makers:
        if one in failed or reference in failed:
            lost = Faulty(f"the reference {reference} failed: {failed.get(reference)}")
            yield one, failed.get(one, lost)
        else:
            yield one, timed[one].found(timed[reference], float(np.mean(shares)))


def let_go(error: BaseException) -> None:
    """What frames of an error hold: it is kept, and they would keep all that filled the memory."""
    left, seen = [error], set()
    while left:
        one = left.pop()
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            traceback.clear_frames(one.__traceback__)
            left += [one.__cause__, one.__context__]
    torch.cuda.empty_cache()  # nothing where CUDA was not used


def sharing(lifter: Lifter, held: dict[tuple, nn.Parameter]) -> Lifter:
    """The lifter with the parameters of those before it that have the same name and shape.

    Their values do not change how long a pass takes, and many networks fit into memory so.
    """
    named = {n: held.setdefault((n, p.shape), p) for n, p in lifter.named_parameters()}
    lifter.load_state_dict(named, strict=False, assign=True)
    return lifter
