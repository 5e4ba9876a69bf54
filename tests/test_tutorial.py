"""The tutorial and the how-to pages: every command in them runs, in their order."""

import re
import shlex
import shutil

import pytest
import small
from paths import ROOT

from htpbench.systems.registry import PRUNERS

DOCS = ROOT / "docs"
PAGES = [DOCS / "tutorial.md", *sorted((DOCS / "how-to").glob("*.md"))]
# Others run these: the main job by the tests of the command line, the example by test_export.
ELSEWHERE = ("htpbench sweep demo", "python docs/run_onnx.py")
CLOCK = "\n[timing]\nrounds = 3\nround_s = 0.003\nprocesses = 3\n"  # quick, whatever it says
ENDS = re.compile(r"# ends with (\d)$")


def commands(page):
    """The commands of a page that this machine can run: those of its blocks of shell."""
    blocks = re.findall(r"```sh\n(.*?)```", page.read_text(), re.DOTALL)
    return [line for block in blocks for line in block.splitlines()]


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """The quick command line in a folder with what a clone has."""
    shutil.copytree(ROOT / "results", tmp_path / "results", ignore=shutil.ignore_patterns("claims"))
    (tmp_path / "docs").symlink_to(DOCS)
    for place in ("gate.required", "records.verdicts"):  # tests run beside it
        monkeypatch.setattr(f"htpbench.{place}.noise", lambda *_: "")
    return small.command_line(tmp_path, monkeypatch, capsys)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_command_of_a_page_ends_as_it_says(call, tmp_path, page):
    found = commands(page)
    assert found or "```text" in page.read_text()
    if page.stem == "tutorial":
        shutil.rmtree(tmp_path / "results")  # it begins in an empty folder
    (study,) = re.findall(r"```toml\n(# mine.toml\n.*?)```", page.read_text(), re.DOTALL) or [""]
    for line in found:
        if line.startswith(ELSEWHERE):
            continue
        if ended := ENDS.search(line):  # after the change that the page asks for
            text = (tmp_path / "swift.py").read_text()
            (tmp_path / "swift.py").write_text(text.replace("float = 1.0", "float = 3.0"))
            del PRUNERS.registered["swift"]  # as in a new process
        line = line.replace("time.speedup >= 1.05", "time.speedup >= 0.05")
        program, *arguments = shlex.split(line.partition(" > ")[0], comments=True)
        assert program == "htpbench"
        code, out, err = call(*arguments)
        assert code == int(ended[1] if ended else 0), f"{line}: {out}{err}"
        if arguments[:2] == ["new", "study"]:
            path = tmp_path / f"{arguments[2]}.toml"
            path.write_text((study or path.read_text()) + CLOCK)
