"""Small folders of Human3.6M in both layouts, of somebody who stands and sways."""

from __future__ import annotations

from copy import deepcopy
from functools import cache
from itertools import count

import numpy as np

from htpbench.motion import h36m

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
            wide[:, h36m.KEPT] = swaying(next(numbers), frames) / 1000
            found.setdefault(subject, {})[key] = wide
    exact = {
        subject: {
            key: [
                lens.project(lens.view(h36m.seventeen(wide) * 1000.0)).astype(np.float32)
                for lens in h36m.cameras()[subject]
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
