"""Several data sets as one, clusters of subjects, and clips that were recorded slower than told."""

from dataclasses import replace

import numpy as np
import pytest
import small

from htpbench.datasets import open_data
from htpbench.errors import BenchError
from htpbench.measuring import scoring
from htpbench.measuring.context import Context
from htpbench.measuring.controls import smoothed
from htpbench.measuring.evaluation import prepare
from htpbench.measuring.prediction import Prediction
from htpbench.meters.accuracy import MOTION, names_of
from htpbench.motion.dataset import Motion, join
from htpbench.records.pairing import averaged, difference
from htpbench.records.restated import restated
from htpbench.records.row import Row
from htpbench.records.subjects import subjects
from htpbench.study.loading import load
from htpbench.systems import catalogue


def second(folder, **changes):
    """A motion file of test subjects alone, the clips of `small` under other names."""
    arrays = small.arrays()
    arrays["clip_name"] = np.array([f"b {name}" for name in arrays["clip_name"]])
    arrays["clip_subject"] = np.array(["B1", "B2", "B3", "B3"])
    arrays["clip_split"] = np.array(["test"] * 4)
    path = folder / "second.npz"
    np.savez(path, **arrays | changes)
    return str(path)


def test_data_sets_are_joined_and_trained_on_where_they_train(tmp_path):
    first = small.motion_file(tmp_path)
    study = load(str(small.study(tmp_path, meters=("accuracy",))))
    study = study.with_overrides([str(first), second(tmp_path)], None)
    context = Context(study)
    assert [*context.sources] == [str(first), second(tmp_path)]
    motion = context.data
    assert motion.name == "motion + second" and len(motion.motion("test")) == 2 + 4
    assert len(motion.motion("train")) == 2
    assert motion.fingerprint not in {one.fingerprint for one in context.sources.values()}
    alone = study.with_overrides([str(first)], None)
    assert alone.evaluation.data == str(first) and Context(alone).data.name == "motion"


def test_nobody_is_trained_and_tested_on(tmp_path):
    names = small.arrays()["clip_subject"]
    second(tmp_path, clip_subject=np.array([names[0], "B2", "B3", "B3"]))
    motions = [open_data(str(small.motion_file(tmp_path))), open_data(f"{tmp_path}/second.npz")]
    with pytest.raises(
        BenchError, match=rf"{names[0]}.*train and test of motion \+ second.*rename"
    ):
        join(motions)
    with pytest.raises(BenchError, match="same name"):
        join([motions[0], motions[0]])


@pytest.mark.parametrize("data", ["[]", '""', '["a.npz", ""]', "5", "[5]", '["a.npz", "a.npz"]'])
def test_what_names_no_data_is_refused(tmp_path, data):
    path = small.study(tmp_path)
    text = path.read_text()
    path.write_text(text.replace(f'"{tmp_path / "motion.npz"}"', data))
    with pytest.raises(BenchError, match=r"`data` (names something|is a.npz, a.npz)"):
        load(str(path))


def card(motion, error):
    """The rows by clip of a prediction that is wrong by `error` mm on each clip."""
    evaluation = prepare(motion, 9, "seq2seq")
    poses = evaluation.views.poses3d[evaluation.rows].copy()
    clip = evaluation.views.clip[evaluation.views.view_of(evaluation.rows)]
    poses[:, 1:, 0] += np.array(error, np.float32)[clip, None] * 17 / 16
    found = scoring.measure(Prediction(evaluation.rows, poses), evaluation)
    return {
        one.metric: Row(
            key=one.metric,
            study="s",
            combination="c",
            metric=one.metric,
            value=one.value,
            unit=catalogue.metric(one.metric).unit,
            low=one.low,
            axis=one.axis,
            environment="e",
        )
        for one in found
    }


def test_a_cluster_of_subjects_is_one_unit(tmp_path):
    motion = open_data(second(tmp_path))
    rows = card(motion, [1, 2, 3, 4])
    assert set(subjects(rows, "accuracy").values()) == {"B1", "B2", "B3"}
    assert averaged([rows], "accuracy.mpjpe").subjects == 3
    clusters = np.array(["B1 B2", "B1 B2", "", ""])
    joined = open_data(second(tmp_path, clip_cluster=clusters))
    assert joined.fingerprint != motion.fingerprint
    rows = card(joined, [1, 2, 3, 4])
    assert set(subjects(rows, "accuracy").values()) == {"B1 B2", "B3"}
    found = averaged([rows], "accuracy.mpjpe")
    assert found.subjects == 2 and rows["accuracy.mpjpe"].low == pytest.approx(found.interval()[0])
    assert rows["accuracy.frames_by_action"].axis == sorted({c.action for c in joined.clips})


def test_subjects_that_no_row_tells_are_looked_up_or_not_known(tmp_path):
    rows = card(open_data(second(tmp_path)), [1, 2, 3, 4])
    old = {name: row for name, row in rows.items() if "subject" not in name}
    assert subjects(old, "accuracy") is None
    assert averaged([old], "accuracy.mpjpe").interval() == (None, None)
    synthetic = open_data("synthetic")
    conditions = {"fingerprint": synthetic.fingerprint}
    known = {name: replace(row, conditions=conditions) for name, row in old.items()}
    assert subjects(known, "accuracy") == {c.name: c.subject for c in synthetic.motion("test")}
    whose = "accuracy.subjects_by_clip"
    beyond = rows | {whose: replace(rows[whose], value=[9] * 4)}
    assert subjects(beyond, "accuracy") is None, "a number beyond the names is damage"


def test_a_clip_that_was_recorded_slower_has_no_velocity(tmp_path):
    fast = prepare(open_data(second(tmp_path)), 9, "seq2seq")
    rates = np.array([24.0, 120, 50, 0], np.float32)
    slow = prepare(open_data(second(tmp_path, clip_native_fps=rates)), 9, "seq2seq")
    assert fast.card == slow.card, "what is averaged over poses is the same"
    pairs = [one.following(one.rows, 1).sum() for one in (fast, slow)]
    assert pairs[0] - pairs[1] == len(fast.views.clips[0].positions) - 1
    half = prepare(open_data(second(tmp_path, clip_native_fps=rates)), 9, "seq2seq", every=3)
    assert half.following(half.rows, 1).sum() == len(half.rows) - 4, "24 Hz is enough for 16.7"
    every = np.full(4, 24.0, np.float32)
    rows = card(open_data(second(tmp_path, clip_native_fps=every)), [1, 2, 3, 4])
    assert not rows.keys() & names_of(MOTION)


@pytest.mark.parametrize("rate", [-1.0, np.inf, np.nan])
def test_a_rate_that_is_none_is_refused(tmp_path, rate):
    path = second(tmp_path, clip_native_fps=np.full(4, rate, np.float32))
    with pytest.raises(BenchError, match="clip_native_fps holds no rates"):
        open_data(path)


def test_smoothing_averages_within_clips_that_were_recorded_fast_enough(tmp_path):
    rates = np.array([24.0, 120, 50, 0], np.float32)
    evaluation = prepare(open_data(second(tmp_path, clip_native_fps=rates)), 9, "seq2seq")
    poses = np.random.default_rng(0).normal(size=(len(evaluation.rows), 17, 3)).astype("float32")
    found = smoothed(Prediction(evaluation.rows, poses), evaluation).poses
    starts, stops = evaluation.views.start, evaluation.views.stop
    assert np.array_equal(found[: stops[0]], poses[: stops[0]]), "24 Hz"
    for start, stop in zip(starts[1:], stops[1:], strict=True):
        mine, truth = found[start:stop], poses[start:stop]
        assert np.allclose(mine[0], truth[0]) and np.allclose(mine[-1], truth[-1])
        assert np.allclose(mine[1], truth[:3].mean(axis=0), atol=1e-5)
        for at in range(2, stop - start - 2):
            assert np.allclose(mine[at], truth[at - 2 : at + 3].mean(axis=0), atol=1e-5)


def test_motion_of_one_name_joins_to_itself():
    motion = small.motion()
    assert join([motion]) is motion and isinstance(motion, Motion)


def test_rows_that_do_not_fit_together_have_no_interval(tmp_path):
    """Damage in a results folder is no traceback, and no number either."""
    rows = card(open_data(second(tmp_path)), [1, 2, 3, 4])
    frames, whose = "accuracy.frames_by_clip", "accuracy.subjects_by_clip"
    renamed = [*"abcd"]
    for name in (frames, whose):
        other = rows | {name: replace(rows[name], axis=renamed)}
        found = {row.metric: row for row in restated(other.values())}
        assert found["accuracy.mpjpe"].low is None
    whole = {row.metric: row for row in restated(rows.values())}
    assert whole["accuracy.mpjpe"].low == pytest.approx(rows["accuracy.mpjpe"].low)
    by_clip = {name: row for name, row in rows.items() if name.endswith("_by_clip")}
    strange = {name: replace(row, axis=renamed) for name, row in by_clip.items()}
    assert difference([(rows, rows), (strange, strange)]).seeds == 1
