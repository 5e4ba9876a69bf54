from __future__ import annotations

import io
import subprocess
import sys

import pandas
import pytest
from paths import ROOT
from rich.console import Console

from htpbench.errors import BenchError
from htpbench.records.front import front
from htpbench.records.results import Results
from htpbench.records.rows import Row, row_key
from htpbench.records.verdicts import compare
from htpbench.report.comparison import render
from htpbench.report.console import sweep_lines
from htpbench.report.figures.pareto import pareto
from htpbench.report.published import as_printed, published, same_digit
from htpbench.report.standing import Standing
from htpbench.report.tables import sweep_parts, sweep_table
from htpbench.report.text import markdown, raw, write_csv
from htpbench.study.constraint import parse

H2OT = "mixste-243+tps:121@0,81@3+tri"
HOT = "mixste-243+tpc:81@3+tra"


def row(combination: str, metric: str, value: float | None, **changes) -> Row:
    conditions = changes.get("conditions", {})
    facts = {"study": "demo", "unit": "1", "environment": "c41d90", "value": value}
    key = row_key(combination, metric, conditions, 1)
    return Row(key=key, combination=combination, metric=metric, **{**facts, **changes})


def sweep() -> list[Row]:
    rows = []
    for index, (combination, time) in enumerate([("mixste-243", 0.02), (H2OT, 0.01), (HOT, 0.015)]):
        error = 40 + index
        rows += [
            row(combination, "cost.flops", 294845300000 - index * 10**11),
            row(combination, "cost.params", 33783811),
            row(combination, "time.forward", time, unit="s", low=0.9 * time, high=1.2 * time),
            *(row(combination, f"time.{one}", 0.0) for one in ("drift", "overhead")),
            row(combination, "accuracy.mpjpe", error, unit="mm", low=error - 1, high=error + 1),
        ]
    return rows


@pytest.mark.parametrize(
    ("value", "printed", "unit", "same"),
    [
        (277.2479e9, "277.25", "G", True),
        (118.2418e9, "118.23", "G", False),
        (118.233467e9, "118.23", "G", True),
        (35000323, "35.00", "M", True),
        (35000323, "35", "M", True),
        (95.414782e9, "95.41", "G", True),
        (95415000000, "95.42", "G", True),  # a half goes up
        (95414999999, "95.42", "G", False),
        (1.005, "1.01", "mm", True),  # in decimals, though the nearest double is below
        (40.94, "40.9", "mm", True),
        (40.95, "40.9", "mm", False),
        (9.6e6, "9.6", "M", True),
        (10.4e6, "10", "M", True),
        (10.5e6, "10", "M", False),
        (10.5e6, "11", "M", True),
    ],
)
def test_same_digit(value, printed, unit, same):
    assert same_digit(value, printed, unit) is same


def test_numbers_are_printed_with_the_decimals_of_the_paper():
    assert as_printed(118.2418e9, "118.23", "G") == "118.24"
    assert as_printed(35000323, "35.00", "M") == "35.00"
    assert as_printed(1.2e15, "118", "G") == "1200000"


def test_published_table_4_is_whole():
    cells = published(4)
    assert cells["row"].nunique() == 24
    assert cells["metric"].isin(["params", "flops"]).sum() == 48
    first = cells[(cells["row"] == 1) & (cells["metric"] == "flops")].iloc[0]
    assert (first["combination"], first["printed"], first["unit"]) == ("mixste-243", "277.25", "G")
    assert first["value"] == 277.25


def test_published_refuses_an_unknown_table():
    with pytest.raises(BenchError, match=r"no published table 11; known: 2, 3"):
        published(11)


def test_a_sweep_has_a_line_a_combination():
    rows = [*sweep(), row(HOT, "accuracy.p_mpjpe", None, status="failed", reason="no weights")]
    table = sweep_table(rows)
    assert table["combination"].tolist() == ["mixste-243", H2OT, HOT]
    assert table["cost.flops"].tolist() == [294845300000, 194845300000, 94845300000]
    assert table.loc[1, ["time.forward", "time.forward.low"]].tolist() == [0.01, 0.9 * 0.01]
    assert table["cost.flops_published"].isna().all()
    assert table["note"].tolist() == ["", "", "accuracy.p_mpjpe: failed: no weights"]


def test_a_sweep_shows_the_newest_of_unlike_rows_and_says_so():
    rows = [
        row("mixste-243", "time.forward", 0.1, conditions={"batch": 1}, at="2026-01-02T00:00:00Z"),
        row("mixste-243", "time.forward", 0.2, conditions={"batch": 8}, at="2026-01-01T00:00:00Z"),
        row(
            "mixste-243",
            "time.forward",
            None,
            conditions={"batch": 64},
            status="failed",
            reason="full",
        ),
    ]
    table = sweep_table(rows)
    assert table.loc[0, "time.forward"] == 0.1
    assert table.loc[0, "note"].split("; ") == [
        "time.forward: failed: full",
        "time.forward: the newest of several (batch)",
    ]


def test_front_keeps_what_nothing_beats():
    nan = float("nan")
    points = [(1, 9), (2, 5), (2, 5), (3, 5), (2, 6), (4, 1), (nan, 0), (0, nan), (5, 5)]
    lines = [{"x": x, "y": y} for x, y in points]
    on_it = [True, True, True, False, False, True, False, False, False]
    assert front(lines, ["x", "y"]) == on_it
    assert front([*lines, {"x": 0.0}], ["x", "y"]) == [*on_it, False]
    assert front(lines[:6], ["x"]) == [True, False, False, False, False, False]
    turned = [{"x": x, "time.speedup": -y} for x, y in points]
    assert front(turned, ["x", "time.speedup"]) == on_it
    kept = front(lines, ["x", "y"], [parse("y <= 5")])
    assert kept == [False, True, True, False, False, True, False, False, False]
    assert not any(front(lines, ["x", "y"], [parse("z <= 5")])), "nobody knows"


def test_markdown_is_for_people_and_csv_for_programs(tmp_path):
    rows = [*sweep(), row(HOT, "time.speedup", None, status="timeout", reason="a|b\nc")]
    table = sweep_table(rows)
    (part,) = sweep_parts(table)
    lines = markdown(part).splitlines()
    heads = [cell.strip() for cell in lines[0].split("|")[1:-1]]
    assert heads == [
        "combination",
        "parameters (M)",
        "FLOPs, all counted (G)",
        "forward time (ms)",
        "MPJPE (mm)",
        "note",
    ]
    cells = [cell.strip() for cell in lines[3].split("|")[1:-1]]
    assert cells == [f"`{H2OT}`", "33.78", "194.85", "10.00 [9.00, 12.00]", "41.0 [40.0, 42.0]", ""]
    assert len(lines) == 5 and r"timeout: a\|b c" in lines[4]
    read = pandas.read_csv(write_csv(raw(table), tmp_path / "new", "sweep"))
    assert read["forward time (s)"].tolist() == table["time.forward"].tolist()
    assert read["forward time, high (s)"].tolist() == table["time.forward.high"].tolist()
    assert "FLOPs, all counted (FLOP)" in read


def test_small_models_keep_their_digits():
    table = sweep_table([row("mixste.tiny-27", "cost.params", 92345)])
    assert "0.0923" in markdown(sweep_parts(table)[0])


def drawn(table, folder, allowed=None):
    allowed = list(table["combination"]) if allowed is None else allowed
    return pareto(table, allowed, (), folder, "p", "title", "subtitle")


def test_a_folder_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BenchError, match="cannot write"):
        write_csv(sweep_table(sweep()), tmp_path / "file", "sweep")
    with pytest.raises(BenchError, match="cannot write"):
        drawn(sweep_table(sweep()), tmp_path / "file")


def test_a_refused_write_keeps_the_old_file_and_leaves_nothing(tmp_path):
    (tmp_path / "sweep.csv").mkdir()  # os.replace refuses to put a file there
    with pytest.raises(BenchError, match="cannot write"):
        write_csv(sweep_table(sweep()), tmp_path, "sweep")
    assert [path.name for path in tmp_path.iterdir()] == ["sweep.csv"]


def test_a_figure_of_other_numbers_has_other_bytes(tmp_path):
    table = sweep_table(sweep())
    first = [path.read_bytes() for path in drawn(table, tmp_path / "a")]
    other = table.assign(**{"cost.flops": table["cost.flops"] * [1, 1, 0.9]})
    changed = [path.read_bytes() for path in drawn(other, tmp_path / "c")]
    assert changed[0] != first[0] and changed[1] != first[1]


@pytest.mark.parametrize("lines", [1, 2])
def test_a_figure_of_few_points_without_times_and_with_wide_errors(tmp_path, lines):
    table = sweep_table(sweep())[:lines].assign(**{"time.forward": float("nan")})
    table["accuracy.mpjpe"] = [40.0, 400.0][:lines]
    assert all(path.stat().st_size > 10000 for path in drawn(table, tmp_path))


def test_a_figure_without_a_front_is_not_drawn(tmp_path):
    assert drawn(sweep_table([row("mixste-243", "cost.flops", 1e9)]), tmp_path) == ()
    assert drawn(sweep_table(sweep()), tmp_path, allowed=()) == ()
    assert not list(tmp_path.iterdir())


def test_reports_import_no_torch_and_tables_do_not_draw():
    code = (
        "import sys, htpbench.report.tables; print('matplotlib' in sys.modules)\n"
        "import htpbench.report.figures.pareto; print('torch' in sys.modules)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "False"]


GIVEN_UP = "after 405 of 3000 frames MPJPE is at least 42.1 mm; dominated by mixste-243+tps:9@1+tri"


def shown(table, width):
    """What a terminal of that width shows of a table, without spaces at the ends of lines."""
    console = Console(width=width, file=io.StringIO(), color_system=None)
    console.print(sweep_lines(table, Standing(best=frozenset(["mixste-243", H2OT]))))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


@pytest.mark.parametrize("width", [60, 80, 120, 240])
def test_a_terminal_shows_every_number_whole_and_a_reason_once(width):
    rows = sweep()
    for metric in ("accuracy.mpjpe", "accuracy.p_mpjpe", "accuracy.mpjpe_by_clip", "accuracy.pck"):
        rows.append(row("mixste-81", metric, None, status="pruned", reason=GIVEN_UP))
    rows.append(row("mixste-81", "time.forward", None, status="unsupported", reason="word " * 80))
    rows += [row(HOT, "time.speedup", 1.5, low=1.4, high=1.6)]
    table = sweep_table(rows).assign(**{"accuracy.delta": [float("nan"), 1.25, -2.5, float("nan")]})
    lines = shown(table, width)
    assert max(map(len, lines)) <= width
    first = next(line for line in lines if line.startswith(" *  mixste-243"))
    assert first.split()[:4] == ["*", "mixste-243", "294.85", "20.00"] and "40.0" in first
    (hot,) = [line.split() for line in lines if "94.85" in line and "15.00" in line]
    assert {"42.0", "-2.50", "1.50"} <= set(hot)
    assert ("[1.40," in hot) == (width >= 80), "intervals where there is room"
    said = " ".join(" ".join(lines).split())
    assert said.count("dominated by") == 1 and "accuracy.mpjpe and 3 more: pruned: after" in said


def test_a_comparison_fits_a_narrow_terminal():
    held = Results.read(ROOT / "tests" / "frozen" / "results")
    a, b = "mixste.tiny-81", "mixste.tiny-81+tps:9@1+tri"
    console = Console(width=80, file=io.StringIO(), color_system=None)
    console.print(render(compare(a, b, held)[0], a, b, "table"))
    said = console.file.getvalue()
    assert max(map(len, said.splitlines())) <= 80 and "…" not in said
    assert "+0.70 [-0.07," in said and "paired by clip" in said and "of A " not in said
