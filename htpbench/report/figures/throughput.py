"""Throughput: clips per second of each network as the batch grows."""

from __future__ import annotations

from pathlib import Path

import seaborn
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator, ScalarFormatter

from htpbench.records.results import Results
from htpbench.report.figures.combinations import MARKERS
from htpbench.report.figures.style import legend_below, save, titled
from htpbench.report.throughput import CLIPS, Point, points

LIMIT = 8  # curves that eyes can tell apart


def throughput(
    rows: Results, folder: Path, name: str, title: str, subtitle: str
) -> tuple[Path, ...]:
    """Write <name>.png and <name>.svg; () where fewer than two batch sizes were timed."""
    found = points(rows)
    if not found:
        return ()
    names = list(dict.fromkeys(one.combination for one in found))
    if names[LIMIT:]:
        subtitle += f"; the first {LIMIT} of {len(names)} networks"
    return save(lambda: _draw(found, names[:LIMIT], title, subtitle), folder, name)


def _draw(found: list[Point], names: list[str], title: str, subtitle: str) -> Figure:
    figure = titled(3.7, title, subtitle)
    axes = figure.subplots()
    colours = seaborn.color_palette("colorblind")
    curves = []
    for place, name in enumerate(names):
        mine = [one for one in found if one.combination == name]
        rates = [one.clips.value for one in mine]
        ends = [
            [abs(rate - (end or rate)) for rate, end in zip(rates, side, strict=True)]  # type: ignore
            for side in zip(*((one.clips.low, one.clips.high) for one in mine), strict=True)
        ]
        doubtful = any(CLIPS in one.doubtful for one in mine)
        curves.append(
            axes.errorbar(
                [one.batch for one in mine],
                rates,  # type: ignore[arg-type]
                yerr=ends,
                label=f"{name} (not to be trusted)" if doubtful else name,
                color="0.7" if doubtful else colours[place],
                marker=MARKERS[place],
                markersize=5,
                linewidth=1.2,
            )
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_locator(FixedLocator(sorted({one.batch for one in found})))
    axes.xaxis.set_major_formatter(ScalarFormatter())
    axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlabel("batch (clips)")
    axes.set_ylabel("clips per second")
    legend_below(figure, curves)
    return figure
