"""Reshaping, padding, cropping."""

from __future__ import annotations

from .build import chain, layer

SHAPING = (
    chain("flatten", (3, 4, 5), layer("Flatten"), layer("Dense", 7)),
    chain("flatten-vector", (6,), layer("Flatten")),
    chain("reshape", (4, 6, 5), layer("Reshape", (8, 15))),
    chain("reshape-rest", (4, 6, 5), layer("Reshape", (2, -1, 3)), layer("Conv2D", 4, 2)),
    chain("reshape-flat", (4, 6, 5), layer("Reshape", (-1,)), layer("Dense", 3)),
    chain("pad-number", (4, 5, 3), layer("ZeroPadding2D", 2)),
    chain("pad-pair", (4, 5, 3), layer("ZeroPadding2D", (1, 3))),
    chain("pad-sides", (4, 5, 3), layer("ZeroPadding2D", ((1, 0), (2, 3))), layer("Conv2D", 6, 3)),
    chain("pad-nothing", (4, 5, 3), layer("ZeroPadding2D", 0)),
    chain("crop-number", (9, 8, 3), layer("Cropping2D", 2)),
    chain("crop-pair", (9, 8, 3), layer("Cropping2D", (1, 3))),
    chain("crop-sides", (9, 8, 3), layer("Cropping2D", ((3, 0), (1, 2))), layer("Conv2D", 6, 3)),
    chain("crop-nothing", (4, 5, 3), layer("Cropping2D", ((0, 0), (0, 0)))),
)
