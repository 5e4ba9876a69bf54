"""Jobs of a Slurm cluster: what they ask for, and that they measure."""

from collections import Counter

import pytest
import small
from test_sweep import LONG
from test_workers import planned

from htpbench.cli import cluster, workers
from htpbench.errors import BenchError
from htpbench.records.rows import Store
from htpbench.search.sweep import Trials
from htpbench.study import loading
from htpbench.study.settings import SlurmSettings

TABLE = "[slurm]\nminutes = 90\ngpus = 2\ncpus = 8\nmemory_gb = 64"
FLAGS = ("--slurm-minutes", 5, "--slurm-gpus", 1, "--slurm-cpus", 4, "--slurm-memory", 16)


@pytest.fixture
def asked(monkeypatch):
    """What submitit is asked for by whoever submits, which runs nothing."""
    submitit = pytest.importorskip("submitit", reason="htpbench[slurm] is not installed")
    asked, known = {"jobs": 0}, submitit.AutoExecutor._typed_parameters()

    class Executor:
        def __init__(self, folder, **options):
            asked.update(options)

        def update_parameters(self, **parameters):
            assert {name for name in parameters if "slurm_" not in name} <= known.keys()
            asked.update(parameters)

        def submit(self, task):
            asked["jobs"] += 1
            return type("Job", (), {"done": lambda _: True, "exception": lambda _: None})()

    monkeypatch.setattr(submitit, "AutoExecutor", Executor)
    return asked


def resources(asked):
    names = ("timeout_min", "gpus_per_node", "cpus_per_task", "mem_gb")
    return tuple(asked[name] for name in names)


@pytest.mark.parametrize(
    ("table", "flags", "expected"),
    [
        ("", (), (24 * 60, None, None, None)),
        (TABLE, (), (90, 2, 8, 64)),
        ("", FLAGS, (5, 1, 4, 16)),
        (TABLE, FLAGS[4:], (90, 2, 4, 16)),
        (TABLE, ("--slurm-gpus", 0), (90, None, 8, 64)),
    ],
)
def test_a_job_asks_for_what_the_study_says_and_then_the_command(
    tmp_path, monkeypatch, asked, table, flags, expected
):
    monkeypatch.chdir(tmp_path)
    path = small.study(tmp_path, table)
    small.call(monkeypatch, "sweep", path, "--slurm", "gpu", "--workers", 3, *flags)
    assert resources(asked) == expected and asked["jobs"] == 3
    assert asked["slurm_partition"] == "gpu" and asked["slurm_python"].endswith(" -P")


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--slurm-minutes", 5], "--slurm-minutes: expected with --slurm PARTITION"),
        (["--slurm-cpus", 5, "--slurm-memory", 1], "--slurm-cpus, --slurm-memory: expected with"),
        (["--slurm", "p", "--slurm-minutes", 0], "--slurm-minutes: Input should be greater"),
        (["--slurm", "p", "--slurm-gpus", -1], "--slurm-gpus: Input should be greater"),
        (["--slurm", "p", "--slurm-memory", 0], "--slurm-memory: Input should be greater"),
        (["--slurm", "p", "--devices", "cuda:0"], "--devices goes without --slurm"),
    ],
)
def test_wrong_wishes_for_jobs_are_refused(tmp_path, monkeypatch, capsys, wrong, told):
    assert small.call(monkeypatch, "sweep", small.study(tmp_path), *wrong) == 2
    assert told in capsys.readouterr().err


def test_what_the_cluster_refuses_is_told_and_nothing_runs_on(tmp_path, monkeypatch, capsys, asked):
    import submitit

    cancelled = []

    def submit(executor, task):
        asked["jobs"] += 1
        if asked["jobs"] == 2:
            raise submitit.core.utils.FailedJobError("sbatch: invalid partition specified: gpu")
        return type("Job", (), {"cancel": lambda _: cancelled.append(1)})()

    monkeypatch.setattr(submitit.AutoExecutor, "submit", submit)
    path = small.study(tmp_path)
    assert small.call(monkeypatch, "sweep", path, "--slurm", "gpu", "--workers", 3) == 2
    assert "--slurm gpu: sbatch: invalid partition" in " ".join(capsys.readouterr().err.split())
    assert cancelled == [1] and asked["jobs"] == 2


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("minutes = 0", "slurm.minutes"),
        ("gpus = -1", "slurm.gpus"),
        ("memory_gb = 1.5", "slurm.memory_gb"),
        ("memory = 1", "did you mean memory_gb"),
    ],
)
def test_a_wrong_table_is_refused_by_its_field(tmp_path, line, told):
    with pytest.raises(BenchError, match=told):
        loading.load(str(small.study(tmp_path, f"[slurm]\n{line}")))


def test_a_worker_takes_the_same_flags(tmp_path, monkeypatch, capsys):
    run = small.command_line(tmp_path, monkeypatch, capsys)
    command = ("sweep", small.study(tmp_path, TABLE), "--slurm", "gpu", "--as-worker", *FLAGS)
    assert run(*command)[0] == 0 and Store(tmp_path / "results").read()


def test_no_key_and_no_trial_knows_of_jobs(tmp_path):
    study = loading.load(str(small.study(tmp_path, "[search]\nbackbone = 'mixste.tiny-9'\n"
        "pruners = ['tps']\nrecoverers = ['tri']\ntrials = 2")))  # fmt: skip
    other = study.model_copy(update={"slurm": SlurmSettings(minutes=7, gpus=3)})
    one, two = (small.runner(each, tmp_path / "results") for each in (study, other))
    combination = study.reference_combination()
    assert one.keys(combination, "cost") == two.keys(combination, "cost")
    names = {Trials(runner, None, 0).all.study_name for runner in (one, two)}
    assert len(names) == 1


@pytest.mark.processes
@pytest.mark.slow
def test_jobs_of_a_cluster(tmp_path, monkeypatch):
    """submitit's own executor runs them here; a Slurm server is not needed."""
    pytest.importorskip("submitit", reason="the extra htpbench[slurm] is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(small.ROOT))
    (tmp_path / "statistics.py").write_text("open('ran', 'a').write('x')\n")
    path = small.study(tmp_path, combinations=LONG[:4])
    monkeypatch.setattr("sys.argv", ["htpbench", "sweep", str(path), "--slurm", "any"])
    command, ticks, jobs = workers.same_command("cpu"), [], cluster.Jobs("any", 2, SlurmSettings())
    with workers.handed_on(None):
        cluster.submit(
            command, jobs, tmp_path / "logs", lambda *tick: ticks.append(tick), cluster="local"
        )
    assert ticks and ticks[0][1] == 2 and not (tmp_path / "ran").exists()
    found = Store(tmp_path / "results").read()
    assert Counter(row.key for row in found) == Counter(
        planned(path, tmp_path / "results", LONG[:4])
    )
    with pytest.raises(BenchError, match="logs are in"):
        cluster.submit(
            [*command[:3], "htpbench", "sweep", "gone", "--as-worker"],
            jobs._replace(number=1), tmp_path / "logs", lambda *tick: None, cluster="local",
        )  # fmt: skip
