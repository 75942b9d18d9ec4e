"""See what a convolutional network sees.

    import fastact

    model = fastact.load("pilot.h5")                # inputs, layers, outputs, shapes, costs; nothing computed
    extract = fastact.Extractor(model)              # every convolution
    maps = extract(frame)                           # uint8 (H, W, 3)
    maps["conv2d_1"]                                # float32 (58, 78, 24)

Keras models are read from their files; neither Keras nor TensorFlow is needed. Errors are listed in
:mod:`fastact.errors`.
"""

from fastact.errors import FastactError
from fastact.extractor import Extractor
from fastact.graph import Model, load
from fastact.maps import FeatureMaps

__all__ = ["Extractor", "FastactError", "FeatureMaps", "Model", "__version__", "load"]

__version__ = "0.1.0"
