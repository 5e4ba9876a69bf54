"""Time: how long networks take beside their reference, and the share of pruning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from htpbench.meters import Found, Meter, Watch
from htpbench.records.conditions import beyond
from htpbench.records.measurement import Measurement
from htpbench.systems.combination import Combination
from htpbench.systems.metric import Metric

if TYPE_CHECKING:
    from htpbench.measuring.context import Context
    from htpbench.network.lifter import Lifter

Make = Callable[["Context", Combination], "Any"]  # what is timed: a lifter, or what stands for one
seconds = partial(Metric, unit="s", read="ms", scale=1e-3, decimals=2)
rate = partial(Metric, unit="1/s", better="more")
gained = partial(Metric, read="x", better="more", to_reference=True, decimals=2, bounded=True)
percent = partial(Metric, read="%", scale=1e-2)
ON_GPU = ("device", "device_speedup", "busy")  # what CUDA's own clock says
OF_PARTS = ("prune_share", "breakdown", "overhead")  # which engines cannot tell
OF_ENGINES = ("load",)  # torch has nothing to load


def watched(meter: str) -> tuple[Metric, ...]:
    """What says whether a clock of a meter may be trusted."""
    numbers = (Metric(name=f"{meter}.{one}") for one in ("overhead", "drift", "cpu"))
    lists = (f"{meter}.{one}" for one in ("by_process", "reference_by_process"))
    return (*numbers, *(Metric(name=one, unit="s", kind="list") for one in lists))


class Clocked(Meter):
    """Calls of all networks at once, in rounds of fresh processes; `together` says of what."""

    exclusive = True

    def applies(self, context: Context, combination: Combination) -> tuple[Metric, ...]:
        """See Meter; one process tells no differences."""
        without = {*ON_GPU} if context.device == "cpu" else set()
        without |= {"tells"} if context.study.timing.processes == 1 else set()
        return tuple(one for one in self.metrics if one.name.partition(".")[2] not in without)

    def processes(self, context: Context) -> int:
        """See Meter."""
        return context.study.timing.processes

    def measure(
        self, context: Context, combination: Combination, watch: Watch | None = None
    ) -> list[Measurement]:
        """See Meter; a quick look, beside the reference, in this process."""
        ((_, found),) = self.together(context, [combination], lambda one: None)
        if isinstance(found, Exception):
            raise found
        return self.joined([found])


class Time(Clocked):
    """All combinations at once, in rounds of fresh processes: what a caller waits for each."""

    turn = 20
    version = 3
    metrics = (
        seconds(
            name="time.forward",
            clock="time",
            head="forward time",
            brief="forward",
            first=True,
            terminal=True,
            bounded=True,
        ),
        rate(name="time.clips_per_second", clock="rate", head="clips per second"),
        rate(name="time.frames_per_second", clock="rate", head="frames per second", decimals=0),
        gained(
            name="time.speedup",
            clock="gain",
            head="speed-up",
            brief="speed-up",
            first=True,
            terminal=True,
        ),
        percent(
            name="time.prune_share",
            head="share of pruning and recovering",
            brief="pruning",
            first=True,
            terminal=True,
        ),
        seconds(name="time.p90", clock="tail", head="9 of 10 calls take less than"),
        seconds(name="time.p99", clock="tail", head="99 of 100 calls take less than"),
        seconds(name="time.device", head="device time", bounded=True),
        gained(name="time.device_speedup", head="speed-up of device time"),
        percent(name="time.busy", head="device is busy for", brief="busy", terminal=True),
        percent(name="time.tells", head="tells speed-ups that differ by"),
        Metric(name="time.first", unit="s"),
        Metric(name="time.load", unit="s", head="load and first call", decimals=2),
        Metric(name="time.breakdown", unit="s", kind="list", labels=".+"),
        *watched("time"),
    )

    def conditions(self, context: Context, combination: Combination) -> dict[str, Any]:
        """See Meter."""
        return {**conditions(context), **context.ran_by}

    def applies(self, context: Context, combination: Combination) -> tuple[Metric, ...]:
        """See Meter."""
        without = OF_PARTS if context.ran_by else OF_ENGINES
        every = super().applies(context, combination)
        return tuple(one for one in every if one.name.partition(".")[2] not in without)

    def together(
        self, context: Context, combinations: Sequence[Combination], begin: Callable[..., None]
    ) -> Iterator[Found]:
        """See Meter."""
        return rounds(context, combinations, begin, make, record=True)

    def joined(self, found: Sequence[list[Measurement]]) -> list[Measurement]:
        """See Meter."""
        return of_processes("time", found)


def make(context: Context, combination: Combination) -> Lifter:
    """One call of a network."""
    return context.run(context.built(combination))


def rounds(
    context: Context,
    combinations: Sequence[Combination],
    begin: Callable[..., None],
    make: Make,
    **changes: Any,
) -> Iterator[Found]:
    """What one process tells of combinations that it visits in rounds, beside the reference.

    changes: of the study's settings, as `htpbench.measuring.timing.measure` has them.
    """
    from htpbench.measuring import timing

    reference = context.study.reference_combination()
    makers = {one: partial(make, context, one) for one in (reference, *combinations)}
    asked = context.study.timing
    settings = {name: getattr(asked, name) for name in ("rounds", "round_s", "graph")}
    settings |= {"batch": asked.size, **changes}
    found = timing.measure(makers, context.device, begin=begin, **settings)
    return ((one, each) for one, each in found if one in combinations)


def of_processes(meter: str, found: Sequence[list[Measurement]], **how: Any) -> list[Measurement]:
    """What `rounds` told in each of some processes, as the metrics of a meter.

    how: what else `htpbench.records.clocks.joined` takes.
    """
    from htpbench.records.clocks import joined

    told = [{one.metric: one.value for one in part} for part in found]
    return joined(meter, told, **how)  # type: ignore[arg-type]


def conditions(context: Context) -> dict[str, Any]:
    """How a clock is read: the inputs, the reference and the study's [timing]."""
    reference, asked = context.study.reference_combination(), context.study.timing
    return {
        "dtype": "float32",
        "inputs": "random",
        "reference": str(reference),
        **beyond(
            reference_masked=(context.masked(reference), False),
            reference_code=(context.code(reference), {}),
            graph=(asked.graph, False),
        ),
        "batch": asked.size,
        **{name: getattr(asked, name) for name in ("rounds", "round_s", "processes")},
    }
