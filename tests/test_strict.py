"""Rows of wrong types, states and journals of wrong content, results that vanish: no traceback."""

import json
import shutil
import tracemalloc
from dataclasses import asdict

import pytest
import small
import torch
from test_files import no_file
from test_sweep import SPACE, bench

from htpbench.errors import BenchError
from htpbench.learning.recipes import Recipe
from htpbench.measuring import counting
from htpbench.network import weights
from htpbench.records.row import Row
from htpbench.records.rows import Store, read_line
from htpbench.search.sweep import sweep
from htpbench.systems import catalogue
from htpbench.training.train import train

GOOD = {"key": "k", "study": "small", "combination": small.NETWORK, "metric": "cost.flops",
        "value": 1, "unit": "1", "environment": "e"}  # fmt: skip
CLIPS = {"metric": "accuracy.mpjpe_by_clip", "value": [1.0], "axis": ["a"]}
KEPT = {"metric": "selection.kept", "value": [3.0], "axis": ["window 0, rank 0"]}
STAGES = {"metric": "selection.stages", "value": [3.0], "axis": ["window 0, stage 0"]}
WRONG = [
    *({name: thing} for name in ("key", "study", "combination", "metric", "unit", "environment")
      for thing in ([], {}, None, 5, True, "x" * 10_001)),
    *({name: thing} for name in ("value", "low", "high")
      for thing in ("1", {}, True, 10**400, 1e19, float("nan"))),
    *({name: thing} for name in ("samples", "schema") for thing in (1.5, "1", -1, True)),
    *({"conditions": thing} for thing in (None, [], "x", {"a": "x" * 10_001})),
    *({"conditions": {name: thing}} for thing in (None, [], {}, 1.5) for name in (
        "pipeline", "data", "windows", "weights", "trained", "weights_sha256", "flip", "batch",
        "training_seed", "stride")),
    {"conditions": {"training": 5}}, {"conditions": {"sampling": "x"}},
    {"conditions": {"pipeline": "../../escaped"}},
    {"combination": "nonsense"}, {"combination": f"{small.NETWORK}+tps:99@1+tri"},
    {"at": None}, {"reason": []}, {"commit": 5}, {"status": []}, {"status": "fine"}, {"more": 1},
    {"value": None}, {"value": [1], "axis": ["a"]}, {**CLIPS, "value": 1}, {**CLIPS, "axis": "a"},
    {**CLIPS, "axis": None}, {**CLIPS, "axis": [[]]}, {**CLIPS, "axis": ["a", "b"]},
    {**CLIPS, "value": [None]}, {**CLIPS, "value": [[1.0]]}, {**CLIPS, "value": [10**400]},
    {**KEPT, "value": [-1.0]}, {**KEPT, "value": [1e9]}, {**KEPT, "value": [0.5]},
    {**KEPT, "axis": ["window 0"]}, {**STAGES, "axis": ["window 999999999, stage 0"]},
]  # fmt: skip


def test_each_good_row_is_one():
    for more in ({}, CLIPS, KEPT, STAGES):
        row = read_line(json.dumps({**GOOD, **more}).encode())
        assert isinstance(row, Row) and read_line(json.dumps(asdict(row)).encode()) == row


@pytest.mark.parametrize("wrong", WRONG, ids=range(len(WRONG)))
def test_each_wrong_field_is_a_problem_of_its_line(wrong):
    with pytest.raises(ValueError) as refused:
        read_line(json.dumps({**GOOD, **wrong}).encode())
    assert len(str(refused.value)) <= 200


def test_a_row_of_systems_that_are_not_here_is_one():
    for name in ("mine-9+tps:3@1+tri", f"{small.NETWORK}+mine:3@1+tri", "control: mine"):
        assert isinstance(read_line(json.dumps({**GOOD, "combination": name}).encode()), Row)


def test_which_metrics_are_lists_is_what_the_meters_measure():
    labels = {"selection.kept": "window 0, rank 0", "selection.stages": "window 0, stage 0"}
    for metric in [one for name in catalogue.meters() for one in catalogue.meter(name).metrics]:
        axis = [labels.get(metric.name, "0")]
        for listed, values in ((True, {"value": [1.0], "axis": axis}), (False, {"value": 1.0})):
            text = json.dumps({**GOOD, "axis": None, "metric": metric.name, **values}).encode()
            if listed == (metric.kind != "number"):
                assert isinstance(read_line(text), Row)
            else:
                with pytest.raises(ValueError, match="expected"):
                    read_line(text)
    for values in ({"value": [1.0], "axis": ["0"]}, {"value": 1.0, "axis": None}):
        text = json.dumps({**GOOD, "metric": "energy.joules", **values}).encode()
        assert isinstance(read_line(text), Row), "of a meter that is not installed"


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """The command line in a folder with a measured study: code, stdout and stderr on one line."""
    small.study(tmp_path)
    run = small.command_line(tmp_path, monkeypatch, capsys)

    def on_one_line(*arguments):
        code, out, err = run(*arguments)
        return code, out, " ".join(err.split())

    assert run("sweep", "small.toml")[0] == 0
    return on_one_line


def test_wrong_rows_are_skipped_and_named_by_every_verb(tmp_path, call):
    (file,) = (tmp_path / "results").rglob("*.jsonl")
    before = file.read_text().count("\n")
    bad = [json.dumps({**GOOD, **wrong}) for wrong in (WRONG[0], {"conditions": None}, CLIPS)]
    bad[2] = bad[2].replace("[1.0]", "1.0")
    bad += ["[" * 5000 + "]" * 5000, "9" * 5000, json.dumps({**GOOD, "key": "\ud800"})]
    for verb in (
        ("report", "small.toml"),
        ("compare", small.NETWORK, small.PRUNED),
        ("sweep", "small.toml"),
    ):
        code, out, err = call(*verb)
        assert code == 0 and "could not be read" not in err
        with file.open("a") as stream:
            stream.write("\n".join(bad) + "\n")
        code, again, err = call(*verb)
        assert code == 0 and again == out, "what is skipped changes nothing"
        assert f"could not be read: {len(bad)}; the first: " in err
        assert all(f"{file.name}:{before + line + 1}: " in err for line in range(len(bad)))
        file.write_text("".join(file.read_text().splitlines(keepends=True)[:before]))


@pytest.mark.parametrize("index", range(0, len(WRONG), 9))
def test_a_gate_file_with_a_wrong_row_exits_with_4(tmp_path, call, index):
    (tmp_path / "mine.jsonl").write_text(json.dumps({**GOOD, **WRONG[index]}))
    code, out, err = call("check", "--against", "mine.jsonl")
    assert (code, out) == (4, "") and "mine.jsonl:1 is not a row: " in err


@pytest.mark.parametrize("name", ["fifo", "zero", "folder"])
def test_a_gate_file_that_is_none_exits_with_4(tmp_path, call, name):
    code, out, err = call("check", "--against", no_file(tmp_path, name, ".jsonl"))
    assert (code, out) == (4, "") and f"{name}.jsonl: expected a regular file" in err


@pytest.mark.parametrize("name", ["fifo", "zero"])
@pytest.mark.parametrize("ending", [".0.jsonl", ".journal", "-other.jsonl"])
def test_results_that_are_no_files_are_refused(tmp_path, call, name, ending):
    machine = small.machine(tmp_path / "results")
    (machine / f"small{ending}").unlink(missing_ok=True)
    no_file(machine, name, "").rename(machine / f"small{ending}")
    for verb in ("sweep",) if ending == ".journal" else ("sweep", "report"):
        code, out, err = call(verb, "small.toml")
        assert code == 2 and out == "", err
        assert f"small{ending}: expected a regular file" in err and "--results" in err


def test_a_line_without_an_end_to_it_takes_little_memory(tmp_path, call):
    machine = small.machine(tmp_path / "results")
    with (machine / "huge.jsonl").open("wb") as file:
        file.truncate(2**27)
        file.seek(2**27)
        file.write(b"\n" + json.dumps({**GOOD, "key": "last"}).encode() + b"\n")
    store = Store(machine)
    tracemalloc.start()
    rows = store.read()
    assert tracemalloc.get_traced_memory()[1] < 50e6
    tracemalloc.stop()
    assert [row.key for row in rows].count("last") == 1
    assert "huge.jsonl:1: over 4194304 bytes long" in store.problems[0]


@pytest.mark.parametrize("space", ["", SPACE.format(3)])
def test_results_removed_during_a_sweep_end_it_with_their_name(tmp_path, monkeypatch, space):
    path, counted = small.study(tmp_path, space), []

    def remove(lifter):
        counted.append(lifter)
        if len(counted) == (3 if space else 2):
            shutil.rmtree(tmp_path / "r")
        return small.quick_cost(lifter)

    monkeypatch.setattr(counting, "measure", remove)
    with pytest.raises(BenchError, match=r"cannot write .*(removed|No such file).*--results"):
        sweep(bench(path, tmp_path / "r"))
    monkeypatch.setattr(counting, "measure", small.quick_cost)
    assert len(sweep(bench(path, tmp_path / "r"))) >= 2 * len(small.metrics("cost"))


@pytest.mark.parametrize("change", ["removed", "replaced"])
def test_a_journal_that_vanishes_ends_the_sweep_with_its_name(tmp_path, monkeypatch, change):
    path, counted = small.study(tmp_path, SPACE.format(3)), []

    def vanish(lifter):
        counted.append(lifter)
        if len(counted) == 3:
            (journal,) = (tmp_path / "r").rglob("*.journal")
            content = journal.read_bytes()
            journal.rename(tmp_path / "away")
            if change == "replaced":
                journal.write_bytes(content[: content.index(b"\n") + 1])
        return small.quick_cost(lifter)

    monkeypatch.setattr(counting, "measure", vanish)
    with pytest.raises(BenchError, match=r"cannot write .*small.journal.*--results"):
        sweep(bench(path, tmp_path / "r"))


LOGS = [
    {"op_code": 99},
    {"op_code": 0},
    [],
    5,
    {"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": "never"},
    {"op_code": 8, "worker_id": "w", "trial_id": 2, "user_attr": {"combination": 5}},
    {"op_code": 8, "worker_id": "w", "trial_id": 2, "user_attr": {"combination": "x"}},
    {"op_code": 6, "worker_id": "w", "trial_id": 2, "state": "x"},
    {"op_code": 6, "worker_id": "w", "trial_id": 2, "state": 1, "values": []},
    {"op_code": 6, "worker_id": "w", "trial_id": 2, "state": 1, "values": [1.0, "2"]},
]


@pytest.mark.parametrize("log", LOGS, ids=range(len(LOGS)))
def test_a_journal_of_other_words_is_damaged(tmp_path, monkeypatch, log):
    monkeypatch.setattr(counting, "measure", small.quick_cost)
    path = small.study(tmp_path, SPACE.format(1))
    sweep(bench(path, tmp_path / "r"))
    (journal,) = (tmp_path / "r").rglob("*.journal")
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([*lines[:-1], json.dumps(log).encode() + b"\n", lines[-1]]))
    with pytest.raises(BenchError, match=r"small.journal is damaged\. Remove the file"):
        sweep(bench(path, tmp_path / "r"))


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A finished run: its recipe and the state, tensors and card."""
    folder = tmp_path_factory.mktemp("trained")
    recipe = Recipe.of(small.NETWORK, (str(small.motion_file(folder)),), steps=2, batch=1)
    train(recipe, folder / "run")
    return recipe, *weights.read(folder / "run" / "state.safetensors")


MOMENT = "optimiser.exp_avg.backbone.frame_code"
STATES = {
    "no step": {"step": None},
    "a step of another shape": {"step": torch.zeros(2, dtype=torch.int64)},
    "a step of another type": {"step": torch.tensor(1.5)},
    "a step before the first": {"step": torch.tensor(-1)},
    "a step after the last": {"step": torch.tensor(3)},
    "no scores": {"history": None},
    "scores of another shape": {"history": torch.zeros(3, dtype=torch.float64)},
    "scores of later steps": {"history": torch.tensor([[9.0, 5.0]], dtype=torch.float64)},
    "no score after the last step": {"history": torch.zeros(0, dtype=torch.float64)},
    "a parameter of another shape": {"model.backbone.frame_code": torch.zeros(3)},
    "no parameter": {"model.backbone.frame_code": None},
    "a parameter that nobody knows": {"model.x": torch.zeros(3)},
    "a moment of another shape": {MOMENT: torch.zeros(3)},
    "no moment": {MOMENT: None},
    "a moment that nobody knows": {"optimiser.exp_avg": torch.zeros(3)},
    "a tensor that nobody knows": {"\x1b[31m": torch.zeros(3)},
}


@pytest.mark.parametrize("change", STATES.values(), ids=STATES)
def test_a_damaged_state_names_the_file_and_the_remedy(tmp_path, trained, change):
    recipe, tensors, card = trained
    assert change.keys() <= tensors.keys() or None not in change.values()
    found = {name: tensor for name, tensor in (tensors | change).items() if tensor is not None}
    path = tmp_path / "state.safetensors"
    weights.write(path, found, card)
    before = path.read_bytes()
    with pytest.raises(BenchError, match=r"state.safetensors is damaged: .*remove .* --out"):
        train(recipe, tmp_path)
    assert path.read_bytes() == before and not (tmp_path / "weights.safetensors").exists()


@pytest.mark.parametrize(
    "card",
    [b"", b"[]", b"[" * 9000, b'{"recipe": []}', b'{"recipe": null}', b'{"recipe": {"seed": []}}',
     b'{"recipe": {"steps": "3"}}', b'{"schedule": 5}', b'{"fingerprints": {"a": 5}}'],
)  # fmt: skip
def test_a_card_of_wrong_types_names_the_file(tmp_path, trained, card):
    recipe, tensors, sound = trained
    weights.write(tmp_path / "state.safetensors", tensors, sound)
    (tmp_path / "state.json").write_bytes(card)
    with pytest.raises(BenchError, match=r"state.json: the weights' card cannot be read.*--out"):
        train(recipe, tmp_path)
