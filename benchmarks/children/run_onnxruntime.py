"""ONNX Runtime: reads a model converted beforehand."""

import sys

import numpy as np
import onnxruntime
from PIL import Image

path, picture, out, rows, columns = sys.argv[1:]
session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
frame = np.asarray(Image.open(picture), np.float32).reshape(int(rows), int(columns), -1) / np.float32(255)
names = [o.name for o in session.get_outputs()]
maps = session.run(names, {session.get_inputs()[0].name: np.ascontiguousarray(frame.transpose(2, 0, 1)[None])})
np.savez(out, **{n: np.ascontiguousarray(m[0].transpose(1, 2, 0)) for n, m in zip(names, maps, strict=True)})
