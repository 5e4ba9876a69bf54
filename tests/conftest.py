import os
import signal
import sys
import tempfile
from functools import cache

import browser
import pytest
import small
import torch
from checkpoints import TINY, Golden
from hypothesis import settings

from htpbench.bench import runner
from htpbench.datasets import synthetic
from htpbench.motion import dataset
from htpbench.systems.registry import (
    BACKBONES,
    DATASETS,
    IMPORTED,
    METERS,
    METRICS,
    PRUNERS,
    RECOVERERS,
)

REGISTRIES = [BACKBONES, DATASETS, METERS, METRICS, PRUNERS, RECOVERERS]

torch.set_num_threads(1)
# A shell's background job ignores Ctrl-C, which tests send.
signal.signal(signal.SIGINT, signal.default_int_handler)
# `pytest --hypothesis-profile=long tests/test_fuzz*.py` looks farther than a commit has time for.
settings.register_profile("quick", derandomize=True, deadline=None, database=None, max_examples=100)
settings.register_profile("long", deadline=None, database=None, max_examples=3000)
settings.load_profile("quick")
if "PYTEST_XDIST_WORKER" in os.environ:  # the lock on the CPU lies there: each has one of its own
    own = tempfile.TemporaryDirectory(prefix="htpbench-tests-")
    tempfile.tempdir = os.environ["TMPDIR"] = own.name


# Motion is drawn once, for collecting tests as well; tests of it import the functions themselves.
synthetic.people, dataset.make_views = small.drawn, small.viewed
runner.commit = cache(runner.commit)  # git is asked once


@pytest.fixture(autouse=True)
def registries_as_before(monkeypatch):
    """What a test registers or imports is known to it alone."""
    for registry in REGISTRIES:
        monkeypatch.setattr(registry, "registered", dict(registry.registered))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if name.startswith(IMPORTED):
            del sys.modules[name]


@pytest.fixture(autouse=True)
def no_process_is_left():
    yield
    small.end_what_runs()


@pytest.fixture(scope="module")
def chromium():
    if browser.CHROMIUM is None:
        pytest.skip("no chromium on PATH")
    with browser.Browser() as started:
        yield started


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    """What `--data` names for small trainings."""
    return (str(small.motion_file(tmp_path_factory.mktemp("data"))),)


@pytest.fixture
def golden(request, monkeypatch):
    return Golden(getattr(request, "param", TINY), monkeypatch)


@pytest.fixture
def conversion(monkeypatch, capsys, tmp_path):
    """`weights convert best.pth` in an empty folder: (exit code, what it said on one line)."""
    monkeypatch.chdir(tmp_path)

    def run(text, *options, source="best.pth"):
        code = small.call(monkeypatch, "weights", "convert", source, "--as", text, *options)
        out, err = capsys.readouterr()
        assert "Traceback" not in err and bool(out) != bool(err)
        return code, " ".join((out + err).split())

    return run
