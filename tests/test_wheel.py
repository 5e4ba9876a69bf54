"""What is released: a wheel and a source archive that are enough without the clone."""

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile

import pytest
import small
from paths import ROOT

import htpbench

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SOURCES = {"CHANGELOG.md", "README.md", "LICENSE", "pyproject.toml"}
COMMANDS = [
    ["new", "study", "mine"],
    ["run", small.NETWORK, small.PRUNED, "--meter", "cost", "--meter", "time"],
    ["lift", "mixste.person-81", "--data", "synthetic", "--out", "poses.npz"],
    ["view", "poses.npz"],
    ["cite", "demo"],
    ["report", "--all"],
]
WALK = f"""
import sys
from htpbench.cli import main
for command in {COMMANDS}:
    sys.argv = ["htpbench", *command]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, command
"""

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of both archives."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", folder]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def installed(built, tmp_path_factory):
    """The wheel unpacked as pip lays it out, beside nothing of the clone."""
    (wheel,) = built.glob("*.whl")
    folder = tmp_path_factory.mktemp("site")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


@pytest.fixture
def call(installed, tmp_path):
    """The installed command line in an empty folder: (exit code, stdout, stderr)."""

    def run(*arguments, start=("-m", "htpbench")):
        # -P and a path of its own: nothing comes from the clone, not even by its editable install.
        environment = {**os.environ, "PYTHONPATH": str(installed), "OMP_NUM_THREADS": "1"}
        command = [sys.executable, "-P", *start, *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True
        )

    return run


def test_the_archives_hold_what_they_should(built):
    (source,), (wheel,) = built.glob("*.tar.gz"), built.glob("*.whl")
    assert f"htpbench-{htpbench.__version__}" in source.name and source.stat().st_size < 10**7
    with tarfile.open(source) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= SOURCES and not any(name.startswith(("results/", "reports/")) for name in names)
    held = set(zipfile.ZipFile(wheel).namelist())
    assert {"htpbench/py.typed", "htpbench/report/page.css", "htpbench/report/sort.js"} <= held
    assert "htpbench/_data/baselines/templates/pruner.py.txt" in held
    assert not any(name.startswith(("tests/", "docs/")) for name in held)
    assert wheel.stat().st_size < 10**7


def test_versions_agree():
    cff = (ROOT / "CITATION.cff").read_text()
    assert PROJECT["version"] == htpbench.__version__ and f"version: {PROJECT['version']}\n" in cff
    assert "date-released:" in cff and PROJECT["license"] == "MIT"
    assert f"\n## {PROJECT['version']}\n" in (ROOT / "CHANGELOG.md").read_text()


def test_an_empty_folder_is_enough(call, installed, tmp_path):
    found = call(start=("-c", "import htpbench; print(htpbench.__file__)"))
    assert found.stdout.startswith(str(installed)), found.stdout + found.stderr
    found = call(start=("-c", WALK))
    assert found.returncode == 0, found.stdout + found.stderr
    assert {"mine.toml", "poses.npz", "poses.html", "results"} <= {
        p.name for p in tmp_path.iterdir()
    }
    assert (tmp_path / "reports/local/index.html").exists()


def test_the_gate_passes_without_the_clone(call):
    found = call("check")
    assert found.returncode == 0 and "numbers as pinned" in found.stdout, found.stdout
