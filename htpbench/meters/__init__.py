"""Meters: one file each, which says what a meter measures and imports what measures when asked."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from inspect import isabstract
from typing import TYPE_CHECKING, Any, ClassVar

from htpbench.records.measurement import Measurement
from htpbench.systems.combination import Combination
from htpbench.systems.metric import Metric

if TYPE_CHECKING:
    from htpbench.measuring.context import Context

Watch = Callable[..., None]  # gets what comes out on the way; raises Pruned to give up
Found = tuple[Combination, list[Measurement] | Exception]


class Meter(ABC):
    """Turns networks into measurements of the metrics that it declares.

    A module that declares a meter must load without torch: import what measures inside methods.
    Metrics are called NAME.SOMETHING, where NAME is what the meter is registered under.
    """

    version: ClassVar[int] = 1  # another one: numbers of the ones before are not taken for its own
    metrics: ClassVar[tuple[Metric, ...]]
    turn: ClassVar[int] = 100  # meters that are cheap to ask have their turn first
    weights: ClassVar[bool] = False  # needs trained weights and data
    of_some: ClassVar[bool] = False  # some networks have none of it: compare does not miss it
    exclusive: ClassVar[bool] = False  # measures on a device alone; its numbers are the machine's

    @classmethod
    def fault(cls, name: str) -> str | None:
        """What is wrong with the declaration of the meter of a name; None: nothing."""
        if isabstract(cls):
            return "it has no method measure(self, context, combination, watch=None)"
        metrics = getattr(cls, "metrics", None)
        tuple_of_them = isinstance(metrics, tuple) and all(isinstance(m, Metric) for m in metrics)
        if not (tuple_of_them and metrics):
            said = "missing" if metrics is None else f"{metrics!r:.60}"
            return f"metrics is {said}; expected a tuple: metrics = (htpbench.Metric(...),)"
        if not callable(cls.processes):
            return f"processes is {cls.processes!r:.60}; expected processes(self, context)"
        names = [metric.name for metric in metrics]
        if foreign := [each for each in names if not each.startswith(f"{name}.")]:
            return f"its metric is called {foreign[0]}; expected {name}.SOMETHING"
        if twice := [each for each in names if names.count(each) > 1]:
            return f"it declares {twice[0]} twice"
        return None

    @classmethod
    def declared(cls) -> tuple[Metric, ...]:
        """All metrics; a meter that others may add some to overrides this."""
        return cls.metrics

    def applies(self, context: Context, combination: Combination) -> tuple[Metric, ...]:
        """The metrics that a combination has; () where there is nothing to measure."""
        return tuple(metric for metric in self.declared() if not metric.derived)

    def conditions(self, context: Context, combination: Combination) -> dict[str, Any]:
        """How it measures a combination, beside what holds for all meters (`Context.conditions`).

        What two numbers must share to be compared. A condition that is added to a meter later is
        left out at its default, or all rows before it would be orphans.
        """
        return {}

    @abstractmethod
    def measure(
        self, context: Context, combination: Combination, watch: Watch | None = None
    ) -> list[Measurement]:
        """All metrics that apply to one combination.

        Raises OtherLengths or Faulty, which fail that combination; BenchError, which ends the run.
        """

    def together(
        self, context: Context, combinations: Sequence[Combination], begin: Callable[..., None]
    ) -> Iterator[Found]:
        """Measure many combinations at once, to interleave them; a meter that does overrides this.

        `begin(combination)` says which one is worked at: it is what a death or a time limit costs.
        Runs in `processes` fresh processes one after the other; see `htpbench.bench.together`.
        """
        raise NotImplementedError

    def processes(self, context: Context) -> int:
        """How many processes `together` runs in; `context.process` says which one it is, from 0."""
        return 1

    def joined(self, found: Sequence[list[Measurement]]) -> list[Measurement]:
        """One combination's metrics, of what `together` told of it in each process."""
        (alone,) = found
        return alone

    @classmethod
    def takes_many(cls) -> bool:
        """Whether it measures many combinations at once."""
        return cls.together is not Meter.together
