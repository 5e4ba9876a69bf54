"""Poses as a page: what it holds, what it replaces, and the verb that writes it."""

import base64
import hashlib
import json
import re
import tomllib
from dataclasses import replace

import numpy as np
import pytest
import small
from paths import ROOT
from posed import EVIL, kept, pair, track

from htpbench.errors import BenchError
from htpbench.motion.video import Video
from htpbench.motion.views import Views
from htpbench.poses import source
from htpbench.poses.page import packing
from htpbench.poses.page.write import SCRIPTS, page, write_page
from htpbench.poses.strip.draw import write_strip
from htpbench.poses.together import curves, labels, together


def held(text):
    """The data that a page's script reads."""
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text)
    return json.loads(found)


def integers(packed, *shape):
    raw = np.frombuffer(base64.b64decode(packed["data"]), "<i2").astype(float)
    return np.where(raw == packing.MISSING, np.nan, raw * packed["unit"]).reshape(-1, *shape)


# What a page holds


def test_a_page_holds_poses_truth_image_kept_frames_and_errors():
    shown = pair()
    data = held(page(shown, 30))
    assert (data["frames"], data["rate"], data["first"], data["turn"]) == (60, 50, 0, 30)
    for one, packed in zip(shown, data["tracks"], strict=True):
        for name in ("poses", "truth"):
            found = integers(packed[name], 17, 3)
            assert np.abs(found - getattr(one, name)).max() <= 0.0501
        assert ["weights", "random"] in packed["facts"]
        assert packed["facts"][0] == ["combination", packed["label"]]
    seen = data["image"]
    assert seen["size"] == [800, 600]
    assert np.abs(integers(seen["points"], 17, 2) - shown[0].keypoints[..., :2]).max() <= 0.0501
    for one, curve in zip(shown, data["curves"], strict=True):
        values = np.frombuffer(base64.b64decode(curve["values"]), "<f4")
        assert values == pytest.approx(one.errors, rel=1e-5)
    assert data["tracks"][0]["kept"] is None
    packed = data["tracks"][1]["kept"]
    bits = np.frombuffer(base64.b64decode(packed["stages"]), np.uint8)
    flags = np.unpackbits(bits, bitorder="little")[: np.prod(packed["shape"])]
    assert (flags.reshape(packed["shape"]) == shown[1].kept.stages).all() and packed["apart"]
    window = np.frombuffer(base64.b64decode(packed["window"]), "<i4")
    assert (window == np.arange(60) // 9).all()


def test_a_window_a_frame_is_shown_alone():
    one = track(kept=kept(60, 9, step=1))
    assert not held(page([one]))["tracks"][0]["kept"]["apart"]


def test_nothing_of_a_file_becomes_markup_or_script():
    one = track(name=EVIL, told={"combination": EVIL, EVIL: {EVIL: [EVIL]}})
    text = page([one])
    plain = page([track()])
    assert text.count("<script") == plain.count("<script") == 2
    assert "<script>alert" not in text and "\u2028" not in text and "\x1b" not in text
    assert held(text)["name"].startswith("</script><script>alert(1)</script>{{script}}")
    assert "&lt;/script&gt;&lt;script&gt;alert(1)" in text


def test_a_page_runs_its_own_script_alone_and_asks_no_network():
    text = page(pair())
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy.startswith("default-src 'none'")
    for tag in ("script", "style"):
        (body,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "http" not in text.replace("http-equiv", "") and "src=" not in text


@pytest.mark.parametrize("largest", [100, 3276.7, 4000, 1e9])
def test_large_numbers_get_a_larger_unit_and_none_overflows(largest):
    values = np.array([[largest, -largest, 0.0, np.nan, np.inf]])
    packed = packing.integers(values)
    found = integers(packed, 5)
    assert np.isnan(found[0, 3:]).all()
    assert found[0, :3] == pytest.approx(values[0, :3], abs=packed["unit"] / 2 + 1e-9)
    assert packed["unit"] == pytest.approx(max(0.1, largest / packing.MOST))


def test_thirty_thousand_frames_fit():
    many = 30_000
    one = track(many, kept=kept(many, 81, ((0, 40), (40,)), step=1))
    assert len(page([one])) < 20e6


def test_the_files_of_the_page_are_in_the_wheel():
    """It takes all of the package's folder but what git ignores."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]
    assert told["targets"]["wheel"]["packages"] == ["htpbench"]
    assert "exclude" not in told["targets"]["wheel"]
    folder = ROOT / "htpbench" / "poses" / "page"
    ignored = (ROOT / ".gitignore").read_text().split()
    for name in ("view.html", "view.css", *SCRIPTS):
        assert len((folder / name).read_text().splitlines()) <= 400
        assert not {f"*{(folder / name).suffix}", name} & set(ignored)


# Two on one clock


def test_tracks_of_other_rates_and_lengths_are_aligned_by_time():
    slow = replace(track(30, pruned=False), rate=25.0, first=10)  # 0.40 to 1.56 s
    fast = replace(track(60), first=30)  # 0.60 to 1.78 s, at 50 Hz
    a, b = together([slow, fast])
    assert (
        a.rate == b.rate == 50 and a.first == b.first == 30 and len(a.poses) == len(b.poses) == 49
    )
    assert (b.poses == fast.poses[:49]).all()
    assert (a.poses[[0, 2, 48]] == slow.poses[[5, 6, 29]]).all()
    late = together([replace(slow, first=20), fast])[1]  # cut by 10 frames of 50 Hz
    assert late.kept.first[0] == pytest.approx(-10) and late.first == 40
    assert (late.kept.nearest(np.zeros(1)) == fast.kept.nearest(np.full(1, 0.2))).all()


def test_tracks_that_share_no_frame_are_refused():
    with pytest.raises(BenchError, match=r"no frame in common.*0\.00 to 1\.20 and 4\.00 to 5\.20"):
        together([track(), track(first=200)])


def test_without_truth_the_two_are_compared_and_with_names_alike_numbered():
    a, b = track(truth=None), track(truth=None, seed=2)
    (line,) = curves([a, b])
    assert line.of is None and line.label == "distance between the two"
    expected = np.linalg.norm(a.poses - b.poses, axis=-1).mean(axis=-1)
    assert line.values == pytest.approx(expected)
    assert labels([a, b]) == [f"{small.PRUNED} (1)", f"{small.PRUNED} (2)"]
    assert curves([a]) == []
    assert held(page([a, b]))["measure"] == "distance between the two"


# Where tracks come from


def test_data_becomes_tracks_in_pixels(tmp_path):
    path = small.motion_file(tmp_path)
    found = source.tracks_of(str(path))
    assert [len(one.poses) for one in found] == [22, 23]
    views = small.motion().views("test")
    lens = views.lens(0)
    back = lens.normalise(found[0].keypoints[..., :2])
    assert back == pytest.approx(views.poses2d[:22, :, :2], abs=1e-5)
    assert found[0].size == (lens.width, lens.height) and found[0].truth is None
    assert (found[0].poses == views.poses3d[:22]).all()


def test_a_video_has_2d_alone():
    points = track().keypoints
    take = Video("v", "s", "a", "test", keypoints=points, size=(800, 600), rate=25.0, first=7)
    screen = points.copy()
    screen[..., 0] = points[..., 0] / 400 - 1
    screen[..., 1] = points[..., 1] / 400 - 0.75
    views = Views.of([take], [screen], source="file", rate=50.0)
    one = source.track_of(views, 0, {"data": "d"})
    assert one.keypoints == pytest.approx(points, abs=1e-3)
    assert (one.first, one.size, one.poses.shape) == (7, (800, 600), (60, 0, 3))
    data = held(page([one]))
    assert data["tracks"][0]["poses"] is None and data["curves"] == []
    assert data["tracks"][0]["label"] == "2D, d"


def test_poses_are_told_from_motion_by_their_members(tmp_path):
    np.savez(tmp_path / "poses.npz", poses=np.zeros(3))
    assert source.holds_poses(str(tmp_path / "poses.npz"))
    assert source.holds_poses(str(tmp_path / "poses.json"))
    assert not source.holds_poses(str(small.motion_file(tmp_path)))
    with pytest.raises(BenchError, match=r"view reads \.npz and \.json"):
        source.tracks_of("poses.trc")
    for data in ("synthetic", "bvh:walk.bvh", "keypoints:walk.json", str(tmp_path / "gone.npz")):
        assert not source.holds_poses(data)


def test_a_clip_is_chosen_by_name_and_the_second_like_the_first():
    several = [track(name="a"), track(name="b"), track(name="b", camera=1)]
    assert source.choose(several, "x", None).name == "a"
    assert source.choose(several, "x", "b") is several[1]
    assert source.choose(several, "x", None, several[2]) is several[2]
    with pytest.raises(BenchError, match="x has no clip 'c'; it has a, b"):
        source.choose(several, "x", "c")
    with pytest.raises(BenchError, match="holds no poses"):
        source.choose([], "x", None)


# Whose files are replaced


def test_files_of_others_are_never_replaced(tmp_path):
    for name, write in (
        ("p.html", lambda path: write_page(path, pair())),
        ("s.png", lambda path: write_strip(path, pair(), 3, None)),
    ):
        path = tmp_path / name
        for content in (b"", b"<!DOCTYPE html>", bytes(20_000)):
            path.write_bytes(content)
            with pytest.raises(BenchError, match="is there and is no"):
                write(path)
            assert path.read_bytes() == content
        path.unlink()
        write(write(path))  # its own it replaces
        (tmp_path / f"link-{name}").symlink_to(path)
        with pytest.raises(BenchError, match="is there and is no"):
            write(tmp_path / f"link-{name}")
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(BenchError, match="is there and is no"):
        write_page(tmp_path / "folder.html", pair())
    with pytest.raises(BenchError, match=r"ends in \.html"):
        write_page(tmp_path / "page.txt", pair())


# The verb


@pytest.fixture
def call(monkeypatch, capsys, tmp_path):
    """view in a folder where two files of poses lie: (exit code, stderr)."""
    files = {
        "whole.json": [track(pruned=False), track(name="other")],
        "cut.json": [track(name="other"), track(seed=2)],
        "late.json": [track(first=500)],
    }
    monkeypatch.setattr(source, "read", lambda path: files[path.name])
    run = small.command_line(tmp_path, monkeypatch, capsys)
    return lambda *arguments: run("view", *arguments)[::2]


def test_view_writes_a_page_named_as_the_poses(call, tmp_path):
    code, err = call("whole.json", "cut.json")
    assert code == 0
    shown, *means, written = err.splitlines()
    assert shown == "whole.json: walk of 2 clips; --clip NAME shows another"
    assert means == [
        f"MPJPE of {track.told['combination']}: {track.errors.mean():.1f} mm over 60 frames"
        for track in pair()
    ]
    assert written == "written: whole.html"
    assert [one["label"] for one in held((tmp_path / "whole.html").read_text())["tracks"]] == [
        small.NETWORK,
        small.PRUNED,
    ]
    code, err = call("cut.json", "--clip", "other", "--out", "mine/page.html")
    assert code == 0 and err.endswith("written: mine/page.html\n")


def test_view_writes_the_strip_alone_unless_a_page_is_named(call, tmp_path):
    assert call("late.json", "--strip", "s.svg", "--frames", 5)[0] == 0
    assert [path.name for path in tmp_path.iterdir()] == ["s.svg"]
    code, err = call("late.json", "--strip", "s.svg", "--out", "p.html", "--turn", 20)
    assert code == 0 and err.endswith("written: s.svg\nwritten: p.html\n")
    code, err = call("late.json", "--strip", "t.svg", "--out", "p.txt")
    assert code == 2 and "ends in .html" in err and not (tmp_path / "t.svg").exists()


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (["whole.json", "late.json"], "no frame in common"),
        (["whole.json", "--clip", "wlk"], "it has walk"),
        (["late.json", "--strip", "s.jpg"], ".png, .svg or .pdf"),
        (["gone.npz"], "gone.npz"),
        (["late.json", "--turn", "nan"], "--turn nan"),
        (["", "late.json"], "unknown motion ''"),
        (["late.json", ""], "unknown motion ''"),
        ([f"keypoints:{'a' * 300}.json"], "File name too long"),
    ],
)
def test_view_says_what_is_wrong(call, tmp_path, command, message):
    code, err = call(*command)
    assert code == 2 and message in err and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "page"),
    [("synthetic", "synthetic"), ("bvh:a/walk.bvh,skip_bad=true", "walk"), ("bvh:/", "poses")],
)
def test_names_of_pages(name, page):
    from htpbench.cli.viewing import beside

    assert str(beside(name)) == f"{page}.html"
