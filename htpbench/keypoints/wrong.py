"""Files that are no keypoints: what each is taken for, and where it belongs."""

from __future__ import annotations

import re
from typing import Any

from htpbench.errors import BenchError
from htpbench.motion.members import Members

DETECTORS = "MMPose, AlphaPose, OpenPose, rtmlib, MediaPipe or Detectron"
RUN = f"run a detector on it first ({DETECTORS}), and give the file that it writes"
VIDEO = (
    f"a video; {RUN}",
    ("mp4", "m4v", "mov", "avi", "mkv", "webm", "wmv", "flv", "mpg", "mpeg", "mts", "gif"),
)
PICTURE = (f"a picture; {RUN}", ("jpg", "jpeg", "png", "bmp", "tif", "tiff", "webp"))
WEIGHTS = (
    "a checkpoint of a network; give it as --weights (`htpbench weights convert` brings official "
    "ones in), and keypoints here",
    ("pth", "pt", "ckpt", "bin", "tar", "safetensors", "onnx"),
)
PICKLE = (
    "a pickle: MotionBERT's data set or a slice of it, or MMPose's own results; none is the "
    f"keypoints of a video: give the JSON or npz that a detector writes ({DETECTORS})",
    ("pkl", "pickle"),
)
CAPTURED = (
    "a file of a motion capture data set (Human3.6M, MPI-INF-3DHP); expected the keypoints of one "
    "video",
    ("cdf", "mat", "h5", "hdf5", "c3d"),
)
TREE = ("BVH: motion in the world, without a video; use --data bvh:FILE", ("bvh",))
POSES = ("lifted poses; look at the .npz or .json of them with `htpbench view`", ("trc",))
ENDINGS = {
    ending: said
    for said, endings in (VIDEO, PICTURE, WEIGHTS, PICKLE, CAPTURED, TREE, POSES)
    for ending in endings
}
BEGINNINGS = (
    (rb"....ftyp|RIFF....AVI|\x1aE\xdf\xa3|\x00\x00\x01\xba|GIF8", VIDEO),
    (rb"\x89PNG|\xff\xd8\xff|BM....\0\0\0\0|RIFF....WEBP", PICTURE),
    (rb"\x80\x02\x8a\nl\xfc\x9cF\xf9", WEIGHTS),
    (rb"\x80[\x02-\x05]", PICKLE),
    (rb"\x89HDF|MATLAB|\xcd\xf3\x00\x01", CAPTURED),
    (rb"\s*HIERARCHY\b", TREE),
    (rb"# htpbench poses|PathFileType", POSES),
)
HUMAN_POSES = (
    "3D poses of Human3.6M or HumanEva in VideoPose3D's layout: a data set, no user's video; its "
    "folder is --data h36m:FOLDER"
)


def of_file(ending: str, start: bytes) -> str | None:
    """What a file is taken for by its beginning, or by its ending; None: it may be right."""
    for pattern, (said, _) in BEGINNINGS:
        if re.match(pattern, start, re.S):
            return said
    if start[:2] == b"PK" or start[:6] == b"\x93NUMPY":
        return None
    return ENDINGS.get(ending.lstrip(".").lower())


def of_members(members: Members) -> str | None:
    """What an archive is taken for by the names in it; None: it may be right."""
    names = set(members.names)
    if any(name.endswith("data.pkl") for name in names):
        return WEIGHTS[0]
    if {"positions", "clip_start"} <= names:
        return "motion in the world (docs/data.md); use --data FILE"
    if {"poses", "conditions"} <= names:
        return POSES[0]
    if "positions_3d" in names:
        return HUMAN_POSES
    if names & {"betas", "trans", "mocap_framerate"}:
        return "SMPL's parameters (AMASS): 3D motion; expected the keypoints of one video"
    if names == {"data"} and of_3dhp(members.value("data")):
        return "MPI-INF-3DHP in P-STMO's layout: a data set; expected the keypoints of one video"
    return None


def of_3dhp(data: Any) -> bool:
    """Whether a member is MPI-INF-3DHP's: sequences called TS1, or S1 Seq1."""
    return isinstance(data, dict) and any(re.fullmatch(r"TS\d|S\d Seq\d", str(k)) for k in data)


def of_json(data: Any) -> BenchError:
    """What is said of JSON of no layout that is known."""
    if isinstance(data, dict) and {"images", "annotations"} <= data.keys():
        said = (
            "the annotations of a COCO data set; give a detector's results, and this file behind "
            "them: RESULTS.json,images=THIS.json"
        )
    elif isinstance(data, dict) and data.get("format") == "htpbench poses":
        said = POSES[0]
    elif data in ({}, []):
        said = "JSON without anybody: the detector saw nobody, or was stopped; run it again"
    else:
        keys = top(data)
        said = f"JSON of no layout that is known: {keys}; give what {DETECTORS} writes"
    return BenchError(f"{said}; docs/keypoints.md shows each layout")


def top(data: Any) -> str:
    """What stands on top in JSON, in few words."""
    if isinstance(data, dict):
        return f"an object of {', '.join(map(repr, list(data)[:8]))[:200]}"
    if isinstance(data, list):
        return f"a list of {len(data)}, of which the first is {top(data[0]) if data else 'nothing'}"
    return f"{data!r:.40}"
