"""A node of the graph: one call of one layer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import field

from fastact.errors import UnsupportedError
from fastact.kernels.records import dataclass
from fastact.layers import Layer, Shape


@dataclass(frozen=True)
class Node:
    """One call of one layer.

    Attributes:
        name: unique in the model; ``tower/conv2d`` inside a nested model, ``stem:1`` for a second call.
        class_name: Keras's name for the layer's class.
        layer: the layer, or None if fastact cannot compute it or the node only passes a nested model's output on.
        path: names from the outermost model to the layer; calls of one layer share it.
        inputs: the nodes it takes, by place in the model's `nodes`.
        shape: of its map, without the batch axis; None in it where the file leaves a length open.
        reason: why it is not computed, or None.
    """

    name: str
    class_name: str
    layer: Layer | None
    path: tuple[str, ...]
    inputs: tuple[int, ...]
    shape: Shape | None = None
    reason: str | None = None
    weight_shapes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    @classmethod
    def alias(cls, name: str, class_name: str, place: int, source: Node) -> Node:
        """A node that gives what node number `place`, `source`, gives."""
        reason = None if source.reason is None else f"it needs {source.name!r}, which is not computed"
        return cls(name, class_name, None, (), (place,), source.shape, reason)

    @property
    def is_input(self) -> bool:
        """Whether a frame comes in here."""
        return self.class_name == "InputLayer"

    @property
    def is_convolution(self) -> bool:
        """Whether its layer is a convolution."""
        return self.layer is not None and self.layer.is_convolution

    @property
    def known_shape(self) -> Shape:
        """The shape; raises UnsupportedError for a node that is not computed."""
        if self.shape is None:
            raise UnsupportedError(f"layer {self.name!r} is not computed: {self.reason}")
        return self.shape

    @property
    def parameters(self) -> int:
        """Numbers in its layer's weights."""
        return sum(math.prod(shape) for shape in self.weight_shapes.values())

    @property
    def map_bytes(self) -> int | None:
        """Bytes of its map as float32; None where the shape is not known."""
        if self.shape is None or None in self.shape:
            return None
        return 4 * math.prod(n for n in self.shape if n is not None)
