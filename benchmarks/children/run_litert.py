"""LiteRT: reads a model converted beforehand."""

import sys

import numpy as np
from ai_edge_litert.interpreter import Interpreter
from PIL import Image

path, picture, out, rows, columns = sys.argv[1:]
interpreter = Interpreter(path)
interpreter.allocate_tensors()
frame = np.asarray(Image.open(picture), np.float32).reshape(1, int(rows), int(columns), -1) / np.float32(255)
interpreter.set_tensor(interpreter.get_input_details()[0]["index"], frame)
interpreter.invoke()
outputs = {d["name"]: d["index"] for d in interpreter.get_output_details()}
np.savez(out, **{name: interpreter.get_tensor(index)[0] for name, index in outputs.items()})
