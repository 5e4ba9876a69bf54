"""What figures share of combinations: their rows, names, and looks where they are points.

A pruner and recoverer have one colour and marker.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pandas
import seaborn
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.lines import Line2D

from htpbench.records.rows import Row, latest
from htpbench.report.figures.labels import label

MARKERS = "osD^vPX<>phd"  # they differ where a print has no colours
UNPRUNED = "unpruned"


def newest(rows: Iterable[Row], metric: str) -> dict[str, Row]:
    """Combination -> its newest ok row of a metric, in order of first appearance."""
    found: dict[str, Row] = {}
    for row in latest(rows).values():
        if row.metric == metric and row.status == "ok":
            rival = found.setdefault(row.combination, row)
            found[row.combination] = max(rival, row, key=lambda one: one.at)
    return found


def first(found: dict[str, Row], limit: int, subtitle: str) -> tuple[dict[str, Row], str]:
    """The first combinations, as many as a page holds; the subtitle says how many there are."""
    if len(found) <= limit:
        return found, subtitle
    return dict(list(found.items())[:limit]), f"{subtitle}; the first {limit} of {len(found)}"


def short(names: Iterable[str]) -> list[str]:
    """Combinations without their backbone, where all have the same and prune."""
    parts = [name.partition("+") for name in names]
    if len({backbone for backbone, _, _ in parts}) > 1 or not all(rest for _, _, rest in parts):
        return ["".join(part) for part in parts]
    return [rest for _, _, rest in parts]


def families(table: pandas.DataFrame) -> pandas.Series:
    """What did the pruning and recovering of each line, as "tps + tri"; "unpruned"."""
    modules = (combination.split("+")[1:] for combination in table["combination"])
    names = [" + ".join(part.partition(":")[0] for part in parts) for parts in modules]
    return pandas.Series([name or UNPRUNED for name in names], index=table.index)


def styles(table: pandas.DataFrame) -> dict[str, dict]:
    """Family -> colour and marker, in order of appearance; the unpruned model is a black star."""
    found = {family: {} for family in dict.fromkeys(families(table))}
    pruned = [family for family in found if family != UNPRUNED]
    colours = seaborn.color_palette("colorblind", len(pruned))
    for index, (family, colour) in enumerate(zip(pruned, colours, strict=True)):
        marker = MARKERS[index % len(MARKERS)]
        found[family] = {"color": colour, "marker": marker, "markersize": 5}
    if UNPRUNED in found:
        found[UNPRUNED] = {"color": (0.0, 0.0, 0.0), "marker": "*", "markersize": 11}
    return found


def handles(looks: dict[str, dict]) -> list[Line2D]:
    """The families' entries in a legend."""
    return [Line2D([], [], linestyle="none", label=name, **look) for name, look in looks.items()]


def kept(combination: str) -> str:
    """The frames kept at each stage: "mixste-243+tps:121@0,81@3+tri" -> "121, 81"."""
    _, _, pruning = combination.partition("+")
    schedule = pruning.partition("+")[0].partition(":")[2]
    return ", ".join(stage.partition("@")[0] for stage in schedule.split(",") if stage)


def label_kept(
    axes: Axes,
    canvas: FigureCanvasAgg,
    table: pandas.DataFrame,
    places: list[tuple[float, float]],
    looks: dict[str, dict],
) -> None:
    """Write beside each line's place what tells it from others, the first lines first."""
    colours = [looks[family]["color"] for family in families(table)]
    label(axes, canvas, telling(table), places, colours)


def telling(table: pandas.DataFrame) -> list[str]:
    """The frames that each line keeps; where most keep the same, what did the pruning.

    Then a recoverer that most have goes without saying, as do the frames that most keep.
    """
    frames = [kept(combination) for combination in table["combination"]]
    usual = most(filter(None, frames))
    if usual is None:
        return frames
    parts = [family.partition(" + ")[::2] for family in families(table)]
    common = most(recoverer for _, recoverer in parts if recoverer)
    names = [
        pruner if recoverer in ("", common) else f"{pruner} + {recoverer}"
        for pruner, recoverer in parts
    ]
    pairs = zip(names, frames, strict=True)
    return [f"{name}: {few}" if few not in ("", usual) else name * bool(few) for name, few in pairs]


def most(texts: Iterable[str]) -> str | None:
    """The text that more than half of at least three are; None where there is none."""
    count = Counter(texts)
    for text, many in count.most_common(1):
        if count.total() >= 3 and 2 * many > count.total():
            return text
    return None
