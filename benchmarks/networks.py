"""Networks that are measured beside the sample pilot, written as Keras writes them.

Each function takes the namespace `keras`, Keras's own or a `Recorder`, and gives the model.
"""

from __future__ import annotations

from typing import Any

_SAME = "same"


def linear_pilot(k: Any) -> Any:
    """donkeycar's KerasLinear: five convolutions with dropout after each, two dense layers, two heads."""
    x = image = k.layers.Input((120, 160, 3), name="img_in")
    layers = ((24, 5, 2), (32, 5, 2), (64, 5, 2), (64, 3, 1), (64, 3, 1))
    for number, (filters, size, stride) in enumerate(layers, 1):
        x = k.layers.Conv2D(filters, size, strides=stride, activation="relu", name=f"conv2d_{number}")(x)
        x = k.layers.Dropout(0.2)(x)
    x = k.layers.Flatten(name="flattened")(x)
    for units in (100, 50):
        x = k.layers.Dropout(0.1)(k.layers.Dense(units, activation="relu")(x))
    return k.Model(image, [k.layers.Dense(1, name=f"n_outputs{i}")(x) for i in range(2)])


def mobilenet_v2(k: Any) -> Any:
    """MobileNetV2 of width 0.35 for 96x96, as keras.applications builds it (Sandler et al., 2018)."""
    image = k.layers.Input((96, 96, 3), name="image")
    x = _normalized(k, k.layers.Conv2D(16, 3, strides=2, padding=_SAME, use_bias=False)(image))
    channels = 16
    stages = ((1, 8, 1, 1), (6, 8, 2, 2), (6, 16, 3, 2), (6, 24, 4, 2), (6, 32, 3, 1), (6, 56, 3, 2), (6, 112, 1, 1))
    for expansion, filters, repeats, first_stride in stages:
        for number in range(repeats):
            x = _inverted_residual(k, x, channels, expansion, filters, 1 if number else first_stride)
            channels = filters
    x = _normalized(k, k.layers.Conv2D(1280, 1, use_bias=False)(x))
    return k.Model(image, k.layers.Dense(1000, activation="softmax")(k.layers.GlobalAveragePooling2D()(x)))


def _inverted_residual(k: Any, x: Any, channels: int, expansion: int, filters: int, stride: int) -> Any:
    y = x
    if expansion > 1:
        y = _normalized(k, k.layers.Conv2D(expansion * channels, 1, padding=_SAME, use_bias=False)(y))
    if stride == 2:  # every map on the way has an even size, for which Keras pads by one row and one column
        y = k.layers.ZeroPadding2D(((0, 1), (0, 1)))(y)
    y = k.layers.DepthwiseConv2D(3, strides=stride, padding="valid" if stride == 2 else _SAME, use_bias=False)(y)
    y = k.layers.Conv2D(filters, 1, padding=_SAME, use_bias=False)(_normalized(k, y))
    y = k.layers.BatchNormalization(epsilon=1e-3)(y)
    return k.layers.Add()([x, y]) if stride == 1 and channels == filters else y


def _normalized(k: Any, x: Any) -> Any:
    return k.layers.ReLU(6.0)(k.layers.BatchNormalization(epsilon=1e-3)(x))


def unet(k: Any) -> Any:
    """A small U-Net for 128x128: four levels of 16 to 128 filters (Ronneberger et al., 2015).

    The lowest level comes up through a transposed convolution, the others through UpSampling2D and a convolution:
    both ways are in use.
    """
    x = image = k.layers.Input((128, 128, 3), name="image")
    kept = []
    for filters in (16, 32, 64):
        x = _twice(k, x, filters)
        kept.append((filters, x))
        x = k.layers.MaxPooling2D(2)(x)
    x = _twice(k, x, 128)
    for filters, beside in reversed(kept):
        if filters == 64:
            x = k.layers.Conv2DTranspose(filters, 2, strides=2, padding=_SAME)(x)
        else:
            x = k.layers.Conv2D(filters, 2, padding=_SAME, activation="relu")(k.layers.UpSampling2D(2)(x))
        x = _twice(k, k.layers.Concatenate()([beside, x]), filters)
    return k.Model(image, k.layers.Conv2D(1, 1, activation="sigmoid")(x))


def _twice(k: Any, x: Any, filters: int) -> Any:
    for _ in range(2):
        x = k.layers.Conv2D(filters, 3, padding=_SAME, use_bias=False)(x)
        x = k.layers.ReLU()(k.layers.BatchNormalization()(x))
    return x
