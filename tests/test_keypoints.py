"""Keypoints of users' videos: each detector's file, people, filling, maps; what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from paths import SHARED, needs_shared
from test_fuzz import archive as zipped
from test_fuzz import npy

from htpbench.datasets import open_data
from htpbench.datasets.keypoints import Keypoints
from htpbench.errors import BenchError, Unknown
from htpbench.keypoints.mapping import mapping
from htpbench.keypoints.orders import ORDERS, named

FIXTURES = SHARED / "formats" / "keypoints"
REAL = SHARED / "real"
SIZE = {"size": "1000x1000", "fps": 50.0}
COCO = ORDERS["coco17"]
FILES = (
    *("coco_results.json", "mmpose_inferencer.json", "mmpose_demo.json", "alphapose_halpe26.json"),
    *("alphapose_coco17.json", "alphapose_open18.json", "openpose", "detectron2_walk.mp4.npz"),
    *("detectron1_walk.mp4.npz", "data_2d_custom_walk.npz", "input_keypoints_2d.npz"),
    *("rtmlib.npz", "mediapipe.json"),
)


def body(frames=6, at=(500.0, 400.0), count=17):
    """(frames, count, 3): somebody who moves a little, each point in a place of its own."""
    rng = np.random.default_rng(3)
    points = np.array(at) + rng.uniform(-100, 100, (count, 2))
    moved = points + np.arange(frames)[:, None, None] * [3.0, 1.0]
    return np.concatenate([moved, np.full((frames, count, 1), 0.5)], axis=-1)


def arrays(path, **held):
    np.savez(path, **held)
    return path


def saved(path, data):
    path.write_text(json.dumps(data))
    return path


def alphapose(points, frames, who=None):
    """Rows of AlphaPose's list."""
    return [
        {"image_id": f"{frame}.jpg", "keypoints": one.ravel().tolist(), "score": 2.5, "box": []}
        | ({} if who is None else {"idx": who})
        for frame, one in zip(frames, points, strict=False)
    ]


@pytest.fixture(scope="module")
def expected():
    return json.loads((SHARED / "formats" / "expected.json").read_text())["keypoints"]


@needs_shared
@pytest.mark.parametrize("joints", ["midpoint", "demo"])
@pytest.mark.parametrize("name", FILES)
def test_each_layout_gives_the_first_person(expected, name, joints):
    told = expected["files"][name]
    assert {*FILES} == expected["files"].keys()
    images = str(FIXTURES / told["needs"]) if "needs" in told else ""
    data = Keypoints(
        str(FIXTURES / name),
        size="1000x1002",
        fps=told.get("fps", 25),
        joints=joints,
        images=images,
        person="1" if name == "alphapose_halpe26.json" else "",
    )
    shape = {"halpe26": "_halpe26", "body25": "_body25"}.get(told["layout"], "")
    key = "demo_px" if "equals" in told or joints == "demo" else f"midpoint_px{shape}"
    video = data.video
    assert (len(video.keypoints), video.first, video.size) == (20, 0, (1000, 1002))
    for frame, places in expected[key].items():
        assert np.allclose(video.keypoints[int(frame), :, :2], places, atol=1e-3)
    absent = np.flatnonzero(~video.keypoints[..., 2].any(axis=1))
    assert absent.tolist() == told.get("missing", [])
    filled = data.card.get("frames_filled")
    assert filled == (f"{len(absent)} of 20, linear" if len(absent) else None)
    if name == "openpose":
        assert data.card["joints_filled"].startswith("1 of") and not video.keypoints[5, 16, 2]


@needs_shared
def test_confidence_is_the_lowest_or_the_mean(expected):
    raw = np.array(expected["confidence_coco"]["11"])
    path = str(FIXTURES / "alphapose_coco17.json")
    for joints, merge in (("midpoint", np.min), ("demo", np.mean)):
        sure = Keypoints(path, "1000x1002", 25.0, joints=joints).video.keypoints[11, :, 2]
        assert np.allclose(sure[[0, 13, 16]], [merge(raw[[11, 12]]), raw[9], raw[10]], atol=1e-6)
    assert np.isclose(sure[9], raw[[0, 5, 6]].mean(), atol=1e-6)


@needs_shared
@pytest.mark.parametrize("kind", ["mediapipe", "coco17"])
def test_a_real_detector_against_another_converter(kind):
    with np.load(REAL / "beam.npz") as beam:
        for camera in range(4):
            width, height = beam["size"][camera]
            path = f"{REAL}/cam0{camera + 1}_{kind}.json,size={width}x{height},fps=60"
            data = open_data(f"keypoints:{path},joints=midpoint")
            there = beam["poses2d"][camera]
            assert np.allclose(data.video.keypoints, there, atol=2e-3)


@needs_shared
@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("formats/3dhp/data_test_3dhp.npz", "this is MPI-INF-3DHP"),
        ("formats/videopose3d/data_3d_h36m.npz", "this is 3D poses of Human3.6M"),
        ("formats/videopose3d/data_2d_h36m_gt.npz", "2D keypoints of Human3.6M"),
        ("formats/motionbert/h36m_sh_conf_cam_source_final.pkl", "a pickle: MotionBERT"),
        ("formats/keypoints/coco_images.json", "the annotations of a COCO data set"),
        ("formats/expected.json", "no layout that is known: an object of 'videopose3d'"),
        ("formats/README.md", "is not valid JSON"),
        ("formats/hostile/exec.npz", "this is 3D poses"),
        ("formats/hostile/bomb.npz", "this is 3D poses"),
        ("formats/hostile", "a folder without files *_keypoints.json"),
        ("motion/cmu17.npz", "use --data FILE"),
    ],
)
def test_files_of_other_kinds_are_named(path, said):
    with pytest.raises(BenchError) as caught:
        Keypoints(str(SHARED / path), **SIZE)
    assert said in str(caught.value) and str(caught.value).startswith(str(SHARED / path))


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("walk.mp4", b"\0\0\0\x20ftypisom", "this is a video; run a detector on it first (MMPose"),
        ("walk.MOV", b"hello", "this is a video"),
        ("walk.png", b"\x89PNG\r\n", "this is a picture; run a detector"),
        ("best.pth", zipped({}), "an npz that holds nothing"),
        ("best.pkl", b"\x80\x04N.", "this is a pickle"),
        ("walk.bvh", b"HIERARCHY\nROOT", "use --data bvh:FILE"),
        ("poses.npz", zipped({"poses": npy(0), "conditions": npy(0)}), "`htpbench view`"),
        ("smpl.npz", zipped({"poses": npy(0), "trans": npy(0)}), "SMPL's parameters"),
        ("two.npz", zipped({"a": npy(0), "b": npy(0)}), "an npz that holds a, b; expected `keypo"),
        ("empty.json", b"", "is empty"),
        ("nobody.json", b"[]", "JSON without anybody"),
        ("keys.json", b'[{"joint": 1}]', "the first is an object of 'joint'"),
        ("demo3d.json", b'[{"keypoints": [[1, 2, 3]], "keypoint_scores": [1]}]', "MMPose's 3D"),
        ("aic.json", b'[{"keypoints": [[1, 2]], "keypoint_scores": [1]}]', "a person has 1 points"),
        ("none.json", b'[{"frame_id": 0, "instances": []}]', "nobody is seen in any of 1 frames"),
        ("flat.npy", npy(np.zeros((3, 17))), "keypoints are (3, 17); expected (frames, points"),
        ("poses.npy", npy(np.full((3, 17, 3), -9.0)), "3D poses are lifted already"),
        ("text.npy", npy(np.array("x")), "expected lists of numbers"),
        (
            "many.npz",
            zipped({"keypoints": npy(np.ones((2**15, 17, 2), "i1"))}),
            "numbers in a file",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "." in value[:12] else "",
)
def test_wrong_files(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(BenchError) as caught:
        Keypoints(str(tmp_path / name), **SIZE)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("held", "asked", "said"),
    [
        ({}, {}, "say it behind the path: ,size=1920x1080 (lift: --size 1920x1080)"),
        ({}, {"size": "640x480"}, "say it behind the path: ,fps=25 (lift: --fps 25)"),
        ({"size": [1000, 1002]}, {"size": "640x480"}, "images are 1000x1002, and you say 640x480"),
        ({"fps": 25.0}, SIZE, "the file says 25 frames a second, and you say 50"),
        ({}, {"size": "1920*1080"}, "expected width x height in px, as 1920x1080"),
        ({}, {"size": "8x480"}, "expected 16 to 32768 px a side"),
        ({}, {"size": "640x480", "fps": float("nan")}, "nan frames a second; expected 5 to 1000"),
        ({}, SIZE | {"size": "200x200"}, "the size is wrong: 0% of the points lie within 200x200"),
        ({}, SIZE | {"joints": "mean"}, "unknown map of joints 'mean'"),
        ({}, SIZE | {"fill": "cubic"}, "unknown way to fill 'cubic'"),
        ({}, SIZE | {"person": "1"}, "does not say who is who"),
        ({}, SIZE | {"order": "body25"}, "a person has 17 points; expected 25"),
        ({}, SIZE | {"order": "coc"}, "unknown order of joints 'coc'; did you mean"),
        ({"layout": "coco"}, SIZE | {"order": "h36m"}, "order=h36m contradicts it"),
        ({"size": [1000]}, SIZE, "size has 1 numbers"),
        ({"scores": np.ones((6, 16))}, SIZE, "scores are (6, 1, 16)"),
        ({}, SIZE | {"images": "gone.json"}, "images= goes with COCO results"),
        ({}, SIZE | {"video": "b"}, "video= goes with VideoPose3D, custom"),
    ],
)
def test_what_the_user_says_wrong(tmp_path, held, asked, said):
    path = arrays(tmp_path / "walk.npz", keypoints=body()[..., :2], **held)
    with pytest.raises(BenchError) as caught:
        Keypoints(str(path), **asked)
    assert said in str(caught.value)


def test_views_are_at_50_hz_in_screen_units(tmp_path):
    points = body()
    path = arrays(tmp_path / "walk.npz", keypoints=points, size=[1000, 500], layout="h36m")
    for fps, rows, note in ((25.0, 13, "resampled from 25 Hz"), (50.0, 6, "50 Hz")):
        data = open_data(f"keypoints:{path},fps={fps}")
        (take,), views = data.takes("test"), data.views("test")
        assert (take.name, take.subject, take.recorded) == ("walk", "walk", fps)
        assert data.card["rate"] == note and data.card["joints"] == "as in the file"
        assert views.source == "given" and views.poses3d is None and views.cameras is None
        x, y, sure = np.moveaxis(views.poses2d[::2] if fps == 25 else views.poses2d, -1, 0)
        assert len(views.poses2d) == rows
        assert np.allclose(x[:6], points[..., 0] / 500 - 1, atol=1e-6)
        assert np.allclose(y[:6], points[..., 1] / 500 - 0.5, atol=1e-6) and (sure == 0.5).all()
    assert data.splits == ("test",) and data.motion("test") is None
    for call, kind in (
        (lambda: data.takes("train"), BenchError),
        (lambda: data.takes("x"), Unknown),
    ):
        with pytest.raises(kind):
            call()
    with pytest.raises(Unknown, match="unknown 2D source 'cpn'; known: given"):
        data.views("test", "cpn")
    prints = {Keypoints(str(path), fps=rate).fingerprint for rate in (25.0, 50.0)}
    assert len(prints | {Keypoints(str(path), fps=25.0, person="").fingerprint}) == 2


def test_one_frame_is_enough(tmp_path):
    people = [{"keypoints": body(1)[0, :, :2].tolist(), "keypoint_scores": [1.7] * 17}]
    path = saved(tmp_path / "picture.json", people)
    data = Keypoints(str(path), "1000x1000", 25.0)
    assert data.video.keypoints.shape == (1, 17, 3) and data.video.keypoints[..., 2].max() == 1
    assert data.views("test").poses2d.shape == (3, 17, 3)


def test_detectron_1_writes_none_where_it_found_nothing(tmp_path):
    keypoints, boxes = np.empty((2, 6), dtype=object)
    for frame, points in enumerate(body(6)):
        keypoints[frame] = [[], points[:, [0, 1, 2, 2]].T[None]]
        boxes[frame] = [[], np.array([[0, 0, 9, 9, 0.9]])]
    keypoints[0], boxes[0] = None, [[], np.empty((0, 5))]
    keypoints[3] = None
    path = arrays(tmp_path / "walk.npz", keypoints=keypoints, boxes=boxes)
    data = Keypoints(str(path), **SIZE)
    assert data.card["frames"] == "1 to 5" and data.card["frames_filled"] == "1 of 5, linear"


def test_openpose_folders_of_one_video(tmp_path):
    for frame, one in enumerate(body(4, count=25), 7):
        people = [{"person_id": [-1], "pose_keypoints_2d": one.ravel().tolist()}]
        saved(tmp_path / f"walk_{frame:012d}_keypoints.json", {"people": people})
    assert Keypoints(str(tmp_path), **SIZE).video.first == 7
    one = tmp_path / "walk_000000000008_keypoints.json"
    assert Keypoints(str(one), **SIZE).video.keypoints.shape == (1, 17, 3)
    (tmp_path / "._walk_000000000008_keypoints.json").write_bytes(b"\0\5\x16\7")  # by macOS
    assert Keypoints(str(tmp_path), **SIZE).video.first == 7
    saved(tmp_path / "run_000000000001_keypoints.json", {"people": []})
    with pytest.raises(BenchError, match=r"frames of 2 videos are in it .*'run_N', 'walk_N'"):
        Keypoints(str(tmp_path), **SIZE)


def test_a_path_that_looks_like_options(tmp_path):
    path = saved(tmp_path / "walk,size=9x9,fps=2.json", body().tolist())
    data = open_data(f"keypoints:{path},size=1000x1000,fps=50")
    assert data.card["size"] == "1000x1000" and data.card["rate"] == "50 Hz"


def test_paths_that_lead_nowhere(tmp_path, monkeypatch):
    (tmp_path / "loop.json").symlink_to("loop.json")
    with pytest.raises(BenchError, match="symbolic links"):
        Keypoints(str(tmp_path / "loop.json"), **SIZE)
    with pytest.raises(BenchError, match="no name of a file"):
        Keypoints("nul\0.json", **SIZE)

    def denied(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.listdir", denied)
    with pytest.raises(BenchError, match="Permission denied"):
        Keypoints(str(tmp_path), **SIZE)
    path = saved(tmp_path / "walk.json", body().tolist())
    monkeypatch.setattr(type(path), "open", denied)
    with pytest.raises(BenchError, match="Permission denied"):
        Keypoints(str(path), **SIZE)


def test_mediapipe_arrays_are_shares_of_both_sides(tmp_path):
    points = body(4, count=33)[..., :2]
    landmarks = np.concatenate([points / [1000, 500], np.ones((4, 33, 2))], axis=-1)
    places = [tmp_path / name for name in ("a.npy", "b.npz", "c.json")]
    np.save(places[0], landmarks)
    arrays(places[1], landmarks=landmarks)
    saved(places[2], landmarks.tolist())
    for place in places:
        data = Keypoints(str(place), "1000x500", 50.0)
        assert np.allclose(data.video.keypoints[:, 13, :2], points[:, 15], atol=1e-3)
        assert data.card["layout"] == "MediaPipe"
    np.save(places[0], np.concatenate([points, np.ones((4, 33, 2))], axis=-1))
    with pytest.raises(BenchError, match="0 to 1 of width and height; these go from"):
        Keypoints(str(places[0]), "1000x500", 50.0)


def test_several_videos_of_videopose3d(tmp_path):
    def custom(**videos):
        held = {name: {"custom": [one[..., :2]]} for name, one in videos.items()}
        meta = {"layout_name": "coco", "video_metadata": {"b": {"w": 1000, "h": 900}}}
        return arrays(tmp_path / "set.npz", positions_2d=held, metadata=meta)

    path = str(custom(a=body(3), b=body(5)))
    assert Keypoints(path, fps=50.0, video="b").video.keypoints.shape == (5, 17, 3)
    for video in ("", "c"):
        with pytest.raises(BenchError, match=r"a, b; name one: ,video=NAME|there are a, b: ,video"):
            Keypoints(path, fps=50.0, video=video)


@pytest.mark.parametrize("name", ["aic", "crowdpose"])
def test_orders_without_a_face(tmp_path, name):
    points = body(count=14)
    path = str(arrays(tmp_path / "crown.npz", keypoints=points))
    with pytest.raises(
        BenchError, match=r"14 points may be in two orders.*,order=aic or ,order=cr"
    ):
        Keypoints(path, **SIZE)
    with pytest.raises(BenchError, match=r"no nose, leye.*choose ,joints=midpoint"):
        Keypoints(path, order=name, **SIZE)
    video = Keypoints(path, order=name, joints="midpoint", **SIZE).video
    crown, neck = points[..., 12, :2], points[..., 13, :2]
    assert np.allclose(video.keypoints[:, 9, :2], (3 * neck + crown) / 4, atol=1e-3)
    assert np.allclose(video.keypoints[:, 10, :2], (5 * neck + 7 * crown) / 12, atol=1e-3)


@pytest.mark.parametrize("name", [*ORDERS])
def test_every_map_places_a_body_as_a_whole(name):
    for joints in ("midpoint", "demo"):
        if name in ("aic", "crowdpose") and joints == "demo":
            continue
        made = mapping(ORDERS[name], joints)
        assert np.allclose(made.x.sum(1), 1) and np.allclose(made.y.sum(1), 1)
        assert all(ORDERS[name].points[k] != "-" for k in np.flatnonzero(made.needed))


def test_orders_by_the_names_of_mmpose():
    parts = ["eye", "ear", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"]
    sides = [f"{side}_{part}" for part in parts for side in ("left", "right")]
    assert named(["nose", *sides]).name == "coco17"
    assert named(["nose", *sides, *"abcdef" * 19, "x", "y"]).name == "coco17", "133: whole body"
    toes = [f"{side}_{part}" for part in ("big_toe", "small_toe", "heel") for side in "lr"]
    assert named(["nose", *sides, "head", "neck", "hip", *toes]).name == "halpe26"
    with pytest.raises(BenchError, match="are in no order that is known: COCO, Halpe-26"):
        named([*sides, "nose"])
