"""Meters that measure many combinations at once: deaths, limits and kills cost what they must."""

import json
import os
import random
import signal
import time
from collections import Counter
from pathlib import Path

import pytest
import small

from htpbench.bench.job import job
from htpbench.bench.runner import Runner
from htpbench.bench.together import claim_of, lines_of
from htpbench.errors import BenchError
from htpbench.measuring.environment import code_digest
from htpbench.records.rows import Store
from htpbench.study import loading
from htpbench.study.loading import load
from htpbench.study.study import Study
from htpbench.systems.registry import import_file

KILLS = int(os.environ.get("HTPBENCH_KILLS", "2"))  # 20 of each kind were tried
METER = '''
import os, signal, time
from pathlib import Path

from htpbench import METERS, Measurement, Meter, Metric
from htpbench.errors import BenchError, Faulty


@METERS.register("rounds")
class Rounds(Meter):
    """Rounds of all, as a clock would."""

    exclusive = True
    metrics = (Metric(name="rounds.kept"), Metric(name="rounds.of", exact=True))

    def measure(self, context, combination, watch=None):
        raise NotImplementedError

    def processes(self, context):
        return {processes}

    def together(self, context, combinations, begin):
        print("a meter may print")
        os.system("echo so may a library")
        folder = Path("children")
        folder.mkdir(exist_ok=True)
        (folder / str(os.getpid())).touch()
        for _ in range(3):
            for one in combinations:
                begin(one)
                time.sleep({pause})
                kept = one.schedule[0][0] if one.schedule else 9
                {fault}
        for one in combinations:
            kept = one.schedule[0][0] if one.schedule else 9
            found = [Measurement("rounds.kept", kept), Measurement("rounds.of", len(combinations))]
            yield one, {answer}

    def joined(self, found):
        return [found[0][0]._replace(value=sum(part[0].value for part in found)), *found[0][1:]]
'''
NAMES = [small.NETWORK, *(f"mixste.tiny-9+tps:{r}@1+tri" for r in (3, 5, 7))]
FAULTS = {  # of the combination that keeps 5 frames: what its row says
    "os.kill(os.getpid(), signal.SIGKILL) if kept == 5 else 0": ("failed", "code -9"),
    "os._exit(3) if kept == 5 else 0": ("failed", "code 3"),
    "time.sleep(60) if kept == 5 else 0": ("timeout", "took longer than 2 s"),
}
ANSWERS = {
    "found if kept != 5 else RuntimeError('on purpose')": ("failed", "RuntimeError: on purpose"),
    "found if kept != 5 else found[:1]": ("failed", "rounds did not measure rounds.of"),
    "found if kept != 5 else Faulty('a fault')": ("failed", "a fault"),
}


# The command line that neither counts nor draws: what is killed is the meter above.
LIGHT = """
import small
from htpbench.measuring import counting
from htpbench.report import sweeps
counting.measure, sweeps.figures = small.quick_cost, lambda *_: []
small.cli.main()
"""


def meter(folder, fault="pass", answer="found", pause=0.01, processes=2):
    """Write the meter; returns its path."""
    path = Path(folder) / "rounds.py"
    filled = METER.replace("{fault}", fault).replace("{answer}", answer)
    filled = filled.replace("{processes}", str(processes))
    path.write_text(filled.replace("{pause}", str(pause)))
    return path


def study(folder):
    return small.study(folder, meters=("cost", "rounds"), combinations=NAMES)


def measured(folder, tell=lambda text: None, **changes):
    """The rows of the meter by combination and metric, measured here."""
    runner = small.runner(load(str(study(folder))), Path(folder) / "results", **changes)
    with runner.writer() as writer:
        runner.together("rounds", runner.study.parsed(), writer, tell)
    return {name: runner.rows(one) for name, one in zip(NAMES, runner.study.parsed(), strict=True)}


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "text", "processes"),
    [
        # A process costs seconds: the first of each kind alone is tried with a second one.
        (kind, text, 1 + (number == 0))
        for kind, texts in (("fault", FAULTS), ("answer", ANSWERS))
        for number, text in enumerate(texts)
    ],
)
def test_a_combination_that_fails_takes_no_other_with_it(
    tmp_path, monkeypatch, kind, text, processes
):
    if kind == "answer" and processes == 1:  # a process of its own tells no more of it
        monkeypatch.setattr("htpbench.bench.together.Run.child", small.in_this_process)
    import_file(meter(tmp_path, **{kind: text}, processes=processes))
    rows = measured(tmp_path, timeout=2.0)
    for name, kept in zip(NAMES, (9, 3, 5, 7), strict=True):
        row = rows[name]["rounds.kept"]
        if kept == 5:
            status, reason = (FAULTS | ANSWERS)[text]
            assert row.status == status and reason in row.reason
        else:
            assert (row.status, row.value) == ("ok", processes * kept)


@pytest.mark.processes
@pytest.mark.slow
def test_all_of_it_is_measured_once_in_as_many_processes(tmp_path):
    import_file(meter(tmp_path))
    told = []
    first, again = measured(tmp_path, told.append), measured(tmp_path)
    assert first == again and {row.status for rows in first.values() for row in rows.values()} == {
        "ok"
    }
    assert len(list(Path("children").iterdir())) == 2, "two processes, none the second time"
    assert {rows["rounds.of"].value for rows in first.values()} == {len(NAMES)}
    turns = [f"{name}: rounds, process {turn} of 2" for turn in (1, 2) for name in NAMES]
    assert [*dict.fromkeys(told)] == turns, "a log says where it is"


@pytest.mark.processes
def test_an_error_of_the_user_ends_the_run_with_its_words(tmp_path):
    import_file(meter(tmp_path, fault="raise BenchError('mend your disk')"))
    with pytest.raises(BenchError, match="mend your disk"):
        measured(tmp_path)
    assert Store(tmp_path / "results").read() == []


@pytest.mark.processes
@pytest.mark.slow
def test_a_process_that_cannot_begin_is_one_failure_for_all(tmp_path):
    import_file(meter(tmp_path, answer="found"))
    path = tmp_path / "rounds.py"
    path.write_text(
        path.read_text() + "\nimport os, sys\n'child' in sys.orig_argv[-1] and os._exit(7)\n"
    )
    rows = measured(tmp_path)
    assert all("code 7" in one["rounds.kept"].reason for one in rows.values())


def children():
    """The processes of the meter that still live."""
    return [int(path.name) for path in Path("children").glob("*") if alive(int(path.name))]


def alive(process):
    try:
        return "child" in Path(f"/proc/{process}/cmdline").read_text()
    except OSError:
        return False


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.parametrize("victim", ["child", "parent"])
def test_killed_at_any_moment_every_key_is_there_once(tmp_path, victim):
    """The numbers of the others stay, and the same command ends well."""
    import_file(meter(tmp_path, pause=0.05))
    path, rng = study(tmp_path), random.Random(victim)
    command = ["-c", LIGHT, "--import", "rounds.py", "sweep", path.name]
    for kill in range(KILLS):
        results = f"results{kill}"
        process = small.started(*command, "--results", results, cwd=tmp_path)
        wanted = len(list(Path("children").glob("*"))) + rng.choice([1, 1, 2])
        while len(list(Path("children").glob("*"))) < wanted and process.poll() is None:
            time.sleep(0.01)
        time.sleep(rng.uniform(0, 0.7))
        targets = [process.pid] if victim == "parent" else children()
        for target in targets:
            os.kill(target, signal.SIGKILL)
        small.finished(process)
        for _ in range(100):
            if not children():
                break
            time.sleep(0.05)
        assert not children(), "a child outlives its parent"
        last = small.finished(small.started(*command, "--results", results, cwd=tmp_path))
        assert last[0] == 0, last
        rows = Store(tmp_path / results).read()
        ok = Counter((row.combination, row.metric) for row in rows if row.status == "ok")
        assert set(ok.values()) == {1}, "an ok row twice"
        runner = small.runner(load(str(path)), tmp_path / results)
        asked = {
            (str(one), name)
            for one in runner.study.parsed()
            for name in job(runner.context, one, "rounds").keys
        }
        assert asked <= set(ok), "a killed child is tried again, the others' numbers are kept"
        for line in (tmp_path / results).rglob("*.lines"):
            for text in line.read_text().splitlines():
                assert json.loads(text)["process"] in (0, 1)


@pytest.mark.processes
@pytest.mark.slow
def test_damaged_lines_of_an_earlier_run_are_measured_again(tmp_path, monkeypatch):
    import_file(meter(tmp_path))
    with monkeypatch.context() as stopped, pytest.raises(ZeroDivisionError):
        stopped.setattr(Runner, "keep", lambda *_: 1 / 0)  # before its rows were written
        measured(tmp_path)
    (lines,) = (tmp_path / "results").rglob("*.lines")
    whole = [json.loads(text) for text in lines.read_text().splitlines()]
    wrong = [
        {**whole[0], "measured": [{"value": 1}]},
        {**whole[1], "measured": 3},
        {**whole[2], "measured": [{"metric": "rounds.kept", "value": 1, "low": "x"}]},
        *whole[3:],
        [],
    ]
    lines.write_text("\n".join(map(json.dumps, wrong)) + "\n{cut")
    before = len(list(Path("children").iterdir()))
    again = measured(tmp_path)
    assert {row.status for rows in again.values() for row in rows.values()} == {"ok"}
    assert len(list(Path("children").iterdir())) == before + 1, "the second process was through"
    assert not lines.exists(), "all of it is rows"


STRANGER = "begin(parse('mixste.tiny-9+tps:8@1+tri')) or os._exit(3) if kept == 5 else 0"
HOLDS = "(subprocess.Popen(['sleep', '30']), time.sleep(60)) if kept == 5 else 0"


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.parametrize(("fault", "lost"), [(STRANGER, 4), (HOLDS, 1)])
def test_whoever_dies_the_run_ends(tmp_path, fault, lost):
    path = meter(tmp_path, fault=fault)
    path.write_text(f"import subprocess\nfrom htpbench import parse\n{path.read_text()}")
    import_file(path)
    start = time.monotonic()
    rows = measured(tmp_path, timeout=3.0)
    assert time.monotonic() - start < 60
    assert sum(found["rounds.kept"].status != "ok" for found in rows.values()) == lost


@pytest.mark.parametrize("name", loading.names())
def test_every_study_reaches_a_child_as_it_is(name):
    study = load(name)
    dumped = json.loads(json.dumps(study.model_dump(mode="json", exclude_unset=True)))
    assert Study.model_validate(dumped).model_dump() == study.model_dump()


@pytest.mark.processes
def test_what_another_run_left_stays_and_what_nobody_needs_goes(tmp_path, monkeypatch):
    monkeypatch.setattr("htpbench.bench.together.Run.child", small.in_this_process)
    import_file(meter(tmp_path))
    runner = small.runner(load(str(study(tmp_path))), tmp_path / "results")
    lines = lines_of(runner, "rounds")
    litter = lines.parent / f"{lines.stem}.litter"
    litter.mkdir(parents=True)
    theirs = {"claim": "of another study", "process": 0, "commit": runner.commit}
    theirs["code"] = code_digest()
    others = [theirs | {"commit": "before"}, theirs | {"code": "edited since"}]
    lines.write_text("\n".join([*map(json.dumps, [theirs, *others]), "{cut"]))
    measured(tmp_path)
    assert [json.loads(text) for text in lines.read_text().splitlines()] == [theirs]
    assert not litter.exists()
    with lines.open("a") as file:  # a kill between the last row and the end
        file.writelines(
            json.dumps(theirs | {"claim": claim_of(job(runner.context, one, "rounds"))}) + "\n"
            for one in runner.study.parsed()
        )
    measured(tmp_path)
    assert [json.loads(text) for text in lines.read_text().splitlines()] == [theirs]
