"""How the command line says that time is measured."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from htpbench.errors import BenchError

if TYPE_CHECKING:
    from htpbench.study.study import Study

Batch = Annotated[str | None, Parameter(help="Clips at once, as 1 or 1,8,32. Default: 1.")]
Threads = Annotated[int | None, Parameter(help="Of the CPU. Default: torch's.")]
Graph = Annotated[bool, Parameter(negative="", help="Time replays of a CUDA graph.")]
EngineName = Annotated[
    str | None, Parameter(name="--engine", help="What runs networks, of `htpbench ls`: eager, ...")
]
Precision = Annotated[
    str | None, Parameter(help="float32, bfloat16, float16 or int8, as the engine has it.")
]
Retry = Annotated[
    bool,
    Parameter(
        negative="", help="Measure again what failed three times, or was timed while others ran."
    ),
]
WaitQuiet = Annotated[
    float | None, Parameter(help="Minutes to wait for a quiet machine before time is measured.")
]


def clock(
    batch: str | None, threads: int | None, graph: bool, devices: Collection[str], **further: Any
) -> dict[str, Any]:
    """The fields of a study's [timing] that the command line names."""
    asked = {**further}
    if batch is not None:
        try:
            sizes = [int(one) for one in batch.split(",")]
        except ValueError:
            raise BenchError(f"--batch {batch!r}: expected numbers, as 1 or 1,8,32") from None
        asked["batch"] = sizes if sizes[1:] else sizes[0]
    if threads is not None:
        asked["threads"] = threads
    if graph:
        asked["graph"] = True
    if asked.get("graph") and "cpu" in devices:
        raise BenchError("--graph times CUDA graphs; name a GPU with --device cuda")
    return asked


def running(engine: str | None, precision: str | None) -> dict[str, str]:
    """The fields of a study that say what runs its networks, as the command line names them."""
    asked = {"engine": engine, "precision": precision}
    return {name: one for name, one in asked.items() if one is not None}


def unheeded(study: Study) -> str:
    """Which of a study's meters run torch in float32 whatever engine it names; "" for none."""
    asked = [name for name in study.meters if name in ("sampling", "training", "selection")]
    if not asked or (study.engine, study.precision) == ("eager", "float32"):
        return ""
    return f"of {' and '.join(asked)} torch runs networks in float32, whatever the engine"


def threaded(study: Study) -> None:
    """Let torch use as many threads as the study's [timing] says."""
    if study.timing.threads:
        import torch

        torch.set_num_threads(study.timing.threads)


def quiet(minutes: float | None) -> float:
    """Seconds to wait for a quiet machine."""
    if minutes is not None and not 0 < minutes <= 24 * 60:
        raise BenchError(f"--wait-quiet {minutes:g}: expected minutes, more than 0, at most a day")
    return 60 * (minutes or 0)
