"""Pages of poses in a browser: what it draws, and what keys, sliders and the mouse do."""

import time
from dataclasses import replace

import numpy as np
import pytest
from posed import EVIL, kept, pair, track

from htpbench.poses.page.write import write_page


def pictures(chromium):
    """Each canvas's own picture, and how many colours it has."""
    return chromium.run("[...document.querySelectorAll('canvas')].map((c) => c.toDataURL())")


COLOURS = """[...document.querySelectorAll('canvas')].map((c) => new Set(new Uint32Array(
c.getContext('2d').getImageData(0, 0, c.width, c.height).data.buffer)).size)"""


@pytest.mark.slow
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_a_browser_draws_plays_and_turns(chromium, tmp_path, width, dark):
    path = write_page(tmp_path / "page.html", pair())
    chromium.problems.clear()
    chromium.open(path, width, dark=dark)
    assert len(pictures(chromium)) == 5, "two figures, the image, errors, kept frames"
    assert min(chromium.run(COLOURS)) > 3, "one is blank"
    assert chromium.run("document.documentElement.scrollWidth <= innerWidth")
    value = "document.getElementById('frame').value"
    assert chromium.run(value) == "0" and not chromium.run("state.playing")
    before = pictures(chromium)
    for key, frame in (("ArrowRight", "1"), ("End", "59"), ("ArrowLeft", "58"), ("Home", "0")):
        chromium.press(key)
        assert chromium.run(value) == frame
        assert all(a != b for a, b in zip(before, pictures(chromium), strict=True)) == (
            frame != "0"
        )
    slide = (
        "const s = document.getElementById('{}'); s.value = {}; s.dispatchEvent(new Event('input'))"
    )
    chromium.run(f"{{{slide.format('frame', 30)}}}")
    assert chromium.run("state.at") == 30
    before = pictures(chromium)
    chromium.run(f"{{{slide.format('turn', 90)}}}")
    turned = pictures(chromium)
    assert [a != b for a, b in zip(before, turned, strict=True)] == [
        True,
        True,
        False,
        False,
        False,
    ]
    chromium.press("+")
    assert chromium.run("document.getElementById('speed').value") == "2"
    chromium.press(" ")
    chromium.until("state.playing && state.at !== 30")
    chromium.press(" ")
    assert not chromium.run("state.playing") and chromium.problems == []


@pytest.mark.slow
def test_a_browser_drags_and_starts_by_itself(chromium, tmp_path):
    path = write_page(tmp_path / "page.html", pair())
    chromium.problems.clear()
    chromium.open(path, still=False)
    chromium.until("state.playing && state.at > 2")
    chromium.run("play(false)")
    box = "(() => {{ const b = document.querySelectorAll('canvas')[{}].getBoundingClientRect();"
    box += "return [b.left + b.width / 2, b.top + b.height / 2]; }})()"
    x, y = chromium.run(box.format(0))
    chromium.drag((x, y), (x + 60, y))
    assert chromium.run("state.turn") == pytest.approx(0.5, abs=0.05)
    chromium.run("document.querySelector('canvas').focus()")
    chromium.press("ArrowLeft")
    assert chromium.run("state.turn") == pytest.approx(0.4, abs=0.05)
    x, y = chromium.run(box.format(3))
    chromium.drag((x, y), (x + 1, y))
    assert abs(chromium.run("state.at") - 29) < 4 and chromium.problems == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "shown",
    [
        [track(1, kept=None)],
        [replace(track(), poses=np.empty((60, 0, 3)), truth=None, kept=None)],
        [track(name=EVIL, told={EVIL: EVIL}, kept=kept(60, 9, step=1))],
        [track(30_000, kept=kept(30_000, 81, ((0, 40), (40,)), step=1))],
    ],
    ids=["one frame", "2D alone", "evil", "30,000 frames"],
)
def test_a_browser_shows_the_extremes(chromium, tmp_path, shown):
    path = write_page(tmp_path / "page.html", shown)
    chromium.problems.clear()
    chromium.open(path)
    chromium.press("End")
    assert chromium.run("state.at") == len(shown[0].poses) - 1
    assert min(chromium.run(COLOURS)) > 3 and chromium.problems == []
    begun = time.monotonic()
    for _ in range(20):
        chromium.run("seek(state.at / 2)")
    assert time.monotonic() - begun < 10
