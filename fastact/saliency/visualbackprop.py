"""VisualBackProp: which pixels the maps of a chain of convolutions agree on.

Bojarski and others, "VisualBackProp: efficient visualization of CNNs", 2016, arXiv:1611.05418: the maps of each
convolution are averaged over their channels; from the last convolution upward the average is brought to the size of
what the convolution took, by a transposed convolution of ones with its window and strides, and multiplied with the
average of the maps before it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from fastact.errors import UnsupportedError
from fastact.graph import Model
from fastact.kernels import ops
from fastact.layers import Tape, Value
from fastact.recording import Further, Recorder
from fastact.saliency.base import RESULT, Saliency, opened
from fastact.saliency.chain import Maps, Windows, follow, followed, last_convolution, recorded


class VisualBackProp(Saliency):
    """Where in a picture the convolutions of a chain are active together, from their maps alone.

        see = VisualBackProp("pilot.h5", outputs=("n_outputs0",))
        mask = see(frame)                       # float32 (120, 160), 0 to 1
        see.maps["conv2d_1"], see.maps["n_outputs0"]

    Model and mask are computed in one native call. Strides, dilation, padding, pools, paddings and what works value by
    value between convolutions are followed; maps that branch or have a third axis are not.

    Args:
        model: a model, or the path of its file.
        layer: the convolution the chain ends with; None for the last to which one leads from a picture.
        threads: how many compute a frame together; None for one.
        device: "cpu", "cuda" or "auto", as for `Extractor`.
        outputs: names or patterns of other layers whose maps are wanted, too, such as a pilot's outputs.

    Raises:
        InputError: no such layer, or a model whose input has an open size (see `Model.at_size`).
        UnsupportedError: no chain leads to the layer; the sentence names what is no part of one.
        FileError, ModelError, LayerNotFoundError, KernelError: as from `Extractor`.

    Attributes:
        convolutions: the names of the chain's convolutions, in order.
        maps: the maps of the convolutions and of `outputs`, of the latest frame.
        strength: the products of averages that the latest mask is made of, float32 (rows, columns).
    """

    def __init__(
        self,
        model: Model | str | os.PathLike[str],
        layer: str | None = None,
        *,
        threads: int | None = None,
        outputs: Iterable[str] = (),
        device: str = "cpu",
    ) -> None:
        model = opened(model)
        last = last_convolution(model, layer).name
        self.convolutions = follow(*recorded(model, {last}), last).layers
        super().__init__(model, self.convolutions, outputs, _Backwards(last, followed(model, last)), threads, device)


@dataclass(frozen=True)
class _Backwards(Further):
    """The operations that make the mask of the chain that ends with convolution `last`."""

    last: str
    needs: frozenset[str]

    def append(self, recorder: Recorder, values: Mapping[str, Value]) -> Mapping[str, Value]:
        chain = follow(recorder, values, self.last)
        recorder.node = RESULT
        mask: Value | None = None
        for link in reversed(chain.links):
            if isinstance(link, Maps):
                mean = recorder.emit(ops.Reduce(ops.Total.MEAN, (-1,)), link.value)
                mask = mean if mask is None else recorder.emit(ops.Binary(ops.Merge.MULTIPLY), mask, mean)
            elif mask is not None:
                mask = spread(recorder, mask, link)
        if mask is None:
            raise UnsupportedError(f"no convolution leads to {self.last!r}")
        return {RESULT: mask}


def spread(tape: Tape, mask: Value, windows: Windows) -> Value:
    """A transposed convolution of ones: each of the mask's cells is added to all cells that its window sees.

    The ones make it separable: columns first, while there are few rows.
    """
    for axis in (1, 0):
        if windows.size[axis] > 1 or windows.lengths[axis] != windows.counts[axis] or windows.before[axis]:
            mask = tape.emit(_along(windows, axis), mask)
    return mask


def _along(windows: Windows, axis: int) -> ops.Resample:
    """What every cell along an axis gets: the sum over the windows that see it."""
    length, count = windows.lengths[axis], windows.counts[axis]
    seen: list[list[int]] = [[] for _ in range(length)]
    for window in range(count):
        for tap in range(windows.size[axis]):
            cell = window * windows.strides[axis] + tap * windows.dilation[axis] - windows.before[axis]
            if 0 <= cell < length:
                seen[cell].append(window)
    taps = max(1, *map(len, seen))
    cells = np.array([[*each, *[0] * (taps - len(each))] for each in seen], np.int64)
    weights = np.array([[1] * len(each) + [0] * (taps - len(each)) for each in seen], np.float32)
    return ops.Resample(axis, count, cells, weights)
