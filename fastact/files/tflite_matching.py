"""Chains of operators that are one layer, recognised from their last operator back to what they take.

A grammar says what a chain is: under each name, the operators that may give the tensor of that name, each with the
names of what it takes. A name stands for one tensor wherever it occurs; names without an entry are what the chain
takes, ``_`` is anything; sums, products and the like are tried in both orders. Grammars are small, and so is what
following one costs, whatever the file.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import permutations

from ..kernels.records import dataclass
from .tflite_graph import FLOATS, Graph, Operator

__all__ = ["Grammar", "Making", "Match", "Matcher", "Root", "fold"]

Grammar = Mapping[str, Sequence[tuple[str, ...]]]

_COMMUTING = ("ADD", "MAXIMUM", "MINIMUM", "MUL", "SQUARED_DIFFERENCE")
_MOST_BROADCASTS = 4
_CONSTANTS = ("alpha", "beta", "epsilon", "gamma", "limit", "lower scale", "one", "scale", "threshold", "zero")
"""Names that are constants of floats."""


@dataclass(frozen=True)
class Match:
    """A chain as it was found."""

    bound: Mapping[str, int]
    """The tensor of each name."""
    inside: tuple[Operator, ...]
    """The chain's operators."""
    function: float = 0
    """The function that is fused into its last sum or product."""


class Matcher:
    """The operators of a network, and who takes what they give."""

    def __init__(self, graph: Graph, operators: Sequence[Operator]) -> None:
        """`operators` are the network's, some of them perhaps folded."""
        self.graph = graph
        self.makers = {number: operator for operator in operators for number in operator.outputs}
        self._takers: dict[int, list[Operator]] = {}
        ends = set(graph.outputs)
        for operator in operators:
            if operator.kind != "SHAPE" or ends.intersection(operator.outputs):
                for number in set(operator.inputs):
                    self._takers.setdefault(number, []).append(operator)

    def matches(self, grammar: Grammar, last: Operator, ends: Sequence[str] = ("y",)) -> Iterator[Match]:
        """The ways in which an operator ends the chain, ``y``.

        Operators that give one of `ends` may end with a function.
        """
        yield from self._resolved(grammar, ends, ("y",), Match({"y": last.outputs[0]}, ()))

    def takers(self, number: int) -> Sequence[Operator]:
        """The operators that take a tensor's values."""
        return self._takers.get(number, ())

    def _resolved(self, grammar: Grammar, ends: Sequence[str], names: tuple[str, ...], match: Match) -> Iterator[Match]:
        """What `match` becomes where the tensors of all `names` are given as the grammar says."""
        if not names:
            yield match
            return
        maker = self.makers.get(match.bound[names[0]])
        if maker is None or len(maker.outputs) != 1:
            return
        function = maker.options.get("fused_activation_function", 0)
        if function and (names[0] not in ends or match.function):
            return
        here = Match(match.bound, (*match.inside, maker), match.function or function)
        for kind, *takes in grammar[names[0]]:
            if maker.kind != kind or len(maker.inputs) != len(takes):
                continue
            orders = permutations(maker.inputs) if kind in _COMMUTING else (maker.inputs,)
            for order in orders:
                taken = self._bound(takes, order, here)
                if taken is not None:
                    more = dict.fromkeys(t for t in takes if t in grammar and t not in match.bound)
                    yield from self._resolved(grammar, ends, (*more, *names[1:]), taken)

    def _bound(self, names: Sequence[str], numbers: Sequence[int], match: Match) -> Match | None:
        """The match in which the tensors have these names too; None where a name is of another already."""
        bound, inside = dict(match.bound), match.inside
        for name, number in zip(names, numbers, strict=True):
            if name == "_":
                continue
            found, stretched = self._before_stretching(number)
            inside = (*inside, *stretched)
            if found < 0 or bound.setdefault(name, found) != found:
                return None
            tensor = self.graph.tensors[found]
            if name in _CONSTANTS and (tensor.data is None or tensor.kind not in FLOATS):
                return None
        return Match(bound, inside, match.function)

    def _before_stretching(self, number: int) -> tuple[int, list[Operator]]:
        """The tensor that another is by BROADCAST_TO its own shape, or the one number that is all over it."""
        passed: list[Operator] = []
        for _ in range(_MOST_BROADCASTS):
            maker = self.makers.get(number)
            if maker is None or maker.kind != "BROADCAST_TO" or len(maker.inputs) != 2 or len(maker.outputs) != 1:
                break
            given, got = (self.graph.tensors[n] if n >= 0 else None for n in (maker.inputs[0], maker.outputs[0]))
            if given is None or got is None or (given.shape != got.shape and (given.data is None or given.size != 1)):
                break
            passed.append(maker)
            number = maker.inputs[0]
        return number, passed

    def number(self, number: int) -> float | None:
        """The value of a constant of one number."""
        tensor = self.graph.tensors[number]
        if tensor.data is None or tensor.kind not in FLOATS or tensor.size != 1:
            return None
        return float(self.graph.floats(tensor)[0])


Making = Callable[[Matcher, Operator], "tuple[Operator, Match] | None"]
"""Gives one operator for the chain that an operator ends, and the chain; None where it ends none."""


@dataclass(frozen=True)
class Root:
    """What a chain ends with.

    Attributes:
        kind: of its last operator.
        needs: a kind of operator that is in every such chain: where a file has none, nothing is looked for.
        making: looks for the chain.
    """

    kind: str
    needs: str
    making: Making


def fold(graph: Graph, roots: Iterable[Root]) -> list[Operator]:
    """The network's operators with every chain folded into one; of several that overlap, that of the earlier root."""
    operators = list(graph.operators)
    kinds = {operator.kind for operator in operators}
    matcher: Matcher | None = None
    for root in roots:
        if {root.kind, root.needs} <= kinds:
            matcher = matcher or Matcher(graph, operators)
            folded = _folded(matcher, operators, root)
            if folded is not None:
                operators, matcher = folded, None
    return operators


def _folded(matcher: Matcher, operators: list[Operator], root: Root) -> list[Operator] | None:
    """The operators with the root's chains folded; None where there are none."""
    inside: set[int] = set()
    folded: list[Operator] = []
    for operator in operators:
        found = root.making(matcher, operator) if operator.kind == root.kind and len(operator.outputs) == 1 else None
        folded.append(operator if found is None else found[0])
        if found is not None:
            inside.update(one.outputs[0] for one in found[1].inside)
    return _without_unneeded(matcher.graph, folded, inside) if inside else None


def _without_unneeded(graph: Graph, operators: Sequence[Operator], inside: Collection[int]) -> list[Operator]:
    """The operators without those that give a tensor of `inside`, or a shape, to nobody."""
    needed = set(graph.outputs)
    kept = []
    for operator in reversed(operators):
        idle = operator.outputs and not needed.intersection(operator.outputs)
        shapes = all(graph.tensors[number].kind in ("INT32", "INT64") for number in operator.outputs)
        if not idle or (operator.outputs[0] not in inside and not shapes):
            needed.update(operator.inputs)
            kept.append(operator)
    return kept[::-1]
