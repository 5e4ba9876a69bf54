"""What others wrote commands no terminal, no Markdown, no LaTeX; a matplotlibrc draws nothing."""

import os

import pandas
import pytest
import small
import torch
from safetensors.torch import save_file

from htpbench.cli.shared import Terminal
from htpbench.outside.printable import as_code, in_markdown, shown
from htpbench.records.row import Row
from htpbench.records.rows import Store
from htpbench.report.latex import escape
from htpbench.report.text import markdown

EVIL = "\x1b[31mred\x1b]0;title\x07 \x9b2J\u202e \ud800 <script>x</script> [a](http://b) *c* `d`"
COMMANDS = set("\x1b\x07\x9b\x08\r\u202e\ud800\x00")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("MPJPE 12.20 [12.10, 12.30] µm größer\n\t→ \u00a0…", None),
        ("\x1b[31m", r"\x1b[31m"),
        ("a\rb\x07\x08\x9b\x00", r"a\rb\x07\x08\x9b\x00"),
        ("\u202eabc\u2028\ufeff", r"\u202eabc\u2028\ufeff"),
        ("\ud800", r"\ud800"),
    ],
)
def test_control_characters_are_shown(text, said):
    assert shown(text) == (text if said is None else said)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("12.20 [12.10, 12.30]", None),
        ("fps_per_frame, PoseFormer (ICCV'21)* = 5 * 3", None),
        ("<script>x</script> &lt;", "&lt;script&gt;x&lt;/script&gt; &amp;lt;"),
        ("*a* **b** _c_ __d__", r"\*a* \*\*b\** \_c_ \_\_d__"),
        ("[a](http://b) ![c](d)", r"[a\](http\://b) ![c\](d)"),
        ("`a` ~b~ \\<", r"\`a\` \~b\~ \\&lt;"),
        ("a \n  b", "a b"),
    ],
)
def test_markdown_shows_what_was_written(text, said):
    assert in_markdown(text) == (text if said is None else said)


def test_code_holds_any_text():
    assert as_code("mixste-243+tpc~k=3:81@3") == "`mixste-243+tpc~k=3:81@3`"
    assert as_code("a`b``c") == "``` a`b``c ```" and as_code("") == ""


def test_a_table_in_markdown_keeps_its_cells():
    table = pandas.DataFrame({"combination": ["a|b"], "note": ["<b>c|d</b>\n[e](f)"]})
    last = markdown(table).splitlines()[-1]
    assert [cell.strip() for cell in last.split(" | ")] == [
        r"| `a\|b`",
        r"&lt;b&gt;c\|d&lt;/b&gt; [e\](f) |",
    ]


def test_latex_prints_control_characters():
    assert escape("\x1b[31m") == r"\textbackslash{}x1b[31m"


def test_styles_and_progress_pass_a_terminal_and_texts_do_not(capsys):
    terminal = Terminal(force_terminal=True, color_system="standard", width=60)
    terminal.print("[bold]sure[/]", EVIL, markup=True, highlight=False)
    with terminal.status("\x1b[2J"):
        pass
    out = capsys.readouterr().out
    assert "\x1b[1msure" in out, "its own commands stay"
    assert "\x1b[31m" not in out and "\x1b[2J" not in out and "\x9b" not in out
    assert r"\x1b[31mred" in out


def row(metric, **more):
    facts = {"study": "small", "combination": small.PRUNED, "unit": "1", "environment": "e"}
    return Row(key=metric, metric=metric, **facts, **more)


@pytest.fixture
def call(tmp_path, monkeypatch, capsys):
    """The command line in a folder with a measured study: code, and all that it printed."""
    small.study(tmp_path)
    run = small.command_line(tmp_path, monkeypatch, capsys)

    def joined(*arguments):
        code, out, err = run(*arguments)
        return code, out + err

    return joined


def test_a_reason_reaches_no_terminal_and_no_page_as_it_is(tmp_path, call):
    assert call("sweep", "small.toml")[0] == 0
    small.study(tmp_path, meters=("cost", "time", "accuracy"))
    told = EVIL.replace("\ud800", "")
    with Store(tmp_path / "results" / "m").writer("small", {"id": "e", "machine": told}) as writer:
        writer.append(row("accuracy.mpjpe", status="failed", reason=told))
        writer.append(row("time.speedup", value=1.0, conditions={"reference": told}))
    code, said = call("report", "small.toml")
    assert code == 0 and "red" in said and not COMMANDS & set(said)
    report = tmp_path / "reports" / "local" / "small"
    for name in ("small.md", "small.csv", "small.tex", "small.html"):
        text = (report / name).read_text(encoding="utf-8")
        assert "red" in text and not COMMANDS & set(text), name
    for name in ("small.md", "small.html"):
        assert "<script>alert" not in (report / name).read_text(encoding="utf-8")
    assert r"\](http\://b) \*c*" in (report / "small.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("format", ["table", "csv", "json", "markdown"])
def test_conditions_reach_no_terminal_as_they_are(tmp_path, call, format):
    told = {"reference": EVIL.replace("\ud800", ""), "device": "cpu"}
    with Store(tmp_path / "results" / "m").writer("small", {"id": "e"}) as writer:
        for name in (small.NETWORK, small.PRUNED):
            for metric, value in (("speedup", 1.0), ("drift", 0.0), ("overhead", 0.0)):
                ends = {"low": value - 0.1, "high": value + 0.1}
                one = row(f"time.{metric}", value=value, **ends, conditions=told)
                key = {"key": f"{name} {metric}", "combination": name}
                writer.append(Row(**{**vars(one), **key}))
    code, said = call("compare", small.NETWORK, small.PRUNED, "--format", format)
    assert code == 0 and not COMMANDS & set(said) and "x1b" in said.replace("u001b", "x1b")


def test_names_of_tensors_and_files_reach_no_terminal_as_they_are(tmp_path, call):
    path = tmp_path / "\x1b[31m.safetensors"
    save_file({"backbone.\x1b[2J": torch.zeros(1)}, path)
    path.with_suffix(".json").write_text('{"schedule": "any"}')
    run = ("run", small.NETWORK, "--meter", "accuracy", "--data", "motion.npz", "--weights")
    code, said = call(*run, path)
    assert code != 2 or r"backbone.\x1b[2J" in said
    assert not COMMANDS & set(said)
    code, said = call(*run, "\udcff.safetensors")
    assert code == 2 and r"\udcff" in said
    code, said = call("sweep", "\x1b[31m.toml")
    assert code == 2 and r"\x1b[31m.toml" in said and not COMMANDS & set(said)
    code, said = call("cost", "--study", "small.toml", "--results", "[/b]")
    assert code == 0, said
    code, said = call("report", "small.toml", "--results", "[/b]", "--reports", "[/i]")
    assert code == 0 and "written: [/i]/small/small.md" in said


RC = b"figure.dpi: 30\nfont.size: 30\nsavefig.bbox: tight\naxes.facecolor: red\n"
DRAW = """
from pathlib import Path
from htpbench.report.figures.style import save, titled

def draw():
    figure = titled(2, "title", "subtitle")
    figure.subplots().plot([1, 2])
    return figure

save(draw, Path("out"), "figure")
"""


@pytest.mark.slow
def test_a_matplotlibrc_in_the_working_folder_changes_no_byte(tmp_path):
    drawn = []
    for name, content in (("none", None), ("other", RC), ("pipe", ...)):
        (tmp_path / name).mkdir()
        if content is ...:
            os.mkfifo(tmp_path / name / "matplotlibrc")
        elif content is not None:
            (tmp_path / name / "matplotlibrc").write_bytes(content)
        code, _, err = small.finished(small.launched("-c", DRAW, cwd=tmp_path / name))
        assert code == 0 and err == "", err
        drawn.append({path.name: path.read_bytes() for path in (tmp_path / name / "out").iterdir()})
    assert len(drawn[0]) == 2 and all(each == drawn[0] for each in drawn)
