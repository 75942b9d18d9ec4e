"""Grad-CAM: where a convolution's maps speak for a larger output.

Selvaraju and others, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based Localization", 2017,
arXiv:1610.02391: each map is weighted by the mean of the output's gradient over it (equation 1), the weighted maps are
added up, and what is below zero is cut off (equation 2).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from fastact.errors import UnsupportedError
from fastact.graph import Model
from fastact.kernels import ops
from fastact.kernels.ops import INF, Unary
from fastact.layers import Value
from fastact.recording import Further, Recorder
from fastact.saliency.backward import gradient_of
from fastact.saliency.base import RESULT, Saliency, opened
from fastact.saliency.chain import convolution, recorded
from fastact.saliency.scalar import Scalar, scalar_of


class GradCam(Saliency):
    """Where the maps of one convolution speak for a larger value of an output.

        see = GradCam("pilot.h5", "conv2d_5", "n_outputs0")
        mask = see(frame)                       # float32, of the convolution's size: (8, 13)

    The mask has the size of the convolution's maps; laid over a picture it is stretched.

    Args:
        model: a model, or the path of its file.
        layer: the convolution; None for the last one that the output depends on.
        output: the output's name, or any layer's; None for the first output that is a row of values.
        index: which of its values; None for the largest of a softmax (the class it chooses), else the first.
        threads: how many compute a frame together; None for one.
        device: "cpu", "cuda" or "auto", as for `Extractor`.
        outputs: names or patterns of other layers whose maps are wanted, too.

    Raises:
        InputError: no such convolution, output or value, or an input of an open size (see `Model.at_size`).
        UnsupportedError: an operation on the way has no gradient, or the output does not depend on the layer.
        FileError, ModelError, LayerNotFoundError, KernelError: as from `Extractor`.

    Attributes:
        layer: the convolution's name.
        scalar: the number whose gradient weights the maps.
    """

    def __init__(
        self,
        model: Model | str | os.PathLike[str],
        layer: str | None = None,
        output: str | None = None,
        *,
        index: int | None = None,
        threads: int | None = None,
        outputs: Iterable[str] = (),
        device: str = "cpu",
    ) -> None:
        model = opened(model)
        self.scalar = scalar_of(model, output, index)
        self.layer = _last_before(model, self.scalar.output) if layer is None else convolution(model, layer).name
        further = _Weighted(self.layer, self.scalar, model.channels_first)
        recorder, values = recorded(model, set(further.needs))
        further.append(recorder, values)  # refuses here what would be refused at the first frame
        super().__init__(model, (self.layer, self.scalar.output), outputs, further, threads, device)

    @property
    def value(self) -> float:
        """The number itself, of the latest frame."""
        return self.scalar.of(self.maps)


def _last_before(model: Model, output: str) -> str:
    """The last convolution that `output` depends on."""
    places = {node.name: place for place, node in enumerate(model.nodes)}
    needed, open_ = set(), [places[output]]
    while open_:
        place = open_.pop()
        if place not in needed:
            needed.add(place)
            open_ += model.nodes[place].inputs
    for place in sorted(needed, reverse=True):
        if model.nodes[place].is_convolution:
            return model.nodes[place].name
    raise UnsupportedError(f"output {output!r} of {model.source} depends on no convolution: choose another one")


@dataclass(frozen=True)
class _Weighted(Further):
    """The operations that weight the maps of `layer` by the gradient of `scalar`, and add them up."""

    layer: str
    scalar: Scalar
    channels_first: bool

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.layer, self.scalar.output})

    def append(self, recorder: Recorder, values: Mapping[str, Value]) -> Mapping[str, Value]:
        recorder.node = RESULT
        maps = values[self.layer]
        number = self.scalar.emit(recorder, values[self.scalar.output])
        back = gradient_of(recorder, number, maps, self.layer)
        if self.channels_first:
            order = (*range(1, len(maps.shape)), 0)
            maps, back = (recorder.emit(ops.Transpose(order), v) for v in (maps, back))
        weights = recorder.emit(ops.GlobalPool(ops.PoolKind.AVERAGE), back)
        total = recorder.emit(ops.Contract(len(maps.shape) - 1, 0), maps, weights)
        return {RESULT: recorder.emit(ops.Elementwise(Unary.CLIP, 0.0, INF), total)}
