"""What is made of rows for others: tidy tables, a paper's table, citations, how far a study is."""

import io
import json
import re

import pandas
import pytest
import small

from htpbench.records.results import Results
from htpbench.report import chosen
from htpbench.report.citations import bibliography, entry
from htpbench.report.drawn import further
from htpbench.report.figures.history import history as draw
from htpbench.report.progress import progress_table, said
from htpbench.report.tables import sweep_table
from htpbench.report.tidy import COLUMNS, tidy
from htpbench.study.loading import load, names
from htpbench.study.settings import EvaluationSettings
from htpbench.systems.cards import FOLDERS, shipped

CONTROL = "control: mean pose"


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """The command line beside a study that was swept."""
    small.study(tmp_path, meters=["cost", "accuracy", "selection"])
    run = small.command_line(tmp_path, monkeypatch, capsys)
    assert run("sweep", "small.toml")[0] == 0
    return run


def test_a_tidy_table_has_every_number_once(call, tmp_path):
    results = Results.read(tmp_path / "results")
    code, out, _ = call("rows", "small.toml")
    table = pandas.read_csv(io.StringIO(out), keep_default_na=False)
    assert code == 0 and list(table) == [*COLUMNS]
    held = [one for row in results.held for one in (row.value if row.axis else [row.value])]
    assert len(table) == len(held)
    (line,) = table[
        (table["combination"] == small.PRUNED) & (table["metric"] == "cost.flops")
    ].to_dict("records")
    told = {"backbone": "mixste", "variant": "tiny", "frames": "9", "pruner": "tps", "r": "3"}
    found = {key: str(value).removesuffix(".0") for key, value in line.items()}
    assert told.items() <= found.items()
    assert line["recoverer"] == "tri" and json.loads(line["conditions"])["pipeline"] == "seq2seq"
    assert line["machine"] and line["unit"] == "FLOP" and line["status"] == "ok"
    control = table[table["combination"] == CONTROL]
    assert not control.empty and set(control["backbone"]) == {""}
    kept = table[(table["metric"] == "selection.kept") & (table["combination"] == small.PRUNED)]
    assert set(kept["label"]) >= {"window 0, rank 0", "window 3, rank 2"}


def test_rows_go_to_files_of_each_format(call, tmp_path):
    pytest.importorskip("pyarrow")
    for format, read in [("csv", pandas.read_csv), ("parquet", pandas.read_parquet)]:
        code, out, _ = call("rows", "--format", format, "--out", f"rows.{format}")
        assert code == 0 and "lines" in out
        assert list(read(tmp_path / f"rows.{format}")) == [*COLUMNS]
    code, out, _ = call("rows", "--format", "json")
    assert {json.loads(line)["study"] for line in out.splitlines()} == {"small"}
    code, _, err = call("rows", "--format", "parquet")
    assert code == 2 and "--out" in err


def test_what_a_combination_holds_is_left_empty_where_nobody_here_knows_it():
    rows = small.timed("gone-9", [1.0] * 5)
    table = tidy(Results(rows))
    assert set(table["combination"]) == {"gone-9"} and table["backbone"].isna().all()


def test_a_papers_table_has_the_columns_asked_for_and_the_best_in_bold(call):
    asked = ["table", "small.toml", "--columns", "cost.flops", "--columns", "accuracy.mpjpe"]
    code, out, err = call(*asked, "--caption", "Small & fast", "--label", "tab:small")
    assert code == 0, err
    assert r"\toprule" in out and r"\label{tab:small}" in out and out.count(r"\textbf{") == 2
    assert rf"\texttt{{{small.PRUNED}}}" in out and CONTROL not in out
    code, out, _ = call(*asked, "--format", "markdown")
    assert code == 0 and len(re.findall(r"\\?\* [\d.]", out)) == 2 and f"`{small.NETWORK}`" in out
    code, out, _ = call(*asked, "--format", "csv")
    assert list(pandas.read_csv(io.StringIO(out))) == [
        "combination",
        "FLOPs, all counted (G)",
        "MPJPE (mm)",
    ]
    code, _, err = call("table", "small.toml", "--columns", "accuracy.mpjp")
    assert code == 2 and "did you mean accuracy.mpjpe" in err


def test_what_a_busy_machine_timed_is_never_the_best():
    rows = [
        *small.timed(small.NETWORK, [1.0] * 5),
        *small.timed(small.PRUNED, [0.5] * 5, probe=[0.5]),
    ]
    found = sweep_table(rows)
    metrics = chosen.chosen_columns(found, ["time.speedup", "time.speedup"])
    assert len(metrics) == 1, "a column that is named twice stands once"
    assert chosen.best(found, metrics) == {(small.NETWORK, "speed-up (x)")}
    assert "~2.00" in chosen.as_markdown(found, metrics).replace("\\", "")
    told = chosen.in_units(found, metrics)["doubt"]
    assert not told[0] and "of the CPU that it could use" in told[1]


def test_small_numbers_keep_their_digits_and_captions_are_escaped(call):
    code, out, _ = call("table", "small.toml", "--columns", "cost.params", "--caption", "a & b_c")
    assert code == 0 and r"\caption{a \& b\_c}" in out and "0.00 " not in out


def test_figures_are_written_as_pdf_where_that_is_asked(tmp_path):
    table = pandas.DataFrame(
        {"combination": ["a", "a"], "metric": ["cost.flops"] * 2, "commit": ["a", "b"]}
    ).assign(value=1.0, low=None, high=None)
    with further(["pdf"]):
        files = draw(table, tmp_path)
    assert [path.suffix for path in files] == [".png", ".svg", ".pdf"]
    assert files[2].read_bytes().startswith(b"%PDF")
    first = files[2].read_bytes()
    with further(["pdf"]):
        assert draw(table, tmp_path)[2].read_bytes() == first
    assert len(draw(table, tmp_path)) == 2


def test_how_far_a_study_is(call, tmp_path):
    code, out, _ = call("status", "small.toml")
    assert code == 0 and "small: 5 of 5 measured" in out, "what is unpruned selects nothing"
    assert CONTROL not in out
    study = load(str(tmp_path / "small.toml"))
    more = study.model_copy(update={"meters": ["cost", "time"]})
    rows = Results.read(tmp_path / "results").rows
    noisy = small.timed(small.PRUNED, [1.0] * 5, probe=[0.5])
    rows = [one for one in (*rows, *noisy) if one.metric.split(".")[0] in more.meters]
    table = progress_table(more, Results(rows))
    told = table.set_index("combination")["time"].to_dict()
    assert told == {small.NETWORK: "-", small.PRUNED: "~ok"}
    assert said(table) == "3 of 4 measured, 1 of them times that are not to be trusted, 1 missing"


def test_what_failed_is_not_called_measured(monkeypatch, capsys, tmp_path):
    small.study(tmp_path)
    run = small.command_line(tmp_path, monkeypatch, capsys)

    def broken(_):
        raise RuntimeError("on purpose")

    monkeypatch.setattr("htpbench.measuring.counting.measure", broken)
    assert run("sweep", "small.toml")[0] == 1
    assert "0 of 2 measured, 2 without a number" in run("status", "small.toml")[1]


@pytest.mark.parametrize("name", names())
def test_every_shipped_study_can_be_cited(name):
    text = bibliography(load(name), "9.9")
    assert text.count("@") == text.count("\n}") and "version = {9.9}" in text
    assert "no paper" not in text and "@misc" not in text
    keys = [line for line in text.splitlines() if line.startswith("@")]
    assert len(set(keys)) == len(keys)


def test_citations_name_exactly_what_a_study_takes():
    text = bibliography(load("table8"), "1")
    assert "shan2023diffusion" in text and "li2025h2ot" in text and "motionbert" not in text.lower()
    study = load("gate").model_copy(
        update={"evaluation": EvaluationSettings(data=("h36m:x", "3dhp:y"))}
    )
    text = bibliography(study, "1")
    assert "ionescu2014human3" in text and "mehta2017monocular" in text
    assert "% data h36m" in text and "% pruner tps" in text


def test_every_card_is_cited_as_bibtex():
    for kind in FOLDERS:
        for name, card in shipped(kind).items():
            assert entry(card.citation, card.source).startswith(("@inproc", "@article")), name
    assert entry("", None).startswith("%")
    assert entry("Somebody, in a talk", None).startswith("@misc{somebody,\n  note = {Somebody")
    van = entry("Li, Van Gool: Two Words. CVPR 2022.", "https://x.org")
    assert "author = {Li and {Van Gool}}" in van and "url = {https://x.org}" in van
