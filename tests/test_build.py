"""A study's report from rows alone: which rows belong together, and paired differences."""

from dataclasses import replace

import numpy as np
import pandas
import pytest
import small

from htpbench.errors import BenchError
from htpbench.records.results import Results
from htpbench.records.rows import Row, Store
from htpbench.report import captions
from htpbench.report.build import report_study
from htpbench.report.claims import claims_table
from htpbench.report.current import current
from htpbench.report.sweeps import sweep_report, with_delta
from htpbench.report.tables import sweep_table
from htpbench.study import loading, study

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
    assert line["accuracy.delta"] == pytest.approx(2)
    assert np.isnan(line["accuracy.delta.low"]), "whose clips they are is not known"
    assert table["accuracy.delta"].isna().sum() == 1


def test_clips_that_do_not_match_are_not_paired():
    rows = [
        *scored("mixste.tiny-81", [50.0, 150.0], [10.0, 30.0]),
        *scored("mixste.tiny-81+tps:9@1+tri", [52.0], [10.0]),
    ]
    table = with_delta(sweep_table(rows), rows, "mixste.tiny-81")
    assert table["accuracy.delta"].isna().all()


A, B, C = "mixste.tiny-81", "mixste.tiny-81+tps:9@1+tri", "mixste.tiny-81+tps:3@0"
MEASURED = {"meters": ["cost", "accuracy"], "weights": "random"}
STUDY = study.Study(name="demo", title="", combinations=[A, B, C], **MEASURED)


def test_rows_under_older_conditions_stay_out_of_the_report():
    new_card = {**CARD, "data": "b"}
    old = row(A, "accuracy.mpjpe", 1.0)
    new = row(B, "accuracy.mpjpe", 2.0, "2026-01-02T00:00:00Z", new_card)
    fewer = row(A, "accuracy.mpjpe", 3.0, conditions={**new_card, "windows": "1 of 2"})
    frame = {**new_card, "windows": "9 of 9", "pipeline": "seq2frame"}
    other_pipeline = row(C, "accuracy.mpjpe", 3.0, conditions=frame)
    told = {name: new_card[name] for name in ("data", "split", "detections", "windows", "pipeline")}
    control = row("control: mean pose", "accuracy.mpjpe", 9.0, conditions=told)
    cost = row(A, "cost.params", 5.0, conditions={"batch": 1})
    rows = [old, new, fewer, other_pipeline, control, cost]
    assert current(STUDY, rows) == [control, new, other_pipeline, cost]


def test_rows_that_another_study_measured_serve_and_foreign_combinations_do_not():
    borrowed = replace(row(A, "cost.params", 5.0, conditions={"batch": 1}), study="run")
    foreign = row("mixste.tiny-81+tps:5@0", "cost.params", 5.0, conditions={"batch": 1})
    other_use = row(A, "cost.params", 5.0, conditions={"batch": 1, "pipeline": "seq2frame"})
    assert current(STUDY, [borrowed, foreign, other_use]) == [borrowed]


def test_each_pipeline_has_a_table_of_its_own(tmp_path):
    frame = {**CARD, "pipeline": "seq2frame", "windows": "9 of 9"}
    rows = [
        *scored(A, [50.0], [10.0]),
        row(C, "accuracy.mpjpe", 40.0, conditions=frame),
        *(row(name, "cost.flops", 1e9, conditions={"batch": 1}) for name in (A,)),
        row(C, "cost.flops", 1e9, conditions={"batch": 1, "pipeline": "seq2frame"}),
    ]
    asked = STUDY.model_copy(update={"meters": ["cost", "accuracy"]})
    files = sweep_report(asked, Results(rows), tmp_path).files
    assert "demo-seq2frame.md" in {file.name for file in files}
    for name, own in (("demo", A), ("demo-seq2frame", C)):
        table = pandas.read_csv(tmp_path / f"{name}.csv")
        assert list(table["combination"]) == [own]


def test_a_report_after_a_kill_between_two_rows(tmp_path):
    rows = scored(A, [50.0], [10.0]) + scored(B, [51.0], [10.0])[:2]
    table = with_delta(sweep_table(rows), rows, A)
    assert table["accuracy.delta"].isna().all()


def test_a_study_without_rows_names_the_remedy(tmp_path):
    with pytest.raises(BenchError, match="htpbench sweep demo"):
        report_study(loading.load("demo"), Results.read(tmp_path), tmp_path)
    path = small.study(tmp_path, name="my own")
    with pytest.raises(BenchError, match=f"htpbench sweep '{path}'"):
        report_study(loading.load(str(path)), Results.read(tmp_path), tmp_path)


def test_a_table_of_the_paper_needs_no_rows_and_says_what_is_missing(tmp_path):
    report = report_study(loading.load("table4"), Results.read(tmp_path), tmp_path)
    assert "no printed number stands beside" in str(report.shown[0])
    (page,) = (path for path in report.files if path.suffix == ".md")
    assert "htpbench cost --study table4" in page.read_text()


def test_the_report_reads_what_the_store_holds(tmp_path):
    with Store(tmp_path / "m").writer("demo", {"id": "e"}) as writer:
        for one in scored("mixste.tiny-81", [50.0], [10.0]):
            writer.append(one)
        writer.append(row("mixste.tiny-81", "cost.flops", 1e9, conditions={"batch": 1}))
    files = report_study(loading.load("demo"), Results.read(tmp_path), tmp_path / "reports").files
    assert {file.suffix for file in files} >= {".md", ".csv", ".tex", ".html", ".png", ".svg"}


CLOCK = {"device": "cpu", "threads": 1, "dtype": "float32", "batch": 1}
GRID = [f"mixste.tiny-81+tps:{stage}+tri" for stage in ("9@1", "9@2", "5@1")]


def grown():
    """Rows that give every figure."""
    frames = {"axis": ["0", "0", "1", "1"], "conditions": {**CARD, "stride": 1}}
    rows = [row(GRID[0], "selection.windows", [0, 80, 0, 79], **frames)]
    for index, name in enumerate([A, *GRID]):
        rows += scored(name, [50.0 + index, 60.0], [10.0, 10.0])
        rows.append(row(name, "cost.flops", 1e9 / (1 + index), conditions={"batch": 1}))
        speedup = 1.0 + index / 10
        times = [0.01, 0.002, 0.001]
        rows += [
            row(name, "time.speedup", speedup, low=0.9, high=2.0, conditions=CLOCK),
            row(name, "time.breakdown", times, axis=["rest", "prune", "recover"], conditions=CLOCK),
            *(row(name, f"time.{one}", 0.0, conditions=CLOCK) for one in ("drift", "overhead")),
        ]
    return rows


def test_each_figure_is_written_where_its_data_are(tmp_path):
    meters = ["cost", "time", "accuracy", "selection"]
    mine = STUDY.model_copy(update={"meters": meters, "combinations": [A, *GRID]})
    kinds = {"cost": "", "time": "-time", "accuracy": "-grid", "selection": "-kept"}
    for meter, kind in kinds.items():
        alone = [one for one in grown() if one.metric.startswith(meter)]
        asked = mine.model_copy(update={"meters": [meter]})
        files = sweep_report(asked, Results(alone), tmp_path).files
        drawn = {file.name for file in files if file.suffix in (".png", ".svg")}
        assert drawn == ({f"demo{kind}.png", f"demo{kind}.svg"} if kind else set())


@pytest.mark.slow
def test_a_report_that_was_deleted_comes_back_to_the_byte(tmp_path):
    mine = STUDY.model_copy(
        update={
            "meters": ["cost", "time", "accuracy", "selection"],
            "combinations": [A, *GRID],
        }
    )
    with Store(tmp_path / "results").writer("demo", {"id": "e"}) as writer:
        for one in grown():
            writer.append(one)
    written = (
        report_study(mine, Results.read(tmp_path / "results"), at).files
        for at in (tmp_path / "once", tmp_path / "again")
    )
    first, second = ({file.name: file.read_bytes() for file in files} for files in written)
    assert first == second
    kinds = ("", "-speedup", "-time", "-grid", "-kept")
    for kind in kinds:
        drawn = first[f"demo{kind}.svg"]
        assert first[f"demo{kind}.png"].startswith(b"\x89PNG")
        assert b"<svg" in drawn and b"date" not in drawn


def test_conditions_under_a_title():
    rows = grown()
    assert captions.timed(rows) == "cpu, 1 thread, float32, batch 1"
    doubtful = [one for one in rows if one.metric != "time.drift"]
    assert captions.timed(doubtful).startswith("times not to be trusted, cpu")
    assert captions.scored(rows) == "a (test subjects, 2 of 2 windows), gt detections, weights w"
    shown = "a (test subjects, 2 consecutive windows, stride 1), gt detections, weights w"
    assert captions.chosen(rows) == shown
    assert captions.timed([]) == captions.scored([]) == captions.chosen([]) == ""


def test_masked_rows_and_gathered_ones_stay_apart():
    card = {"batch": 1, "pipeline": "seq2seq"}
    whole, gathered = (
        row(A, "cost.flops", 9.0, conditions=card),
        row(B, "cost.flops", 5.0, conditions=card),
    )
    masked = row(B, "cost.flops", 7.0, "2026-01-02T00:00:00Z", {**card, "masked": True})
    rows = [whole, gathered, masked]
    assert current(STUDY, rows) == [whole, gathered]
    assert current(STUDY.model_copy(update={"masked": True}), rows) == [whole, masked]
    space = study.Search(backbone=A, pruners=["tps"], recoverers=["tri"], sampler="brute")
    searching = STUDY.model_copy(update={"combinations": [], "search": space})
    assert current(searching, rows) == [whole, gathered]


def test_claims_stand_beside_what_was_measured(tmp_path):
    whole, cut = "d3dp-243", "d3dp-243+htp:109@0,81@3+tra"
    numbers = {  # metric: unpruned, pruned
        "sampling.training_flops": (400.0, 100.0),
        "sampling.flops_published": (200.0, 150.0),
        "sampling.speedup": (1.0, 1.9),
    }
    rows = [
        row(name, metric, pair[place], low=pair[place] - 0.1, high=pair[place] + 0.2)
        for metric, pair in numbers.items()
        for place, name in enumerate((whole, cut))
    ]
    asked = study.Study(
        name="demo", title="", claims="htp", meters=["sampling"], combinations=[whole, cut]
    )
    report = sweep_report(asked, Results(rows), tmp_path)
    assert report.finding == "of 3 stated numbers beside ours: differs 2, cannot tell 1"
    told = next(file for file in report.files if file.name == "demo-claims.md").read_text()
    cells = [[cell.strip() for cell in line.split("|")[2:-1]] for line in told.splitlines()[2:]]
    assert [[cell[0], *cell[2:]] for cell in cells] == [
        ["multiply-adds of training", "-38.5", "-75.0", "differs"],
        ["multiply-adds of inference", "-56.8", "-25.0", "differs"],
        ["speed of inference", "+81.1", "+90.0 [+80.0, +110.0]", "cannot tell"],
    ]
    assert "+90.0" in (tmp_path / "demo.html").read_text()
    alone = sweep_table([one for one in rows if one.combination == cut])
    assert claims_table("htp", alone, whole).empty, "no reference, no change"
