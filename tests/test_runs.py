"""What moved between two folders of results."""

import io
import json
from dataclasses import replace

import pandas
import pytest
import small

from htpbench.errors import BenchError
from htpbench.records.moved import moved
from htpbench.records.results import Results
from htpbench.records.row import Row
from htpbench.records.rows import Store
from htpbench.report.figures.history import history as draw
from htpbench.report.history import history

FLOPS = "cost.flops"


def row(metric, value, name=small.NETWORK, **more):
    more = {"unit": "FLOP", "commit": "a" * 40, "at": "2026-01-01T00:00:00Z", **more}
    key = f"{name} {metric}"
    return Row(
        key=key, study="s", combination=name, metric=metric, value=value, environment="e", **more
    )


def run(*rows):
    return Results(rows)


def test_what_is_counted_moves_by_any_change_and_what_did_not_is_not_listed():
    before = run(row(FLOPS, 10**9), row("cost.params", 5, unit="1"))
    after = run(row(FLOPS, 10**9 + 1), row("cost.params", 5, unit="1"))
    found = moved(before, after)
    ((name, verdict),) = found.which()
    assert (name, verdict.metric, verdict.difference) == (small.NETWORK, FLOPS, 1)
    assert found.summary() == "2 numbers of 1 networks: 2 same"


def test_speed_ups_move_by_their_intervals():
    slow, fast = ([*small.timed(small.PRUNED, [s] * 5)] for s in (0.5, 0.4))
    found = moved(run(*slow), run(*fast), ["time.speedup"])
    ((_, verdict),) = found.which()
    assert verdict.verdict == "better" and verdict.difference == pytest.approx(0.5)
    assert not moved(run(*slow), run(*slow), ["time.speedup"]).which()


def test_what_stands_in_one_alone_or_cannot_be_compared_is_told():
    before = run(row(FLOPS, 1), row(FLOPS, 1, small.PRUNED), *small.timed("a-9", [1.0] * 5))
    noisy = small.timed("a-9", [1.0] * 5, probe=[0.5])
    found = moved(before, run(row(FLOPS, 1), *noisy, row(FLOPS, 2, "b-9")))
    said = "; ".join(found.remarks)
    assert "in A alone: mixste.tiny-9+tps:3@1+tri" in said and "in B alone: b-9" in said
    assert "the times of B are not to be trusted" in said
    assert "time.forward" not in {one.metric for one in found.verdicts["a-9"]}


def test_absolute_times_of_two_runs_are_not_compared():
    once, twice = ([*small.timed("a-9", [s] * 5, reference=(s,) * 5)] for s in (1.0, 2.0))
    with pytest.raises(BenchError, match=r"at one moment.*time\.speedup"):
        moved(run(*once), run(*twice), ["time.forward"])
    verdicts = moved(run(*once), run(*twice)).verdicts["a-9"]
    assert {one.metric for one in verdicts} == {"time.speedup"}


@pytest.fixture
def folders(tmp_path):
    """Two runs of two commits: the pruned network became cheaper."""
    for place, (commit, at) in enumerate([("a" * 40, "2026-01-01"), ("b" * 40, "2026-01-02")]):
        made = {"commit": commit, "at": f"{at}T00:00:00Z"}
        with Store(tmp_path / "AB"[place]).writer("s", {"id": "e"}) as writer:
            writer.append(row(FLOPS, 1000, **made))
            writer.append(row(FLOPS, 500 - 100 * place, small.PRUNED, **made))
    return tmp_path


def test_the_verb_tells_and_draws_it(folders, monkeypatch, capsys):
    call = small.command_line(folders, monkeypatch, capsys)
    code, out, _ = call("compare", "A", "B", "--history", "drawn")
    assert code == 0 and small.PRUNED in out and "2 numbers of 2 networks" in out
    assert {path.name for path in (folders / "drawn").iterdir()} == {"history.png", "history.svg"}
    told = json.loads(call("compare", "A", "B", "--format", "json")[1])
    assert [one["verdict"] for one in told["verdicts"]] == ["same", "better"]
    table = pandas.read_csv(io.StringIO(call("compare", "A", "B", "--format", "csv")[1]))
    assert table["combination"].tolist() == [small.NETWORK, small.PRUNED]
    assert call("compare", "A", "B", "--format", "markdown")[1].startswith("| combination")
    code, out, err = call("compare", "A", "A", "--history", "none")
    assert code == 0 and "nothing drawn" in err and not (folders / "none").exists()
    assert "2 numbers of 2 networks: 2 same" in out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["A", "empty"], "no network was measured in both"),
        (["A", "B", "--metric", "cost.flop"], "did you mean cost.flops"),
        (["A", "gone"], "gone is no folder of results"),
        (["./gone", "./lost"], "./gone is no folder of results"),
        ([small.NETWORK, small.PRUNED, "--history", "x"], "of two folders"),
    ],
)
def test_wrong_use_is_refused(folders, monkeypatch, capsys, arguments, words):
    (folders / "empty").mkdir()
    call = small.command_line(folders, monkeypatch, capsys)
    code, _, err = call("compare", *arguments)
    assert code == 2 and words in err


def test_a_history_has_the_newest_number_of_each_commit_in_order(tmp_path):
    first = row(FLOPS, 3.0, at="2026-01-01T00:00:00Z")
    again = replace(first, value=2.0, at="2026-01-03T00:00:00Z")
    other = row(FLOPS, 1.0, commit="b" * 40, at="2026-01-02T00:00:00Z")
    nobody = row(FLOPS, 9.0, commit=None)
    table = history([again, other, nobody, first], [(small.NETWORK, FLOPS)])
    assert table["commit"].tolist() == ["a" * 8, "b" * 8] and table["value"].tolist() == [2.0, 1.0]
    assert draw(table[:1], tmp_path) == () and len(draw(table, tmp_path)) == 2
