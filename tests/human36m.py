"""Small folders of Human3.6M in both layouts, of somebody who stands and sways."""

from __future__ import annotations

import json
import tracemalloc
from copy import deepcopy
from functools import cache
from itertools import count

import numpy as np
import pytest
from paths import SHARED

from htpbench.datasets import open_data
from htpbench.datasets.human36m import facts
from htpbench.errors import BenchError

FORMATS = SHARED / "formats"
VIDEOPOSE, RAW = FORMATS / "videopose3d", FORMATS / "raw_h36m"

SYMMETRY = [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]
METADATA = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": SYMMETRY}
CLIPS = {
    "S1": ["Walking 1", "Sitting"],
    "S9": ["Greeting", "Walking"],
    "S11": ["Directions", "Walking 2"],
}


def world():
    """Subject -> key -> (N, 32, 3) float32, m: joints that are dropped are far away."""
    return deepcopy(drawn()[0])


def seen():
    """Subject -> key -> four (N, 17, 2) float32, px: the exact projection of the world."""
    return deepcopy(drawn()[1])


# mm: x to the left of somebody who looks along -y, z up
STANDING = [
    *[(0, 0, 900), (-130, 0, 900), (-140, -20, 480), (-140, 30, 60)],
    *[(130, 0, 900), (140, -20, 480), (140, 30, 60), (0, 0, 1140), (0, 10, 1390)],
    *[(0, -60, 1480), (0, -20, 1580), (150, 0, 1370), (200, 0, 1090), (210, -90, 850)],
    *[(-150, 0, 1370), (-200, 0, 1090), (-210, -90, 850)],
]


def swaying(number, frames):
    """(frames, 17, 3) mm: another place and direction for each number."""
    angle = number + 0.02 * np.arange(frames)  # (N,)
    c, s, zero, one = np.cos(angle), np.sin(angle), 0 * angle, 1 + 0 * angle
    turn = np.array([[c, s, zero], [-s, c, zero], [zero, zero, one]]).transpose(2, 0, 1)
    return np.array(STANDING, float) @ turn + [100 * number, -80 * number, 0]


@cache
def drawn(frames=12):
    """Both."""
    numbers = count()
    found = {}
    for subject, keys in CLIPS.items():
        for key in keys:
            wide = np.full((frames, 32, 3), 77, np.float32)
            wide[:, facts.KEPT] = swaying(next(numbers), frames) / 1000
            found.setdefault(subject, {})[key] = wide
    exact = {
        subject: {
            key: [
                lens.project(lens.view(facts.seventeen(wide) * 1000.0)).astype(np.float32)
                for lens in facts.cameras()[subject]
            ]
            for key, wide in held.items()
        }
        for subject, held in found.items()
    }
    return found, exact


def written(folder, positions=None, points=None, metadata=METADATA, source="gt"):
    """A folder with both files; positions and points are what their members hold."""
    positions = world() if positions is None else positions
    points = seen() if points is None else points
    folder.mkdir(exist_ok=True)
    np.savez(folder / "data_3d_h36m.npz", positions_3d=positions)
    file = folder / f"data_2d_h36m_{source}.npz"
    np.savez(file, positions_2d=points, metadata=metadata)
    return folder


def metadata_xml(cameras):
    """The text of a metadata.xml that says these cameras."""
    from scipy.spatial.transform import Rotation

    numbers = np.zeros(300)
    for subject, lenses in cameras.items():
        for number, lens in enumerate(lenses):
            at = 6 * (11 * number + int(subject[1:]) - 1)
            numbers[at : at + 3] = Rotation.from_matrix(lens.rotation.T).as_euler("XYZ")
            numbers[at + 3 : at + 6] = lens.translation_mm
            told = [*lens.focal, *lens.center, *lens.radial, *lens.tangential]
            numbers[264 + 9 * number : 273 + 9 * number] = told
    words = " ".join(repr(float(number)) for number in numbers)
    return f'<?xml version="1.0"?>\n<metadata>\n<w0>[{words}]</w0>\n</metadata>\n'


def cdf(path, poses, compressed=0, **spec):
    """A file of D3_Positions: poses (1, N, 96)."""
    from cdflib.cdfwrite import CDF

    path.parent.mkdir(parents=True, exist_ok=True)
    writer = CDF(str(path), cdf_spec={"Compressed": compressed}, delete=True)
    told = {
        "Variable": "Pose",
        "Data_Type": 44,
        "Num_Elements": 1,
        "Rec_Vary": True,
        "Dim_Sizes": list(poses.shape[1:]),
        "Dim_Vary": [True] * (poses.ndim - 1),
    }
    writer.write_var(told | spec, var_data=poses)
    writer.close()
    return path


def handed_out(folder, positions=None):
    for subject, clips in (world() if positions is None else positions).items():
        for key, wide in clips.items():
            path = folder / subject / "MyPoseFeatures" / "D3_Positions" / f"{key}.cdf"
            cdf(path, (wide * 1000).reshape(1, len(wide), 96))
    return folder


def opened(folder, scheme="h36m", **options):
    return open_data(",".join([f"{scheme}:{folder}", *(f"{k}={v}" for k, v in options.items())]))


def refused(folder, scheme="h36m", **options):
    """What is said of a folder that cannot be opened, or not be viewed."""
    with pytest.raises(BenchError) as caught:
        data = opened(folder, scheme, **options)
        for split in data.splits:
            data.views(split)
    return str(caught.value)


def expected():
    return json.loads((FORMATS / "expected.json").read_text())


def shots(data, source=None):
    """(subject, key, camera) -> shot."""
    found = {}
    for split in data.splits:
        for shot in data.shots(split, source):
            number = facts.LENSES.index(shot.lens)
            found[shot.take.subject, shot.take.trial, number] = shot
    return found


def compare(data, cases, source, screen="screen_gt", only=()):
    held = {split: data.views(split, source, "all") for split in data.splits}
    compared = 0
    for case in cases:
        name = f"{case['subject']}/{case['action']}"
        if only and name not in only:
            continue
        views = held[facts.SPLIT_OF[case["subject"]]]
        take = [one.name for one in views.clips].index(name)
        view = np.flatnonzero(views.clip == take)[case["camera"]]
        row = views.start[view] + case["frame"]
        assert np.abs(views.root[row] - case["root"]).max() < 0.01
        assert np.abs(views.poses3d[row] - case["relative"]).max() < 0.01
        assert np.abs(views.poses2d[row, :, :2] - case[screen]).max() < 1e-6
        assert (views.poses2d[row, :, 2] == 1).all()
        lens = views.lens(view)
        px = lens.project(views.poses3d[row].astype(float) + views.root[row])
        width, height = lens.size
        want = (np.array(case["screen_gt"]) + np.array([1, height / width])) * width / 2
        assert np.abs(px - want).max() < 0.002  # roots are float32 in views
        compared += 1
    return compared


def survived(folder, scheme="h36m"):
    """Whether a folder is read, or refused by a BenchError; nothing else may happen."""
    tracemalloc.start()
    try:
        data = opened(folder, scheme)
        for split in data.splits:
            views = data.views(split)
            assert np.isfinite(views.poses2d).all() and np.isfinite(views.poses3d).all()
    except BenchError as fault:
        assert 20 < len(str(fault)) < 1000
        return False
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 100e6
    return True


def tree(change, points):
    return {
        subject: {key: [change(one) for one in cameras] for key, cameras in clips.items()}
        for subject, clips in points.items()
    }
