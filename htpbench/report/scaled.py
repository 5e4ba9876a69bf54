"""A paper's schedules on a smaller network of the same backbone: what each costs in MPJPE.

Who has no licensed data sees so whether the paper's differences to the unpruned network come back.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas

from htpbench.errors import BenchError
from htpbench.outside.drafts import write_file
from htpbench.records.pairing import MPJPE, comparable, difference
from htpbench.records.results import Results
from htpbench.report.captions import beside
from htpbench.report.dials import dials
from htpbench.report.paper import finder
from htpbench.report.published import published, unpruned
from htpbench.report.sides import number
from htpbench.report.text import markdown
from htpbench.systems.combination import Combination, parse

PAPERS_F = 243
DIFFERENCE = ("ours minus unpruned", "low", "high")
Cell = dict[str, Any]


def scaled(combination: Combination, network: Combination) -> Combination:
    """A schedule for another F and another number of blocks.

    r and f keep their share of F (halves go down, at least one frame), b its share of the blocks,
    rounded down. BenchError where two prunings would meet before one block.
    """
    blocks, whole = (one.card.variants[one.variant].blocks for one in (network, combination))

    def frames(count: int) -> int:
        return max(1, math.ceil(count * network.frames / combination.frames - 0.5))

    schedule = tuple((frames(r), b * blocks // whole) for r, b in combination.schedule)
    if len({b for _, b in schedule}) < len(schedule):
        raise BenchError(f"{combination}: {blocks} blocks are too few for its stages")
    return replace(
        combination,
        variant=network.variant,
        frames=network.frames,
        schedule=schedule,
        recovered=combination.recovered and frames(combination.recovered),
    )


def of_backbone(table: int, network: Combination) -> list[tuple[Cell, Combination]]:
    """The printed errors of a backbone at the paper's F, each with its schedule, where it fits."""
    own = f"{network.backbone}-{PAPERS_F}"
    found = []
    for cell in published(table).to_dict("records"):
        if cell["metric"].startswith("mpjpe") and cell["combination"].partition("+")[0] == own:
            with suppress(BenchError):  # too few blocks
                found.append((cell, scaled(parse(cell["combination"]), network)))
    return found


def scaled_lines(table: int, network: Combination, rows: Results) -> list[Cell]:
    """One line a printed error of the backbone: what pruning adds to it, printed and ours.

    Keys row, metric, printed for, printed (mm), printed minus unpruned, combination, ours (mm),
    ours minus unpruned with low and high (mm), and ours tells: worse, better or cannot tell.
    """
    every = of_backbone(table, network)
    bases = unpruned(cell for cell, _ in every)
    values = {(cell["row"], cell["metric"]): cell["value"] for cell, _ in every}
    found = finder(table, rows)
    lines = []
    for cell, mine in every:
        whole = values.get((bases.get(cell["row"], -1), cell["metric"]))
        told = ours(found(cell), str(mine), str(network))
        lines.append(
            {
                "row": cell["row"],
                "metric": cell["metric"],
                "printed for": cell["combination"],
                "printed (mm)": cell["value"],
                "printed minus unpruned": math.nan if whole is None else cell["value"] - whole,
                "combination": str(mine),
                **told,
            }
        )
    return lines


def ours(rows: Results, name: str, whole: str) -> Cell:
    """The error of a combination and how far it is from the unpruned network's."""
    mine, base = (rows.measured.get(one, {}) for one in (name, whole))
    if MPJPE not in mine:
        return {"ours (mm)": math.nan, **dict.fromkeys(DIFFERENCE, math.nan), "ours tells": ""}
    value = {"ours (mm)": mine[MPJPE].value}
    if name == whole or MPJPE not in base:
        return {**value, **dict.fromkeys(DIFFERENCE, math.nan), "ours tells": ""}
    comparable(mine, base)
    apart = difference([(mine, base)])
    low, high = apart.interval()
    if low is None or high is None:  # too few subjects
        low, high, word = math.nan, math.nan, "cannot tell"
    else:
        word = "worse" if low > 0 else "better" if high < 0 else "cannot tell"
    ends = zip(DIFFERENCE, (apart.value, low, high), strict=True)
    return {**value, **dict(ends), "ours tells": word}


def write_scaled(
    tables: Sequence[int], network: Combination, rows: Results, everything: Results, reports: Path
) -> Iterator[Path]:
    """Write scaled/table<N>.md and .csv of each table that prints errors of the backbone.

    rows: those that one run of them is made of, all scored alike; everything: of any run, for
    speeds. Where schedules differ in r, b or f alone, with a figure of what that does.
    """
    from htpbench.report.figures.dials import dials as draw

    for table in tables:
        found = scaled_lines(table, network, rows)
        if all(math.isnan(line["ours (mm)"]) for line in found):
            continue
        lines = pandas.DataFrame(found)
        caption = captioned(table, network, rows)
        folder, name = reports / "scaled", f"table{table}"
        text = f"{markdown(shown(lines))}\n{caption}; 95 % over subjects.\n"
        yield write_file(folder / f"{name}.md", text.encode())
        numbers = lines.to_csv(index=False, lineterminator="\n")
        yield write_file(folder / f"{name}.csv", numbers.encode())
        turned = dials(table, everything, found)
        by = " and ".join(dict.fromkeys(dial.name for dial in turned))
        title = f"H2OT, Table {table}: what pruning costs and gains, by {by}"
        below = f"Ours: speeds of the printed networks, errors on {caption.removeprefix('Ours: ')}"
        yield from draw(turned, folder, name, title, below)


def captioned(table: int, network: Combination, rows: Results) -> str:
    """What ours in a table was measured on."""
    found = finder(table, rows)
    known = [(found(cell), str(one)) for cell, one in of_backbone(table, network)]
    scored = [each.measured[name][MPJPE] for each, name in known if name in each.measured]
    return f"{beside(scored)}, weights {scored[0].conditions['weights']}"


def shown(lines: pandas.DataFrame) -> pandas.DataFrame:
    """The table as texts, an interval in one cell with its number."""
    told = lines.copy().astype(object)
    for name in ("printed (mm)", "ours (mm)", "printed minus unpruned"):
        told[name] = [number(x, "minus" in name, 1) for x in lines[name]]
    ends = zip(*(lines[name] for name in DIFFERENCE), strict=True)
    told[DIFFERENCE[0]] = [between(*each) for each in ends]
    return told.drop(columns=["low", "high"]).astype(str)


def between(value: float, low: float, high: float) -> str:
    """A difference with its interval, where it has one."""
    ends = "" if math.isnan(low) else f" [{low:+.2f}, {high:+.2f}]"
    return number(value, True, 2) + ends
