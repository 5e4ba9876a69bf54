"""Ours beside the numbers that papers print: absolute where it may be, else over the unpruned."""

from __future__ import annotations

import math

import pandas
import pytest

from htpbench.checking.lengths import TOTALS
from htpbench.records.rows import Row, row_key
from htpbench.report.origin import published_origins
from htpbench.report.paper import published_table
from htpbench.report.published import published, unpruned
from htpbench.report.quantities import KIND_OF, QUANTITIES, quantity
from htpbench.report.relative import PROCESS_GB, Ratio, verdict
from htpbench.report.sides import sides
from htpbench.report.text import markdown, write_csv
from htpbench.systems import catalogue

H2OT = "mixste-243+tps:121@0,81@3+tri"
HOT = "mixste-243+tpc:81@3+tra"
CLOCKED = {"processes": 5}
PROCESSES = ("0", "1", "2", "3", "4")


def row(combination: str, metric: str, value: float | list | None, **changes) -> Row:
    conditions = changes.get("conditions", CLOCKED if catalogue.exclusive(metric) else {})
    facts = {"study": "demo", "unit": "1", "environment": "c41d90", "value": value}
    if isinstance(value, list):
        facts["axis"] = [*PROCESSES]
    key = row_key(combination, metric, conditions, 1)
    return Row(
        key=key,
        combination=combination,
        metric=metric,
        **{**facts, **changes, "conditions": conditions},
    )


def timed(combination, speedup, spread=0.0, meter="time", reference=0.1, **quiet) -> list[Row]:
    """Rows of a clock of five processes whose speed-ups differ by `spread`."""
    apart = [spread * (number - 2) for number in range(5)]
    base = [reference] * 5
    mine = [reference / speedup * math.exp(each) for each in apart]
    told = {"drift": 0.0, "overhead": 0.0, "cpu": 1.0} | quiet
    return [
        row(combination, f"{meter}.speedup", speedup),
        row(combination, f"{meter}.by_process", mine),
        row(combination, f"{meter}.reference_by_process", base),
        *(row(combination, f"{meter}.{name}", value) for name, value in told.items()),
    ]


def test_ours_stands_beside_the_published_numbers():
    rows = [
        row("mixste-243", "cost.params", 33783811),
        row("mixste-243", "cost.flops_published", 277247900000),
        row(H2OT, "cost.flops_published", 118241803000),
        row(HOT, "cost.params", None, status="failed", reason="no memory"),
    ]
    comparison = published_table(4, rows)
    cells = comparison.set_index(["row", "metric"])
    assert cells.loc[(1, "params"), ["ours", "equal", "why"]].tolist() == [33.783811, "yes", ""]
    assert cells.loc[(1, "flops"), "equal"] == "yes"
    assert cells.loc[(4, "flops"), ["equal", "why"]].tolist() == ["no", ""]
    assert cells.loc[(2, "params"), ["equal", "why"]].tolist() == ["", "failed: no memory"]
    assert cells.loc[(4, "params"), "why"] == "not measured: run `htpbench cost --study table4`"
    assert "reproduce table4 --only memory" in cells.loc[(1, "gpu_memory"), "why"]
    assert "Human3.6M" in cells.loc[(1, "mpjpe"), "why"]
    assert ((comparison["equal"] == "") == (comparison["why"] != "")).all()
    assert (comparison["ours"].isna() == (comparison["equal"] == "")).all()


@pytest.mark.parametrize("table", range(2, 11))
def test_every_published_cell_has_its_reason_when_nothing_is_measured(table):
    comparison = published_table(table, [])
    assert len(comparison) == len(published(table))
    assert (comparison["why"] != "").all()
    if table == 10:
        named = ~comparison["row"].isin([4, 8, 11, 14])
        assert comparison.loc[named, "why"].str.contains("MPI-INF-3DHP").all()
        unnamed = comparison["combination"] == ""
        assert comparison.loc[unnamed, "why"].str.contains("does not say").all()
        assert comparison.loc[~named & ~unnamed, "why"].str.contains("multiple of 16").all()


def test_speeds_of_whole_predictions_have_a_command():
    why = published_table(8, []).query("metric == 'fps'")["why"]
    assert len(why) == 4 and why.str.contains("htpbench reproduce table8 --only time").all()


def test_the_pipeline_of_the_paper_is_preferred():
    cost = {"metric": "cost.params", "combination": "mixste-243"}
    rows = [
        row(value=33000000, conditions={"pipeline": "seq2frame"}, **cost),
        row(value=34000000, conditions={"pipeline": "seq2seq"}, **cost),
    ]
    cells = published_table(3, rows).set_index(["row", "metric"])
    assert (cells.loc[(1, "params"), "ours"], cells.loc[(4, "params"), "ours"]) == (34, 33)
    cells = published_table(3, rows[1:]).set_index(["row", "metric"])
    assert cells.loc[(4, "params"), "ours"] == 34


def test_a_side_has_a_line_a_method_and_every_reason():
    rows = [row("mixste-243", "cost.flops_published", 277247900000)]
    costs, alone, reasons = sides(published_table(4, rows))
    assert len(costs) == len(alone) == 24
    flops = [name for name in costs if name.startswith("FLOPs, papers' convention")]
    assert costs.loc[0, flops].tolist() == ["277.25", "277.25", "yes"]
    assert costs.loc[1, flops].tolist() == ["167.52", "", ""]
    assert [name for name in alone if "MPJPE" in name] == ["MPJPE (mm) printed"]
    why = reasons.set_index("metric")
    assert why.loc["MPJPE", "rows"] == "all"
    assert why.loc["FLOPs, papers' convention", "rows"] == ", ".join(map(str, range(2, 25)))


def test_published_tables_are_written(tmp_path):
    comparison = published_table(4, [row("mixste-243", "cost.params", 33783811)])
    lines = "\n".join(map(markdown, sides(comparison))).splitlines()
    assert lines[2].count("33.78") == 2 and "| yes" in lines[2]
    assert "MPJPE (mm) printed" in lines[27]  # after a head, a rule, 24 methods and an empty line
    assert "| why" in lines[54]
    written = write_csv(comparison, tmp_path, "table4")
    read = pandas.read_csv(written, dtype=str, keep_default_na=False)
    assert read["printed"].tolist() == comparison["printed"].tolist()


def cell(comparison, number, metric):
    found = comparison[(comparison["row"] == number) & (comparison["metric"] == metric)]
    return found.iloc[0]


@pytest.mark.parametrize(
    ("printed", "ours", "word"),
    [
        (2.00, Ratio(2.0, 2.0, 2.0), "agrees"),
        (2.0999, Ratio(2.0, 2.0, 2.0), "agrees"),
        (2.1001, Ratio(2.0, 2.0, 2.0), "differs"),
        (1.9001, Ratio(2.0, 2.0, 2.0), "agrees"),
        (1.8999, Ratio(2.0, 2.0, 2.0), "differs"),
        (2.00, Ratio(2.0, 1.9001, 2.0999), "agrees"),
        (2.00, Ratio(2.0, 1.8999, 2.0), "cannot tell"),
        (2.00, Ratio(2.0, 2.0, 2.1001), "cannot tell"),
        (2.15, Ratio(2.0, 1.95, 2.05), "cannot tell"),  # 5 % from an end of what ours holds
        (2.1501, Ratio(2.0, 1.95, 2.05), "differs"),
        (1.8499, Ratio(2.0, 1.95, 2.05), "differs"),
        (9.00, Ratio(2.0, 1.0, 4.0), "differs"),
    ],
)
def test_a_verdict_has_two_sides_at_each_limit(printed, ours, word):
    assert verdict(printed, ours) == word


def test_what_rounding_hides_is_no_difference():
    ours = Ratio(0.034, 0.0335, 0.0345)
    assert verdict(0.03, ours) == "differs"
    assert verdict(0.03, ours, rounding=0.005) == "agrees"
    assert verdict(0.02, ours, rounding=0.005) == "differs"


def test_a_speed_up_over_the_unpruned_network_has_an_interval_over_processes():
    rows = [*timed("mixste-243", 1.0), *timed(H2OT, 2.0, spread=0.002)]
    mine = cell(published_table(4, rows), 4, "fps_per_frame")
    assert mine["printed_relative"] == pytest.approx(82 / 41)
    assert mine["relative"] == pytest.approx(2.0)
    assert 1.98 < mine["low"] < 2.0 < mine["high"] < 2.02
    assert (mine["verdict"], mine["equal"]) == ("agrees", "")
    base = cell(published_table(4, rows), 1, "fps_per_frame")
    assert pandas.isna(base["relative"]) and pandas.isna(base["verdict"])


def test_the_reference_of_a_study_may_be_another_network():
    """Table 3 times two backbones beside one reference."""
    motion = "motionbert-243+tps:121@0,81@1+tri"
    rows = [*timed("motionbert-243", 4.0), *timed(motion, 10.0)]
    assert cell(published_table(3, rows), 9, "fps")["relative"] == pytest.approx(2.5)


def test_training_time_falls_as_the_speed_up_grows():
    rows = [*timed("mixste-243", 1.0, meter="training"), *timed(H2OT, 2.0, 0.001, "training")]
    mine = cell(published_table(4, rows), 4, "training_time")
    assert mine["printed_relative"] == pytest.approx(8.0 / 17.9)
    assert mine["relative"] == pytest.approx(0.5)
    assert mine["low"] < 0.5 < mine["high"] and mine["verdict"] == "differs"


def test_training_time_is_of_the_windows_of_human36m():
    rows = [row("mixste-243", "training.windows_per_second", 10.0, unit="1/s")]
    ours = cell(published_table(4, rows), 1, "training_time")["ours"]
    trained = sum(n for whose, n in TOTALS.items() if not {"S9", "S11"} & {*whose})
    assert ours == pytest.approx(2 * 4 * trained / 243 / 10 / 60)


def test_memory_is_compared_without_what_a_process_takes():
    name = "training_memory.plain"
    rows = [row("mixste-243", name, 10e9, unit="B"), row(H2OT, name, 4.3e9, unit="B")]
    mine = cell(published_table(4, rows), 4, "gpu_memory")
    assert mine["printed_relative"] == pytest.approx((5.6 - PROCESS_GB) / (11.4 - PROCESS_GB))
    assert (mine["ours"], mine["relative"], mine["verdict"]) == (4.3, 0.43, "agrees")
    assert mine["low"] == mine["high"] == 0.43


def test_a_share_is_compared_as_it_is():
    rows = [
        *timed(HOT, 1.5),
        row(HOT, "time.prune_share", 0.33, low=0.32, high=0.34),
        *timed("mixste-243", 1.0),
        row("mixste-243", "time.prune_share", 0.0, low=0.0, high=0.0),
    ]
    mine = cell(published_table(2, rows), 2, "ratio")
    assert (mine["printed_relative"], mine["relative"], mine["verdict"]) == (0.33, 0.33, "agrees")


def test_a_clock_that_was_disturbed_cannot_tell():
    rows = [*timed("mixste-243", 1.0), *timed(H2OT, 2.0, cpu=0.5)]
    mine = cell(published_table(4, rows), 4, "fps_per_frame")
    assert mine["verdict"] == "cannot tell" and "50 % of the CPU" in mine["why"]
    assert pandas.isna(mine["relative"])


def test_a_quick_look_cannot_tell():
    quick = [
        row(one.combination, one.metric, one.value[:1], axis=["0"])
        if isinstance(one.value, list)
        else one
        for one in [*timed("mixste-243", 1.0), *timed(H2OT, 2.0)]
    ]
    mine = cell(published_table(4, quick), 4, "fps_per_frame")
    assert mine["verdict"] == "cannot tell" and "one process" in mine["why"]


def test_a_speed_of_an_older_clock_is_not_taken():
    rows = [
        row(one.combination, one.metric, one.value, axis=one.axis, conditions={"batch": 1})
        for one in [*timed("mixste-243", 1.0), *timed(H2OT, 2.0)]
    ]
    mine = cell(published_table(4, rows), 4, "fps_per_frame")
    assert "reproduce table4 --only time" in mine["why"] and pandas.isna(mine["verdict"])


def test_diffusion_is_compared_by_whole_predictions():
    pruned = "d3dp-243+tps:121@0,81@3+tri"
    rows = [*timed("d3dp-243", 1.0, meter="sampling"), *timed(pruned, 1.4, meter="sampling")]
    mine = cell(published_table(8, rows), 2, "fps")
    assert (mine["relative"], mine["verdict"]) == (pytest.approx(1.4), "agrees")
    assert quantity(8, "fps").meter == "sampling" and quantity(3, "fps").meter == "time"


def test_a_frame_of_a_seq2frame_network_takes_a_pass():
    rows = [
        row("mixste-243", "time.clips_per_second", 2.0, unit="1/s"),
        row("mixste-243", "time.frames_per_second", 486.0, unit="1/s"),
    ]
    comparison = published_table(3, rows)
    assert cell(comparison, 1, "fps")["ours"] == 486.0
    assert cell(comparison, 4, "fps")["ours"] == 2.0


def scored(combination, error, **changes):
    card = {"pipeline": "seq2seq", "weights": "w", "data": "synthetic", "frame_rate": 50.0}
    told = {"unit": "mm", "conditions": card | changes}
    return row(combination, "accuracy.mpjpe", error, **told)


def test_errors_of_chance_weights_and_other_uses_are_no_errors_of_the_paper():
    comparison = published_table(3, [scored("mixste-243", 77.0)])
    assert cell(comparison, 1, "mpjpe")["ours"] == 77.0
    assert pandas.isna(cell(comparison, 4, "mpjpe")["ours"]), "printed of the centre frame"
    assert cell(comparison, 1, "mpjpe")["equal"] == "", "of other data: never equal"
    comparison = published_table(3, [scored("mixste-243", 77.0, weights="random")])
    assert pandas.isna(cell(comparison, 1, "mpjpe")["ours"])


def test_an_error_stands_in_the_column_of_its_frame_rate():
    rows = [scored("mixste-243", 70.0 + k, frame_rate=50 / k) for k in (1, 2, 3, 4)]
    comparison = published_table(9, rows).set_index(["row", "metric"])["ours"]
    told = [comparison[1, f"mpjpe@{hz}Hz"] for hz in ("50.0", "25.0", "16.7", "12.5")]
    assert told == [71.0, 72.0, 73.0, 74.0]
    mixed = published_table(9, [scored("mixste-243", 70.0, frame_rate=[25.0, 50.0])])
    assert mixed.set_index(["row", "metric"])["ours"].isna().loc[1, "mpjpe@25.0Hz"]


def test_every_printed_metric_has_a_name_for_people_and_one_of_ours():
    for table in range(2, 11):
        for metric in published(table)["metric"].unique():
            asked = quantity(table, metric)
            assert asked.head != metric and "_" not in asked.head
            assert catalogue.declared(asked.ours), asked
            assert not asked.gained or catalogue.declared(asked.gained)
            assert asked.meter in KIND_OF
    assert {one for table in range(2, 11) for one in published(table)["metric"]} == {*QUANTITIES}


def test_the_unpruned_row_is_of_the_same_backbone_and_use():
    cells = published(3).to_dict("records")
    assert unpruned(cells) == {2: 1, 3: 1, 5: 4, 6: 4, 8: 7, 9: 7, 11: 10, 12: 10}
    assert unpruned(published(7).to_dict("records"))[16] == 15, "the row that its numbers go with"


def test_a_table_of_pages_is_narrow(tmp_path):
    rows = [*timed("mixste-243", 1.0), *timed(H2OT, 2.0, 0.002)]
    for part in sides(published_table(4, rows)):
        assert len(part.columns) <= 11
        assert not part.isna().any().any()
    text = "\n".join(map(markdown, sides(published_table(4, rows))))
    assert "2.00 [" in text and "agrees" in text and "fps_per_frame" not in text


def test_both_sides_of_a_published_table_say_where_they_are_from():
    rows = [row("mixste-243", "cost.params", 33783811)]
    origins = published_origins(4, rows)
    parts = sides(published_table(4, rows))
    heads = {column for _, column in origins}
    assert heads <= {column for part in parts for column in part.columns}
    assert origins["1", "parameters (M) ours"].startswith("cost.params = 33783811\n")
    assert origins["1", "parameters (M) printed"] == "printed in Table 4 of the H2OT paper"


def test_a_network_that_is_printed_twice_is_told_by_its_row():
    rates = {"time.clips_per_second": 2.0, "time.frames_per_second": 486.0}
    rows = [row("mixste-243", name, value, unit="1/s") for name, value in rates.items()]
    found = published_origins(3, rows)
    told = {row: text for (row, head), text in found.items() if head == "FPS (1/s) ours"}
    assert told["1"].startswith("time.frames_per_second = "), "seq2seq: 243 poses a pass"
    assert told["4"].startswith("time.clips_per_second = "), "seq2frame: one"
