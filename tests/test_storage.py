"""Where the trials are kept: a journal that was damaged, a real PostgreSQL server."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import optuna
import pytest
import small
from optuna.trial import TrialState
from test_sweep import SPACE, bench, trials
from test_workers import clean, killed

from htpbench.errors import BenchError
from htpbench.search.storage import checked, open_storage
from htpbench.search.sweep import sweep

SEARCHED = SPACE.format(3)


def journal(folder):
    (file,) = folder.rglob("*.journal")
    return file


def test_a_journal_cut_in_its_last_line_loses_that_line_alone(tmp_path):
    path = small.study(tmp_path)
    sweep(bench(path, tmp_path / "r"))
    file = journal(tmp_path / "r")
    whole = file.read_bytes()
    file.write_bytes(whole + b'{"op_code": 4, "work')
    sweep(bench(path, tmp_path / "r"))
    assert file.read_bytes().startswith(whole) and file.read_bytes().endswith(b"\n")
    assert [t.state for t in trials(tmp_path / "r")] == [TrialState.COMPLETE] * 2


def test_a_damaged_journal_names_its_line_and_the_remedy_works(tmp_path):
    path = small.study(tmp_path, SEARCHED, combinations=[])
    rows = sweep(bench(path, tmp_path / "r"))
    file = journal(tmp_path / "r")
    first, _, *others = file.read_bytes().split(b"\n")
    file.write_bytes(b"\n".join([first, b'{"op_code": 4, "work', *others]))
    with pytest.raises(BenchError, match=rf"{file.name}:2 is damaged\. Remove"):
        sweep(bench(path, tmp_path / "r"))
    file.unlink()
    assert {row.key for row in sweep(bench(path, tmp_path / "r"))} == {row.key for row in rows}


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("sqlite:///trials.db", "several processes break it"),
        ("mysql://me:secret@host/db", "expected postgresql://"),
        ("no url with secret", "not a URL"),
    ],
)
def test_other_storages_are_refused(tmp_path, monkeypatch, capsys, url, told):
    monkeypatch.chdir(tmp_path)
    code = small.call(monkeypatch, "sweep", small.study(tmp_path), "--storage", url)
    err = " ".join(capsys.readouterr().err.split())
    assert code == 2 and told in err and "secret" not in err


def test_a_server_that_is_not_there_is_told_without_the_password(tmp_path, monkeypatch, capsys):
    pytest.importorskip("psycopg", reason="the extra htpbench[postgresql] is not installed")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HTPBENCH_STORAGE", "postgresql://me:secret@127.0.0.1:1/db")
    assert small.call(monkeypatch, "sweep", small.study(tmp_path)) == 2
    err = capsys.readouterr().err
    assert "127.0.0.1" in err and "refused" in err and "secret" not in err


@pytest.mark.parametrize("password", ["s3cr@et", "s3@c/r@et", "p:w?@d"])
def test_a_password_may_hold_any_sign(tmp_path, monkeypatch, capsys, password):
    pytest.importorskip("psycopg", reason="the extra htpbench[postgresql] is not installed")
    monkeypatch.chdir(tmp_path)
    url = f"postgresql://me:{password}@127.0.0.1:1/db"
    found = checked(url)
    assert (found.password, found.host, found.port, found.database) == (
        password,
        "127.0.0.1",
        1,
        "db",
    )
    assert small.call(monkeypatch, "sweep", small.study(tmp_path), "--storage", url) == 2
    err = capsys.readouterr().err
    assert "postgresql://***@127.0.0.1:1/db" in err and "refused" in err
    assert not any(part in err for part in re.split("[@/:?]", password) if len(part) > 2)


def test_studies_that_train_check_the_address_too(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert small.call(monkeypatch, "sweep", "lineages", "--storage", "nowhere") == 2
    assert "--storage nowhere: expected postgresql://" in capsys.readouterr().err


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """The URL of an empty database of a server of our own, below a socket in a folder."""
    pytest.importorskip("psycopg", reason="the extra htpbench[postgresql] is not installed")
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    initdb = str(found[-1]) if found else shutil.which("initdb")
    if initdb is None:
        pytest.skip("PostgreSQL's initdb is not here")
    folder = Path("/tmp") / f"htpbench-{os.getpid()}"  # short: a socket's path has 107 bytes
    folder.mkdir()
    become = []
    if os.getuid() == 0:  # it refuses to run as root
        shutil.chown(folder, "nobody")
        become = ["setpriv", "--reuid=nobody", "--clear-groups"]
    data, binaries = folder / "data", Path(initdb).parent
    subprocess.run(
        [*become, initdb, "-D", data, "-U", "me", "-A", "trust", "--no-sync"],
        check=True, capture_output=True, timeout=60, cwd=folder,
    )  # fmt: skip
    process = subprocess.Popen(
        [*become, binaries / "postgres", "-D", data, "-k", folder, "-h", "", "-F"],
        cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        wait = [binaries / "pg_isready", "-h", folder, "-q"]
        limit = time.monotonic() + 30
        while subprocess.run(wait, timeout=10, check=False).returncode:
            assert time.monotonic() < limit and process.poll() is None
            time.sleep(0.1)
        yield f"postgresql://me:secret@/postgres?host={folder}"
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(30)
        shutil.rmtree(folder)


def asked(url):
    """All trials on the server."""
    storage = open_storage(url, Path())
    names = optuna.get_all_study_names(storage)
    found = [t for n in names for t in optuna.load_study(study_name=n, storage=storage).trials]
    storage.remove_session()
    storage.engine.dispose()
    return found


@pytest.mark.processes
@pytest.mark.slow
def test_two_workers_on_a_server_lose_nothing_when_killed(server, tmp_path):
    names = [small.NETWORK, small.PRUNED, "mixste.tiny-27", "mixste.tiny-27+tps:9@1+tri"]
    path = small.study(tmp_path, SEARCHED, combinations=names, meters=("cost", "accuracy"))
    killed(path, tmp_path, ["--storage", server], 5, seed=1)
    command = ("-m", "htpbench", "sweep", path, "--workers", 2, "--storage", server)
    code, _, err = small.finished(small.started(*command, cwd=tmp_path))
    assert code == 0, err
    clean(path, tmp_path / "results", names)
    states = Counter(trial.state for trial in asked(server))
    assert states[TrialState.RUNNING] == 0
    ended = [t for t in asked(server) if t.params and t.state != TrialState.FAIL]
    assert len(ended) == 3
    assert list(tmp_path.rglob("*.journal")) == []
    assert "secret" not in err and checked(server).drivername == "postgresql+psycopg"
