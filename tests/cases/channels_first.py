"""Maps with channels before rows and columns.

No map has as many columns as filters: Keras 3 (up to 3.15 at least) then adds a bias along the columns.
"""

from __future__ import annotations

from typing import Any

from .build import BOTH, KERAS3, Case, chain, layer

Shape = tuple[int, ...]


def _first(class_name: str, shape: Shape, *args: Any, keras: tuple[str, ...] = BOTH, **kwargs: Any) -> Case:
    name = f"channels-first-{class_name}" + "".join(f"-{value}" for value in kwargs.values())
    return chain(name, shape, layer(class_name, *args, data_format="channels_first", **kwargs), keras=keras)


CHANNELS_FIRST = (
    _first("Conv1D", (5, 20), 8, 3),
    _first("Conv2D", (3, 9, 11), 8, 3, strides=2, activation="relu"),
    _first("Conv2D", (3, 9, 11), 8, 3, activation="softmax"),
    _first("Conv3D", (3, 5, 6, 7), 8, 3, padding="same"),
    _first("DepthwiseConv1D", (5, 20), 3, padding="same"),
    _first("DepthwiseConv2D", (5, 9, 8), 3, depth_multiplier=2),
    _first("SeparableConv1D", (5, 20), 8, 3),
    _first("SeparableConv2D", (5, 9, 7), 8, 3, padding="same"),
    _first("Conv1DTranspose", (5, 9), 8, 3, strides=2),
    _first("Conv2DTranspose", (5, 4, 6), 8, 3, strides=2, padding="same"),
    *(
        _first(f"{kind}{n}D", (5, 6, 7, 8)[: n + 1], *size)
        for n in (1, 2, 3)
        for kind, *size in (("MaxPooling", 2), ("AveragePooling", 2), ("GlobalMaxPooling",), ("GlobalAveragePooling",))
    ),
    _first("GlobalAveragePooling2D", (5, 6, 7), keepdims=True),
    _first("ZeroPadding1D", (5, 6), (1, 2), keras=(KERAS3,)),
    _first("ZeroPadding2D", (5, 6, 7), ((1, 2), (0, 3))),
    _first("ZeroPadding3D", (5, 6, 7, 4), ((1, 2), (0, 3), (2, 0))),
    _first("Cropping2D", (5, 6, 7), ((1, 2), (0, 3))),
    _first("Cropping3D", (5, 6, 7, 4), ((1, 2), (0, 3), (2, 0))),
    _first("UpSampling2D", (5, 6, 7), (2, 3)),
    _first("UpSampling2D", (5, 6, 7), (2, 3), interpolation="bilinear"),
    _first("UpSampling3D", (5, 6, 3, 4), (2, 3, 1)),
    _first("Resizing", (5, 6, 7), 9, 4, keras=(KERAS3,)),
    _first("CenterCrop", (5, 6, 7), 3, 4, keras=(KERAS3,)),
    _first("Flatten", (5, 6, 7)),
)
