"""fastact: reads the .h5."""

import sys

import numpy as np
from PIL import Image

import fastact

path, picture, out, rows, columns = sys.argv[1:]
model = fastact.load(path).at_size((int(rows), int(columns)))
frame = np.asarray(Image.open(picture))
np.savez(out, **fastact.Extractor(model)(frame[..., None] if frame.ndim == 2 else frame))
