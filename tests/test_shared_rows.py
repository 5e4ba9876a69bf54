"""Which rows spare a measurement: any machine's of a running folder, not those of a repository."""

import os
import re

import pytest
import small
from paths import ROOT

from htpbench.bench.job import job
from htpbench.records.index import COMMITTED
from htpbench.records.rows import Store
from htpbench.study.loading import load
from htpbench.systems.combination import parse


def swept(tmp_path, monkeypatch, machine, meters):
    """Measure the small study on a machine of that name; how many rows there are now."""
    monkeypatch.setenv("HTPBENCH_MACHINE", machine)
    runner = small.runner(load(str(small.study(tmp_path, meters=meters))), tmp_path / "results")
    with runner.writer() as writer:
        rows = runner.measure(parse(small.PRUNED), writer)
    assert {row.status for row in rows.values()} == {"ok"}
    return len(Store(tmp_path / "results").read())


def test_what_is_the_same_everywhere_is_measured_once(tmp_path, monkeypatch):
    meters = ("cost", "accuracy", "selection")
    once = swept(tmp_path, monkeypatch, "one", meters)
    assert swept(tmp_path, monkeypatch, "two", meters) == once


def test_a_time_is_measured_on_each_machine(tmp_path, monkeypatch):
    small.quick(monkeypatch)
    once = swept(tmp_path, monkeypatch, "one", ("time",))
    assert swept(tmp_path, monkeypatch, "two", ("time",)) == 2 * once


def test_rows_that_came_with_a_repository_spare_nothing_but_on_their_own_machine(
    tmp_path, monkeypatch
):
    once = swept(tmp_path, monkeypatch, "one", ("accuracy",))
    (tmp_path / "results" / "one" / COMMITTED).write_text("for reading\n")
    assert swept(tmp_path, monkeypatch, "two", ("accuracy",)) == 2 * once
    assert swept(tmp_path, monkeypatch, "one", ("accuracy",)) == 2 * once


def test_what_another_machine_is_measuring_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setenv("HTPBENCH_MACHINE", "one")
    study = load(str(small.study(tmp_path, meters=("cost", "time"))))
    one = small.runner(study, tmp_path / "results")
    monkeypatch.setenv("HTPBENCH_MACHINE", "two")
    two = small.runner(study, tmp_path / "results")
    assert one.shared.folder == two.shared.folder and one.claims.folder != two.claims.folder
    claim = job(one.context, parse(small.PRUNED), "cost").claim
    assert claim == job(two.context, parse(small.PRUNED), "cost").claim
    with one.shared.hold(claim):
        key = next(path.name for path in one.shared.folder.iterdir())
        assert two.shared.take(key) is None


def test_committed_folders_are_marked():
    names = re.findall(r"^!/results/(.+)/$", (ROOT / ".gitignore").read_text(), re.MULTILINE)
    assert names and all((ROOT / "results" / name / COMMITTED).is_file() for name in names)


@pytest.mark.parametrize("kind", ["fifo", "newer", "dangling", "closed"])
def test_a_folder_of_another_machine_that_is_damaged_is_nobodys_problem(
    tmp_path, monkeypatch, kind
):
    folder = tmp_path / "results" / "other"
    folder.mkdir(parents=True)
    rows = folder / "a.0.jsonl"
    if kind == "fifo":
        os.mkfifo(rows)
    if kind == "newer":
        rows.write_text('{"schema": 99}\n')
    if kind == "dangling":
        rows.symlink_to("nowhere")
    if kind == "closed":
        if os.geteuid() == 0:
            pytest.skip("root reads every folder")
        folder.chmod(0)
    monkeypatch.setenv("HTPBENCH_MACHINE", "one")
    runner = small.runner(load(str(small.study(tmp_path))), tmp_path / "results")
    with runner.writer() as writer:
        rows = runner.measure(parse(small.PRUNED), writer)
    assert {row.status for row in rows.values()} == {"ok"}
