"""What is known of a metric without measuring it: tables, verdicts, gate and search read this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from inspect import isabstract
from typing import Any, ClassVar, Literal

KINDS = ("number", "by_clip", "list")
BETTER = ("less", "more", None)


@dataclass(frozen=True, kw_only=True)
class Metric:
    """One metric, called METER.NAME; a meter declares those that it measures.

    `number`: one value. `by_clip`: one for each clip. `list`: one for each label of an axis.
    """

    name: str
    unit: str = "1"  # of rows and CSV
    kind: Literal["number", "by_clip", "list"] = "number"
    better: Literal["less", "more"] | None = "less"  # None: rows of it get no verdict
    exact: bool = False  # counted, not measured: compared without an interval
    derived: bool = False  # made by reports of other rows, not measured
    to_reference: bool = False  # already says how far it is from the study's reference
    paired_by: tuple[str, ...] = ()  # metrics by clip: its means, how many each is over, its group
    tolerance: tuple[float, float] | None = None  # what the gate allows: same software, another's

    head: str = ""  # above its column; without one it stands in no table
    brief: str = ""  # the same where a terminal is narrow, on two lines
    read: str = ""  # the unit that people read: `scale` of `unit`; default: the same
    scale: float = 1
    decimals: int = 1
    first: bool = False  # in a report's first table; the rest has one of its own
    terminal: bool = False  # in the table that a terminal shows
    official: tuple[str, ...] = ()  # the same, where accuracy was scored by one of these protocols
    bounded: bool = False  # printed with its interval
    clock: Literal["", "time", "tail", "rate", "gain"] = ""  # what a clock tells of a call

    code: str = ""  # of one that does not come with htpbench: a digest of its source

    labels: str = ".*"  # of a list: the pattern of its axis
    of_frames: bool = False  # of a list: its values are numbers of frames

    def __post_init__(self) -> None:
        for name, allowed in (("kind", KINDS), ("better", BETTER)):
            if (value := getattr(self, name)) not in allowed:
                expected = ", ".join(map(repr, allowed))
                raise ValueError(f"{name} of {self.name} is {value!r}; expected one of {expected}")

    @property
    def meter(self) -> str:
        """Who measures it."""
        return self.name.partition(".")[0]

    @property
    def column(self) -> str:
        """What stands above its column for people."""
        return f"{self.head or self.name} ({self.read or self.unit})"

    @property
    def bounds(self) -> tuple[str, ...]:
        """The columns of its interval; () where none is printed."""
        return (f"{self.name}.low", f"{self.name}.high") if self.bounded else ()


class PoseMetric(ABC):
    """An error of each pose, which the meter accuracy averages over frames and by clip.

    Registered as NAME in METRICS it is measured as accuracy.NAME.
    """

    head: ClassVar[str]  # above its column
    unit: ClassVar[str] = "mm"
    better: ClassVar[Literal["less", "more"]] = "less"
    decimals: ClassVar[int] = 1

    @classmethod
    def fault(cls, name: str) -> str | None:
        """What is wrong with the class, which is read before it measures; None: nothing."""
        if isabstract(cls):
            return "it has no method errors(self, poses, targets)"
        if not isinstance(getattr(cls, "head", None), str):
            return 'head, what stands above its column, is missing: head = "my error"'
        try:
            Metric(name=f"accuracy.{name}", better=cls.better)
        except ValueError as error:
            return str(error)
        return None

    @abstractmethod
    def errors(self, poses: Any, targets: Any) -> Any:
        """(n,) of poses and targets (n, 17, 3): float32 tensors, mm, camera axes, pelvis at 0."""


def by_clip(metric: Metric) -> Metric:
    """The metric that holds a number's mean of each clip."""
    return Metric(
        name=metric.paired_by[0],
        unit=metric.unit,
        kind="by_clip",
        better=metric.better,
        code=metric.code,
    )


def of_clips(meter: str, *labels: str) -> tuple[Metric, ...]:
    """How many frames each clip has; for each label its number by clip, and frames by label."""
    told = ["frames_by_clip"]
    told += [name for one in labels for name in (f"{one}s_by_clip", f"frames_by_{one}")]
    return tuple(
        Metric(
            name=f"{meter}.{name}",
            kind="by_clip" if name.endswith("_by_clip") else "list",
            better=None,
        )
        for name in told
    )
