"""The objects of a SavedModel: which object holds which, by name, and which of them are variables.

The checkpoint keeps them as a message: nodes, node 0 the model, each with its children by local name. A child of a
model is called ``layer-3`` after its place among the layers, a layer's ``kernel``, a wrapper's ``layer``, a
recurrent layer's ``cell``. Objects may hold each other, so there are circles: only paths that are asked for are
walked, and never further than they are long.
"""

from __future__ import annotations

from collections.abc import Mapping

from ..kernels.records import dataclass
from .tf_proto import Budget, DamageError, fields, integer, message, text, view

__all__ = ["MAX_BYTES", "Objects", "Variable", "listed_nodes"]

MAX_BYTES = 32 * 2**20
"""The objects of the largest networks of keras.applications have some megabytes."""
_FIELDS = 1_000_000
_MOST_NODES = 200_000
_LONGEST_NAME = 4096
_VALUE = "VARIABLE_VALUE"


@dataclass(frozen=True)
class Variable:
    """A node that is a variable."""

    full_name: str
    """As Keras named it: ``"conv2d/kernel"``."""
    key: str
    """Its name in the bundle: ``"layer_with_weights-0/kernel/.ATTRIBUTES/VARIABLE_VALUE"``."""


def listed_nodes(data: memoryview, budget: Budget) -> list[memoryview]:
    """The nodes of a message whose first field, repeated, they are.

    Raises:
        DamageError: it is none, or has too many.
    """
    nodes: list[memoryview] = []
    for number, value in fields(data, budget):
        if number != 1:
            continue
        if not isinstance(value, memoryview):
            raise DamageError("has a number where an object belongs")
        nodes.append(value)
        if len(nodes) > _MOST_NODES:
            raise DamageError(f"has more than the {_MOST_NODES} objects that are read")
    return nodes


class Objects:
    """The objects of a checkpoint, each read when it is come to."""

    def __init__(self, data: bytes) -> None:
        """Take the message apart into its nodes.

        Raises:
            DamageError: it is no such message.
        """
        self._budget = Budget(_FIELDS)
        self._nodes = listed_nodes(memoryview(data), self._budget)
        self._children: dict[int, Mapping[str, int]] = {}
        self._variables: dict[int, Mapping[str, Variable]] = {}
        if not self._nodes:
            raise DamageError("holds no objects")

    def children(self, node: int) -> Mapping[str, int]:
        """The node numbers of an object's children by their local names.

        Raises:
            DamageError: it has two of one name, or one that does not exist.
        """
        if node not in self._children:
            found: dict[str, int] = {}
            for number, value in fields(self._nodes[node], self._budget):
                if number != 1 or not isinstance(value, memoryview):
                    continue
                child = message(value, self._budget)
                name, place = text(view(child, 2), _LONGEST_NAME), integer(child, 1)
                if found.setdefault(name, place) != place:
                    raise DamageError("has an object with two children of the same name")
                if place >= len(self._nodes):
                    raise DamageError("has an object with a child that does not exist")
            self._children[node] = found
        return self._children[node]

    def variables(self, node: int) -> Mapping[str, Variable]:
        """The children of an object that are variables, by their local names."""
        if node not in self._variables:
            found = {name: self._variable(child) for name, child in self.children(node).items()}
            self._variables[node] = {name: variable for name, variable in found.items() if variable is not None}
        return self._variables[node]

    def _variable(self, node: int) -> Variable | None:
        found: Variable | None = None
        for number, value in fields(self._nodes[node], self._budget):
            if number != 2 or not isinstance(value, memoryview):
                continue
            attribute = message(value, self._budget)
            if text(view(attribute, 1), _LONGEST_NAME) != _VALUE:
                continue
            if found is not None:
                raise DamageError("has a variable with two values")
            found = Variable(text(view(attribute, 2), _LONGEST_NAME), text(view(attribute, 3), _LONGEST_NAME))
        return found
