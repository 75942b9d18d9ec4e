"""Keras: reads the .h5, makes one model of all convolutions' outputs, and calls its `predict` once."""

import sys

import keras
import numpy as np
from PIL import Image

path, picture, out, rows, columns = sys.argv[1:]
loaded = keras.models.load_model(path, compile=False)
convs = [layer for layer in loaded.layers if isinstance(layer, keras.layers.Conv2D)]
frame = np.asarray(Image.open(picture), np.float32).reshape(1, int(rows), int(columns), -1) / np.float32(255)
x = given = keras.Input(frame.shape[1:])
outputs = [x := conv(x) for conv in convs]
maps = keras.Model(given, outputs).predict(frame, verbose=0)
np.savez(out, **{conv.name: m[0] for conv, m in zip(convs, maps, strict=True)})
