"""`reproduce`: what it measures of the published tables, with which weights, and what it says."""

import json
import signal
from collections import Counter
from pathlib import Path

import pandas
import pytest
import small

from htpbench.bench.reproduction import parts, unserved
from htpbench.bench.serving import serving
from htpbench.errors import BenchError
from htpbench.learning.recipes import Recipe
from htpbench.network import weights
from htpbench.records.results import Results
from htpbench.records.rows import Row, row_key
from htpbench.report import published, status
from htpbench.report.quantities import KINDS
from htpbench.study import loading
from htpbench.systems.combination import parse
from htpbench.training.train import train

WHOLE, PRUNED = "mixste.tiny-9", "mixste.tiny-9+tps:3@1+tri"
CELLS = {"params": ("0.07", "M"), "flops": ("0.05", "G"), "gpu_memory": ("2.0", "GB")}
CELLS |= {
    "mpjpe": ("77.3", "mm"),
    "frame_noise": ("6.61", "mm"),
    "training_time": ("9.0", "min/epoch"),
}


@pytest.fixture
def paper(monkeypatch, tmp_path):
    """A paper that prints one table of two small networks; its study."""
    lines = ["paper,table,row,method,combination,pipeline,frames,r,b,metric,value,unit"]
    lines += [
        f'h2ot,2,{row},Ours,"{name}",seq2seq,9,,,{metric},{value},{unit}'
        for row, name in enumerate((WHOLE, PRUNED), 1)
        for metric, (value, unit) in CELLS.items()
    ]
    data = tmp_path / "data"
    (data / "baselines/published").mkdir(parents=True)
    (data / "baselines/published/h2ot.csv").write_text("\n".join(lines) + "\n")
    (data / "baselines/published/h2ot-remarks.toml").write_text("remark = []\n")
    (data / "studies").mkdir()
    named = (
        f'title = "small"\ntable = 2\nmeters = ["cost"]\ncombinations = ["{WHOLE}", "{PRUNED}"]\n'
    )
    settings = "[evaluation]\nwindows = 4\nflip = false\n"
    settings += "[timing]\nrounds = 3\nround_s = 0.003\nprocesses = 2\n"
    (data / "studies/table2.toml").write_text(named + settings)
    monkeypatch.setattr("htpbench.report.published.data_folder", lambda: data)
    monkeypatch.setattr("htpbench.study.loading.data_folder", lambda: data)
    return loading.load("table2")


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """The command line in a folder that has a motion file: (exit code, stdout, stderr)."""
    small.motion_file(tmp_path)
    return small.command_line(tmp_path, monkeypatch, capsys)


def trained(folder: Path, combination: str, **more) -> Path:
    """Weights of one step on the small motion."""
    recipe = Recipe.of(combination, ("motion.npz",), steps=1, **{"batch": 2, **more})
    return train(recipe, folder)


def told(out: str) -> dict:
    """(row, metric) -> the object that --format json tells of it."""
    return {(one["row"], one["metric"]): one for one in json.loads(out)}


def test_the_status_is_of_every_printed_number(call):
    code, out, _ = call("reproduce", "--status", "--format", "json")
    cells = json.loads(out)
    assert code == 0 and len(cells) == 428
    assert Counter(one["state"] for one in cells) == {"missing": 428}
    assert all(one["why"] for one in cells)
    assert {one["table"] for one in cells} == {*range(2, 11)}
    fields = {"table", "row", "combination", "metric", "printed", "ours", "state", "why"}
    assert all(fields <= one.keys() for one in cells)


def test_the_committed_rows_leave_nothing_of_a_count_missing():
    studies = [loading.load(f"table{number}") for number in published.tables()]
    cells = status.cells(studies, small.committed())
    counted = [one for one in cells if one["metric"] in ("params", "flops")]
    assert {one["state"] for one in counted} == {"equal", "differs"}
    memory = [one for one in cells if one["metric"] == "gpu_memory"]
    assert {one["state"] for one in memory} == {"ours", "relative"}
    base = [one for one in memory if "+" not in one["combination"]]
    assert {one["state"] for one in base} == {"ours"} and len(memory) == 36


def test_the_grid_has_each_cell_once():
    studies = [loading.load(f"table{number}") for number in published.tables()]
    cells = status.cells(studies, Results([]))
    grid = status.grid(cells)
    assert [*grid.columns] == ["table", *KINDS]
    counts = (
        grid.drop(columns="table").replace("", "0 missing").map(lambda one: int(one.split()[0]))
    )
    assert counts.to_numpy().sum() == 428
    holes = status.holes(cells)
    assert holes["missing"].sum() == 428
    without = holes.loc[holes["command"] == "", "why"].str
    assert holes["command"].str.match("htpbench |$").all() and len(without.len()) == 3
    assert without.contains("no frames|cannot be built|does not say").all()
    assert "428 printed numbers: equal 0, differs 0" in status.summary(cells)


def test_the_cheapest_come_first_and_accuracy_with_weights_alone():
    tables = [loading.load(f"table{number}") for number in (4, 2, 8)]
    found = [*parts(tables, [*KINDS], {})]
    assert [f"{one}" for one in found] == [
        *("table4, cost", "table2, cost", "table8, cost", "table4, memory"),
        *("table4, time", "table2, time", "table8, time", "table8, time", "table4, training"),
    ]
    for part, name in zip(found[6:8], ("d3dp-243", "diffpose-243"), strict=True):
        assert part.study.meters == ["sampling"], "a whole prediction of a diffusion lifter"
        assert part.study.reference == name
        assert part.study.combinations == [name, f"{name}+tps:121@0,81@3+tri"]
    served = {"mixste-243": "some.safetensors"}
    (only,) = parts(tables[1:2], ["accuracy"], served)
    assert only.study.combinations == ["mixste-243"] and only.study.weights == served
    assert only.study.meters == ["accuracy", "selection"]


def test_errors_are_measured_in_every_use_that_is_printed():
    table, served = loading.load("table3"), {"mixste-243": "some.safetensors"}
    found = [*parts([table], ["accuracy"], served)]
    assert [one.study.pipeline for one in found] == ["seq2seq", "seq2frame"]
    assert all(one.study.combinations == ["mixste-243"] for one in found)


def test_frame_rates_are_measured_one_after_the_other():
    table, served = loading.load("table9"), {"mixste-243": "some.safetensors"}
    found = [*parts([table], ["accuracy"], served)]
    assert [one.study.evaluation.downsample for one in found] == [1, 2, 3, 4]
    assert str(found[2]) == "table9, accuracy, seq2seq, one frame of 3"


def test_weights_serve_what_they_were_trained_as(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small.motion_file(tmp_path)
    own = trained(tmp_path / "all/own", PRUNED)
    every = trained(tmp_path / "all/any", WHOLE, any_schedule=True)
    other = trained(tmp_path / "all/other", "mixste.tiny-15")
    wanted = [parse(text) for text in (WHOLE, PRUNED, "mixste.tiny-9+tpc:3@1+tra", "d3dp.tiny-9")]
    found, useless = serving([tmp_path / "all"], wanted)
    assert found == {WHOLE: str(every), PRUNED: str(own), str(wanted[2]): str(every)}
    assert useless[other] == "it is of mixste.tiny-15"
    (study,) = [loading.load("table4").model_copy(update={"combinations": [*map(str, wanted)]})]
    assert unserved([study], found) == [wanted[3]]


def test_a_folder_that_is_none_and_a_card_that_is_broken_are_refused(tmp_path):
    with pytest.raises(BenchError, match="is no folder"):
        serving([tmp_path / "gone"], [])
    weights.write(tmp_path / "a.safetensors", {"x": small.torch.zeros(1)}, {"schedule": "same"})
    assert serving([tmp_path], []) == ({}, {tmp_path / "a.safetensors": "it is of no combination"})
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(BenchError, match="the weights' card cannot be read"):
        serving([tmp_path], [])


def test_counts_are_made_once_and_reports_written(paper, call):
    code, out, err = call("reproduce", "--only", "cost,memory", "--format", "json")
    assert code == 0, err
    cells = told(out)
    assert {cells[row, "flops"]["state"] for row in (1, 2)} == {"differs"}
    assert (cells[1, "gpu_memory"]["state"], cells[2, "gpu_memory"]["state"]) == (
        "ours",
        "relative",
    )
    assert {metric for _, metric in cells} == {"params", "flops", "gpu_memory"}
    text = Path("reports/local/table2/table2.md").read_text()
    assert "memory in training (GB) ours" in text and "over unpruned" in text
    rows = len(Results.read(Path("results")).rows)
    code, _, err = call("reproduce", "--only", "cost,memory")
    assert code == 0 and err.count("all of it is measured") == 2
    assert len(Results.read(Path("results")).rows) == rows


def test_who_has_data_and_weights_fills_the_errors(paper, call, tmp_path):
    own = trained(tmp_path / "mine", WHOLE)
    asked = ["reproduce", "table2", "--only", "accuracy", "--data", "motion.npz"]
    code, out, err = call(*asked, "--weights", "mine", "--format", "json")
    assert code == 0, err
    cells = told(out)
    assert cells[1, "mpjpe"]["state"] == "ours" and cells[1, "mpjpe"]["ours"] > 0
    assert cells[2, "mpjpe"]["state"] == "missing"
    said = " ".join(err.split())
    assert (
        f"no weights of {PRUNED}" in said
        and "no checkpoint of it is known; --train trains it" in said
    )
    page = Path("reports/local/table2/table2.html").read_text()
    assert "trained for 1 steps" in page and "Errors: motion (test subjects" in page
    other = tmp_path / "other"
    other.mkdir()
    for file in (own, own.with_suffix(".json")):
        (other / file.name).write_bytes(file.read_bytes())
    (other / "weights.json").write_text(
        (other / "weights.json").read_text().replace(WHOLE, "mixste.tiny-27")
    )
    code, _, err = call(*asked, "--weights", "other")
    assert code == 1 and "serves no row here: it is of mixste.tiny-27" in " ".join(err.split())


def test_checkpoints_of_pruned_networks_alone_are_scored(paper, call, tmp_path):
    """Controls are of the unpruned network, which nobody has."""
    trained(tmp_path / "mine", PRUNED)
    asked = ["reproduce", "table2", "--only", "accuracy", "--data", "motion.npz"]
    code, out, err = call(*asked, "--weights", "mine", "--format", "json")
    assert code == 0, err
    cells = told(out)
    assert cells[2, "mpjpe"]["ours"] > 0 and cells[1, "mpjpe"]["state"] == "missing"


def test_what_no_weights_serve_is_trained_and_found_again(paper, call, monkeypatch):
    short = Recipe.of
    monkeypatch.setattr(
        Recipe, "of", lambda *names, **more: short(*names, **{**more, "steps": 1, "batch": 2})
    )
    asked = [
        "reproduce",
        "--only",
        "accuracy",
        "--data",
        "motion.npz",
        "--train",
        "--format",
        "json",
    ]
    code, out, err = call(*asked)
    assert code == 0 and err.count("training mixste") == 2, err
    cells = told(out)
    assert {cells[row, "mpjpe"]["state"] for row in (1, 2)} == {"ours"}
    assert (
        cells[2, "frame_noise"]["state"] == "ours" and cells[1, "frame_noise"]["state"] == "missing"
    )
    assert cells[2, "mpjpe"]["relative"] is not None, "by how much it differs from the unpruned"
    code, _, err = call(*asked)
    assert code == 0 and "training mixste" not in err


def test_minutes_end_it_and_the_same_command_goes_on(paper, call):
    code, _, err = call("reproduce", "--only", "cost,memory", "--minutes", "0.000001")
    assert code == 0 and "stopped after 1e-06 minutes; the same command goes on" in " ".join(
        err.split()
    )
    code, out, err = call("reproduce", "--only", "cost,memory", "--format", "json")
    assert code == 0 and told(out)[1, "flops"]["state"] == "differs", err


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["tabel2"], "tabel2"),
        (["--only", "tim"], "'tim'"),
        (["--weights", "mine"], "name --data as well"),
        (["--train"], "name --data as well"),
        (["--minutes", "0"], "above 0"),
        (["--weights", "gone", "--data", "motion.npz"], "is no folder"),
        (["--data", "gone.npz", "--only", "cost"], "gone.npz"),
    ],
)
def test_wrong_use_is_told_with_its_remedy(paper, call, asked, said):
    code, _, err = call("reproduce", *asked)
    assert code == 2 and said in " ".join(err.split())


def test_csv_has_the_same_cells(paper, call):
    code, out, _ = call("reproduce", "--status", "--format", "csv")
    (Path("told.csv")).write_text(out)
    assert code == 0 and len(pandas.read_csv("told.csv")) == 2 * len(CELLS)


def scored_row(combination, error, **changes):
    """An error as `reproduce` leaves it in the results."""
    card = {"pipeline": "seq2seq", "weights": "w", "data": "h36m", "split": "test"}
    card |= {"detections": "cpn", "frame_rate": 50.0, "windows": "9 of 9"} | changes
    return Row(
        key=row_key(combination, "accuracy.mpjpe", card, 3),
        study="table",
        combination=combination,
        metric="accuracy.mpjpe",
        value=error,
        unit="mm",
        environment="c41d90",
        conditions=card,
    )


def states(table, rows):
    """(row, metric) -> the state of the errors of a table."""
    cells = status.cells([loading.load(f"table{table}")], Results(rows), ["accuracy"])
    return {(one["row"], one["metric"]): one["state"] for one in cells}


def test_every_rate_of_table_9_is_told():
    rates = {50.0: "2400 of 2400", 25.0: "1200 of 1200", 50 / 3: "800 of 800", 12.5: "600 of 600"}
    rows = [
        scored_row("mixste-243", 70.0 + k, frame_rate=hz, windows=windows, protocol="hot")
        for k, (hz, windows) in enumerate(rates.items())
    ]
    found = states(9, rows)
    assert [found[1, f"mpjpe@{hz}Hz"] for hz in ("50.0", "25.0", "16.7", "12.5")] == ["ours"] * 4


def test_networks_of_other_protocols_and_uses_stand_in_one_table():
    rows = [
        scored_row("mixste-243", 50.0, protocol="hot"),
        scored_row("poseformer-81", 51.0, protocol="videopose3d", pipeline="seq2frame"),
        scored_row("d3dp-243", 52.0, protocol="d3dp", weights="other"),
    ]
    found = states(7, rows)
    assert found[1, "mpjpe"] == found[11, "mpjpe"] == "ours"
    assert states(8, rows)[1, "mpjpe"] == "ours"


def test_errors_are_of_the_data_that_is_printed():
    rows = [scored_row("mixste-27", 50.0), scored_row("mixste-243", 50.0, data="3dhp")]
    assert states(10, rows)[10, "mpjpe"] == "missing"
    assert states(9, rows)[1, "mpjpe@50.0Hz"] == "missing"
    assert states(10, [scored_row("mixste-27", 50.0, data="3dhp")])[10, "mpjpe"] == "ours"


def test_a_printed_digit_that_changes_turns_equal_into_different(paper, tmp_path):
    file = tmp_path / "data/baselines/published/h2ot.csv"
    rows = [
        Row(
            key="k",
            study="table2",
            combination=WHOLE,
            metric="cost.params",
            value=69571,
            unit="1",
            environment="c41d90",
        )
    ]
    (equal,) = (one for one in status.cells([paper], Results(rows)) if one["ours"] is not None)
    assert equal["state"] == "equal"
    file.write_text(file.read_text().replace("params,0.07", "params,0.08"))
    (other,) = (one for one in status.cells([paper], Results(rows)) if one["ours"] is not None)
    assert other["state"] == "differs"


def test_a_training_under_way_serves_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    small.motion_file(tmp_path)
    weights_file = trained(tmp_path / "run", WHOLE)
    best = weights_file.with_name("best.safetensors")
    for suffix in (".safetensors", ".json"):
        best.with_suffix(suffix).write_bytes(weights_file.with_suffix(suffix).read_bytes())
    assert serving([tmp_path], [parse(WHOLE)])[0] == {WHOLE: str(weights_file)}
    weights_file.unlink()
    assert serving([tmp_path], [parse(WHOLE)]) == ({}, {})


def test_minutes_end_what_does_not_hear_ctrl_c(paper, call):
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        code, _, err = call("reproduce", "--only", "cost", "--minutes", "0.000001")
    finally:
        signal.signal(signal.SIGINT, before)
    assert code == 0 and "stopped after" in err


def test_one_file_that_does_not_fit_leaves_the_others(paper, call, tmp_path):
    trained(tmp_path / "mine/whole", WHOLE)
    other = trained(tmp_path / "mine/other", "mixste.tiny-15")
    card = other.with_suffix(".json")
    card.write_text(card.read_text().replace('"mixste.tiny-15"', f'"{PRUNED}"'))
    asked = ["reproduce", "--only", "cost,accuracy", "--data", "motion.npz", "--weights", "mine"]
    code, out, err = call(*asked, "--format", "json")
    assert code == 0, err
    assert told(out)[1, "flops"]["state"] == "differs" and "accuracy" in err
