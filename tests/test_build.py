"""A study's report from rows alone: which rows belong together, and paired differences."""

import pytest

from htpbench import study
from htpbench.errors import BenchError
from htpbench.report.build import current, report_study, with_delta
from htpbench.report.tables import sweep_table
from htpbench.rows import Row, Store

CARD = {
    "data": "a",
    "split": "test",
    "detections": "gt",
    "windows": "2 of 2",
    "pipeline": "seq2seq",
    "weights": "w",
}


def row(combination, metric, value, at="2026-01-01T00:00:00Z", conditions=CARD, **more):
    key = f"{combination}{metric}{sorted(conditions.items())}"
    return Row(
        key=key,
        study="demo",
        combination=combination,
        metric=metric,
        value=value,
        unit="mm",
        conditions=conditions,
        environment="e",
        at=at,
        **more,
    )


def scored(combination, by_clip, frames):
    axis = [str(index) for index in range(len(frames))]
    mean = sum(a * b for a, b in zip(by_clip, frames, strict=True)) / sum(frames)
    return [
        row(combination, "accuracy.mpjpe", mean),
        row(combination, "accuracy.mpjpe_by_clip", by_clip, axis=axis),
        row(combination, "accuracy.frames_by_clip", frames, axis=axis),
    ]


def test_differences_are_paired_clip_by_clip():
    # Clips differ by 100 mm, the two models by exactly 2 mm on each clip: no doubt is left.
    rows = [
        *scored("mixste.tiny-81", [50.0, 150.0, 90.0], [10.0, 30.0, 5.0]),
        *scored("mixste.tiny-81+tps:9@1+tri", [52.0, 152.0, 92.0], [10.0, 30.0, 5.0]),
    ]
    table = with_delta(sweep_table(rows), rows, "mixste.tiny-81")
    line = table.set_index("combination").loc["mixste.tiny-81+tps:9@1+tri"]
    bounds = [line[f"accuracy.delta{end}"] for end in ("", ".low", ".high")]
    assert bounds == pytest.approx([2, 2, 2])
    assert table["accuracy.delta"].isna().sum() == 1


def test_clips_that_do_not_match_are_not_paired():
    rows = [
        *scored("mixste.tiny-81", [50.0, 150.0], [10.0, 30.0]),
        *scored("mixste.tiny-81+tps:9@1+tri", [52.0], [10.0]),
    ]
    table = with_delta(sweep_table(rows), rows, "mixste.tiny-81")
    assert table["accuracy.delta"].isna().all()


def test_rows_under_older_conditions_stay_out_of_the_report():
    old = row("a", "accuracy.mpjpe", 1.0)
    new = row("b", "accuracy.mpjpe", 2.0, "2026-01-02T00:00:00Z", {**CARD, "data": "b"})
    same = row("c", "accuracy.mpjpe", 3.0, conditions={**CARD, "data": "b", "windows": "1 of 2"})
    told = {"data": "b", "split": "test", "detections": "gt", "control": "mean pose"}
    control = row("control: mean pose", "accuracy.mpjpe", 9.0, conditions=told)
    cost = row("a", "cost.params", 5.0, conditions={"batch": 1})
    assert current([old, new, same, control, cost]) == [new, same, control, cost]


def test_a_study_without_rows_names_the_remedy(tmp_path):
    with pytest.raises(BenchError, match="htpbench sweep demo"):
        report_study(study.load("demo"), tmp_path, tmp_path)


def test_a_table_of_the_paper_needs_no_rows_and_says_what_is_missing(tmp_path):
    text, files = report_study(study.load("table4"), tmp_path, tmp_path)
    assert "0 of 0" in text
    assert "htpbench cost --study table4" in files[0].read_text()


def test_the_report_reads_what_the_store_holds(tmp_path):
    with Store(tmp_path / "m").writer("demo", {"id": "e"}) as writer:
        for one in scored("mixste.tiny-81", [50.0], [10.0]):
            writer.append(one)
        writer.append(row("mixste.tiny-81", "cost.flops", 1e9, conditions={"batch": 1}))
    _, files = report_study(study.load("demo"), tmp_path, tmp_path / "reports")
    assert {file.suffix for file in files} == {".md", ".csv", ".png", ".svg"}
