"""Figures: nothing drawn without its data, and what is drawn is true."""

import math
from dataclasses import replace

import matplotlib
import numpy as np
import pandas
import pytest
import small
from matplotlib.collections import QuadMesh
from matplotlib.text import Text

from htpbench.errors import BenchError
from htpbench.measuring import kept as selecting
from htpbench.measuring.context import Context
from htpbench.motion.filming import make_views
from htpbench.motion.protocols import cut
from htpbench.records import clocks
from htpbench.records.rows import Row, row_key
from htpbench.report.figures import (
    breakdown,
    combinations,
    graph,
    grid,
    kept,
    pareto,
    speedup,
    style,
)
from htpbench.report.tables import sweep_table
from htpbench.study.loading import load
from htpbench.study.settings import EvaluationSettings
from htpbench.study.study import Study
from htpbench.systems import catalogue
from htpbench.systems.combination import parse

BASE = "mixste.tiny-9"
SYSTEMS = ("tps:{}+tri", "tpc:{}+tra")
STAGES = ("5@0", "5@2", "3@0", "5@0,3@2")
PRUNED = [f"{BASE}+{system.format(stages)}" for system in SYSTEMS for stages in STAGES]
CONSECUTIVE = {"spread": "consecutive", "windows": 5, "stride": 1}
PARTS = ["embed", "blocks", "prune", "recover", "head"]
WINDOWS = ["0", "0", "0", "1", "1", "1"]


@pytest.mark.parametrize(
    ("errors", "between"),
    [
        ([39, 40, 41, 42, 44, 60, 65, 80], (44, 60)),
        ([39, 40, 41, 42, 44, 46], None),  # nothing lies apart
        ([39, 60, 61, 62, 63, 64, 65], None),  # most would stand above
        ([39, 40, 41, 42, 44, 400], None),  # logarithmic instead
        ([39, 80], None),
    ],
)
def test_an_axis_is_broken_where_a_few_networks_went_wrong(errors, between):
    assert pareto.gap(pandas.DataFrame({"accuracy.mpjpe": errors}, dtype=float)) == between


def test_a_broken_axis_shows_every_point_and_control_once(tmp_path):
    found = table()
    found.loc[found.index[-1], "accuracy.mpjpe"] = 90.0
    controls = pandas.DataFrame({"combination": ["control: x"], "accuracy.mpjpe": [70.0]})
    figure = pareto._draw(found.assign(allowed=True, beside=False), controls, "title", "subtitle")
    upper, lower = figure.axes[0], figure.axes[2]
    limits = [axes.get_ylim() for axes in (lower, upper)]
    for error in [*found["accuracy.mpjpe"].dropna(), 70.0]:
        assert sum(low < error < high for low, high in limits) == 1, error


def test_names_stand_where_most_keep_the_same_frames():
    names = [BASE, f"{BASE}+tps:5@0+tri", f"{BASE}+tpc:5@0+tri", f"{BASE}+tpc:5@0+tra"]
    lines = pandas.DataFrame({"combination": [*names, f"{BASE}+tps:3@0+tri"]})
    assert combinations.telling(lines) == ["", "tps", "tpc", "tpc + tra", "tps: 3"]
    apart = lines.iloc[[0, 1, 4]]
    assert combinations.telling(apart) == ["", "5", "3"]


def row(combination, metric, value, **more):
    key = row_key(combination, metric, {}, 1)
    facts = {"study": "small", "unit": "1", "environment": "e", "at": "2026-01-01T00:00:00Z"}
    return Row(**{**facts, **more}, key=key, combination=combination, metric=metric, value=value)


def rows():
    found = []
    for index, name in enumerate([BASE, *PRUNED]):
        ratio = 1 + index / 10
        found += [
            row(name, "cost.flops", 1e9 / (1 + index)),
            row(name, "time.speedup", ratio, low=ratio - 0.05, high=ratio + 0.1),
            row(name, "accuracy.mpjpe", 40.0 + index),
            row(name, "time.breakdown", [0.01, 0.002, 0.001], axis=["rest", "prune", "recover"]),
        ]
    for name, frames in ((PRUNED[2], [0, 4, 8, 0, 4, 8]), (PRUNED[6], [0, 1, 8, 1, 4, 7])):
        found.append(row(name, "selection.windows", frames, axis=WINDOWS))
    return found


def table():
    return sweep_table(rows())


NAMES = {row.combination for row in rows()}
FIGURES = {
    "pareto": lambda folder: pareto.pareto(table(), NAMES, (), folder, "f", "title", "subtitle"),
    "speedup": lambda folder: speedup.speedup(table(), 1e9, folder, "f", "title", "subtitle"),
    "breakdown": lambda folder: breakdown.breakdown(rows(), folder, "f", "title", "subtitle"),
    "grid": lambda folder: grid.grid(table(), folder, "f", "title", "subtitle"),
    "kept": lambda folder: kept.kept(rows(), folder, "f", "title", "subtitle"),
}


@pytest.fixture
def drawn(monkeypatch):
    """The figures that would have been written, in order."""
    found = []

    def save(make, folder, name):
        with matplotlib.rc_context(style.STYLE):
            found.append(make())

    for module in (pareto, speedup, breakdown, grid, kept, graph):
        monkeypatch.setattr(module, "save", save)
    return found


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_fits_a_page_and_nothing_in_it_is_too_small(tmp_path, drawn, name):
    FIGURES[name](tmp_path)
    written = [text for text in drawn[0].findobj(Text) if text.get_text().strip()]
    assert min(text.get_fontsize() for text in written) >= 7
    assert drawn[0].get_size_inches()[0] == style.WIDTH


def test_figures_without_their_data_are_not_written(tmp_path):
    few = [one for one in rows() if one.metric == "cost.flops"]
    bare = sweep_table(few)
    assert speedup.speedup(bare, 1e9, tmp_path, "f", "", "") == ()
    assert breakdown.breakdown(few, tmp_path, "f", "", "") == ()
    assert grid.grid(bare, tmp_path, "f", "", "") == ()
    assert kept.kept(few, tmp_path, "f", "", "") == ()
    assert not list(tmp_path.iterdir())


def test_families_differ_without_colours():
    names = [f"{BASE}+tps~k={k}:3@1+tri" for k in range(9)]
    looks = combinations.styles(pandas.DataFrame({"combination": [BASE, *names]}))
    assert len({look["marker"] for look in looks.values()}) == 10


def test_the_newest_row_of_a_combination_is_drawn_once():
    old, failed = row(BASE, "time.breakdown", [1.0], axis=["rest"]), "2026-01-03T00:00:00Z"
    new = replace(old, key="other", value=[2.0], at="2026-01-02T00:00:00Z")
    broken = replace(old, key="third", value=None, status="failed", at=failed)
    assert combinations.newest([new, old, broken], "time.breakdown") == {BASE: new}


def test_what_a_page_cannot_hold_is_left_out_and_said(tmp_path, drawn):
    names = [f"{BASE}+tps~k={k}:3@1+tri" for k in range(breakdown.LIMIT + 2)]
    told = [row(name, "time.breakdown", [0.1], axis=["rest"]) for name in names]
    breakdown.breakdown(told, tmp_path, "f", "title", "subtitle")
    assert len(drawn[0].axes[0].patches) == breakdown.LIMIT
    assert drawn[0].texts[1].get_text() == "subtitle; the first 50 of 52"


def test_backbones_are_left_out_of_names_only_where_all_are_the_same():
    assert combinations.short(["a-9+tps:3@1", "a-9+tpc:3@1+tri"]) == ["tps:3@1", "tpc:3@1+tri"]
    for names in (["a-9", "a-9+tps:3@1"], ["a-9+tps:3@1", "b-9+tps:3@1"]):
        assert combinations.short(names) == names


def test_a_legend_begins_a_line_where_it_is_told(tmp_path, drawn):
    FIGURES["speedup"](tmp_path)
    (legend,) = drawn[0].legends
    columns = 3  # unpruned and two families
    names = [text.get_text().strip() for text in legend.get_texts()]
    lines = [names[line::2] for line in range(2)]  # matplotlib fills columns first
    assert len(names) == 2 * columns
    assert lines[0] == ["unpruned", "tps + tri", "tpc + tra"]
    assert lines[1] == ["as promised", "no faster than the reference", ""]


def test_a_long_title_and_long_conditions_stay_on_the_page(tmp_path):
    words = "a long title of many words " * 8
    with matplotlib.rc_context(style.STYLE):
        figure = style.titled(3, words, words * 2)
        figure.canvas.draw()
    for text in figure.texts:
        box = text.get_window_extent()
        assert figure.bbox.containsx(box.x0) and figure.bbox.containsx(box.x1)
        assert figure.bbox.containsy(box.y0) and figure.bbox.containsy(box.y1)


def test_promised_and_measured_speed_ups(tmp_path, drawn):
    FIGURES["speedup"](tmp_path)
    points = {}
    for line in drawn[0].axes[0].get_lines():
        if line.get_marker() in combinations.MARKERS + "*":
            points |= dict(zip(line.get_xdata(), line.get_ydata(), strict=True))
    assert points == pytest.approx({1.0 + i: 1 + i / 10 for i in range(9)})


def test_bars_are_milliseconds_and_show_every_part(tmp_path, drawn):
    told = [row(BASE, "time.breakdown", [0.001, 0.002, 0.003, 0.004, 0.005], axis=PARTS)]
    breakdown.breakdown(told, tmp_path, "f", "", "")
    FIGURES["breakdown"](tmp_path)
    for figure, parts in zip(drawn, (5, 3), strict=True):
        bars = figure.axes[0].containers
        assert len(bars) == parts
        total = sum(bar[0].get_width() for bar in bars)
        assert total == pytest.approx({5: 15.0, 3: 13.0}[parts])
        assert len({(bar[0].get_hatch(), bar[0].get_facecolor()) for bar in bars}) == parts


def test_the_figure_knows_every_part_that_the_meter_tells():
    assert [*clocks.PARTS] == PARTS and set(PARTS) <= set(breakdown.PARTS)


def test_cells_of_the_grid_and_those_that_are_missing(tmp_path, drawn):
    panels = grid.cells(table(), "accuracy.mpjpe")
    assert [*panels] == [f"{BASE}+tps+tri", f"{BASE}+tpc+tra"]
    panel = panels[f"{BASE}+tps+tri"]
    assert [*panel.index] == [5, 3] and [*panel.columns] == [0, 2]
    assert panel.loc[5].tolist() == [41.0, 42.0] and panel.loc[3, 0] == 43.0
    assert math.isnan(panel.loc[3, 2])
    FIGURES["grid"](tmp_path)
    (mesh,) = drawn[0].axes[0].findobj(QuadMesh)
    assert mesh.get_array().mask.sum() == 1
    (legend,) = drawn[0].legends
    assert [text.get_text() for text in legend.get_texts()] == ["not measured"]


@pytest.mark.parametrize("stages", [["5@0", "3@0"], ["5@0", "5@2"], ["5@0", "3@2"]])
def test_one_line_or_a_diagonal_is_no_grid(stages):
    told = [row(f"{BASE}+tps:{one}+tri", "accuracy.mpjpe", 40.0) for one in stages]
    assert grid.cells(sweep_table(told), "accuracy.mpjpe") == {}


def test_differences_are_shown_where_they_are_known(tmp_path, drawn):
    known = table().assign(**{"accuracy.delta": np.arange(-1.0, 8)})
    grid.grid(known, tmp_path, "f", "", "")
    texts = [text.get_text() for text in drawn[0].axes[0].texts]
    assert texts == ["+0.00", "+1.00", "+2.00"]


@pytest.mark.parametrize("combinations_shown", [1, 2, 5])
def test_points_and_bars_are_the_frames_that_windows_keep(tmp_path, drawn, combinations_shown):
    names = [f"{BASE}+tpc:3@{b}+tri" for b in range(4)] + [f"{BASE}+tps:3@1+tri"]
    frames = [0, 1, 8, 1, 4, 7]
    told = [
        row(name, "selection.windows", frames, axis=WINDOWS) for name in names[:combinations_shown]
    ]
    kept.kept(told, tmp_path, "f", "", "")
    shown = [axes for axes in drawn[0].axes if axes.axison]
    points = [axes for axes in shown if axes.get_lines()]
    bars = [axes for axes in shown if axes.patches]
    assert len(points) == len(bars) == combinations_shown
    for axes in points:
        (line,) = axes.get_lines()
        assert [*line.get_xdata()] == frames and [*line.get_ydata()] == [0, 0, 0, 1, 1, 1]
    for axes in bars:
        assert [bar.get_height() for bar in axes.patches] == [1, 2, 0, 0, 1, 0, 0, 1, 1]
        assert sum(bar.get_height() for bar in axes.patches) == 2 * 3  # windows x r


def test_consecutive_windows_follow_each_other_in_one_clip():
    views = make_views(small.motion().motion("test"), "gt", "rotate")
    windows = cut(views, 9, stride=1)  # 14 of the first view, 15 of the second
    for count, view in ((1, 0), (14, 0), (15, 1)):
        found = windows.consecutive(count)
        assert set(found.view) == {view} and len(found.index) == count
        assert found.index[0, 0] == views.start[view]
        assert (np.diff(found.index, axis=0) == 1).all()
    with pytest.raises(BenchError, match="16 consecutive windows; the longest has 15"):
        windows.consecutive(16)


def test_consecutive_windows_must_be_counted():
    with pytest.raises(BenchError, match="needs `windows`"):
        EvaluationSettings(spread="consecutive")


def measured(folder, **evaluation):
    """The rows of two pruners on the small motion, and their conditions."""
    settings = {"data": str(small.motion_file(folder)), **evaluation}
    names = [small.PRUNED, f"{BASE}+tpc:3@1+tri"]
    fields = {"meters": ["selection"], "weights": "random", "evaluation": settings}
    named = Study(name="small", title="", combinations=names, **fields)
    here = small.runner(named, folder / "results")
    with here.writer() as writer:
        return [here.measure(parse(name), writer) for name in names]


def test_consecutive_windows_tell_all_that_they_keep(tmp_path):
    for found in measured(tmp_path, **CONSECUTIVE):
        told = found["selection.windows"]
        assert told.conditions["spread"] == "consecutive" and told.samples == 5
        assert told.axis == [str(window) for window in range(5) for _ in range(3)]
        counted = kept.counts(told)
        assert counted.sum() == 5 * 3
        assert counted.tolist() == found["selection.frequency"].value
        assert told.value[:12] == found["selection.kept"].value


def test_windows_far_apart_are_not_told_and_their_conditions_stay_as_they_were(tmp_path):
    found = measured(tmp_path, windows=5)[0]
    assert set(found) == set(small.metrics("selection"))
    assert "spread" not in found["selection.kept"].conditions


def test_a_graph_of_frames_is_told_and_drawn(drawn, tmp_path):
    pruned = "mixste.tiny-9+htp~n=2:5@1,3@2+tri"
    path = small.study(
        tmp_path,
        combinations=("mixste.tiny-9", pruned),
        meters=("cost", "selection"),
    )
    setting = Context(load(str(path)))
    selection = catalogue.meter("selection")
    found = {one.metric: one for one in selection.measure(setting, parse(pruned))}
    assert found.keys() == {one.name for one in selection.applies(setting, parse(pruned))}
    links, stages = found["selection.links"], found["selection.stages"]
    pairs = list(zip(map(int, links.axis), links.value, strict=True))
    assert all(0 <= i < j < 9 for i, j in pairs) and len(set(pairs)) == len(pairs)
    seen, lifter = [], setting.lifter(parse(pruned)).eval()
    look = lifter.pruner.select
    lifter.pruner.select = lambda view, r: seen.append(view) or look(view, r)
    selecting.survivors(lifter, setting.evaluation(parse(pruned)), 0)
    links_there = lifter.pruner.links(seen[0])[0]
    assert set(pairs) == {tuple(pair) for pair in links_there.triu().nonzero().tolist()}
    neighbours = [sum(frame in pair for pair in pairs) for frame in range(9)]
    assert min(neighbours) >= 2 and 2 * len(pairs) == sum(neighbours) <= 9 * 8
    told = graph.kept(stages)
    assert {place: len(frames) for place, frames in told.items()} == {
        (window, stage): (5, 3)[stage] for window in range(4) for stage in range(2)
    }
    last = [frame for window in range(4) for frame in told[window, 1]]
    assert last == found["selection.kept"].value
    for window in range(4):
        assert set(told[window, 1]) < set(told[window, 0])
    plain = selection.applies(setting, parse("mixste.tiny-9+tps:5@1+tri"))
    assert not {one.name for one in plain} & {"selection.links", "selection.stages"}
    rows = [row(pruned, one.metric, one.value, axis=one.axis) for one in (links, stages)]
    graph.graph(rows, tmp_path, "f", "", "")
    above, below = drawn[0].axes
    (points,) = above.get_lines()
    shown = set(zip(points.get_xdata(), points.get_ydata(), strict=True))
    assert shown == {pair[::way] for pair in pairs for way in (1, -1)}
    assert [len(line.get_xdata()) for line in below.get_lines()] == [5] * 4 + [3] * 4
    assert graph.graph(rows[:1], tmp_path, "f", "", "") == ()
