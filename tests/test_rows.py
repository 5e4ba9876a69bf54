from __future__ import annotations

import json
import os
import platform
import subprocess
import sys

import pytest

from htpbench.errors import BenchError
from htpbench.measuring import environment
from htpbench.records.rows import Row, Store, latest, row_key

MACHINE = {"id": "c41d90", "cpu": "a cpu"}


def row(key: str = "k", value: float | list | None = 0.0122, **changes) -> Row:
    facts = {"study": "table4", "combination": "mixste-243", "metric": "time.forward"}
    facts |= {"unit": "s", "environment": "c41d90", "at": "2026-11-21T03:30:00Z"}
    return Row(**{**facts, "key": key, "value": value, **changes})


def write(folder, *rows: Row, study: str = "table4") -> Store:
    store = Store(folder)
    with store.writer(study, MACHINE) as writer:
        for one in rows:
            writer.append(one)
    return store


def test_rows_come_back_as_they_went(tmp_path):
    rows = [
        row(low=0.0121, high=0.0123, samples=15, conditions={"batch": 1, "flip": False}),
        row("l", [3, 5], metric="selection", unit="1", axis=["a", "b"], commit="1d8ce7b+dirty"),
        row("m", None, status="failed", reason="out of memory"),
    ]
    store = write(tmp_path / "machine", *rows)
    assert store.read() == rows
    assert store.problems == []
    (path,) = tmp_path.rglob("*.jsonl")
    assert json.loads(path.read_text().splitlines()[0]) == {"kind": "environment", **MACHINE}


def test_a_store_reads_every_writer_of_every_machine_and_one_study_when_asked(tmp_path):
    with Store(tmp_path / "one").writer("table4", MACHINE) as first:
        write(tmp_path / "one", row("b"))  # beside the first: a file of its own
        first.append(row("a"))
    write(tmp_path / "two", row("c", study="demo"), study="demo")
    assert {path.name for path in tmp_path.rglob("*.jsonl")} == {
        "table4.0.jsonl", "table4.1.jsonl", "demo.0.jsonl"
    }  # fmt: skip
    assert [r.key for r in Store(tmp_path).read()] == ["a", "b", "c"]
    assert [r.key for r in Store(tmp_path).read("demo")] == ["c"]
    assert Store(tmp_path / "none").read() == []


def test_an_environment_is_written_once_a_file(tmp_path):
    write(tmp_path, row("a"))
    write(tmp_path, row("b"))
    with Store(tmp_path).writer("table4", {"id": "other1"}):
        pass
    lines = [json.loads(line) for line in (tmp_path / "table4.0.jsonl").read_text().splitlines()]
    assert [line.get("id", line.get("key")) for line in lines] == ["c41d90", "a", "b", "other1"]


def test_a_cut_last_line_is_ignored_and_cut_off_when_reopened(tmp_path):
    store = write(tmp_path, row("a"))
    path = tmp_path / "table4.0.jsonl"
    with path.open("ab") as file:
        file.write(b'{"schema": 1, "key": "b", "stu')
    assert [r.key for r in store.read()] == ["a"]
    assert store.problems == []
    write(tmp_path, row("c"))
    assert [r.key for r in store.read()] == ["a", "c"]
    assert store.problems == []
    assert b'"stu' not in path.read_bytes().replace(b'"study"', b"")


def test_a_store_tells_what_others_appended_since_it_was_last_asked(tmp_path):
    store = write(tmp_path, row("a"))
    assert [r.key for r in store.fresh()] == ["a"]
    assert store.fresh() == []
    with (tmp_path / "table4.0.jsonl").open("ab") as file:
        file.write(b'{"schema": 1, "key": "cut')
    assert store.fresh() == []
    with Store(tmp_path).writer("table4", MACHINE) as first:  # cuts it off
        write(tmp_path, row("b"))
        first.append(row("c"))
    assert [r.key for r in store.fresh()] == ["c", "b"], "in the order of files"
    assert store.fresh() == [] and store.problems == []
    assert [r.key for r in store.read()] == ["a", "c", "b"]


@pytest.mark.parametrize(
    "broken",
    [b'{"schema": 1, "key"', b"", b"[1]", b"\xff\xfe", b'{"key": "b"}', b'{"kind": "?"}'],
)
def test_a_corrupt_line_is_skipped_and_named(tmp_path, broken):
    store = write(tmp_path, row("a"))
    path = tmp_path / "table4.0.jsonl"
    path.write_bytes(path.read_bytes() + broken + b"\n")
    write(tmp_path, row("c"))
    assert [r.key for r in store.read()] == ["a", "c"]
    assert [problem.startswith(f"{path}:3: ") for problem in store.problems] == [True]


def test_a_nan_in_a_file_is_a_problem(tmp_path):
    store = write(tmp_path, row("a"))
    path = tmp_path / "table4.0.jsonl"
    path.write_text(path.read_text().replace("0.0122", "NaN"))
    assert store.read() == []
    assert "nan is not a finite" in store.problems[0]


def test_a_newer_schema_names_the_remedy(tmp_path):
    store = write(tmp_path, row(schema=2))
    with pytest.raises(BenchError, match=r"schema 2.*upgrade htpbench"):
        store.read()


@pytest.mark.parametrize(
    "wrong",
    [
        {"value": float("nan")},
        {"value": float("inf")},
        {"low": float("-inf")},
        {"value": [1.0, float("nan")], "axis": ["a", "b"]},
        {"value": [1.0, 2.0], "axis": ["a"]},
        {"value": [1.0]},
        {"value": "0.1"},
        {"value": None},
        {"status": "fine"},
    ],
)
def test_what_is_no_number_is_refused(wrong):
    with pytest.raises(ValueError, match=r"time\.forward|status"):
        row(**wrong)


def test_a_folder_that_cannot_be_used_names_the_remedy(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(BenchError, match="--results"):
        write(tmp_path / "file" / "machine", row())
    with pytest.raises(BenchError, match="--results"):
        Store(tmp_path / "file").read()


def test_a_full_disk_names_the_remedy_and_leaves_whole_lines(tmp_path, monkeypatch):
    store = write(tmp_path, row("a"))
    whole = os.write
    with store.writer("table4", MACHINE) as writer:
        monkeypatch.setattr(os, "write", lambda file, line: whole(file, line[:20]))
        with pytest.raises(BenchError, match=r"disk is full.*--results"):
            writer.append(row("b"))
        monkeypatch.undo()
        writer.append(row("c"))
    assert [r.key for r in store.read()] == ["a", "c"]
    assert store.problems == []


def test_a_key_is_stable_and_depends_on_everything_it_names():
    conditions = {"pipeline": "seq2seq", "batch": 1}
    key = row_key("mixste-243", "time.forward", conditions, 1)
    assert key == "ed4bc12e94658d4c"
    assert key == row_key("mixste-243", "time.forward", dict(reversed(conditions.items())), 1)
    others = [
        row_key("mixste-81", "time.forward", conditions, 1),
        row_key("mixste-243", "time.warm", conditions, 1),
        row_key("mixste-243", "time.forward", {**conditions, "batch": 2}, 1),
        row_key("mixste-243", "time.forward", conditions, 2),
        row_key("mixste-243", "time.forward", conditions, 1, machine="a"),
        row_key("mixste-243", "time.forward", conditions, 1, machine="b"),
    ]
    assert len({key, *others}) == 7


def test_the_latest_ok_row_of_a_key_holds():
    rows = [
        row("a", 1.0, at="2026-01-02T00:00:00Z"),
        row("a", 2.0, at="2026-01-03T00:00:00Z"),
        row("a", None, status="failed", at="2026-01-04T00:00:00Z"),
        row("a", 3.0, at="2026-01-01T00:00:00Z"),
        row("b", None, status="timeout", at="2026-01-01T00:00:00Z"),
        row("b", None, status="failed", at="2026-01-02T00:00:00Z"),
    ]
    held = latest(rows)
    assert list(held) == ["a", "b"]
    assert held["a"].value == 2.0
    assert held["b"].status == "failed"


def test_the_environment_has_an_id_of_what_it_says_and_no_host_name(monkeypatch):
    monkeypatch.delenv("HTPBENCH_MACHINE", raising=False)
    first = environment.environment()
    assert first == environment.environment()
    assert {"machine", "cpu", "cores", "threads", "python", "torch", "numpy", "os"} <= set(first)
    assert platform.node() not in map(str, first.values())
    monkeypatch.setenv("HTPBENCH_MACHINE", "Lab 3 / GPU")
    second = environment.environment()
    assert second["machine"] == "lab-3-gpu"
    assert len(second["id"]) == 6 and second["id"] != first["id"]


def test_a_machine_name_is_a_folder_name(monkeypatch):
    monkeypatch.delenv("HTPBENCH_MACHINE", raising=False)
    name = environment.machine_name()
    assert name.endswith(f"-{os.cpu_count()}c")
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") and name[0] != "-"
    monkeypatch.setenv("HTPBENCH_MACHINE", "///")
    with pytest.raises(BenchError, match="HTPBENCH_MACHINE"):
        environment.machine_name()


def test_commit_marks_changed_code_but_not_new_results(tmp_path, monkeypatch):
    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=n", "-c", "user.email=e"]
        subprocess.run(["git", "-C", tmp_path, *identity, *arguments], check=True, timeout=20)

    source = tmp_path / "htpbench" / "measuring" / "environment.py"
    source.parent.mkdir(parents=True)
    source.write_text("")
    monkeypatch.setattr(environment, "__file__", str(source))
    assert environment.commit() is None
    git("init", "-q")
    git("add", ".")
    git("commit", "-q", "-m", "first")
    head = environment.commit()
    assert head and "+" not in head
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "table4.0.jsonl").write_text("{}\n")
    assert environment.commit() == head
    source.write_text("changed")
    assert environment.commit() == f"{head}+dirty"


def test_rows_and_environment_import_neither_torch_nor_pandas():
    code = "import sys, htpbench.records.rows, htpbench.measuring.environment; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert not {"torch", "pandas", "numpy"} & set(loaded.stdout.split())
