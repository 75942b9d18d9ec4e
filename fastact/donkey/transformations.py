"""donkeycar's TRANSFORMATIONS: what a car does to a camera's picture before its pilot sees it.

| name | settings | what it does |
| --- | --- | --- |
| CROP | ROI_CROP_LEFT, _TOP, _RIGHT, _BOTTOM | blackens a border |
| TRAPEZE | ROI_TRAPEZE_UL, _UR, _LL, _LR, _MIN_Y, _MAX_Y | blackens all but a trapeze; x and y from the left and top |
| TRAPEZE_EDGE | the same | the same, x of right corners and the lower y from the right and bottom |
| RESIZE | RESIZE_WIDTH, RESIZE_HEIGHT | stretches to a size |

donkeycar draws masks and resizes with OpenCV; masks here are the same to the pixel, since they follow its rules for
lines and polygons, and resized pictures are within a level of 255.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from fastact.errors import InputError, UnsupportedError

Pixels = npt.NDArray[np.uint8]
Mask = npt.NDArray[np.bool_]
Point = tuple[int, int]
Step = Callable[[Pixels], Pixels]

LISTS = ("TRANSFORMATIONS", "POST_TRANSFORMATIONS")
_LARGEST = 32767
_ONE = 1 << 16
_ONE_WEIGHT = 1 << 11
_TRAPEZE = ("UL", "UR", "LL", "LR", "MIN_Y", "MAX_Y")


class Transformations:
    """The transformations that a configuration names, in its order; called with a picture, uint8 (H, W, 3 or 1).

    Args:
        values: the configuration's names and values, such as `read_config` gives.

    Attributes:
        names: of the transformations; without any, pictures are given back as they are.

    Raises:
        UnsupportedError: a transformation that fastact does not know.
        InputError: a setting is missing or is no whole number.
    """

    def __init__(self, values: Mapping[str, object]) -> None:
        names: list[str] = []
        for key in LISTS:
            listed = values.get(key) or ()
            if not isinstance(listed, list | tuple) or not all(isinstance(name, str) for name in listed):
                raise InputError(f"{key} in the car's configuration is no list of names")
            names += listed
        self.names = tuple(names)
        self._steps = [_step(name, values) for name in self.names]

    def __call__(self, picture: Pixels) -> Pixels:
        """The picture as the pilot gets it."""
        for step in self._steps:
            picture = step(picture)
        return picture


def _step(name: str, values: Mapping[str, object]) -> Step:
    """The function that a name stands for."""
    if name == "CROP":
        left, top, right, bottom = (_whole(values, f"ROI_CROP_{s}", 0) for s in ("LEFT", "TOP", "RIGHT", "BOTTOM"))
        return _Masked(lambda height, width: _rectangle(left, top, width - right, height - bottom))
    if name in ("TRAPEZE", "TRAPEZE_EDGE"):
        ul, ur, ll, lr, top, bottom = (_whole(values, f"ROI_TRAPEZE_{suffix}") for suffix in _TRAPEZE)
        if name == "TRAPEZE":
            return _Masked(lambda height, width: [(ul, top), (ur, top), (lr, bottom), (ll, bottom)])
        return _Masked(
            lambda height, width: [(ul, top), (width - ur, top), (width - lr, height - bottom), (ll, height - bottom)]
        )
    if name == "RESIZE":
        width, height = (_whole(values, f"RESIZE_{side}") for side in ("WIDTH", "HEIGHT"))
        if min(width, height) < 1:
            raise InputError(f"RESIZE_WIDTH x RESIZE_HEIGHT is {width}x{height}, which is no picture's size")
        return partial(resized, width=width, height=height)
    raise UnsupportedError(
        f"fastact does not know the transformation {name!r}: it knows CROP, TRAPEZE, TRAPEZE_EDGE and RESIZE; in a "
        "car, give the part cam/image_array_trans, which donkeycar has transformed, and set FASTACT_TRANSFORM = False"
    )


def _whole(values: Mapping[str, object], name: str, default: int | None = None) -> int:
    """A setting in pixels; a fraction is cut off, as donkeycar's arrays do."""
    value = values.get(name)
    if value is None and default is not None:
        return default
    if not isinstance(value, int | float) or not abs(value) <= _LARGEST:
        raise InputError(f"{name} in the car's configuration is {value!r}, and has to be a number of pixels")
    return int(value)


class _Masked:
    """Blackens what lies outside a polygon whose corners follow from a picture's size."""

    def __init__(self, corners: Callable[[int, int], Sequence[Point]]) -> None:
        self._corners = corners
        self._mask: Mask = np.empty((0, 0), bool)

    def __call__(self, picture: Pixels) -> Pixels:
        height, width = picture.shape[:2]
        if self._mask.shape != (height, width):
            self._mask = polygon(height, width, self._corners(height, width))
        mask = self._mask if picture.ndim == 2 else self._mask[..., np.newaxis]
        masked: Pixels = np.multiply(picture, mask)
        return masked


def _rectangle(left: int, top: int, right: int, bottom: int) -> list[Point]:
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def polygon(height: int, width: int, corners: Sequence[Point]) -> Mask:
    """Which pixels of a picture belong to a convex polygon, its corners (x, y): bool (height, width).

    As OpenCV's fillConvexPoly has it: on every row but the last from one side to the other, places in 1/65536 of a
    pixel and rounded to the nearest; and all sides as lines one pixel thick.
    """
    mask = np.zeros((height, width), bool)
    for start, end in zip([corners[-1], *corners[:-1]], corners, strict=True):
        _draw_line(mask, start, end)
    first = min(range(len(corners)), key=lambda i: corners[i][1])
    there = [corners[(first + i) % len(corners)] for i in range(len(corners) + 1)]
    sides = [_side(there), _side(there[::-1])]
    top = corners[first][1]
    for row in range(max(0, top), min(height, top + min(map(len, sides)))):
        left, right = sorted(side[row - top] for side in sides)
        left, right = (left + _ONE // 2) >> 16, (right + _ONE // 2) >> 16
        mask[row, max(0, left) : max(0, right + 1)] = True
    return mask


def _side(corners: Sequence[Point]) -> list[int]:
    """Where one side of a polygon is on each row, from the topmost corner down, in 1/65536 of a pixel."""
    places: list[int] = []
    for (x, y), (end_x, end_y) in pairwise(corners):
        if end_y < y:
            break
        rows = end_y - y
        if rows:
            step = int(((end_x - x) * _ONE * 2 + rows) / (2 * rows))
            places += [x * _ONE + i * step for i in range(rows)]
    return places


def _draw_line(mask: Mask, start: Point, end: Point) -> None:
    """Bresenham's line between two points, cut off at the picture's borders first; of two pixels that are equally
    near, the one that the line comes from."""
    clipped = _clipped(mask.shape[1] - 1, mask.shape[0] - 1, start, end)
    if clipped is None:
        return
    (x, y), (end_x, end_y) = sorted(clipped, key=lambda point: point[0])
    across, down = end_x - x, abs(end_y - y)
    length, rise = max(across, down), min(across, down)
    along = np.arange(length + 1)
    aside = -((length - 2 * rise * along) // (2 * length)) if length else along
    right, below = (aside, along) if down > across else (along, aside)
    mask[y + np.where(end_y < y, -below, below), x + right] = True


def _clipped(right: int, bottom: int, start: Point, end: Point) -> tuple[Point, Point] | None:
    """The part of a line in a picture, ends in whole pixels; None where all of it is outside."""
    ends = [start, end]
    for axis, last in ((1, bottom), (0, right)):
        if max(ends[0][axis], ends[1][axis]) < 0 or min(ends[0][axis], ends[1][axis]) > last:
            return None
        for i in (0, 1):
            point, other = ends[i], ends[1 - i]
            border = 0 if point[axis] < 0 else last
            if 0 <= point[axis] <= last:
                continue
            moved = point[1 - axis] + int(
                (border - point[axis]) * (other[1 - axis] - point[1 - axis]) / (other[axis] - point[axis])
            )
            ends[i] = (moved, border) if axis == 1 else (border, moved)
    return ends[0], ends[1]


def resized(picture: Pixels, width: int, height: int) -> Pixels:
    """A picture stretched to a size between the four nearest pixels, without averaging where it shrinks, as OpenCV's
    resize does; the mean of 2 x 2 where it is halved."""
    rows, columns = picture.shape[:2]
    if (height, width) == (rows, columns):
        return picture
    if (2 * height, 2 * width) == (rows, columns):
        wide = picture.astype(np.uint16)
        total = wide[::2, ::2] + wide[::2, 1::2] + wide[1::2, ::2] + wide[1::2, 1::2]
        halved: Pixels = ((total + np.uint16(2)) // np.uint16(4)).astype(np.uint8)
        return halved
    wide = picture.astype(np.int32)
    left, right, near = _neighbours(columns, width)
    upper, lower, weight = _neighbours(rows, height)
    shape = (-1,) + (1,) * (picture.ndim - 2)
    near = near.reshape(shape)
    lines = wide[:, left] * (_ONE_WEIGHT - near) + wide[:, right] * near
    weight = weight.reshape(-1, 1, *shape[1:])
    mixed: npt.NDArray[Any] = lines[upper] * (_ONE_WEIGHT - weight) + lines[lower] * weight
    stretched: Pixels = ((mixed + (1 << 21)) >> 22).astype(np.uint8)
    return stretched


def _neighbours(before: int, after: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """For each of `after` pixels the two of `before` that it lies between, and the second's weight of 2048."""
    place = np.clip((np.arange(after) + 0.5) * before / after - 0.5, 0, before - 1)
    first = place.astype(np.int64)
    weight = np.rint((place - first) * _ONE_WEIGHT).astype(np.int64)
    return first, np.minimum(first + 1, before - 1), weight
