"""Gradients: how much one number of a network's changes when a pixel does.

Simonyan, Vedaldi and Zisserman, "Deep Inside Convolutional Networks", 2013, arXiv:1312.6034; over the channels the
length of the gradient is taken, as donkeycar's film does.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from fastact.errors import InputError
from fastact.extractor import Frame
from fastact.graph import Model
from fastact.kernels.ops import Floats
from fastact.layers import Value
from fastact.recording import Further, Recorder
from fastact.saliency.backward import gradient_of
from fastact.saliency.base import RESULT, Saliency, opened
from fastact.saliency.chain import recorded
from fastact.saliency.scalar import Scalar, picture_input, scalar_of

_LEAST = 1e-24
"""A largest square from which on squares too small for float32 are of vectors that are nothing beside the longest."""


class GradientSaliency(Saliency):
    """Where in a picture a small change would change an output most: the exact gradient, as TensorFlow computes it.

        see = GradientSaliency("pilot.h5", "n_outputs0")
        mask = see(frame)                       # float32 (120, 160): the gradient's length over the channels, 0 to 1
        see.gradient(frame)                     # float32 (120, 160, 3): the gradient by the frame in 0..1

    The network and what comes back through it are one native call.

    Args:
        model: a model, or the path of its file.
        output: the output's name, or any layer's; None for the first output that is a row of values.
        index: which of its values; None for the largest of a softmax (the class it chooses), else the first.
        by: the input the gradient is taken by; None for the one that takes pictures.
        threads: how many compute a frame together; None for one.
        device: "cpu", "cuda" or "auto", as for `Extractor`.
        outputs: names or patterns of other layers whose maps are wanted, too.

    Raises:
        InputError: no such output, value or input, or an input of an open size (see `Model.at_size`).
        UnsupportedError: an operation on the way has no gradient: the sentence names the layer.
        FileError, ModelError, LayerNotFoundError, KernelError: as from `Extractor`.

    Attributes:
        scalar: the number whose gradient it is.
        by: the input it is taken by.
    """

    def __init__(
        self,
        model: Model | str | os.PathLike[str],
        output: str | None = None,
        *,
        index: int | None = None,
        by: str | None = None,
        threads: int | None = None,
        outputs: Iterable[str] = (),
        device: str = "cpu",
    ) -> None:
        model = opened(model)
        self.scalar = scalar_of(model, output, index)
        self.by = picture_input(model) if by is None else by
        if self.by not in model.inputs:
            raise InputError(f"{model.source} has no input {self.by!r}: its inputs are {', '.join(model.inputs)}")
        further = _Back(self.scalar, self.by)
        recorder, values = recorded(model, set(further.needs))
        further.append(recorder, values)  # refuses here what would be refused at the first frame
        super().__init__(model, (self.scalar.output,), outputs, further, threads, device)

    def gradient(self, frame: Frame) -> Floats:
        """The gradient of the number by the input's values, float32 of the input's shape; bytes count as 0..1."""
        return self._result(frame)

    @property
    def value(self) -> float:
        """The number itself, of the latest frame."""
        return self.scalar.of(self.maps)

    def _strength(self, result: Floats) -> Floats:
        if result.ndim < 3:
            return np.abs(result)
        channels = -3 if self.model.channels_first else -1
        return _lengths(np.moveaxis(result, channels, -1))


def _lengths(vectors: Floats) -> Floats:
    """The lengths of vectors along the last axis, also of such whose squares float32 does not hold."""
    with np.errstate(all="ignore"):
        squares = np.einsum("...c,...c->...", vectors, vectors)
        if not _LEAST < squares.max(initial=0) < np.inf:
            exact = vectors.astype(np.float64)
            squares = np.einsum("...c,...c->...", exact, exact)
        return np.asarray(np.sqrt(squares), np.float32)


@dataclass(frozen=True)
class _Back(Further):
    """The operations that give the gradient of `scalar` by input `by`."""

    scalar: Scalar
    by: str

    @property
    def needs(self) -> frozenset[str]:  # type: ignore[override]
        return frozenset({self.scalar.output, self.by})

    def append(self, recorder: Recorder, values: Mapping[str, Value]) -> Mapping[str, Value]:
        recorder.node = RESULT
        number = self.scalar.emit(recorder, values[self.scalar.output])
        return {RESULT: gradient_of(recorder, number, values[self.by], self.by)}
