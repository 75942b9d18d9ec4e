"""How TensorFlow makes maps of another size: for each cell of the output, which cells of the input, how much of each.

The formulas are those of tf.image.resize. Places are computed in float32, as TensorFlow does, since a place that is
rounded otherwise may lie nearer to another cell; weights in float64.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.base import Shape, show

Taps: TypeAlias = "tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]"
"""Cells and their weights, each (output cells, taps)."""

LONGEST = 2**16
"""No side of a map that is interpolated may be longer."""

_TABLE = 1024
"""Places between two cells at which TensorFlow knows the weights of its bicubic interpolation."""


def _places(length: int, size: int) -> npt.NDArray[np.float32]:
    """Where the middles of `size` cells lie among `length` cells, the middle of the first cell being at 0.5."""
    middles = np.arange(size, dtype=np.float32) + np.float32(0.5)
    return np.asarray(middles * (np.float32(length) / np.float32(size)), np.float32)


def _nearest(length: int, size: int) -> Taps:
    cells = np.minimum(np.floor(_places(length, size)).astype(np.int64), length - 1)
    return cells[:, None], np.ones((size, 1))


def _bilinear(length: int, size: int) -> Taps:
    places = _places(length, size) - np.float32(0.5)
    below = np.floor(places)
    share = (places - below).astype(np.float64)
    cells = np.stack([np.maximum(below, 0), np.minimum(np.ceil(places), length - 1)], axis=1)
    return cells.astype(np.int64), np.stack([1 - share, share], axis=1)


def _bicubic(length: int, size: int) -> Taps:
    """Keys's kernel with a = -0.5; cells outside the input have no weight, and the others' sum is made 1 again."""
    places = _places(length, size) - np.float32(0.5)
    below = np.floor(places)
    share = np.rint((places - below) * np.float32(_TABLE)).astype(np.float64) / _TABLE
    cells = below.astype(np.int64)[:, None] + np.arange(-1, 3)
    weights = _keys(np.stack([1 + share, share, 1 - share, 2 - share], axis=1))
    return _inside(cells, weights, length)


def _area(length: int, size: int) -> Taps:
    """The mean over the input that a cell of the output covers."""
    scale = np.float32(length) / np.float32(size)
    starts, ends = (np.arange(size, dtype=np.float32) * scale, np.arange(1, size + 1, dtype=np.float32) * scale)
    first, last = np.floor(starts).astype(np.int64), np.ceil(ends).astype(np.int64)
    cells = first[:, None] + np.arange(int(np.max(last - first)))
    covered = np.minimum(cells + 1, ends[:, None]) - np.maximum(cells, starts[:, None])
    return np.minimum(cells, length - 1), np.maximum(covered, 0).astype(np.float64) / float(scale)


def _keys(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    far = ((-0.5 * x + 2.5) * x - 4) * x + 2
    return np.where(x >= 2, 0, np.where(x >= 1, far, ((1.5 * x - 2.5) * x) * x + 1))


def _mitchell(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    far = (((-7 / 18) * x + 2) * x - 10 / 3) * x + 16 / 9
    return np.where(x >= 2, 0, np.where(x >= 1, far, (((7 / 6) * x - 2) * x) * x + 8 / 9))


def _lanczos(radius: float) -> Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]:
    def kernel(x: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(x > radius, 0, np.sinc(x) * np.sinc(x / radius))

    return kernel


_KERNELS: dict[str, tuple[float, Callable[[npt.NDArray[np.float64]], npt.NDArray[np.float64]]]] = {
    "bilinear": (1.0, lambda x: np.maximum(1 - x, 0)),
    "bicubic": (2.0, _keys),
    "lanczos3": (3.0, _lanczos(3.0)),
    "lanczos5": (5.0, _lanczos(5.0)),
    "gaussian": (1.5, lambda x: np.where(x >= 1.5, 0, np.exp(-2 * x * x))),
    "mitchellcubic": (2.0, _mitchell),
}
"""Kernels by name: how far they reach, and their value at a distance; the first two with antialias alone."""


def _sampled(name: str, length: int, size: int, antialias: bool) -> Taps:
    """A kernel around each place; with antialias one as wide as the output's cells are."""
    radius, kernel = _KERNELS[name]
    step = np.float32(1) / (np.float32(size) / np.float32(length))
    width = max(float(step), 1.0) if antialias else 1.0
    places = ((np.arange(size, dtype=np.float32) + np.float32(0.5)) * step).astype(np.float64)
    first = np.ceil(places - radius * width - 0.5).astype(np.int64)
    cells = first[:, None] + np.arange(2 * math.ceil(radius * width) + 1)
    weights = kernel(np.abs(cells + 0.5 - places[:, None]) / width)
    weights[cells > np.floor(places + radius * width - 0.5)[:, None]] = 0
    return _inside(cells, weights, length)


def _inside(cells: npt.NDArray[np.int64], weights: npt.NDArray[np.float64], length: int) -> Taps:
    """Taps without weight for cells outside the input, the sum of each cell's weights being 1."""
    weights = np.where((cells >= 0) & (cells < length), weights, 0)
    return np.clip(cells, 0, length - 1), weights / weights.sum(axis=1, keepdims=True)


_PLAIN: dict[str, Callable[[int, int], Taps]] = {
    "nearest": _nearest,
    "bilinear": _bilinear,
    "bicubic": _bicubic,
    "area": _area,
}

INTERPOLATIONS = ("nearest", "bilinear", "bicubic", "area", "lanczos3", "lanczos5", "gaussian", "mitchellcubic")
"""Keras's names."""


def checked(shape: Shape) -> Shape:
    """`shape`, unless a side of it is longer than a table of cells and weights should be: then UnsupportedError."""
    if any(n is not None and n > LONGEST for n in shape):
        raise UnsupportedError(f"its map of {show(shape)} is longer than the {LONGEST} cells fastact interpolates")
    return shape


def resample(axis: int, length: int, size: int, interpolation: str, antialias: bool = False) -> ops.Resample:
    """The operation that makes `length` cells along an axis into `size` cells."""
    if interpolation in _KERNELS and (antialias or interpolation not in _PLAIN):
        cells, weights = _sampled(interpolation, length, size, antialias)
    else:
        cells, weights = _PLAIN[interpolation](length, size)
    return ops.Resample(axis, length, cells, np.ascontiguousarray(weights, np.float32))
