"""What says on the command line which data is meant, and how BVH files of it are taken."""

from __future__ import annotations

from typing import Annotated

from cyclopts import Parameter

from htpbench.errors import BenchError

Data = Annotated[
    list[str] | None,
    Parameter(
        negative="",
        help='"synthetic", the path of an .npz of motion, or "SCHEME:PATH" of `htpbench ls`, with '
        "options: ,name=value; repeat to join several.",
    ),
]
SkipBad = Annotated[
    bool, Parameter(negative="", help="Leave out BVH files that cannot be used, and name them.")
]
Skeleton = Annotated[
    str | None,
    Parameter(help="Of BVH files: a name that is known, or a TOML file that maps their joints."),
]


def named(data: list[str] | None, skip_bad: bool, skeleton: str | None) -> list[str] | None:
    """The names of data with the options that were told for all BVH files of it."""
    told = ",skip_bad=true" * skip_bad + (f",skeleton={skeleton}" if skeleton else "")
    if told and not any(one.startswith("bvh:") for one in data or ()):
        raise BenchError("--skip-bad and --skeleton go with --data bvh:PATH")
    return data and [one + told if one.startswith("bvh:") else one for one in data]
