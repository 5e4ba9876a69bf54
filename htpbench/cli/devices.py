"""Which device each worker of a sweep measures on."""

from __future__ import annotations

from itertools import cycle, islice
from typing import Annotated

from cyclopts import Parameter

from htpbench.errors import BenchError

OneDevice = Annotated[str | None, Parameter(help="cpu, cuda, cuda:1, ... Default: cpu.")]
Devices = Annotated[
    str | None, Parameter(help="A worker on each, as cuda:0,cuda:1; instead of --device.")
]
Workers = Annotated[
    int | None,
    Parameter(help="Processes that share the work. Default: one, or one for each device."),
]


def placed(device: str | None, devices: str | None, workers: int | None) -> list[str]:
    """The device of each worker, first that of the process that was started."""
    if devices is None:
        return [device or "cpu"] * (workers or 1)
    if device is not None:
        raise BenchError(f"--device {device} and --devices {devices}: name one of the two")
    named = devices.split(",")
    check(named)
    count = len(named) if workers is None else workers
    if count < len(named):
        raise BenchError(
            f"--workers {count} with {len(named)} devices: expected a worker for each, "
            f"{len(named)} or more; or name fewer devices"
        )
    return list(islice(cycle(named), count))


def check(named: list[str]) -> None:
    """BenchError for a device that cannot be used here, and for one that is named twice."""
    from htpbench.measuring.environment import check_device

    for device in named:
        check_device(device)
    if len({device.removesuffix(":0") for device in named}) < len(named):  # cuda is cuda:0
        raise BenchError(
            f"--devices {','.join(named)}: expected each device once; --workers N has several "
            "workers share a device"
        )
