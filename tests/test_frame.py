"""Table 7 by the cost of one output frame: what is drawn is what is printed and measured."""

import matplotlib
import pytest
from matplotlib.text import Annotation

from htpbench.records.results import Results
from htpbench.records.rows import Row, row_key
from htpbench.report import captions
from htpbench.report.build import report_study
from htpbench.report.figures import frame, style
from htpbench.report.frame import evaluated, measured_frames, printed_frames
from htpbench.report.published import published
from htpbench.study.loading import load

MIXSTE, MHFORMER = "mixste-243", "mhformer-351"
H2OT = f"{MIXSTE}+tps:121@0,81@3+tri"
CARD = {"data": "h36m", "split": "test", "detections": "cpn", "fingerprint": "f", "weights": "w"}


def row(combination, metric, value, **card):
    pipeline = "seq2frame" if combination == MHFORMER else "seq2seq"
    at = card.pop("at", "2026-01-01T00:00:00Z")
    conditions = {"pipeline": pipeline, **card}
    facts = {"study": "any", "unit": "1", "environment": "e", "at": at, "conditions": conditions}
    key = row_key(combination, metric, conditions, 1)
    return Row(**facts, key=key, combination=combination, metric=metric, value=value)


def cost(combination, flop):
    return row(combination, "cost.flops_published", flop)


def error(combination, value, **card):
    return row(combination, "accuracy.mpjpe", value, **{**CARD, "windows": "9 of 9", **card})


OURS = [
    cost(MIXSTE, 243e9),
    cost(MHFORMER, 14e9),
    cost(H2OT, 118e9),
    error(MIXSTE, 41.5),
    error(MHFORMER, 43.5, windows="8 of 8"),
]


@pytest.fixture
def drawn(monkeypatch, tmp_path):
    """Draws the figure of rows instead of writing it."""

    def draw(rows=()):
        made = []

        def save(make, folder, name):
            with matplotlib.rc_context(style.STYLE):
                made.append(make())

        monkeypatch.setattr(frame, "save", save)
        printed = printed_frames(7)
        ours = measured_frames(printed, rows)
        frame.frame(printed, ours, tmp_path, "f", "title", "subtitle")
        return made[0]

    return draw


def points(figure, filled):
    """(marker, x, y) of the full or the hollow points."""
    return [
        (line.get_marker(), line.get_xdata()[0], line.get_ydata()[0])
        for line in figure.axes[0].get_lines()
        if line.get_marker() in ("o", "s") and (line.get_fillstyle() == "full") is filled
    ]


def named(figure):
    """The labels of a figure and its legend's entries."""
    texts = figure.axes[0].findobj(lambda one: isinstance(one, Annotation) and one.get_text())
    (legend,) = figure.legends
    return [text.get_text() for text in texts], [
        one for text in legend.get_texts() if (one := text.get_text().strip())
    ]


def test_a_frame_of_a_clip_costs_its_share_and_a_pose_the_whole_pass():
    lines = {one.row: one for one in printed_frames(7)}
    assert [*lines] == [*range(1, 21)]
    assert lines[11].cost == pytest.approx(277.25e9 / 243)
    assert lines[8].cost == 14.15e9
    assert lines[5].cost == pytest.approx(0.0123e9, rel=1e-3)
    assert [lines[row].error for row in (1, 2, 20)] == [44.3, 43.7, 38.5]
    assert (lines[19].name, lines[15].name) == ("HoT w. MotionAGFormer", "MotionBERT*")


def test_pruned_networks_are_of_the_unpruned_one_whose_numbers_belong_together():
    assert {one.row: one.whole for one in printed_frames(7) if one.whole} == {
        **{9: 8, 10: 8},
        **{12: 11, 13: 11},
        **{16: 15, 17: 15},  # 14 is the wider network's error
        **{19: 18, 20: 18},
    }


def test_the_cost_at_which_errors_were_measured():
    told = {one.row: one.evaluated / 1e9 for one in printed_frames(7) if one.evaluated}
    assert told == pytest.approx({5: 1.18 / 5, 6: 156.22, 14: 348.81 / 243})


def test_a_network_that_is_used_both_ways_is_pruned_from_its_own_use():
    assert [one.whole for one in printed_frames(3)] == [
        *[None, 1, 1, None, 4, 4],
        *[None, 7, 7, None, 10, 10],
    ]


def test_what_is_said_of_rows_is_of_rows_that_are_printed():
    for table in range(2, 11):
        for one in evaluated(table) or []:
            assert one["row"] in set(published(table)["row"]) and one["text"]
            assert {"stride", "flops"} & one.keys()


def test_every_printed_row_is_a_point_with_its_name_and_nothing_is_ours(drawn):
    figure, lines = drawn(), printed_frames(7)
    marks = {"seq2seq": "o", "seq2frame": "s"}
    expected = [(marks[one.pipeline], one.cost / 1e9, one.error) for one in lines]
    assert sorted(points(figure, filled=True)) == sorted(expected)
    assert points(figure, filled=False) == []
    labels, legend = named(figure)
    assert sorted(labels) == sorted(one.name for one in lines)
    assert len(legend) == 4 and not any("ours" in entry for entry in legend)


def test_labels_cover_neither_each_other_nor_a_point(drawn):
    figure = drawn(OURS)
    figure.canvas.draw()
    axes = figure.axes[0]
    texts = axes.findobj(lambda one: isinstance(one, Annotation) and one.get_text())
    assert len(texts) == 20  # those without room stand farther away
    boxes = [text.get_window_extent() for text in texts]
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    marked = [place for filled in (True, False) for _, *place in points(figure, filled)]
    for place in axes.transData.transform(marked):
        assert not any(box.contains(*place) for box in boxes)


def test_ours_is_hollow_and_only_where_cost_and_error_were_measured(drawn):
    figure = drawn(OURS)
    hollow = points(figure, filled=False)
    assert sorted(hollow) == [("o", 1.0, 41.5), ("s", 14.0, 43.5)]
    assert "hollow: ours" in named(figure)[1]
    assert len(points(figure, filled=True)) == 20


@pytest.mark.parametrize(
    "other",
    [
        error(MIXSTE, 41.5, weights="random"),
        error(MIXSTE, 41.5, pipeline="seq2frame"),
        error(MIXSTE, 41.5, data="cmu17", at="2025-01-01T00:00:00Z"),
        error(f"{MIXSTE}+tpc:81@3+tra", 41.5),  # its cost is not known
    ],
)
def test_what_does_not_belong_beside_the_paper_is_not_drawn(other):
    rows = [cost(MIXSTE, 243e9), cost(MHFORMER, 14e9), error(MHFORMER, 43.5), other]
    (ours,) = measured_frames(printed_frames(7), rows)
    assert (ours.printed.row, ours.cost, ours.error.value) == (8, 14e9, 43.5)
    assert captions.beside([ours.error]).startswith(
        "Ours: h36m (test subjects, 9 of 9 windows), cpn"
    )


def test_the_same_network_measured_again_is_drawn_once():
    again = error(MIXSTE, 40.5, weights="better", at="2026-01-02T00:00:00Z")
    ours = measured_frames(printed_frames(7), [again, *OURS])
    assert {one.printed.row: one.error.value for one in ours} == {8: 43.5, 11: 40.5}


def test_the_report_of_table_7_draws_it_and_says_what_ours_was_measured_on(tmp_path):
    report = report_study(load("table7"), Results(OURS), tmp_path / "a")
    names = [path.name for path in report.files]
    assert names[-2:] == ["table7-frame.png", "table7-frame.svg"] and not report.problems
    page = (tmp_path / "a" / "table7" / "table7.html").read_text()
    assert page.count("<figure>") == 1 and 'src="table7-frame.svg"' in page
    again = report_study(load("table7"), Results(OURS), tmp_path / "b")
    for one, other in zip(report.files, again.files, strict=True):
        assert one.read_bytes() == other.read_bytes()
    picture = report.files[-1].read_text()
    assert "h36m (test subjects, 8 of 8 / 9 of 9 windows), cpn detections" in picture
    assert "STCFormer with a pass" in picture


def test_other_tables_have_no_figure(tmp_path):
    report = report_study(load("table3"), Results(OURS), tmp_path)
    assert {path.suffix for path in report.files} == {".md", ".csv", ".tex", ".html"}
