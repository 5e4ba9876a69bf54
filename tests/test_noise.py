"""What a busy machine timed: seen, shown, measured again; sizes of batches beside one another."""

import json
import os

import pytest
import small
from paths import ROOT

from htpbench.errors import Poisoned
from htpbench.measuring import timed, timing
from htpbench.measuring.clock import Probe, wait_quiet
from htpbench.records.results import Results
from htpbench.records.rows import Store
from htpbench.report.latex import write_latex
from htpbench.report.page import write_page
from htpbench.report.tables import doubts, sweep_parts, sweep_table
from htpbench.report.text import markdown
from htpbench.study.loading import load
from htpbench.study.study import Study

A, B = "mixste.tiny-81", "mixste.tiny-81+tps:9@1+tri"
LOOP = "while True: pass"


@pytest.fixture
def busy():
    """As many busy loops as there are cores."""
    loops = [small.started("-c", LOOP, cwd=ROOT) for _ in range(os.cpu_count())]
    yield
    for loop in loops:
        loop.kill()
        small.finished(loop)


def test_others_that_run_show(busy):
    assert Probe().share(0.5) < 0.9


def test_waiting_for_a_quiet_machine_ends(busy):
    wait_quiet(0.5)


def test_what_is_not_to_be_trusted_is_grey_in_every_format(tmp_path):
    rows = [*small.timed(A, [0.01] * 5), *small.timed(B, [0.005] * 5, probe=[0.5])]
    table = sweep_table(rows)
    parts = sweep_parts(table)
    text = markdown(parts[0])
    assert "\\~5.00 [5.00, 5.00]" in text and "| 10.00 [10.00" in text
    assert f"{B}: it got 50 % of the CPU that it could use. Close what runs" in doubts(table)
    assert "--retry, or add --wait-quiet MINUTES" in doubts(table)
    page = write_page(parts, tmp_path, "p", "t").read_text()
    assert '<td class="doubtful">~5.00' in page and "<td>10.00 <small>" in page
    tex = write_latex(parts, tmp_path, "p").read_text()
    assert r"\textcolor{gray}{\textasciitilde{}5.00" in tex and "xcolor" in tex
    quiet = sweep_parts(sweep_table(small.timed(A, [0.01] * 5)))
    assert "xcolor" not in write_latex(quiet, tmp_path, "q").read_text()


def test_a_drift_is_told_of_times_alone():
    rows = small.timed(A, [0.01] * 5, (1.0, 1.0, 1.0, 1.2, 1.2))
    doubtful = Results(rows).doubtful[A]
    assert "time.forward" in doubtful and "time.speedup" not in doubtful


def machine(monkeypatch, share):
    """All work gets that share of the CPU."""
    monkeypatch.setattr(timing.Probe, "share", lambda *_: share)


def test_a_quiet_sweep_measures_again_what_a_busy_one_timed(tmp_path, monkeypatch, capsys):
    run = small.command_line(tmp_path, monkeypatch, capsys)
    path = small.study(tmp_path, meters=("cost", "time"))
    machine(monkeypatch, 0.5)
    code, out, _ = run("sweep", path, "--results", "r")
    assert code == 0 and "50 % of the CPU" in " ".join(out.split())
    machine(monkeypatch, 1.0)
    before = len(Store(tmp_path / "r").read())
    assert run("sweep", path, "--results", "r")[0] == 0
    assert len(Store(tmp_path / "r").read()) == before, "measured, though not to be trusted"
    code, out, _ = run("sweep", path, "--results", "r", "--retry", "--wait-quiet", "0.01")
    held = Results.read(tmp_path / "r")
    assert code == 0 and len(held.rows) > before and "of the CPU" not in out
    assert all(row.value == 1.0 for row in held.held if row.metric == "time.cpu")


def test_several_sizes_stand_beside_one_another(tmp_path, monkeypatch, capsys):
    run = small.command_line(tmp_path, monkeypatch, capsys)
    path = small.study(tmp_path, meters=("cost", "time"))
    code, out, err = run("sweep", path, "--results", "r", "--batch", "2,1,4", "--threads", "1")
    assert code == 0, err
    said = " ".join(out.split())
    assert "clips per second, batch 1" in said and "speed-up (x), batch 4" in said
    rows = [row for row in Store(tmp_path / "r").read() if row.metric == "time.forward"]
    assert {row.conditions["batch"] for row in rows} == {1, 2, 4} and len(rows) == 6
    assert {row.conditions["threads"] for row in rows} == {1}
    text = (tmp_path / "reports" / "local" / "small" / "small.md").read_text()
    assert "clips per second, batch 4" in text
    assert "FLOPs" in said, "what is counted stands beside times of any batch"
    assert run("sweep", path, "--results", "r", "--batch", "2,1,4", "--threads", "1")[0] == 0
    assert len([r for r in Store(tmp_path / "r").read() if r.metric == "time.forward"]) == 6


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (("--batch", "1,x"), "expected numbers, as 1 or 1,8,32"),
        (("--batch", "1,1"), "expected sizes, each once"),
        (("--batch", "0"), "greater than or equal to 1"),
        (("--threads", "0"), "greater than or equal to 1"),
        (("--wait-quiet", "0"), "more than 0, at most a day"),
        (("--graph",), "name a GPU with --device cuda"),
    ],
)
@pytest.mark.parametrize("verb", ["run", "sweep"])
def test_wrong_ways_to_time_are_refused(tmp_path, monkeypatch, capsys, verb, option, words):
    run = small.command_line(tmp_path, monkeypatch, capsys)
    what = small.NETWORK if verb == "run" else small.study(tmp_path)
    code, _, err = run(verb, what, "--results", "r", *option)
    assert code == 2 and words in " ".join(err.split()), err


def test_a_quick_look_says_what_it_is(tmp_path, monkeypatch, capsys):
    run = small.command_line(tmp_path, monkeypatch, capsys)
    asked = "run", small.NETWORK, "--meter", "time", "--results", "r"
    code, _, err = run(*asked)
    assert code == 0 and "a quick look, of one process" in " ".join(err.split())
    rows = [row for row in Store(tmp_path / "r").read() if row.metric == "time.speedup"]
    assert [(row.low, row.conditions["processes"]) for row in rows] == [(None, 1)]
    code, _, err = run(*asked, "--processes", "2")
    assert code == 0 and "quick look" not in err


BROKEN = """
from htpbench import METERS, Measurement, Meter, Metric
from htpbench.errors import Poisoned


@METERS.register("poison")
class Poison(Meter):
    metrics = (Metric(name="poison.kept"),)

    def measure(self, context, combination, watch=None):
        raise NotImplementedError

    def together(self, context, combinations, begin):
        for one in combinations:
            begin(one)
            if one.schedule:
                raise Poisoned("CUDA error: device-side assert")
        for one in combinations:
            yield one, [Measurement("poison.kept", 1.0)]
"""


@pytest.mark.processes
@pytest.mark.slow
def test_an_error_that_stays_costs_one_combination(tmp_path):
    """As CUDA's do: the process ends, and the others go on in a new one."""
    (tmp_path / "poison.py").write_text(BROKEN)
    path = small.study(tmp_path)
    text = path.read_text().replace("meters = ['cost']", "meters = ['poison']")
    path.write_text(text.replace("objectives", 'imports = ["poison.py"]\n# objectives'))
    command = ["-m", "htpbench", "sweep", path.name, "--results", "r"]
    code, _, err = small.finished(small.started(*command, cwd=tmp_path))
    found = {row.combination: row for row in Store(tmp_path / "r").read()}
    assert code == 0, err
    assert found[small.NETWORK].status == "ok"
    assert found[small.PRUNED].reason == "CUDA error: device-side assert"


def test_what_breaks_a_device_is_told_from_what_does_not(monkeypatch):
    timed.check_usable("cpu", RuntimeError("out of memory"))

    def broken(*_, **__):
        raise RuntimeError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(timed.torch, "zeros", broken)
    with pytest.raises(Poisoned, match="RuntimeError: index out of range"):
        timed.check_usable("cuda", RuntimeError("index out of range"))


def test_conditions_say_how_it_was_timed(tmp_path):
    study = small.study(tmp_path, "", meters=("time",))
    text = study.read_text().replace("processes = 1", "processes = 1\nbatch = [4, 1]\nthreads = 2")
    study.write_text(text)
    loaded = load(str(study))
    assert loaded.timing.size == 4 and [one.batch for one in loaded.timing.by_size()] == [4, 1]
    assert json.loads(loaded.model_dump_json())["timing"]["batch"] == [4, 1]
    dumped = json.loads(json.dumps(loaded.model_dump(mode="json", exclude_unset=True)))
    assert Study.model_validate(dumped).model_dump() == loaded.model_dump()
