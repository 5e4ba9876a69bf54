"""The command line: every verb, what it prints, and what it must not import."""

import csv
import io
import json
import os
import subprocess
import sys
import tomllib

import pytest
import small
from paths import ROOT
from test_registry import FASTEST

import htpbench
from htpbench.measuring import counting
from htpbench.network.build import build
from htpbench.records.rows import Store
from htpbench.search.sweep import Trials
from htpbench.study.loading import load
from htpbench.systems import registry

VERBS = ("ls", "plan", "cost", "run", "sweep", "train", "lift", "view", "report", "doctor")
COUNTED = [name.partition(".")[2] for name in small.metrics("cost")]


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """Runs the command line in an empty folder: (exit code, stdout, stderr)."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        code = small.call(monkeypatch, *arguments)
        return (code, *capsys.readouterr())

    return run


def test_help_lists_the_verbs_in_the_order_of_work(call):
    code, out, _ = call("--help")
    assert code == 0
    places = [out.index(f" {verb} ") for verb in VERBS]
    assert places == sorted(places) and "--import" in out
    assert call("--version")[1].strip() == htpbench.__version__


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_help(call, verb):
    code, out, err = call(verb, "--help")
    assert code == 0 and err == ""
    assert f"htpbench {verb}" in out and len(out.splitlines()) > 3


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from htpbench.cli.launch import app\n"
        "try:\n    app.meta(['--help'])\nexcept SystemExit: pass\n"
        "heavy = {'torch', 'pandas', 'optuna', 'seaborn', 'matplotlib', 'numpy'}\n"
        "print(sorted(heavy & set(sys.modules)), file=sys.stderr)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert found.stderr == "[]\n" and "sweep" in found.stdout


def test_runs_as_a_module(tmp_path):
    code, out, err = small.finished(
        small.launched("-m", "htpbench", "plan", small.PRUNED, cwd=tmp_path)
    )
    assert (code, err) == (0, "") and small.PRUNED in out


def test_the_installed_command_is_the_same():
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["scripts"]
    assert scripts == {"htpbench": "htpbench.cli:main"}


def test_ls_lists_all_there_is(call):
    code, out, _ = call("ls")
    assert code == 0
    for kind in (registry.BACKBONES, registry.PRUNERS, registry.RECOVERERS):
        assert f"{kind.kind}s" in out
        for name in kind.names():
            assert any(
                line.startswith((f"  {name} ", f"  {name}.")) for line in out.splitlines()
            ), name
    assert "demo" in out and "table4" in out


def test_plan_says_what_each_block_sees(call):
    hot = "mixste-243+tpc:81@3"
    code, out, _ = call("plan", "mixste-243+tps:121@0,81@3+tri", hot)
    first, second = [line for line in out.splitlines() if "-2" in line]
    assert code == 0
    assert "seq2seq" in first and "121 121 121 81 81 81 81 81" in first
    assert "seq2frame" in second
    code, out, _ = call("plan", "--study", "table4", "mixste-243+tps:81@3+tri:243")
    names = [line.split()[0] for line in out.splitlines() if "mixste-" in line]
    assert len(names) == len(set(names)) == 19, "one spelling, each once"


def test_cost_in_json_is_plain_numbers_and_pure(call):
    code, out, _ = call("cost", small.NETWORK, small.PRUNED, "--format", "json")
    rows = json.loads(out)
    assert code == 0
    assert [row["combination"] for row in rows] == [small.NETWORK, small.PRUNED]
    for row in rows:
        for name in ("params", "flops_published", "flops", "macs_fvcore", "macs_ptflops"):
            assert type(row[name]) is int and row[name] > 1000
    assert rows[0]["params"] == rows[1]["params"] and rows[0]["flops"] > rows[1]["flops"]


def test_cost_in_the_other_formats(call, monkeypatch):
    measured = counting.measure(build(small.PRUNED))
    monkeypatch.setattr(counting, "measure", lambda lifter: measured)
    counted = json.loads(call("cost", small.PRUNED, "--format", "json")[1])[0]
    code, out, _ = call("cost", small.PRUNED, "--format", "csv")
    (line,) = csv.DictReader(io.StringIO(out))
    assert code == 0 and {name: int(line[name]) for name in COUNTED} == {
        name: counted[name] for name in COUNTED
    }
    cell = f"{counted['params'] / 1e6:.4g}"
    for form, mark in (
        ("markdown", "| combination"),
        ("latex", r"\begin{tabular}"),
        ("table", "─"),
    ):
        code, out, _ = call("cost", small.PRUNED, "--format", form)
        assert code == 0 and mark in out and cell in out and "ptflops" in out
    assert call("cost", small.PRUNED)[1] == out, "a table is the default"


def test_cost_of_a_study_keeps_rows_and_counts_once(call, tmp_path, monkeypatch):
    study, counts = small.study(tmp_path, combinations=[small.NETWORK]), []
    measure = counting.measure
    monkeypatch.setattr(counting, "measure", lambda lifter: counts.append(1) or measure(lifter))
    first = call("cost", "--study", study, "--format", "json")
    (file,) = (tmp_path / "results").rglob("*.jsonl")
    written = file.read_bytes()
    again = call("cost", "--study", study, "--format", "json")
    assert first[:2] == again[:2] and len(json.loads(first[1])) == 1
    assert file.read_bytes() == written and len(counts) == 1
    rows = Store(tmp_path / "results").read()
    assert sorted(row.metric for row in rows) == sorted(small.metrics("cost"))
    assert {row.combination for row in rows} == {small.NETWORK}


def test_run_measures_and_prints(call, tmp_path):
    motion = small.motion_file(tmp_path)
    code, out, _ = call(
        "run", small.NETWORK, small.PRUNED, "--meter", "accuracy", "--meter", "selection",
        "--weights", "random", "--data", motion,
    )  # fmt: skip
    assert code == 0 and small.PRUNED in out and "MPJPE" in out and "control" in out
    rows = Store(tmp_path / "results").read()
    pruned = {row.metric: row for row in rows if row.combination == small.PRUNED}
    assert sum(pruned["selection.frequency"].value) == 3 * pruned["selection.frequency"].samples
    assert pruned["accuracy.mpjpe"].conditions["weights"] == "random"
    assert all(row.status == "ok" for row in rows)


@pytest.mark.slow
def test_run_times_by_default(call, tmp_path, monkeypatch):
    monkeypatch.setattr("htpbench.bench.together.Run.child", small.in_this_process)
    code, out, _ = call("run", small.NETWORK)
    assert code == 0 and "forward" in out
    metrics = {row.metric for row in Store(tmp_path / "results").read()}
    assert metrics == {*small.metrics("cost"), *small.metrics("time")}


def test_doctor_is_well_and_writes_nothing(call, tmp_path):
    code, out, _ = call("doctor")
    assert code == 0 and "wrong" not in out
    for check in ("torch", "fvcore", "processor", "load", "GPU", "studies", "weights", "disk"):
        assert check in out
    assert "threads" in out and "GiB free" in out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("package", "fault"),
    [("torch", "ImportError"), ("fvcore", "ImportError"), ("fvcore", "SystemExit")],
)
def test_doctor_names_a_package_that_cannot_be_imported(tmp_path, package, fault):
    (tmp_path / f"{package}.py").write_text(f"raise {fault}('half of it is gone')")
    code = "from htpbench import cli; cli.main()"
    found = subprocess.run(
        [sys.executable, "-c", code, "doctor", "--results", tmp_path],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{tmp_path}:{ROOT}"},
    )
    assert found.returncode == 2 and "Traceback" not in found.stderr
    (line,) = [one for one in found.stdout.splitlines() if one.startswith(f"│ {package} ")]
    assert "half of it is gone" in line and "wrong" in line and "pip install" in line
    assert "pandas" in found.stdout, "the other checks go on"


def test_train_then_sweep_with_the_file(call, tmp_path):
    motion = small.motion_file(tmp_path)
    code, _, err = call(
        "train", small.NETWORK, "--data", motion, "--any-schedule", "--steps", 2, "--batch", 2,
        "--out", "trained",
    )  # fmt: skip
    assert code == 0 and "written: trained/weights.safetensors" in err
    assert (tmp_path / "trained" / "learning.png").read_bytes().startswith(b"\x89PNG")
    study = small.study(tmp_path, meters=("cost", "accuracy"))
    code, out, _ = call("sweep", study, "--weights", "trained/weights.safetensors")
    assert code == 0 and small.PRUNED in out
    rows = [r for r in Store(tmp_path / "results").read() if r.metric == "accuracy.mpjpe"]
    assert {r.conditions.get("trained") for r in rows} == {"any", None}  # None: the control


def test_train_by_a_recipe_of_ones_own(call, tmp_path):
    motion = small.motion_file(tmp_path)
    ours = (ROOT / "baselines" / "recipes" / "mixste.tiny.toml").read_text()
    longer = "ema_decay = 0.9\nfilmed = 1.0\ndetectors = ['sh']\nparts = 2\n"
    (tmp_path / "mine.toml").write_text(longer + ours)
    how = ("--recipe", "mine.toml", "--minutes", 0.001, "--batch", 2)
    code, _, err = call("train", small.NETWORK, "--data", motion, *how, "--out", "trained")
    assert code == 0, err
    made = json.loads((tmp_path / "trained" / "weights.json").read_text())["recipe"]
    assert (made["ema_decay"], made["filmed"], made["detectors"]) == (0.9, 1.0, ["sh"])
    assert (made["parts"], made["minutes"], made["steps"]) == (2, 0.001, None)


@pytest.fixture
def fastest(tmp_path, monkeypatch):
    """A file with a pruner of one's own; what it registers is forgotten after the test."""
    monkeypatch.setattr(registry.PRUNERS, "registered", {})
    path = tmp_path / "my_pruner.py"
    path.write_text(FASTEST)
    yield path
    sys.modules.pop("htpbench_import_my_pruner", None)


def test_a_study_names_its_imports(call, fastest, tmp_path):
    """Every verb that reads the study knows them, and --import may name them too."""
    own = "mixste.tiny-9+fastest:3@1+tri"
    text = 'imports = ["my_pruner.py"]\n'
    study = small.study(tmp_path, name="own", combinations=[small.NETWORK, own])
    study.write_text(text + study.read_text())
    two = ("compare", small.NETWORK, own, "--metric", "cost.flops", "--study", "own.toml")
    for command in (("plan", "--study", "own.toml", own), ("sweep", "own.toml"),
                    ("report", "own.toml"), ("cost", own, "--study", "own.toml"), two):  # fmt: skip
        for front in ((), ("--import", "my_pruner.py")):
            registry.PRUNERS.registered.clear()
            for name in [name for name in sys.modules if name.startswith("htpbench_import")]:
                del sys.modules[name]
            code, out, err = call(*front, *command)
            assert code == 0 and own in out + err, (command, err)
    rows = Store(tmp_path / "results").read()
    assert {row.study for row in rows} == {"own"} and all(row.status == "ok" for row in rows)


@pytest.mark.parametrize(
    ("imports", "words"),
    [
        ('["gone.py"]', "own.toml: --import gone.py: no such file"),
        ('"my_pruner.py"', "imports: Input should be a valid list"),
        ("[1]", "imports.0: Input should be a valid string"),
        ('[""]', "imports.0: String should have at least 1 character"),
    ],
)
def test_wrong_imports_of_a_study_are_refused(call, tmp_path, imports, words):
    path = small.study(tmp_path, name="own")
    path.write_text(f"imports = {imports}\n" + path.read_text())
    code, _, err = call("plan", "--study", "own.toml")
    assert code == 2 and words in err


def test_imports_change_no_key_and_no_trial(tmp_path):
    path = small.study(tmp_path)
    (tmp_path / "nothing.py").write_text("")
    found = []
    for front in ("", f'imports = ["{tmp_path}/nothing.py"]\n'):
        path.write_text(front + path.read_text())
        study = load(str(path))
        dump = study.model_dump(exclude={"title", "imports"})
        bench = small.runner(study, tmp_path / "r")
        found.append(
            (
                list(dump),
                bench.keys(study.parsed()[1], "cost"),
                Trials(bench, None, 0).all.study_name,
            )
        )
    assert found[0] == found[1]


@pytest.mark.parametrize("verb", ["plan", "cost"])
def test_a_pruner_of_ones_own(call, fastest, verb):
    own = "mixste.tiny-9+fastest:3@1+tri"
    code, out, err = call(verb, own)
    assert code == 2 and "unknown pruner 'fastest'" in err
    code, out, _ = call("--import", fastest, verb, own)
    assert code == 0 and own in out
