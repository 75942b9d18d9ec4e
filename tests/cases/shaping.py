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
    chain("pad1d", (5, 3), layer("ZeroPadding1D", 2)),
    chain("pad1d-sides", (5, 3), layer("ZeroPadding1D", (0, 3))),
    chain("pad3d", (3, 4, 5, 2), layer("ZeroPadding3D", 1)),
    chain("pad3d-each", (3, 4, 5, 2), layer("ZeroPadding3D", (1, 0, 2))),
    chain("pad3d-sides", (3, 4, 5, 2), layer("ZeroPadding3D", ((1, 0), (0, 2), (3, 1)))),
    chain("crop1d", (9, 3), layer("Cropping1D", 2)),
    chain("crop1d-sides", (9, 3), layer("Cropping1D", (3, 0))),
    chain("crop3d", (5, 6, 7, 2), layer("Cropping3D", 2)),
    chain("crop3d-sides", (5, 6, 7, 2), layer("Cropping3D", ((1, 0), (0, 2), (3, 1)))),
    chain("permute", (4, 6, 5), layer("Permute", (3, 1, 2)), layer("Permute", (2, 1, 3))),
    chain("permute-to-the-back", (3, 24, 31), layer("Permute", (2, 3, 1)), layer("Conv2D", 4, 3)),
    chain("permute-turned", (24, 31), layer("Permute", (2, 1))),
    chain("permute-same", (24, 31), layer("Permute", (1, 2))),
    chain("permute-five", (2, 3, 4, 5, 3), layer("Permute", (5, 1, 4, 2, 3))),
    chain("permute-six", (2, 3, 2, 4, 3, 2), layer("Permute", (6, 3, 5, 1, 4, 2))),
    chain("repeat-vector", (7,), layer("RepeatVector", 5)),
)
