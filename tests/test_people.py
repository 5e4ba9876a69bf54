"""People in the files of detectors: who is who, who is followed, frames without anybody."""

from __future__ import annotations

import numpy as np
import pytest
from test_keypoints import SIZE, alphapose, arrays, body, saved

from htpbench.datasets.keypoints import Keypoints
from htpbench.errors import BenchError


def test_people_who_have_ids(tmp_path, caplog):
    other = alphapose(body(9, (100.0, 700.0)), range(20, 25), [7])
    path = saved(tmp_path / "two.json", other + alphapose(body(9), range(12, 21), 3.0))
    data = Keypoints(str(path), **SIZE)
    assert data.card["person"] == "3 of 2, seen longest" and data.card["frames"] == "12 to 20"
    assert data.video.first == 12 and (data.video.keypoints[..., 1] < 600).all()
    assert "another: ,person=ID" in caplog.text
    data = Keypoints(str(path), person="7", **SIZE)
    assert (data.video.first, len(data.video.keypoints)) == (20, 5)
    assert (data.video.keypoints[..., 1] > 550).all()
    with pytest.raises(BenchError, match=r"no person '8'; 2 people .* 3 \(9 frames\), 7 \(5 fra"):
        Keypoints(str(path), person="8", **SIZE)


@pytest.mark.parametrize("who", [0, 0.0, [0.0], [[0.0]], [[0.0], [0.0]], -1])
def test_one_id_for_everybody_is_none(tmp_path, caplog, who):
    """As AlphaPose writes where it does not track: [[0.0]], several of it where boxes merged."""
    rows = alphapose(body(9), range(9), who) + alphapose(body(9, (100.0, 700.0)), range(9), who)
    for at, row in enumerate(rows):
        row["score"] = 2.0 + at % 2
    data = Keypoints(str(saved(tmp_path / "two.json", rows)), joints="midpoint", **SIZE)
    first = body(9, (100.0, 700.0))  # the surer of frame 0
    assert np.allclose(data.video.keypoints[:, 1, :2], first[:, 12, :2], atol=1e-3)
    assert data.card["person"] == "followed from frame 0; several in 9 frames"
    assert "does not say who is who" in caplog.text
    alone = Keypoints(str(saved(tmp_path / "one.json", rows[:9])), **SIZE)
    assert alone.card["person"] == "the only one" if who == -1 else "0"
    rows = alphapose(body(9), range(9), who)
    rows[4]["idx"] = [[0.0], [0.0]]  # two boxes of one that were merged
    whole = Keypoints(str(saved(tmp_path / "merged.json", rows)), **SIZE)
    assert who == -1 or "frames_filled" not in whole.card


def test_a_box_too_many_of_an_id_is_the_one_that_is_farther(tmp_path):
    rows = alphapose(body(20), range(20), 3) + alphapose(body(20, (100.0, 700.0)), range(20), 3)
    surer = rows[27] | {"score": 9.0}
    data = Keypoints(str(saved(tmp_path / "twice.json", [*rows[:20], surer])), **SIZE)
    assert data.card["person"] == "3" and (data.video.keypoints[..., 1] < 600).all()


def test_frames_before_and_behind_the_person_are_left_out_with_a_word(tmp_path, caplog):
    points = body(9)
    points[:1] = points[7:] = 0  # not there yet, and gone
    data = Keypoints(str(arrays(tmp_path / "short.npz", keypoints=points)), **SIZE)
    assert data.video.keypoints.shape == (6, 17, 3) and data.card["frames"] == "1 to 6"
    assert "in 3 of 9 frames the person is not there yet, or gone" in caplog.text


def test_who_is_nowhere_is_told_whatever_the_order(tmp_path):
    (tmp_path / "empty").mkdir()
    for number in range(3):
        saved(tmp_path / "empty" / f"{number:012}_keypoints.json", {"version": 1.3, "people": []})
    with pytest.raises(BenchError, match="nobody is seen in any of 3 frames"):
        Keypoints(str(tmp_path / "empty"), order="coco18", **SIZE)


def test_frames_numbered_by_the_clock_are_counted_from_0(tmp_path, caplog):
    rows = alphapose(body(9), range(20250101120000, 20250101120009))
    assert Keypoints(str(saved(tmp_path / "clock.json", rows)), **SIZE).video.first == 0
    assert "numbered from 20250101120000 on" in caplog.text


def test_large_ids(tmp_path):
    rows = alphapose(body(9), range(9), 2**31 + 1) + alphapose(body(9), range(9), 2**31)
    data = Keypoints(str(saved(tmp_path / "two.json", rows)), person=str(2**31), **SIZE)
    assert data.card["person"] == "2147483648 of 2"


def test_nobody_is_followed_of_whom_only_a_point_is_seen_first(tmp_path):
    people = np.stack([body(8), body(8, (500.0, 800.0))], axis=1)  # (8, 2, 17, 3)
    people[0, 0, 2:] = 0
    path = arrays(tmp_path / "two.npz", keypoints=people)
    data = Keypoints(str(path), order="h36m", **SIZE)
    assert (data.video.keypoints[..., 1] > 600).all()
    people[:, :, 2:] = 0
    with pytest.raises(BenchError, match="nobody of 8 frames is seen by half of the points"):
        Keypoints(str(arrays(path, keypoints=people)), order="h36m", **SIZE)


def test_people_without_ids_are_followed_and_never_mixed(tmp_path, caplog):
    first, second = body(8), body(8, (500.0, 800.0))
    people = np.stack([first, second], axis=1)  # (8, 2, 17, 3)
    people[3:5] = people[3:5, ::-1]
    people[6, 0] = np.nan  # the followed one is not seen here
    path = arrays(tmp_path / "two.npz", keypoints=people[..., :2], scores=people[..., 2])
    data = Keypoints(str(path), order="h36m", **SIZE)
    assert np.allclose(np.delete(data.video.keypoints, 6, 0), np.delete(first, 6, 0), atol=1e-4)
    assert np.allclose(data.video.keypoints[6, :, :2], first[6, :, :2], atol=1e-3)  # on the line
    assert data.card["person"] == "followed from frame 0; several in 7 frames"
    assert "several people in 7 of 8 frames" in caplog.text
    people = np.stack([first, second], axis=1)
    people[2:, 0] = np.nan
    path = arrays(tmp_path / "lost.npz", keypoints=people[..., :2])
    with pytest.raises(BenchError, match="is seen in 2 of 8 frames, last in frame 1"):
        Keypoints(str(path), order="h36m", **SIZE)


def test_frames_of_unlike_many_people(tmp_path):
    rows = np.empty(4, dtype=object)
    for frame, one in enumerate(body(4)[..., :2]):
        rows[frame] = np.stack([one, one + 300])[: 1 + frame % 2]
    data = Keypoints(str(arrays(tmp_path / "ragged.npz", keypoints=rows)), order="h36m", **SIZE)
    assert np.allclose(data.video.keypoints[..., :2], body(4)[..., :2], atol=1e-3)


@pytest.mark.parametrize("nobody", [None, []])
def test_lists_and_arrays_of_frames_without_anybody(tmp_path, nobody):
    told = [nobody, *body(4).tolist(), nobody, *body(2).tolist()]
    data = Keypoints(str(saved(tmp_path / "lists.json", told)), order="h36m", **SIZE)
    assert data.card["frames"] == "1 to 7" and data.card["frames_filled"] == "1 of 7, linear"
    told[1:] = [one and [one, one] for one in told[1:-1]] + [[told[-1]]]
    data = Keypoints(str(saved(tmp_path / "people.json", told)), order="h36m", **SIZE)
    assert data.card["frames"] == "1 to 7"
    rows, sure = np.empty((2, 5), dtype=object)
    rows[:], sure[:] = [nobody, *body(4)[..., :2]], [nobody, *np.full((4, 17), 0.25)]
    path = arrays(tmp_path / "objects.npz", keypoints=rows, scores=sure)
    data = Keypoints(str(path), order="h36m", **SIZE)
    assert data.card["frames"] == "1 to 4" and (data.video.keypoints[..., 2] == 0.25).all()
    with pytest.raises(BenchError, match="5 frames of keypoints have 4 of scores"):
        Keypoints(str(arrays(path, keypoints=rows, scores=sure[1:])), order="h36m", **SIZE)


def test_somebody_who_was_not_seen_for_a_while_is_found_again(tmp_path):
    """One stray person in one frame must not make a walk fall apart."""
    points = body(60)
    points[..., 0] += np.arange(60)[:, None] * 5
    rows = [row for at, row in enumerate(alphapose(points, range(60))) if not 20 <= at < 32]
    stray = alphapose(body(1, (100.0, 900.0)), [5])
    data = Keypoints(str(saved(tmp_path / "walk.json", rows + stray)), "1000x1000", 50.0)
    assert data.card["frames_filled"] == "12 of 60, linear"
    assert np.allclose(data.video.keypoints[-1, 3, :2], points[-1, 16, :2], atol=1e-3)


def test_one_after_the_other_is_worth_a_word(tmp_path, caplog):
    rows = alphapose(body(20), range(20)) + alphapose(body(20, (100.0, 900.0)), range(20, 40))
    data = Keypoints(str(saved(tmp_path / "two.json", rows)), **SIZE)
    assert data.card["person"] == "the only one; jumps in 1 frames"
    assert "jumps in 1 frames, first in frame 20" in caplog.text
