"""One operator as its translation sees it: what it takes, as Keras would see that, and what its options say."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any

from ..kernels.records import dataclass
from .tflite_graph import FLOATS, Graph, Operator, Tensor
from .tflite_names import Naming
from .tflite_steps import Stored, View

__all__ = ["Made", "Piece", "Unsayable", "Use"]


class Unsayable(Exception):  # noqa: N818
    """No Keras layer does what this operator does here."""


@dataclass(frozen=True)
class Piece:
    """A layer that an operator becomes, or one of several that follow each other."""

    class_name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    weights: Mapping[str, Stored] = field(default_factory=dict)
    takes: tuple[int, ...] = (0,)
    """Which of the operator's inputs, for the first piece; the others take what the one before them gives."""


@dataclass(frozen=True)
class Made:
    """What an operator becomes: layers, or none where Keras sees no difference; and how its result looks to Keras."""

    pieces: tuple[Piece, ...]
    shape: tuple[int | None, ...]
    frames: int | None = None
    alias: int | None = None
    """Without pieces, the value that it gives on."""
    frames_first: bool = False
    weights: int = -1
    """The tensors whose names tell the layer's."""
    bias: int = -1
    is_unfinished: bool = False
    """Whether its Keras layer may have more to do after it, in an operator that is another layer's."""


class Use:
    """An operator in its place."""

    def __init__(
        self,
        graph: Graph,
        naming: Naming,
        operator: Operator,
        views: Mapping[int, View],
        makers: Mapping[int, Operator],
    ) -> None:
        """`views` and `makers` are of all tensors: how they look to Keras, and which operator gives them."""
        self.graph, self.naming, self.operator = graph, naming, operator
        self._views, self.makers = views, makers

    @property
    def count(self) -> int:
        """Inputs, those left out at the end not counted."""
        inputs = self.operator.inputs
        while inputs and inputs[-1] == -1:
            inputs = inputs[:-1]
        return len(inputs)

    def option(self, name: str) -> int:
        """One of the operator's options."""
        return int(self.operator.options[name])

    def number(self, place: int) -> int:
        """The tensor that input number `place` is."""
        if place >= len(self.operator.inputs) or self.operator.inputs[place] < 0:
            raise Unsayable
        return self.operator.inputs[place]

    def has(self, place: int) -> bool:
        """Whether the input is there."""
        return place < len(self.operator.inputs) and self.operator.inputs[place] >= 0

    def view(self, place: int = 0) -> View:
        """An input that a layer gives."""
        found = self._views.get(self.number(place))
        if found is None or found.frames_first:
            raise Unsayable
        return found

    def view_in_any_order(self, place: int = 0) -> View:
        """An input that a layer gives, which may have its frames before its batch."""
        found = self._views.get(self.number(place))
        if found is None:
            raise Unsayable
        return found

    def value(self, place: int) -> int:
        """The value that an input that a layer gives is."""
        return self.view_in_any_order(place).value

    def views(self) -> list[tuple[int, View]]:
        """All inputs that layers give, with their places."""
        numbered = enumerate(self.operator.inputs)
        return [(place, self._views[number]) for place, number in numbered if number in self._views]

    def spatial(self, rank: int, place: int = 0) -> View:
        """An input with `rank` axes beside the batch's."""
        view = self.view(place)
        if len(view.shape) != rank:
            raise Unsayable
        return view

    def constant(self, place: int, rank: int | None = None) -> Tensor:
        """An input that is a constant of floats."""
        tensor = self.graph.tensors[self.number(place)]
        if tensor.data is None or tensor.kind not in FLOATS or (rank is not None and len(tensor.shape) != rank):
            raise Unsayable
        return tensor

    def is_constant(self, place: int) -> bool:
        """Whether an input is constant."""
        return self.has(place) and self.graph.tensors[self.operator.inputs[place]].data is not None

    def ints(self, place: int) -> tuple[int, ...]:
        """An input that is a constant of integers."""
        found = self.graph.ints(self.number(place))
        if found is None:
            raise Unsayable
        return found

    def bias(self, place: int, filters: int) -> Tensor | None:
        """An input that is a bias, or left out."""
        if not self.has(place):
            return None
        tensor = self.constant(place)
        if tensor.size != filters or len(tensor.shape) != 1:
            raise Unsayable
        return tensor

    @property
    def output(self) -> tuple[int | None, ...]:
        """The shape of the first output as the file has it, with the batch axis."""
        return self.graph.tensors[self.operator.outputs[0]].shape

    def made(self, *pieces: Piece, implied: Sequence[int | None] = (), weights: int = -1, bias: int = -1) -> Made:
        """Layers that leave a frame's parts where they are, and give the shape that the file says.

        `implied` is the shape that follows from the input's, where the file leaves lengths open.
        """
        frames = {view.frames for place, view in self.views() if place in pieces[0].takes}
        if len(frames) != 1 or not self.output or any(view.frames_first for _, view in self.views()):
            raise Unsayable
        shape = self.output[1:]
        if len(implied) == len(shape):
            shape = tuple(n if m is None else m for m, n in zip(shape, implied, strict=True))
        return Made(pieces, shape, frames.pop(), weights=weights, bias=bias)

    def unchanged(self, view: View, *, frames: int | None, shape: tuple[int | None, ...]) -> Made:
        """No layer: the result is an input seen differently."""
        return Made((), shape, frames, alias=view.value)


def lengths(shape: tuple[int | None, ...]) -> tuple[int, ...] | None:
    """A shape of which every length is known, or None."""
    known = tuple(n for n in shape if n is not None)
    return known if len(known) == len(shape) else None


def size(shape: tuple[int | None, ...]) -> int | None:
    """Numbers in an array of this shape; None where a length is open."""
    known = lengths(shape)
    return None if known is None else math.prod(known)
