"""The index of reports: what stands in it, where its links lead, how it looks in a browser."""

import re
import sys
from pathlib import Path
from urllib.parse import unquote

import pandas
import pytest
import small
from paths import ROOT

from htpbench.records.results import Results
from htpbench.report.build import report_all
from htpbench.report.front import write_front
from htpbench.report.index import Entry, where_from, write_index
from htpbench.report.regimes import regime_finding, scores
from htpbench.study.loading import load, names

EVIL = "<script>alert(1)</script> **bold** [link](x)"


def entry(name, title="A study", finding="", files=(), where="10 rows"):
    return Entry(name, title, finding, [Path(f"reports/{name}/{file}") for file in files], where)


COMMITTED = ROOT / "reports"
TEXTS = (".md", ".csv", ".tex", ".html")


@pytest.fixture(scope="module")
def reports(tmp_path_factory):
    """Every report with rows in the repository, without figures."""
    folder = tmp_path_factory.mktemp("reports")
    with pytest.MonkeyPatch.context() as patch:
        small.undrawn(patch)
        list(report_all(map(load, names()), small.committed(), folder))
    return folder


def test_every_study_with_rows_stands_in_it_with_its_finding(reports):
    text = (reports / "index.md").read_text()
    heads = re.findall(r"^## \[([^]]+)\]\(([^)]+)\)", text, re.M)
    assert [name for name, _ in heads] == sorted(
        path.name for path in reports.iterdir() if path.is_dir()
    )
    assert {"demo", "table4", "lineages"} <= {name for name, _ in heads}
    assert "gate" not in dict(heads), "which keeps no rows"
    for _, link in heads:
        assert (reports / unquote(link)).is_file()
    entries = dict(zip((name for name, _ in heads), text.split("\n## [")[1:], strict=True))
    assert re.search(r"of \d+ on the front", entries["demo"])
    assert "computed cells equal the printed digit" in entries["table4"]
    assert "any lies +5." in entries["lineages"], "two seeds have no verdict"
    assert "in MPJPE: 1 unsure, 1 same" in entries["thirds"]
    assert "has the least frame noise" in entries["fig7"]
    assert "stated numbers beside ours" in entries["htp_claims"]
    for one in entries.values():
        assert re.search(r"^\*(\d+ rows of \S+ \(.*, 20\d\d-|printed numbers alone)", one, re.M)


def test_the_committed_index_is_what_its_rows_say(reports):
    def told(folder):
        lines = (folder / "index.md").read_text().splitlines()
        return [line for line in lines if line and not line.startswith("![")]

    assert told(COMMITTED) == told(reports)
    for link in re.findall(r"\]\(([^)]+)\)", (COMMITTED / "index.md").read_text()):
        assert (COMMITTED / unquote(link)).is_file(), link


@pytest.mark.parametrize(
    "name", [path.name for path in sorted(COMMITTED.iterdir()) if path.name in names()]
)
def test_committed_reports_are_what_their_rows_say(reports, name):
    written = sorted((reports / name).iterdir())
    expected = [path for path in (COMMITTED / name).iterdir() if path.suffix in TEXTS]
    assert [path.name for path in written] == sorted(path.name for path in expected)
    for path in written:
        assert without_figures(path) == without_figures(COMMITTED / name / path.name)


def without_figures(path):
    text = re.sub(r"<figure>.*?</figure>\n?", "", path.read_text(), flags=re.DOTALL)
    return re.sub(r"^!\[.*\)\n\n", "", text, flags=re.MULTILINE)


def test_a_front_of_all_networks_needs_nothing_from_elsewhere(reports):
    pytest.importorskip("vl_convert")
    text = (reports / "front.html").read_text()
    assert 'src="http' not in text and "<link" not in text
    body = text.partition("<table>")[2]
    named = set(re.findall(r"<td[^>]*>(demo|htp_mixste|diffusion)</td>", body))
    assert named == {"demo", "htp_mixste", "diffusion"}
    assert 'href="front.html"' in (reports / "index.html").read_text()


def test_text_of_a_study_cannot_end_the_script_of_the_front(tmp_path):
    pytest.importorskip("vl_convert")
    facts = dict.fromkeys(("study", "combination", "backbone", "pruner", "engine", "machine"), "a")
    numbers = dict.fromkeys(("GFLOPs", "speed-up", "MPJPE (mm)", "MPJPE, low", "MPJPE, high"), 1.0)
    table = pandas.DataFrame([{**facts, **numbers, "data": "</script><script>alert(1)"}])
    (path,) = write_front([table], tmp_path)
    assert "</script><script>alert(1)" not in path.read_text()
    assert write_front([], tmp_path) == []


def test_without_altair_all_else_is_written_and_the_remedy_told(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "altair", None)
    small.undrawn(monkeypatch)
    *_, last = report_all([load("demo")], small.committed(), tmp_path)
    assert [path.name for path in last.files] == ["index.md", "index.html"]
    (problem,) = last.problems
    assert "htpbench[interactive]" in problem
    assert "front.html" not in (tmp_path / "index.html").read_text()


def test_links_and_pictures_are_files_beside_it(tmp_path):
    files = ["demo one.md", "demo one.html", "demo one.png", "demo one.svg", "demo one-time.svg"]
    write_index([entry("demo one", files=files)], tmp_path)
    text, page = ((tmp_path / f"index.{end}").read_text() for end in ("md", "html"))
    assert "](demo%20one/demo%20one.md)" in text and "](demo%20one/demo%20one.png)" in text
    assert 'src="demo%20one/demo%20one.svg"' in page and "-time" not in page
    assert 'href="demo%20one/demo%20one.html"' in page


def test_what_a_study_says_of_itself_is_shown_and_not_obeyed(tmp_path):
    write_index([entry("a", title=EVIL, finding=EVIL)], tmp_path)
    assert "<script" not in (tmp_path / "index.html").read_text()
    text = (tmp_path / "index.md").read_text()
    assert "**bold**" not in text and "<script" not in text


def test_rows_are_told_by_machine_and_day():
    assert where_from([]) == "printed numbers alone"
    told = where_from(small.committed().only(small.committed().rows[:5]))
    assert re.fullmatch(r"5 rows of .* \(.*\), 20\d\d-\d\d-\d\d.*", told)


def test_a_sentence_is_made_of_verdicts_or_else_of_how_far_regimes_lie_apart():
    found = scores(Results([]))
    assert regime_finding([], "a-9", found) == ""
    told = regime_finding(["same", "worse", "same"], "a-9", found)
    assert told == "of 3 beside a-9 in MPJPE: 2 same, 1 worse"


def test_a_study_or_all_of_them(tmp_path, monkeypatch, capsys):
    call = small.command_line(tmp_path, monkeypatch, capsys)
    for asked in ([], ["demo", "--all"]):
        code, _, err = call("report", *asked)
        assert code == 2 and "name a study, or say --all" in err


def test_all_of_them_from_the_command_line(tmp_path, monkeypatch, capsys):
    call = small.command_line(tmp_path, monkeypatch, capsys)
    monkeypatch.setattr("htpbench.study.loading.names", lambda: ["small"])
    path = small.study(tmp_path)
    monkeypatch.setattr("htpbench.study.loading.load", lambda name, own=load: own(str(path)))
    code, _, err = call("report", "--all")
    assert code == 2 and "no rows of any study" in err and not Path("reports").exists()
    assert call("sweep", path)[0] == 0
    code, out, _ = call("report", "--all")
    assert code == 0 and "written: reports/local/index.html" in out
    assert "[small](small/small.md): small" in Path("reports/local/index.md").read_text()


SYMBOLS = "document.querySelectorAll('#front .mark-symbol.role-mark path').length"
CHOOSE = """(() => {
  const menu = document.querySelector('.vega-bind select');
  menu.selectedIndex = 1;
  menu.dispatchEvent(new Event('input'));
  menu.dispatchEvent(new Event('change'));
})()"""
LINES = "[...document.querySelectorAll('tbody tr')]"


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_draws_a_point_a_network_and_heeds_its_controls(chromium, reports, width):
    chromium.problems.clear()
    chromium.open(reports / "front.html", width)
    lines = chromium.run(f"{LINES}.length")
    chromium.until(f"{SYMBOLS} > 0")
    assert chromium.run(SYMBOLS) == lines > 30
    chromium.run(CHOOSE)  # the first study
    chromium.until(f"{SYMBOLS} < {lines}")
    of_demo = f"{LINES}.filter(line => line.cells[0].textContent === 'demo').length"
    assert chromium.run(SYMBOLS) == chromium.run(of_demo)
    assert chromium.run("document.documentElement.scrollWidth <= innerWidth")
    assert chromium.problems == []


@pytest.mark.slow
def test_a_head_sorts_its_table(chromium, reports):
    texts = "[...document.querySelector('tbody').rows].map(line => line.cells[1].textContent)"
    head = "document.querySelectorAll('thead th')[1]"
    chromium.problems.clear()
    chromium.open(reports / "demo" / "demo.html")
    found = []
    for told in ("ascending", "descending"):
        chromium.run(f"{head}.querySelector('button').click()")
        assert chromium.run(f"{head}.ariaSort") == told
        found.append([float(text) for text in chromium.run(texts) if text.strip()])
    rising, falling = found
    assert rising == sorted(rising) and falling == rising[::-1] and rising[0] < rising[-1]
    assert chromium.run(f"{texts}.at(-1)") == "", "what has no number stands last"
    assert chromium.problems == []


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_shows_a_card_a_study(chromium, reports, width):
    studies = [path for path in reports.iterdir() if path.is_dir()]
    chromium.problems.clear()
    chromium.open(reports / "index.html", width)
    assert chromium.run("document.querySelectorAll('article').length") == len(studies)
    assert chromium.run("document.documentElement.scrollWidth <= innerWidth")
    assert chromium.problems == []
