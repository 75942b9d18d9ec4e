"""Functions of pictures: frames of zeros, other sizes."""

from __future__ import annotations

from fastact.errors import UnsupportedError
from fastact.layers.base import Layer, Shape, rank
from fastact.layers.config import Config, is_integer
from fastact.layers.functions.calls import Function, keras, tensorflow
from fastact.layers.resizing import Resizing
from fastact.layers.shaping import ZeroPadding


def _pad(config: Config, *inputs: Shape) -> Layer:
    mode, pads = str(config.entries.get("mode")).lower(), config.entries.get("pads")
    if mode not in ("constant", "none") or config.number("constant_values", 0.0) != 0:
        raise UnsupportedError("it pads with other values than 0")
    if not isinstance(pads, list) or len(pads) != len(inputs[0]) + 1 or pads[0] != [0, 0] or pads[-1] != [0, 0]:
        raise UnsupportedError(f"it pads by {str(pads)[:60]}, not between the batch axis and the last")
    axes = len(pads) - 2
    if not 1 <= axes <= 3:
        raise UnsupportedError(f"it pads along {axes} axes, fastact along three at most")
    padding = pads[1] if axes == 1 else pads[1:-1]
    name = f"ZeroPadding{axes}D"
    return ZeroPadding(Config(name, config.name, {"padding": padding}, config.keras_version))


tensorflow("pad")(Function(_pad, ("x|tensor", "pads|paddings", "mode", "constant_values")))
keras("Pad")(Function(_pad, ("x", "constant_values", "pads|pad_width", "mode")))


def _resize(config: Config, *inputs: Shape) -> Layer:
    rank(inputs[0], 3, "rows, columns and channels")
    entries, size = dict(config.entries), config.entries.get("size")
    if not isinstance(size, list) or len(size) != 2 or not all(is_integer(n, 1) for n in size):
        raise UnsupportedError(f"it resizes to {str(size)[:60]}, not to rows and columns")
    if config.flag("preserve_aspect_ratio", False):
        raise UnsupportedError("it keeps the ratio of rows and columns, which fastact does not compute")
    entries |= {"height": size[0], "width": size[1]}
    return Resizing(Config("Resizing", config.name, entries, config.keras_version))


_RATIO = ("crop_to_aspect_ratio", "pad_to_aspect_ratio", "fill_mode", "fill_value", "data_format")
tensorflow("image.resize")(
    Function(_resize, ("x|images", "size", "interpolation|method", "preserve_aspect_ratio", "antialias"))
)
keras("Resize")(Function(_resize, ("x|images", "size", "interpolation", "antialias", *_RATIO)))
