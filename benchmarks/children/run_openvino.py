"""OpenVINO: reads the ONNX model converted beforehand."""

import sys

import numpy as np
import openvino
from PIL import Image

path, picture, out, rows, columns = sys.argv[1:]
options = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": "f32"}
compiled = openvino.Core().compile_model(path, "CPU", options)
frame = np.asarray(Image.open(picture), np.float32).reshape(int(rows), int(columns), -1) / np.float32(255)
result = compiled([np.ascontiguousarray(frame.transpose(2, 0, 1)[None])])
maps = {o.get_any_name(): result[o][0] for o in compiled.outputs}
np.savez(out, **{n: np.ascontiguousarray(m.transpose(1, 2, 0)) for n, m in maps.items()})
