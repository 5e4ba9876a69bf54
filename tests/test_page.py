"""Reports as HTML and LaTeX, where each number came from, and a store of long ago."""

import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser

import pandas
import pytest
from paths import ROOT
from small import NETWORK, PRUNED, call, quick, study

from htpbench.records.results import Results
from htpbench.records.rows import Row, Store
from htpbench.report.current import in_order
from htpbench.report.latex import fitting, typeset, write_latex
from htpbench.report.origin import machine, origin, summary, sweep_origins
from htpbench.report.page import write_page
from htpbench.report.tables import sweep_parts, sweep_table
from htpbench.study.study import Study

FROZEN = ROOT / "tests" / "frozen"
EVIL = '"><script>alert(1)</script>&'
A, B = "mixste.tiny-81", "mixste.tiny-81+tps:9@1+tri"
FACTS = {"machine": "small", "device": "A CPU", "cores": 2, "torch": "2.13.0", "cuda": None}


def row(metric, value, name=A, **more):
    told = {
        "status": "ok",
        "unit": "s",
        "conditions": {"batch": 1, "threads": 2},
        "commit": "abc1234",
        "at": "2026-01-02T03:04:05Z",
        **more,
    }
    key = f"{name}{metric}{told['status']}"
    return Row(
        key=key, study="s", combination=name, metric=metric, value=value, environment="e1", **told
    )


class Page(HTMLParser):
    """What a browser would see: names of elements, and cells with what they say on hover."""

    def __init__(self, path):
        super().__init__()
        self.elements, self.attributes, self.cells, self.opened = [], [], [], []
        self.feed(path.read_text())
        self.close()
        assert self.opened == []

    def handle_starttag(self, tag, attributes):
        self.elements.append(tag)
        self.attributes += attributes
        if tag not in ("meta", "img"):
            self.opened.append(tag)
        if tag == "td":
            self.cells.append(["", dict(attributes).get("title")])

    def handle_endtag(self, tag):
        assert self.opened.pop() == tag

    def handle_data(self, data):
        if "td" in self.opened:
            self.cells[-1][0] += data


def test_a_number_says_where_it_came_from():
    told = origin(row("time.forward", 0.5, low=0.4, high=0.75, samples=9), {"e1": FACTS})
    assert told.splitlines() == [
        "time.forward = 0.5 s, 95 % in [0.4, 0.75], 9 samples",
        "small: A CPU, 2 cores, torch 2.13.0 (environment e1)",
        "2026-01-02T03:04:05Z, commit abc1234",
        "batch 1",
    ]
    assert "environment e2, of which" in machine("e2", {"e1": FACTS})
    failed = row("time.forward", None, status="failed", reason="no memory", commit=None)
    told = origin(failed, {}).splitlines()
    assert told[:2] == ["time.forward: failed", "no memory"] and "commit unknown" in told[3]
    days = [row("cost.flops", 1.0), replace(row("cost.params", 1.0), at="2026-02-01T00:00:00Z")]
    assert summary(days)[-1] == "measured 2026-01-02 to 2026-02-01 at commit abc1234"


def test_cells_of_a_page_say_it_on_hover_and_empty_ones_why(tmp_path):
    rows = [
        row("time.forward", 0.5, low=0.4, high=0.75, samples=9),
        row("cost.flops", 5e9),
        *(row(f"time.{one}", 0.0) for one in ("drift", "overhead")),
        row("time.forward", None, B, status="timeout", reason="too slow"),
        row("cost.flops", 4e9, B),
    ]
    origins = sweep_origins(Results(rows, {"e1": FACTS}), A)
    path = write_page(sweep_parts(sweep_table(rows)), tmp_path, "p", "t", ["c"], origins)
    flops, forward, note, flops_b, forward_b, note_b = Page(path).cells
    assert flops[0] == "5.00" and "cost.flops = 5e+09 s" in flops[1]
    assert forward == ["500.00 [400.00, 750.00]", origin(rows[0], {"e1": FACTS})]
    assert note == ["", None] and "too slow" in note_b[0]
    assert flops_b[0] == "4.00" and forward_b[0] == "" and "too slow" in forward_b[1]


def test_columns_of_words_stand_left_heads_too_and_powers_above(tmp_path):
    rows = {"row": ["1", "2"], "rows": ["5, 17", "3"], "x (m/s^2)": ["95.9 (95.6, 96.2)", "-1e-05"]}
    part = pandas.DataFrame({**rows, "why": ["", "word " * 10]})
    text = write_page([part], tmp_path, "p", "t").read_text()
    assert [
        re.findall(r"<t[hd]\b[^>]*?(?: class=.(\w+).)?>", line)
        for line in text.splitlines()
        if line.startswith(("<thead>", "<tr>"))
    ] == [["", "text", "", "long"]] * 3
    assert "x (m/s<sup>2</sup>)" in text


def test_texts_of_users_are_no_markup(tmp_path):
    rows = [
        row("cost.flops", 5e9, f"control: {EVIL}", conditions={"data": EVIL}),
        row("time.forward", None, status="failed", reason=EVIL),
    ]
    origins = sweep_origins(Results(rows, {"e1": {**FACTS, "device": EVIL}}), A)
    parts = sweep_parts(sweep_table(rows))
    page = Page(write_page(parts, tmp_path, "p", EVIL, [EVIL], origins))
    assert page.elements.count("script") == 1, "ours, that sorts"
    assert EVIL in page.cells[0][1] and any(EVIL in text for text, _ in page.cells)


def test_a_page_needs_its_figures_alone(tmp_path):
    figure = tmp_path / "f.svg"
    figure.write_text("<svg xmlns='http://www.w3.org/2000/svg'></svg>")
    parts = sweep_parts(sweep_table([row("cost.flops", 5e9)]))
    page = Page(write_page(parts, tmp_path, "p", "t", figures=[figure, tmp_path / "f.png"]))
    assert page.elements.count("img") == 1 and "link" not in page.elements
    (source,) = (value for name, value in page.attributes if name in ("src", "href"))
    assert source == figure.name


def test_latex_is_a_tabular_with_units_small_intervals_and_notes_below():
    rows = [
        row("cost.flops", 5e9),
        row("accuracy.delta", -1.0),
        row("time.forward", 0.5, low=0.4, high=0.75),
        *(row(f"time.{one}", 0.0) for one in ("drift", "overhead")),
        row("time.prune_share", None, B, status="failed", reason="50 % of #1_a\nfor $x^2$ `a --b`"),
    ]
    lines = typeset(sweep_parts(sweep_table(rows))[0]).splitlines()
    assert lines[2:4] == [r"\begin{tabular}{@{}lrrr@{}}", r"\toprule"]
    above, below = lines[4 : lines.index(r"\midrule")], lines[lines.index(r"\midrule") + 1 :]
    assert above[-2:] == [
        r"combination & counted & forward time & reference's \\",
        r" & (G) & (ms) & (mm) \\",
    ]
    assert all(line.count("&") == 3 for line in [*above, *below[:2]])
    assert below[0] == (
        r"\texttt{mixste.tiny-81} & 5.00 & 500.00 {\scriptsize [400.00, 750.00]} & $-$1.00 \\"
    )
    assert below[2:] == [
        r"\bottomrule",
        r"\end{tabular}",
        r"\par\medskip",
        r"\noindent\raggedright \texttt{mixste.tiny-81+tps:9@1+tri}: time.prune\_share: failed: "
        r"50 \% of \#1\_a for \$x\textsuperscript{2}\$ 'a -{}-b'\par",
        "}",
    ]


def test_latex_escapes_all_that_has_a_meaning(tmp_path):
    frame = pandas.DataFrame({"combination": [r"a\b~k=1"], "x (%)": ["<{^|}>"], "y": ["1.5e-05"]})
    text = write_latex([frame], tmp_path, "t").read_text()
    assert r"\texttt{a\textbackslash{}b\textasciitilde{}k=1}" in text and r"(\%)" in text
    told = r"\textless{}\{\textasciicircum{}\textbar{}\}\textgreater{}"
    assert told in text and "1.5e$-$05" in text and r"{@{}llr@{}}" in text


def test_what_a_line_has_no_room_for_goes_below_with_the_first_column():
    numbers = {
        f"{n} ({u})": ["12.34"] for n in ("one", "two", "three") for u in ("W printed", "W ours")
    }
    frame = pandas.DataFrame({"combination": ["x" * 40], **numbers, "why": ["word " * 50]})
    lines = fitting(frame)
    assert all(names[0] == "combination" for names in lines) and len(lines) == 4
    assert [name for names in lines for name in names[1:]] == list(frame)[1:]
    assert lines[0][1:3] == list(frame)[1:3], "what is printed stays beside ours"
    assert "p{" in typeset(frame) and fitting(frame.iloc[:, :2]) == [list(frame)[:2]]


def latex():
    """Whether a LaTeX with booktabs is here."""
    asked = "kpsewhich", "booktabs.sty"
    return shutil.which("pdflatex") and subprocess.run(asked, capture_output=True).returncode == 0


@pytest.mark.skipif(not latex(), reason="no pdflatex with booktabs here")
def test_latex_compiles_and_no_table_is_wider_than_the_line(tmp_path):
    signs = "".join(map(chr, range(32, 127)))
    frame = pandas.DataFrame(
        {"combination": [signs[::3]], "a": [signs[1::3]], "note": [" ".join(signs)]}
    )
    files = [*(ROOT / "reports").glob("*/*.tex"), FROZEN / "demo.tex"]
    files.append(write_latex([frame], tmp_path, "signs"))
    inputs = "\n\n".join(rf"\input{{{file}}}" for file in files)
    head = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
    (tmp_path / "all.tex").write_text(f"{head}{inputs}\n\\end{{document}}\n")
    run = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "all.tex"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        errors="replace",
    )
    assert run.returncode == 0, run.stdout[-2000:]
    assert len(files) >= 3 and (tmp_path / "all.pdf").stat().st_size > 10000
    wide = [line for line in run.stdout.splitlines() if line.startswith("Overfull")]
    assert wide == []


def test_results_of_long_ago_still_read(tmp_path, monkeypatch):
    asked = "report", FROZEN / "demo.toml", "--results", FROZEN / "results"
    assert call(monkeypatch, *asked, "--reports", tmp_path) == 0
    written = {path.name: path.read_bytes() for path in (tmp_path / "demo").iterdir()}
    ends = "md", "csv", "tex", "html", "png", "svg"
    assert {f"demo.{end}" for end in ends} <= written.keys()
    for name in ("demo.md", "demo.tex"):
        assert written[name].decode() == (FROZEN / name).read_text(), name
    page = Page(tmp_path / "demo" / "demo.html")
    numbers = [title for text, title in page.cells if re.match(r"[-\d]", text)]
    assert len(numbers) > 20
    of_verdicts = [text for text, title in page.cells if re.match(r"[-\d]", text) and not title]
    assert all("subjects" in text for text in of_verdicts), "made of many rows"
    for title in filter(None, numbers):
        assert "reference-cpu: Intel" in title and "(environment 7af2e2)" in title
        assert re.search(r"\dZ, commit [0-9a-f]{7}", title)
    assert page.elements.count("img") == len([name for name in written if name.endswith(".svg")])


@pytest.mark.parametrize("verb", ["report", "compare", "sweep"])
def test_lines_that_cannot_be_read_are_told(verb, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HTPBENCH_MACHINE", "small")
    quick(monkeypatch)
    store = Store(tmp_path / "small")
    with store.writer("small", {"id": "e1", **FACTS}) as writer:
        for name in (NETWORK, PRUNED):
            writer.append(row("cost.flops", 5.0, name, unit="FLOP"))
    with (tmp_path / "small" / "small.0.jsonl").open("a") as file:
        file.write("{nonsense\n[1]\n")
    arguments = {
        "report": (study(tmp_path), "--reports", tmp_path / "reports"),
        "sweep": (study(tmp_path), "--reports", tmp_path / "reports"),
        "compare": (NETWORK, PRUNED),
    }
    assert call(monkeypatch, verb, *arguments[verb], "--results", tmp_path) == 0
    said = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert len(said) == 1 and "could not be read: 2; the first: " in said[0]
    assert f"{tmp_path}/small/small.0.jsonl:4: " in said[0]


def test_the_order_of_a_table_is_the_studys_whoever_measured_first():
    mine = Study(name="s", title="", meters=["cost"], combinations=[A, B])
    late, control = {"at": "2026-02-01T00:00:00Z"}, "control: mean pose"
    found = [row("cost.flops", 1.0, f"{A}+tps:{r}@1+tri") for r in (7, 5)]
    later = row("cost.flops", 1.0, f"{A}+tps:3@1+tri", **late)
    rows = [
        later,
        row("cost.flops", 1.0, B),
        row("cost.flops", 1.0),
        row("cost.flops", 1.0, control),
    ]
    told = [each.combination.removeprefix(A) for each in in_order(mine, [*rows, *found])]
    assert told == [control, "", *(f"+tps:{r}@1+tri" for r in (9, 5, 7, 3))]
