"""Maps and pictures in another size."""

from __future__ import annotations

import numpy as np

from fastact.errors import UnsupportedError
from fastact.kernels import ops
from fastact.layers.base import Shape, Tape, Value, register
from fastact.layers.config import Config
from fastact.layers.interpolation import INTERPOLATIONS, checked, resample
from fastact.layers.spatial import SpatialLayer


def resized(tape: Tape, x: Value, size: tuple[int, ...], interpolation: str, antialias: bool = False) -> Value:
    """(H, W, C) as (*size, C): first along the rows, then along the columns, as TensorFlow does."""
    for axis in (1, 0):
        x = tape.emit(resample(axis, x.shape[axis], size[axis], interpolation, antialias), x)
    return x


def of_ratio(shape: ops.Shape, size: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns that have the ratio of `size`: as many rows for all columns, as many columns for all rows."""
    rows = int(np.float32(shape[1] * size[0]) / np.float32(size[1]))
    return rows, int(np.float32(shape[0] * size[1]) / np.float32(size[0]))


def cropped(tape: Tape, x: Value, rows: int, columns: int) -> Value:
    """The middle of (H, W, C); an odd row or column more goes at the end."""
    over = x.shape[0] - rows, x.shape[1] - columns
    sides = tuple((n // 2, n - n // 2) for n in over)
    return tape.emit(ops.Crop(sides), x) if any(over) else x


def cropped_to_ratio(tape: Tape, x: Value, size: tuple[int, int]) -> Value:
    """The largest middle part of (H, W, C) that has the ratio of `size`."""
    rows, columns = of_ratio(x.shape, size)
    return cropped(tape, x, max(1, min(rows, x.shape[0])), max(1, min(columns, x.shape[1])))


@register("UpSampling1D", "UpSampling2D", "UpSampling3D")
class UpSampling(SpatialLayer):
    """Each cell `size` times in a row along every axis; UpSampling2D interpolates, too."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.size = config.lengths("size", self.axes, 2)
        known = INTERPOLATIONS if self.axes == 2 else ("nearest",)
        self.interpolation = config.choice("interpolation", "nearest", known)

    def map_shape(self, shape: Shape) -> Shape:  # noqa: D102
        lengths = tuple(None if n is None else n * k for n, k in zip(shape, self.size, strict=False))
        return (*(lengths if self.interpolation == "nearest" else checked(lengths)), shape[-1])

    def lower_map(self, tape: Tape, x: Value) -> Value:  # noqa: D102
        if self.interpolation == "nearest":
            return tape.emit(ops.Repeat(self.size), x)
        size = tuple(n * k for n, k in zip(x.shape, self.size, strict=False))
        return resized(tape, x, size, self.interpolation)


class Sized(SpatialLayer):
    """A layer whose map has `height` rows and `width` columns."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.size = config.integer("height"), config.integer("width")

    def map_shape(self, shape: Shape) -> Shape:  # noqa: D102
        return (*checked(self.size), shape[-1])


@register("Resizing")
class Resizing(Sized):
    """Its input in `height` rows and `width` columns, by any of Keras's interpolations."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        self.interpolation = config.choice("interpolation", "bilinear", INTERPOLATIONS)
        self.antialias = config.flag("antialias", False)
        self.crop, self.pad = config.flag("crop_to_aspect_ratio", False), config.flag("pad_to_aspect_ratio", False)
        if self.pad and config.number("fill_value", 0.0) != 0.0:
            raise UnsupportedError("it pads with something other than zero, which fastact does not compute")

    def lower_map(self, tape: Tape, x: Value) -> Value:  # noqa: D102
        if self.crop:
            x = cropped_to_ratio(tape, x, self.size)
        elif self.pad:
            wanted = of_ratio(x.shape, self.size)
            missing = [max(0, n - have) // 2 for n, have in zip(wanted, x.shape, strict=False)]
            x = tape.emit(ops.Pad(tuple((n, n) for n in missing)), x) if any(missing) else x
        return resized(tape, x, self.size, self.interpolation, self.antialias)


@register("CenterCrop")
class CenterCrop(Sized):
    """The middle `height` rows and `width` columns of its input; one that is smaller is resized to hold them."""

    def lower_map(self, tape: Tape, x: Value) -> Value:  # noqa: D102
        if all(n >= wanted for n, wanted in zip(x.shape, self.size, strict=False)):
            return cropped(tape, x, *self.size)
        return resized(tape, cropped_to_ratio(tape, x, self.size), self.size, "bilinear")
