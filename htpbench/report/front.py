"""All networks of all studies on one page: a front to point at, to filter and to sort."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Any

import pandas

from htpbench.errors import BenchError
from htpbench.outside.drafts import write_file
from htpbench.outside.printable import shown
from htpbench.records.results import Results
from htpbench.report.current import CONTROL
from htpbench.report.page import SHEET, SORTED, table, whole
from htpbench.report.tables import axes_of, sweep_table
from htpbench.study.study import Study
from htpbench.systems.combination import parse

TITLE = "All networks"
ERROR, UNPRUNED = "accuracy.mpjpe", "unpruned"
FILTERS = ("study", "backbone", "pruner", "engine", "machine")
ACROSS = {"GFLOPs": "operations (GFLOPs)", "speed-up": "speed-up (x)"}
OPTIONS = '{actions: false, renderer: "svg"}'
# Of Vega, and a path of ours: the unpruned network is a star, as in all figures.
STAR = "M0,.5L.6,.8L.5,.1L1,-.3L.3,-.4L0,-1L-.3,-.4L-1,-.3L-.5,.1L-.6,.8L0,.5Z"
SHAPES = (
    *("circle", "square", "diamond", "triangle-up", "triangle-down"),
    *("cross", "triangle-right", "triangle-left", "wedge"),
)
SHEET_OF_CONTROLS = """
.vega-embed { width: 100%; }
.vega-bindings { display: flex; flex-wrap: wrap; gap: 0.5em 1.5em; margin-bottom: 1em; }
.vega-bindings label { color: var(--ink); }
.vega-bind-name { margin-right: 0.4em; }
""".strip()


def points(study: Study, rows: Results) -> pandas.DataFrame:
    """The networks of a study that have a cost or a speed-up, and an error: a line each."""
    found = sweep_table(rows)
    if ERROR not in found:
        return pandas.DataFrame()
    cost, speed = axes_of(found)
    lines = []
    for line in found.to_dict("records"):
        name = line["combination"]
        card = rows.measured.get(name, {})
        if name.startswith(CONTROL) or ERROR not in card:
            continue
        parts, clock = parse(name), card.get(speed, card[ERROR])
        numbers = {
            "GFLOPs": line[cost] / 1e9,
            "speed-up": line.get(speed),
            "speed-up, low": line.get(f"{speed}.low"),
            "speed-up, high": line.get(f"{speed}.high"),
            "MPJPE (mm)": line[ERROR],
            "MPJPE, low": line.get(f"{ERROR}.low"),
            "MPJPE, high": line.get(f"{ERROR}.high"),
        }
        facts = {
            "study": study.name,
            "combination": name,
            "backbone": f"{parts.backbone}.{parts.variant}-{parts.frames}",
            "pruner": str(parts.pruner) if parts.pruner else UNPRUNED,
            "engine": str(clock.conditions.get("engine", "eager")),
            "machine": str(rows.environments.get(clock.environment, {}).get("machine")),
            "data": str(card[ERROR].conditions.get("data")),
        }
        lines.append(facts | {key: rounded(value) for key, value in numbers.items()})
    return pandas.DataFrame(lines)


def rounded(value: Any) -> float | None:
    """A number of four digits; None for what is not known."""
    return None if value is None or pandas.isna(value) else float(f"{value:.4g}")


def write_front(found: Iterable[pandas.DataFrame], reports: Path) -> list[Path]:
    """Write front.html, in which nothing is loaded from elsewhere; [] where there is no network.

    BenchError without altair.
    """
    parts = [part for part in found if not part.empty]
    if not parts:
        return []
    every = pandas.concat(parts, ignore_index=True)
    body = [
        f"<h1>{TITLE}</h1>",
        '<p><a href="index.html">Reports</a>. Errors of unlike data or weights are not comparable: '
        "choose a study.</p>",
        drawn(every),
        shown(table(every.astype(object).where(every.notna(), "").astype(str), {})),
        f"<script>\n{SORTED}\n</script>",
    ]
    page = whole(TITLE, body, f"{SHEET}\n{SHEET_OF_CONTROLS}")
    return [write_file(reports / "front.html", page.encode())]


def drawn(every: pandas.DataFrame) -> str:
    """The chart with its scripts."""
    try:
        import altair
        import vl_convert
    except ImportError as error:
        raise BenchError(
            "an interactive front needs altair: pip install 'htpbench[interactive]'"
        ) from error
    spec = chart(altair, every).to_json(indent=None)
    script = vl_convert.javascript_bundle(f"vegaEmbed('#front', {spec}, {OPTIONS});")
    script = re.sub(r"<(?=/script|script|!--)", r"\\x3c", script, flags=re.IGNORECASE)
    label = escape("MPJPE against operations or speed-up; the table below has the same numbers")
    return f'<div id="front" role="figure" aria-label="{label}"></div>\n<script>{script}</script>'


def chart(altair: Any, every: pandas.DataFrame) -> Any:
    """Points with intervals, what is across and which are shown chosen by controls."""
    across = altair.param(
        name="across", value="GFLOPs", bind=altair.binding_radio(options=[*ACROSS], name="across")
    )
    chosen = [
        altair.selection_point(
            name=name,
            fields=[name],
            bind=altair.binding_select(
                options=[None, *sorted(every[name].unique())],
                labels=["all", *sorted(every[name].unique())],
                name=name,
            ),
        )
        for name in FILTERS
    ]
    controls = reversed([*chosen, across])  # Vega shows the last one first
    base = altair.Chart(every).transform_calculate(x="datum[across]").add_params(*controls)
    for one in chosen:
        base = base.transform_filter(one)
    pruners = sorted({*every["pruner"]} - {UNPRUNED})
    shapes = [SHAPES[place % len(SHAPES)] for place in range(len(pruners))]
    looks = altair.Scale(domain=[UNPRUNED, *pruners], range=[STAR, *shapes])
    scale = altair.Scale(zero=False)
    factors = altair.Scale(type="log", nice=False, padding=20)
    x = altair.X("x:Q", title=" or ".join(ACROSS.values()), scale=factors)
    return (
        (
            base.mark_rule(opacity=0.4).encode(
                x=x,
                y=altair.Y("MPJPE\\, low:Q", scale=scale, title="MPJPE (mm)"),
                y2="MPJPE\\, high:Q",
                color="study:N",
            )
            + base.mark_point(filled=True, size=70).encode(
                x=x,
                y=altair.Y("MPJPE (mm):Q", scale=scale),
                color="study:N",
                shape=altair.Shape("pruner:N", scale=looks),
                tooltip=[altair.Tooltip(f"{name}:N") for name in every],
            )
        )
        .properties(width="container", height=420)
        .interactive()
    )
