"""Small folders of Human3.6M in both layouts, made of what people of the test bench do."""

from __future__ import annotations

import numpy as np

from htpbench.datasets.synthetic import Synthetic
from htpbench.motion import h36m

SYMMETRY = [[4, 5, 6, 11, 12, 13], [1, 2, 3, 14, 15, 16]]
METADATA = {"layout_name": "h36m", "num_joints": 17, "keypoints_symmetry": SYMMETRY}
CLIPS = {
    "S1": ["Walking 1", "Sitting"],
    "S9": ["Greeting", "Walking"],
    "S11": ["Directions", "Walking 2"],
}


def world(frames=12):
    """Subject -> key -> (N, 32, 3) float32, m: joints that are dropped are far away."""
    clips = iter(Synthetic().clips)
    found = {}
    for subject, keys in CLIPS.items():
        for key in keys:
            wide = np.full((frames, 32, 3), 77, np.float32)
            wide[:, h36m.KEPT] = next(clips).positions[:frames] / 1000
            found.setdefault(subject, {})[key] = wide
    return found


def seen(positions):
    """Subject -> key -> four (N, 17, 2) float32, px: the exact projection."""
    return {
        subject: {
            key: [
                lens.project(lens.view(h36m.seventeen(wide) * 1000.0)).astype(np.float32)
                for lens in h36m.cameras()[subject]
            ]
            for key, wide in clips.items()
        }
        for subject, clips in positions.items()
    }


def written(folder, positions=None, points=None, metadata=METADATA, source="gt"):
    """A folder with both files; positions and points are what their members hold."""
    positions = world() if positions is None else positions
    points = seen(world()) if points is None else points
    folder.mkdir(exist_ok=True)
    np.savez_compressed(folder / "data_3d_h36m.npz", positions_3d=positions)
    file = folder / f"data_2d_h36m_{source}.npz"
    np.savez_compressed(file, positions_2d=points, metadata=metadata)
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
