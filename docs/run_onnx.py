"""Poses of a clip by an exported file: python run_onnx.py lifter.onnx clip.npy poses.npy.

clip.npy: (F, 17, 2) joints in the file's own units, (F, 17, 3) for a network that takes confidence
as well; for networks of Human3.6M's joints that take a clip alone. Needs numpy and onnxruntime.
"""

import json
import sys

import numpy as np
import onnxruntime

network, clip, out = sys.argv[1:]
session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
told = session.get_modelmeta().custom_metadata_map
print(told["combination"], "takes", told["frames"], "frames:", told["poses2d"])
poses2d = np.load(clip).astype(np.float32)[None]
poses3d, frames, *kept = session.run(None, {"poses2d": poses2d})
print("kept of each pruning:", [len(one[0]) for one in kept])
hip = json.loads(told["joints"]).index("Hip")
np.save(out, poses3d[0] - poses3d[0][:, hip : hip + 1])
