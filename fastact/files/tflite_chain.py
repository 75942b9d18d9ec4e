"""An operator and those before it: what patterns of several operators are looked for in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from .tflite_graph import FLOATS, Graph, Operator

__all__ = ["Chain", "Found"]

Found = tuple[Operator, list[Operator]]
"""The one operator that a pattern is, and those before its last that go into it."""


class Chain:
    """A network's operators by what they give, and who takes it."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self._uses = Counter(number for operator in graph.operators for number in set(operator.inputs))
        self._uses.update(graph.outputs)
        self._makers: Mapping[int, Operator] = {
            number: operator for operator in graph.operators for number in operator.outputs
        }

    def before(self, operator: Operator, kinds: tuple[str, ...]) -> Operator | None:
        """What gives the operator its first input, to nobody else, if it is of one of these kinds."""
        return next((found for kind in kinds if (found := self.maker(operator, 0, kind)) is not None), None)

    def maker(self, operator: Operator | None, place: int, kind: str, uses: int = 1) -> Operator | None:
        """What gives the operator an input, if it is of this kind, gives nothing else, and so many take it.

        None of None, so that questions can follow each other.
        """
        number = operator.inputs[place] if operator is not None and place < len(operator.inputs) else -1
        maker = self._makers.get(number)
        if maker is None or maker.kind != kind or len(maker.outputs) != 1 or self._uses[number] != uses:
            return None
        return maker

    def scalar(self, operator: Operator | None, place: int) -> float | None:
        """The one number that a constant input is."""
        number = operator.inputs[place] if operator is not None and place < len(operator.inputs) else -1
        tensor = self.graph.tensors[number] if number >= 0 else None
        if tensor is None or tensor.data is None or tensor.size != 1 or tensor.kind not in FLOATS:
            return None
        return float(self.graph.floats(tensor)[0])

    def shape(self, number: int) -> tuple[int | None, ...]:
        """A tensor's shape with the batch axis; of none, empty."""
        return self.graph.tensors[number].shape if number >= 0 else ()

    def ints(self, operator: Operator, place: int) -> tuple[int, ...] | None:
        """The values of a constant input."""
        return self.graph.ints(operator.inputs[place]) if place < len(operator.inputs) else None
