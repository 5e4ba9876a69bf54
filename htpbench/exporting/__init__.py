"""Networks as files that run without this project: ONNX and torch's exported programs."""
