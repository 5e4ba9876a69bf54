"""Tables come before figures: whatever was measured, and whatever is wrong with a figure."""

import io
import warnings
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas
import pytest
import small
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from rich.console import Console

from htpbench.records.results import Results
from htpbench.records.rows import Row
from htpbench.report import build, sweeps
from htpbench.report.figures import grid
from htpbench.report.tables import sweep_table
from htpbench.study.study import Study

WHOLE = "mixste.tiny-81"
SCHEDULES = [f"{r}@{b}" for r in (41, 21, 9) for b in (0, 1, 2)] + ["41@0,9@2"]
POOL = [
    f"{WHOLE}+{pruner}:{schedule}+{recoverer}"
    for pruner in ("tps", "tpc")
    for schedule in SCHEDULES
    for recoverer in ("tri", "tra")
]
CARD = {"data": "d", "split": "test", "windows": "2 of 2", "detections": "gt", "weights": "w"}
CLOCK = {"device": "cpu", "threads": 1, "dtype": "float32", "batch": 1}
METERS = ["cost", "time", "accuracy"]


def row(name, metric, value, conditions, **more):
    facts = {"study": "s", "environment": "e", "at": "2026-01-01T00:00:00Z", "unit": "1", **more}
    key = f"{name} {metric}"
    return Row(
        key=key, combination=name, metric=metric, value=value, conditions=conditions, **facts
    )


def rows_of(name, measured, size, error):
    """What each meter says of a combination; of a meter that failed, its reason."""
    by_clip = {"axis": ["a", "b"]}
    every = {
        "cost": [row(name, "cost.flops", size * 1e8, {"batch": 1})],
        "time": [
            row(name, "time.speedup", 9 / size, CLOCK, low=8 / size, high=10 / size),
            row(name, "time.breakdown", [0.1 * size, 0.1], CLOCK, axis=["rest", "prune"]),
        ],
        "accuracy": [
            row(name, "accuracy.mpjpe", error, CARD, low=error - 1, high=error + 1),
            row(name, "accuracy.mpjpe_by_clip", [error - 1, error + 1], CARD, **by_clip),
            row(name, "accuracy.frames_by_clip", [5.0, 5.0], CARD, **by_clip),
        ],
    }
    failed = {"value": None, "axis": None, "low": None, "high": None, "status": "failed"}
    return [
        one if meter in measured else Row(**{**vars(one), **failed, "reason": "no luck"})
        for meter, found in every.items()
        for one in found
    ]


def study_of(names, **changes):
    search = {"backbone": WHOLE, "pruners": ["tps"], "recoverers": ["tri"], "sampler": "brute"}
    constraints = changes.pop("constraints", [])
    return Study(
        **{
            "name": "s",
            "title": "holes",
            "meters": METERS,
            "weights": "random",
            "objectives": ["cost.flops", "accuracy.mpjpe"],
            "combinations": [*names] or [WHOLE],
            "search": {**search, "constraints": constraints},
            **changes,
        }
    )


def written(study, rows, folder):
    """A report whose figures are drawn and not painted; a warning is an error."""
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("error")
        patch.setattr(Figure, "set_layout_engine", lambda *_, **__: None)
        patch.setattr(Figure, "savefig", lambda figure, *_, **__: figure.draw_without_rendering())
        report = build.measured_report(study, Results(rows), folder)
    console = Console(width=80, file=io.StringIO(), color_system=None)
    for table in report.shown:
        console.print(table)
    return report, console.file.getvalue()


MEASURED = st.lists(
    st.tuples(
        st.sampled_from([WHOLE, *POOL]),
        st.sets(st.sampled_from(METERS)),
        st.integers(1, 9),
        st.sampled_from([20.0, 40.0, 41.5, 400.0]),
    ),
    min_size=1,
    max_size=14,
    unique_by=lambda one: one[0],
)


@settings(max_examples=12, deadline=None)
@given(MEASURED, st.sampled_from([[], ["accuracy.mpjpe <= 41"], ["cost.flops <= 1"]]))
def test_whatever_was_measured_has_all_its_tables_and_figures_never_fail(measured, constraints):
    rows = [one for each in measured for one in rows_of(*each)]
    names = [name for name, *_ in measured]
    with TemporaryDirectory() as folder:
        report, shown = written(study_of(names, constraints=constraints), rows, Path(folder))
        assert report.problems == []
        assert {"s.md", "s.csv", "s.tex", "s.html"} <= {path.name for path in report.files}
        table = pandas.read_csv(Path(folder) / "s.csv")
        assert set(table["combination"]) == set(names)
        assert (Path(folder) / "s.md").read_text().count("no luck") == sum(
            set(meters) != set(METERS) for _, meters, *_ in measured
        )
        page = (Path(folder) / "s.html").read_text()
        drawn = [path.name for path in report.files if path.suffix == ".svg"]
        assert page.count("<img") == len(drawn) and all(name in page for name in drawn)
    priced = [
        (size, error) for _, meters, size, error in measured if {"cost", "accuracy"} <= meters
    ]
    allowed = {(): priced, ("cost.flops <= 1",): []}.get(
        tuple(constraints), [one for one in priced if one[1] <= 41]
    )
    best = [
        (a, b)
        for a, b in allowed
        if not any(c <= a and d <= b and (c, d) != (a, b) for c, d in allowed)
    ]
    assert sum(line.startswith(" *  ") for line in shown.splitlines()) == len(best)


def test_a_grid_with_a_hole_is_drawn(tmp_path):
    names = [f"mixste.tiny-81+tps:{place}+tri" for place in ("41@1", "9@0", "9@1")]
    rows = [one for name in [WHOLE, *names] for one in rows_of(name, METERS, 3, 40.0)]
    report, _ = written(study_of([WHOLE, *names]), rows, tmp_path)
    assert "s-grid.png" in {path.name for path in report.files} and report.problems == []
    (panel,) = grid.cells(sweep_table(rows), "accuracy.mpjpe").values()
    assert panel.isna().sum().sum() == 1


@pytest.mark.parametrize("measured", [[], ["cost"], ["cost", "time"], ["accuracy"]])
def test_one_row_or_no_error_at_all_is_a_table_with_its_reasons(tmp_path, measured):
    name = POOL[0]
    report, shown = written(study_of([name]), rows_of(name, measured, 3, 40.0), tmp_path)
    assert report.problems == [] and "failed: no luck" in " ".join(shown.split())
    kinds = {path.name.removeprefix("s").partition(".")[0] for path in report.files}
    assert kinds == ({"", "-time"} if "time" in measured else {""})
    assert not (tmp_path / "s.svg").exists()


def broken(*_):
    raise ValueError("Invalid vmin\nor vmax")


def missing(*_):
    raise ImportError("no seaborn here")
    yield


@pytest.mark.parametrize(
    ("place", "what", "said"),
    [
        ("htpbench.report.figures.speedup._draw", broken, "s-speedup could not be drawn: ValueErr"),
        ("htpbench.report.sweeps.figures", missing, "no further figure could be drawn: ImportErr"),
    ],
)
def test_a_figure_that_cannot_be_drawn_is_one_warning_and_takes_nothing(
    tmp_path, monkeypatch, place, what, said
):
    rows = [one for name in [WHOLE, *POOL[:5]] for one in rows_of(name, METERS, 3, 40.0)]
    study = study_of([WHOLE, *POOL[:5]])
    whole, _ = written(study, rows, tmp_path / "whole")
    monkeypatch.setattr(place, what)
    report, _ = written(study, rows, tmp_path / "broken")
    (problem,) = report.problems
    assert said in problem and "\n" not in problem
    for name in ("s.csv", "s.tex"):
        left, right = (tmp_path / at / name for at in ("whole", "broken"))
        assert left.read_bytes() == right.read_bytes()
    assert all((tmp_path / "broken" / f"s.{end}").is_file() for end in ("html", "md"))
    lost = {path.name for path in whole.files} - {path.name for path in report.files}
    assert lost and all(name.endswith((".png", ".svg")) for name in lost)


def test_tables_of_every_pipeline_lie_there_before_the_first_figure(tmp_path, monkeypatch):
    seen = []

    def first(*_):
        seen.extend(path.name for path in tmp_path.iterdir())
        return iter(())

    monkeypatch.setattr(sweeps, "figures", lambda *_: [("f", first)])
    rows = [one for name in [WHOLE, POOL[0]] for one in rows_of(name, METERS, 3, 40.0)]
    rows += rows_of("mixste.tiny-81+tps:3@0", [], 3, 40.0)
    rows = [
        Row(**{**vars(one), "conditions": {**one.conditions, "pipeline": use}})
        for one in rows
        for use in ["seq2seq" if one.combination in (WHOLE, POOL[0]) else "seq2frame"]
    ]
    written(study_of([WHOLE, POOL[0]]), rows, tmp_path)
    tables = {f"s{kind}.{end}" for kind in ("", "-seq2frame") for end in ("md", "csv", "tex")}
    assert tables | {"s.html"} <= set(seen)


def test_a_broken_figure_is_a_warning_on_the_terminal_and_exit_code_0(
    tmp_path, monkeypatch, capsys
):
    small.quick(monkeypatch)
    monkeypatch.setattr(sweeps, "figures", lambda *_: [("small", broken)])
    monkeypatch.chdir(tmp_path)
    assert small.call(monkeypatch, "sweep", small.study(tmp_path)) == 0
    out, err = capsys.readouterr()
    assert small.PRUNED in out and "small.html" in out
    assert err.count("warning: the figure small could not be drawn: ValueError: Invalid vmin") == 1
