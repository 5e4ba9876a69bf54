"""What there is, what a string means, whether the installation is well."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from htpbench.cli.shared import Combinations, RowsFolder, StudyName, app, chosen, out
from htpbench.errors import BenchError


@app.command(sort_key=1)
def ls(
    *,
    matrix: Annotated[
        bool, Parameter(help="The grid of what goes with what, and why not.", negative="")
    ] = False,
    engine: Annotated[
        str | None, Parameter(help="Of the grid: what runs the networks; default: eager.")
    ] = None,
) -> None:
    """List backbones, pruners, recoverers, studies and weights."""
    if engine is not None and not matrix:
        raise BenchError("--engine is of the grid; add --matrix")
    if matrix:
        from htpbench.network.matrix import matrix as whole
        from htpbench.systems.registry import ENGINES

        ENGINES.load(engine or "eager")  # an unknown one is refused
        out.print(whole(engine or "eager"), highlight=False)
        return
    from htpbench.cli.listing import listing

    for table in listing():
        out.print(table)


@app.command(sort_key=2)
def plan(
    combinations: Combinations | None = None,
    *,
    study: StudyName = None,
    rank: Annotated[
        int | None, Parameter(help="The so many cheapest of the study's search space.")
    ] = None,
) -> None:
    """Say what combinations mean, without building them; `ls --matrix` says what is refused."""
    from htpbench.cli.listing import plan_table, rank_table
    from htpbench.study.loading import load
    from htpbench.study.space import size

    chosen_study = load(study) if study else None
    search = chosen_study.search if chosen_study else None
    if rank is not None and (search is None or rank < 1):
        raise BenchError("--rank: expected 1 or more, and a --study with a [search] table")
    if search is None or combinations or (chosen_study and chosen_study.combinations):
        out.print(plan_table(chosen(combinations, study)))
    if search:
        out.print(f"the search space has {size(search):,} combinations", highlight=False)
    if search and rank:
        out.print(rank_table(search, rank))


@app.command(sort_key=10)
def doctor(*, results: RowsFolder = Path("results")) -> None:
    """Check this installation: versions, devices, shipped files, a writable results folder."""
    from htpbench.cli.doctor import examine

    table, healthy = examine(results)
    out.print(table)
    if not healthy:
        sys.exit(2)
