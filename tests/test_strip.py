"""Strips of skeletons: which frames they show, and the files they are."""

from dataclasses import replace
from xml.etree import ElementTree

import numpy as np
import pytest
from posed import EVIL, pair, track

from htpbench.errors import BenchError
from htpbench.poses.strip import look
from htpbench.poses.strip.chosen import middles, stretch, survival
from htpbench.poses.strip.draw import write_strip
from htpbench.report.figures import style


def test_a_strip_is_a_picture_and_the_same_bytes_each_time(tmp_path):
    for suffix, magic in ((".png", b"\x89PNG"), (".svg", b"<?xml"), (".pdf", b"%PDF")):
        path = tmp_path / f"strip{suffix}"
        assert write_strip(path, pair(), 3, None).read_bytes().startswith(magic)
    first = (tmp_path / "strip.svg").read_bytes()
    assert write_strip(tmp_path / "strip.svg", pair(), 3, None).read_bytes() == first
    ElementTree.parse(tmp_path / "strip.svg")
    assert write_strip(tmp_path / "strip.svg", pair(), 3, 0, 90.0).read_bytes() != first
    write_strip(tmp_path / "one.svg", [track(1, kept=None, truth=None)], 9, None)
    write_strip(tmp_path / "evil.svg", [track(told={"combination": r"$\no{" + EVIL})], 9, None)
    ElementTree.parse(tmp_path / "evil.svg")
    assert (look.WIDTH, look.SMALL) == (style.WIDTH, style.SMALL)
    assert look.STYLE["font.sans-serif"] == style.STYLE["font.sans-serif"]


def test_a_strip_shows_the_window_that_is_asked_for():
    shown = pair()
    part = stretch(shown, 3, 2)
    assert part.frames.tolist() == [*range(18, 27)] and part.drawn.tolist() == [19, 22, 25]
    stages = survival(shown[1], part)
    assert np.flatnonzero(stages[0]).tolist() == [0, 3, 6]
    assert np.flatnonzero(stages[1]).tolist() == [3] and survival(shown[0], part) is None
    assert stretch(shown, 1, None).frames[0] == 27, "the middle one"
    assert stretch(shown, 9, 6).frames.tolist() == [*range(54, 60)], "what lies in the track"
    assert len(stretch(shown[:1], 9, None).frames) == 60
    assert middles(0, 9, 1).tolist() == [4] and middles(0, 3, 9).tolist() == [0, 1, 2]
    assert middles(2, 5, 10**12).tolist() == [2, 3, 4], "as many as there are, in no more memory"


def test_a_faster_video_shows_the_whole_window_and_no_more():
    faster = replace(pair()[1], rate=60.0)
    frames = stretch([faster], 3, 2).frames
    place = np.rint(np.arange(60) / 1.2 - 18)  # in the window, at its 50 frames a second
    assert frames.tolist() == np.flatnonzero((place >= 0) & (place < 9)).tolist()


@pytest.mark.parametrize(
    ("count", "window", "message"),
    [(0, None, "--frames 0"), (9, 7, r"expected 0 \.\.\. 6"), (9, -1, "--window -1")],
)
def test_strips_of_nothing_are_refused(count, window, message, tmp_path):
    with pytest.raises(BenchError, match=message):
        write_strip(tmp_path / "strip.png", pair(), count, window)


def test_strips_need_windows_where_one_is_named_and_3d(tmp_path):
    with pytest.raises(BenchError, match="nothing was pruned"):
        write_strip(tmp_path / "strip.png", [track(kept=None)], 9, 0)
    with pytest.raises(BenchError, match="no 3D"):
        write_strip(tmp_path / "strip.png", [replace(track(), poses=np.empty((60, 0, 3)))], 9, None)
    with pytest.raises(BenchError, match=r"\.png, \.svg or \.pdf"):
        write_strip(tmp_path / "strip.gif", pair(), 9, None)
