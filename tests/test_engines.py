"""Engines: their contract, what rows say of them, and what they refuse."""

from functools import partial

import numpy as np
import pytest
import small
import torch

from htpbench.engines.eager import Eager
from htpbench.exporting import onnx
from htpbench.network.build import build
from htpbench.records.results import Results
from htpbench.records.row import Row
from htpbench.report.paper import finder
from htpbench.study.loading import load
from htpbench.systems import cards
from htpbench.systems.registry import ENGINES
from htpbench.testing import EngineContract

CHOOSING = "mixste.tiny-9+tpc:3@1+tri"


@pytest.fixture(autouse=True, scope="module")
def exported_once(tmp_path_factory):
    """All engines and precisions open the same file of a network."""
    folder = tmp_path_factory.mktemp("exported")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(onnx, "written", partial(onnx.written, kept=folder))
        yield


@pytest.fixture(autouse=True)
def two_blocks(monkeypatch):
    """They are alike, and exporting and compiling four takes twice as long."""
    card = cards.shipped("backbone")["mixste"]
    few = card.variants["tiny"].model_copy(update={"blocks": 2})
    changed = card.model_copy(update={"variants": {**card.variants, "tiny": few}})
    monkeypatch.setitem(cards.shipped("backbone"), "mixste", changed)


class TestEager(EngineContract):
    name = "eager"


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch's own, of what inductor imports
class TestCompile(EngineContract):
    name = "compile"
    combinations = (CHOOSING,)
    precisions = ("float32",)  # each takes a while to compile


@pytest.mark.filterwarnings("ignore")
def test_as_many_networks_are_compiled_as_there_are(monkeypatch):
    """torch compiles one code for eight, unless told, and runs the ninth as it is."""
    compiled, real = [], torch.compile

    def backend(graph, inputs):
        compiled.append(graph)
        return graph.forward

    monkeypatch.setattr(torch, "compile", lambda network, **how: real(network, backend=backend))
    for r in range(2, 11):
        lifter = build(f"mixste.tiny-11+tps:{r}@1+tri")
        call = ENGINES.load("compile")().prepare(lifter, "float32")
        with torch.inference_mode():
            call(*lifter.example())
    assert len(compiled) == 9


class TestOnnxruntime(EngineContract):
    name = "onnxruntime"
    combinations = (CHOOSING,)


class TestOpenvino(EngineContract):
    name = "openvino"
    combinations = (CHOOSING,)


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    small.motion_file(tmp_path)
    return small.command_line(tmp_path, monkeypatch, capsys)


class Other(Eager):
    """torch under another name, which takes no time to prepare."""


@pytest.fixture
def other(monkeypatch):
    monkeypatch.setitem(ENGINES.registered, "other", Other)
    return "other"


def test_an_engine_is_a_condition_of_time_and_accuracy(call, other, tmp_path):
    path = small.study(tmp_path, meters=["cost", "time", "accuracy"])
    assert call("sweep", path)[0] == 0
    code, _, err = call("sweep", path, "--engine", other)
    assert code == 0, err
    rows = Results.read(tmp_path / "results")
    by_engine = {}
    for row in rows:
        engine, _, release = row.conditions.get("engine", "eager").partition(" ")
        assert bool(release) == (engine != "eager"), "other code has other numbers"
        found = by_engine.setdefault(engine, {})
        found[row.combination, row.metric] = row
    eager, others = by_engine["eager"], by_engine["other"]
    place = small.PRUNED, "accuracy.mpjpe"
    assert np.isclose(eager[place].value, others[place].value, atol=1e-3)
    assert eager[place].key != others[place].key
    assert (small.PRUNED, "cost.flops") not in others, "what does not run is no engine's"
    assert (small.PRUNED, "time.forward") in others
    assert (small.PRUNED, "time.prune_share") not in others, "an engine tells no parts"
    assert (small.PRUNED, "time.overhead") not in others, "and no pass is spent on them"


def test_another_precision_has_rows_of_its_own(call, tmp_path):
    path = small.study(tmp_path, meters=["time", "accuracy", "selection"])
    for precision in ([], ["--precision", "bfloat16"]):
        code, _, err = call("sweep", path, *precision)
        assert code == 0, err
    rows = [r for r in Results.read(tmp_path / "results") if r.combination == small.PRUNED]
    assert {row.status for row in rows} == {"ok"}
    dtypes = {row.conditions["dtype"] for row in rows if row.metric == "time.forward"}
    assert dtypes == {"float32", "bfloat16"}
    errors = {r.conditions.get("dtype"): r.value for r in rows if r.metric == "accuracy.mpjpe"}
    assert set(errors) == {None, "bfloat16"} and errors[None] != errors["bfloat16"]
    of_torch = [row for row in rows if row.metric.startswith("selection")]
    assert of_torch and not any("dtype" in row.conditions for row in of_torch)


def test_unpruned_frames_need_no_replay(call, tmp_path):
    path = small.study(tmp_path, meters=["accuracy"], combinations=[small.NETWORK])
    path.write_text(path.read_text().replace("flip = false", "flip = true"))
    asked = ["sweep", path, "--pipeline", "seq2frame", "--precision", "bfloat16"]
    code, _, err = call(*asked)
    assert code == 0, err


def test_a_published_table_shows_torch_in_float32(tmp_path):
    study = load("table2")
    conditions = {"dtype": "float32", "processes": 5, "pipeline": "seq2seq"}
    cell = {"combination": "mixste-243", "pipeline": "seq2seq", "metric": "fps_per_frame"}
    common = {"key": "", "study": study.name, "unit": "1/s", "environment": "", "value": 2.0}
    named = {"combination": "mixste-243", "metric": "time.clips_per_second"}
    rows = [
        Row(**common, **named, conditions=conditions | more)
        for more in ({}, {"engine": "openvino 1"}, {"dtype": "bfloat16"})
    ]
    (found,) = finder(2, Results(rows))(cell)
    assert found.conditions == conditions


def test_frames_are_not_replayed(call, other, tmp_path):
    path = small.study(tmp_path, meters=["accuracy"], combinations=["mixste.tiny-9+tpc:3@1"])
    path.write_text(path.read_text().replace("flip = false", "flip = true"))
    code, _, err = call("sweep", path, "--engine", other)
    assert code == 2 and "flip = false" in err


def test_a_wrong_engine_or_precision_is_usage(call, tmp_path):
    run = ["run", small.NETWORK, "--meter", "time"]
    code, _, err = call(*run, "--engine", "egaer")
    assert code == 2 and "did you mean eager" in err
    code, _, err = call(*run, "--precision", "int8")
    assert code == 2 and "known: bfloat16, float16, float32" in err
    text = small.study(tmp_path).read_text()
    path = tmp_path / "other.toml"
    path.write_text('engine = "gone"\n' + text)
    code, _, err = call("sweep", path)
    assert code == 2 and "unknown engine 'gone'" in err
    path.write_text('engine = "onnxruntime"\n' + text)
    code, _, err = call("sweep", path, "--precision", "bfloat16")
    assert code == 2 and "unknown precision of onnxruntime" in err
    path.write_text('precision = "flaot32"\n' + text)
    code, _, err = call("sweep", path)
    assert code == 2 and "did you mean float32" in err


def test_a_missing_package_is_named_with_its_remedy(call, monkeypatch):
    monkeypatch.setattr(ENGINES.load("openvino"), "packages", ("gone_with_the_wind",))
    code, _, err = call("run", small.NETWORK, "--meter", "time", "--engine", "openvino")
    assert code == 2 and "needs gone_with_the_wind" in err
    assert 'pip install "htpbench[openvino]"' in " ".join(err.split())


HEARD = """
import gc, signal
from htpbench.network.build import build
from htpbench.systems.registry import ENGINES
for name in ("mixste.tiny-9", "mixste.tiny-9+tps:3@1+tri"):
    call = ENGINES.load("openvino")().prepare(build(name), "float32")
del call
gc.collect()
try:
    signal.raise_signal(signal.SIGINT)
except KeyboardInterrupt:
    print("heard")
"""


@pytest.mark.processes
@pytest.mark.slow
def test_ctrl_c_is_heard_after_openvino_has_run_several_networks(tmp_path):
    for needed in ("onnxscript", "openvino"):
        pytest.importorskip(needed, reason="pip install htpbench[onnx,openvino]")
    code, out, err = small.finished(small.launched("-c", HEARD, cwd=tmp_path))
    assert code == 0 and "heard" in out, err
