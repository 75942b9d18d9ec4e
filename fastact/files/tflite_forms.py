"""Operators that move or regroup values: reshapes, padding, slices, resizing, joining, means over rows and columns."""

from __future__ import annotations

from .tflite_steps import View
from .tflite_use import Made, Piece, Unsayable, Use, lengths, size

__all__ = [
    "all_frames", "cast", "concatenation", "each_frame", "global_average", "global_maximum", "pad",
    "repeat_vector", "reshape", "resize_bilinear", "resize_nearest", "strided_slice", "tile", "transpose", "up_sample",
]  # fmt: skip


def reshape(use: Use) -> Made:
    """RESHAPE, SQUEEZE and EXPAND_DIMS, by the shapes before and after."""
    view = use.view()
    if not use.output or (use.graph.tensors[use.number(0)].shape[:1] == (None,)) != (use.output[0] is None):
        raise Unsayable  # the batch axis is drawn in
    shape = use.output[1:]
    before, after = size(view.shape), size(shape)
    if before is None or after is None:
        if view.frames is not None or shape.count(None) > 1:
            raise Unsayable
        piece = Piece("Reshape", {"target_shape": [-1 if n is None else n for n in shape]})
        return Made((Piece("Flatten") if len(shape) == 1 else piece,), shape)
    if before == after:
        return _regrouped(use, view.frames, shape)
    if view.frames is None:
        first, *rest = view.shape or (None,)
        if rest and first and before == first * after:  # each frame of a run becomes one of a batch
            if tuple(rest) == shape:
                return use.unchanged(view, frames=first, shape=shape)
            return Made(_to(shape), shape, first)
    elif after == view.frames * before and shape == view.whole:
        return use.unchanged(view, frames=None, shape=shape)
    raise Unsayable


def _regrouped(use: Use, frames: int | None, shape: tuple[int | None, ...]) -> Made:
    view = use.view()
    if view.shape == shape:
        return use.unchanged(view, frames=frames, shape=shape)
    return Made(_to(shape), shape, frames)


def _to(shape: tuple[int | None, ...]) -> tuple[Piece, ...]:
    if not shape:
        raise Unsayable
    return (Piece("Flatten") if len(shape) == 1 else Piece("Reshape", {"target_shape": list(shape)}),)


def cast(use: Use) -> Made:
    """Numbers of another type: the same to fastact, which computes in float32."""
    view = use.view()
    if use.graph.tensors[use.operator.outputs[0]].kind != "FLOAT32":
        raise Unsayable
    return use.unchanged(view, frames=view.frames, shape=view.shape)


_PADDING = {2: "ZeroPadding1D", 3: "ZeroPadding2D", 4: "ZeroPadding3D"}
_CROPPING = {2: "Cropping1D", 3: "Cropping2D", 4: "Cropping3D"}


def _sides(pairs: list[tuple[int, int]]) -> list[int] | list[list[int]]:
    """Pairs of cells before and after, as layers over one axis and over several have them."""
    return list(pairs[0]) if len(pairs) == 1 else [list(pair) for pair in pairs]


def pad(use: Use) -> Made:
    """PAD with zeros, of rows and columns only."""
    view, flat = use.view(), use.ints(1)
    rank = len(view.shape)
    if rank not in _PADDING or len(flat) != 2 * (rank + 1) or min(flat) < 0:
        raise Unsayable
    pairs = [(flat[i], flat[i + 1]) for i in range(0, len(flat), 2)]
    if pairs[0] != (0, 0) or pairs[-1] != (0, 0):
        raise Unsayable
    if use.has(2):
        value = use.constant(2)
        if value.size != 1 or use.graph.floats(value)[0] != 0:
            raise Unsayable
    config = {"padding": _sides(pairs[1:-1]), "data_format": "channels_last"}
    implied = [_longer(length, sum(pair)) for length, pair in zip(view.shape, pairs[1:], strict=True)]
    return use.made(Piece(_PADDING[rank], config), implied=implied)


def strided_slice(use: Use) -> Made:
    """STRIDED_SLICE and SLICE that cut rows and columns off at the sides."""
    view = use.view()
    rank = len(view.shape)
    cropping = _slice(use, rank) if use.operator.kind == "SLICE" else _strided_slice(use, rank)
    pairs = [_cropped(length, *ends) for length, ends in zip((None, *view.shape), cropping, strict=True)]
    if rank not in _CROPPING or pairs[0] != (0, 0) or pairs[-1] != (0, 0):
        raise Unsayable
    if not any(any(pair) for pair in pairs):
        return use.unchanged(view, frames=view.frames, shape=view.shape)
    implied = [_longer(length, -sum(pair)) for length, pair in zip(view.shape, pairs[1:], strict=True)]
    config = {"cropping": _sides(pairs[1:-1]), "data_format": "channels_last"}
    return use.made(Piece(_CROPPING[rank], config), implied=implied)


def _longer(length: int | None, cells: int) -> int | None:
    return None if length is None else length + cells


def _slice(use: Use, rank: int) -> list[tuple[int, int | None]]:
    """Where each axis begins and ends (None: at its end)."""
    begins, sizes = use.ints(1), use.ints(2)
    if len(begins) != rank + 1 or len(sizes) != rank + 1 or min(begins) < 0:
        raise Unsayable
    return [(b, None if n == -1 else b + n) for b, n in zip(begins, sizes, strict=True)]


def _strided_slice(use: Use, rank: int) -> list[tuple[int, int | None]]:
    begins, ends, strides = use.ints(1), use.ints(2), use.ints(3)
    others = ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask", "offset")
    if {len(begins), len(ends), len(strides)} != {rank + 1} or set(strides) != {1} or any(map(use.option, others)):
        raise Unsayable
    begin_mask, end_mask = use.option("begin_mask"), use.option("end_mask")
    return [
        (0 if begin_mask >> axis & 1 else begin, None if end_mask >> axis & 1 else end)
        for axis, (begin, end) in enumerate(zip(begins, ends, strict=True))
    ]


def _cropped(length: int | None, begin: int, end: int | None) -> tuple[int, int]:
    """Cells cut off before and after, of an axis of this length."""
    if length is None:
        if begin < 0 or (end is not None and end >= 0):
            raise Unsayable
        return begin, 0 if end is None else -end
    first = min(max(begin + length if begin < 0 else begin, 0), length)
    last = length if end is None else min(max(end + length if end < 0 else end, 0), length)
    if last <= first:
        raise Unsayable
    return first, length - last


def transpose(use: Use) -> Made:
    """Axes in another order, the batch first."""
    view, order = use.view_in_any_order(), use.ints(1)
    if order == (1, 0, *range(2, len(order))):
        return _swapped(view)
    if view.frames_first or sorted(order) != list(range(len(view.shape) + 1)) or order[0] != 0:
        raise Unsayable
    if list(order) == sorted(order):
        return use.unchanged(view, frames=view.frames, shape=view.shape)
    return use.made(Piece("Permute", {"dims": list(order[1:])}), implied=[view.shape[axis - 1] for axis in order[1:]])


def _swapped(view: View) -> Made:
    """Frames put before the batch, or back behind it."""
    if view.frames_first:
        return Made((), view.whole, alias=view.value)
    first, *rest = view.shape or (None,)
    if view.frames is not None or first is None:
        raise Unsayable
    return Made((), tuple(rest), first, alias=view.value, frames_first=True)


def each_frame(use: Use) -> Made:
    """What `tflite_frames` puts before the operators that see one frame."""
    view = use.view_in_any_order()
    if not view.frames_first or view.frames != use.operator.folded["frames"]:
        raise Unsayable
    return Made((), view.shape, view.frames, alias=view.value)


def all_frames(use: Use) -> Made:
    """What `tflite_frames` puts after them."""
    view = use.view()
    if view.frames != use.operator.folded["frames"]:
        raise Unsayable
    return Made((), view.shape, view.frames, alias=view.value, frames_first=True)


_RANKS = {2: "1D", 3: "2D", 4: "3D"}


def _global(use: Use, kind: str) -> Made:
    view = use.view()
    rank = len(view.shape)
    axes = sorted(axis % (rank + 1) for axis in use.ints(1))
    if rank not in _RANKS or axes != list(range(1, rank)):
        raise Unsayable
    keepdims = bool(use.option("keep_dims"))
    return use.made(Piece(f"Global{kind}Pooling{_RANKS[rank]}", {"keepdims": keepdims, "data_format": "channels_last"}))


def global_average(use: Use) -> Made:
    """MEAN over rows and columns."""
    return _global(use, "Average")


def global_maximum(use: Use) -> Made:
    """REDUCE_MAX over rows and columns."""
    return _global(use, "Max")


def _resize(use: Use, interpolation: str) -> Made:
    """Keras resizes with half-pixel centres; repeating cells is the same by either rule."""
    view = use.spatial(3)
    before, after = lengths(view.shape[:2]), lengths(use.output[1:3])
    if before is None or after is None or len(after) != 2 or use.option("align_corners"):
        raise Unsayable
    multiple = all(n and m % n == 0 for n, m in zip(before, after, strict=True))
    if not use.option("half_pixel_centers") and not (multiple and interpolation == "nearest"):
        raise Unsayable
    config = {"interpolation": interpolation, "data_format": "channels_last"}
    if multiple:
        return use.made(Piece("UpSampling2D", config | {"size": [m // n for n, m in zip(before, after, strict=True)]}))
    return use.made(Piece("Resizing", config | {"height": after[0], "width": after[1]}))


def resize_bilinear(use: Use) -> Made:
    """Between the four cells around."""
    return _resize(use, "bilinear")


def resize_nearest(use: Use) -> Made:
    """The nearest cell."""
    return _resize(use, "nearest")


def up_sample(use: Use) -> Made:
    """What `tflite_patterns` folds the repeating of rows or columns into."""
    repeats = use.operator.folded["size"]
    assert isinstance(repeats, tuple), "written by tflite_patterns"
    return _up_sampled(use.spatial(len(repeats) + 1), repeats)


def _up_sampled(view: View, repeats: tuple[int, ...]) -> Made:
    shape = tuple(None if n is None else n * r for n, r in zip(view.shape, (*repeats, 1), strict=True))
    if len(repeats) == 1:
        return Made((Piece("UpSampling1D", {"size": repeats[0]}),), shape, view.frames)
    config: dict[str, object] = {"size": list(repeats), "data_format": "channels_last"}
    if len(repeats) == 2:
        config["interpolation"] = "nearest"
    return Made((Piece(f"UpSampling{len(repeats)}D", config),), shape, view.frames)


def tile(use: Use) -> Made:
    """TILE along axes of one cell, which is as well a cell repeated."""
    view, times = use.view(), use.ints(1)
    rank = len(view.shape)
    if rank not in _RANKS or len(times) != rank + 1 or min(times) < 1 or {times[0], times[-1]} != {1}:
        raise Unsayable
    if any(n > 1 and length != 1 for n, length in zip(times[1:], view.shape, strict=True)):
        raise Unsayable
    return _up_sampled(view, times[1:-1])


def repeat_vector(use: Use) -> Made:
    """What `tflite_patterns` folds the repeating of a single row into."""
    view, n = use.view(), use.operator.folded["n"]
    width = size(view.shape)
    assert isinstance(n, int), "written by tflite_patterns"
    if width is None or not view.shape or len(use.output) != 3 or use.output[2] not in (None, width):
        raise Unsayable
    flattened = (Piece("Flatten"),) if len(view.shape) > 1 else ()
    if flattened and view.frames is not None:
        raise Unsayable
    return Made((*flattened, Piece("RepeatVector", {"n": n})), (n, width), view.frames)


def concatenation(use: Use) -> Made:
    """Inputs one after the other."""
    views = use.views()
    if not views or len(views) != use.count:
        raise Unsayable
    ranks = {len(view.shape) for _, view in views}
    axis, rank = use.option("axis"), max(ranks)
    axis = axis + rank + 1 if axis < 0 else axis
    if len(ranks) != 1 or not 1 <= axis <= rank:
        raise Unsayable
    return use.made(Piece("Concatenate", {"axis": axis - rank - 1}, takes=tuple(place for place, _ in views)))
