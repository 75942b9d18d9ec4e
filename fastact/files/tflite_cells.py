"""One step of a recurrent layer, recognised in the body of a loop.

`_PATTERNS` says what the bodies of Keras's layers compute, as patterns. A pattern is a name, which stands for any
tensor and for the same one wherever it occurs, or a tuple of an operator and patterns of its inputs; sums and products
are tried in both orders. ``activation`` and ``recurrent_activation`` stand for any function of `FUNCTIONS`, the same
one throughout, ``("part", k, n, ...)`` for part k of n along the last axis. Patterns are small, and so is what
following one costs, whatever the file.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import permutations
from types import MappingProxyType
from typing import Any

from ..kernels.records import dataclass
from .tflite_arithmetic import FUNCTIONS
from .tflite_graph import FLOATS, Graph, Operator, Subgraph

__all__ = ["Body", "Cell", "Found", "cell"]

Pattern = Any  # a name, or a tuple as said above
Bound = Mapping[str, object]

_COMMUTING = ("ADD", "MUL")
_MOST_TERMS = 4
_MOST_SHAPES = 8
_OTHER_MASKS = ("ellipsis_mask", "new_axis_mask", "shrink_axis_mask", "offset")


@dataclass(frozen=True)
class Cell:
    """A recurrent layer: its class, functions and weights, which are numbers of tensors."""

    class_name: str
    activation: str
    recurrent_activation: str | None
    kernels: tuple[int, ...]
    """Each (columns, inputs), one below the other."""
    recurrent_kernels: tuple[int, ...]
    biases: tuple[int, ...]


@dataclass(frozen=True)
class Found:
    """A cell in a body: which tensors of the body are what a step takes and what it gives."""

    cell: Cell
    step: int
    output: int


@dataclass(frozen=True)
class _Sum:
    """Tensors times kernels, and a bias or -1."""

    products: Sequence[tuple[int, int]]
    bias: int


def _gate(k: int, n: int, *sources: str) -> Pattern:
    parts: list[Pattern] = [("part", k, n, source) for source in sources]
    return ("recurrent_activation", parts[0] if len(parts) == 1 else ("ADD", *parts))


_RESET = ("MUL", _gate(1, 3, "given", "state"), ("part", 2, 3, "state"))
_UPDATE = _gate(0, 3, "given", "state")

_PATTERNS: Mapping[str, Mapping[str, Pattern]] = MappingProxyType(
    {
        "LSTM": {
            "h'": ("MUL", _gate(3, 4, "sum"), ("activation", "c'")),
            "c'": (
                "ADD",
                ("MUL", _gate(1, 4, "sum"), "c"),
                ("MUL", _gate(0, 4, "sum"), ("activation", ("part", 2, 4, "sum"))),
            ),
        },
        "GRU": {
            "h'": (
                "ADD",
                ("MUL", _UPDATE, "h"),
                ("MUL", ("SUB", "one", _UPDATE), ("activation", ("ADD", ("part", 2, 3, "given"), _RESET))),
            ),
        },
        "SimpleRNN": {"h'": ("activation", "sum")},
    }
)
"""What each layer's states become: h, and the LSTM's memory c. The sums that gates are parts of are looked at apart."""


class Body:
    """A loop's body, or its condition."""

    def __init__(self, graph: Graph, subgraph: Subgraph, given: Mapping[int, int]) -> None:
        """`given` says which of its inputs are the same in every step, and which of the main network's tensors."""
        self.graph, self._given = graph, given
        self._makers = {number: operator for operator in subgraph.operators for number in operator.outputs}

    def at(self, number: int) -> int:
        """The tensor that has a tensor's numbers in the same order, before it was given another shape."""
        for _ in range(_MOST_SHAPES):
            maker = self._makers.get(number)
            if maker is None or maker.kind != "RESHAPE" or not self._same_size(maker):
                break
            number = maker.inputs[0]
        return number

    def _same_size(self, operator: Operator) -> bool:
        """Whether all lengths but the batch's are known, and no numbers are lost; a batch may be open in both."""
        tensors = self.graph.tensors
        return bool(operator.inputs) and tensors[operator.inputs[0]].size == tensors[operator.outputs[0]].size

    def maker(self, number: int) -> Operator | None:
        """The operator that a tensor's values come from."""
        return self._makers.get(self.at(number))

    def counts(self, before: int, after: int) -> bool:
        """Whether a number is one more after each step."""
        maker = self._makers.get(after)
        if maker is None or maker.kind != "ADD" or len(maker.inputs) != 2:
            return False
        return any(a == before and self.graph.ints(b) == (1,) for a, b in permutations(maker.inputs))

    def match(self, pattern: Pattern, number: int, bound: Bound) -> Iterator[Bound]:
        """The ways in which a tensor is what a pattern says: what its names stand for."""
        number = self.at(number)
        if isinstance(pattern, str):
            if bound.get(pattern, number) == number:
                yield {**bound, pattern: number}
            return
        kind, *inner = pattern
        if kind == "part":
            k, n, source = inner
            yield from (b for s in self._parted(number, k, n) for b in self.match(source, s, bound))
            return
        operator = self._makers.get(number)
        if operator is None or operator.options.get("fused_activation_function"):
            return
        if kind in ("activation", "recurrent_activation"):
            if operator.kind in FUNCTIONS and bound.get(kind, operator.kind) == operator.kind:
                yield from self.match(inner[0], operator.inputs[0], {**bound, kind: operator.kind})
        elif operator.kind == kind and len(operator.inputs) == len(inner):
            orders = permutations(operator.inputs) if kind in _COMMUTING else (operator.inputs,)
            for order in orders:
                yield from self._match_all(inner, order, bound)

    def _match_all(self, patterns: Sequence[Pattern], numbers: Sequence[int], bound: Bound) -> Iterator[Bound]:
        if not patterns:
            yield bound
            return
        for found in self.match(patterns[0], numbers[0], bound):
            yield from self._match_all(patterns[1:], numbers[1:], found)

    def _parted(self, number: int, k: int, n: int) -> Iterator[int]:
        """The tensor of which a tensor is part `k` of `n`."""
        operator = self._makers.get(number)
        if operator is None:
            return
        if operator.kind in ("SPLIT", "SPLIT_V") and len(operator.outputs) == n:
            source = self._split(operator)
            if operator.outputs[k] == number and source is not None:
                yield source
        elif operator.kind == "STRIDED_SLICE" and self._columns(operator) == (k, n):
            yield operator.inputs[0]

    def _split(self, operator: Operator) -> int | None:
        """The tensor whose last axis an operator cuts into parts of one size."""
        inputs = operator.inputs
        if len(inputs) != (2 if operator.kind == "SPLIT" else 3):
            return None
        axis, source = (inputs[0], inputs[1]) if operator.kind == "SPLIT" else (inputs[2], inputs[0])
        shape = self.graph.tensors[source].shape
        if self.graph.ints(axis) not in ((-1,), (len(shape) - 1,)):
            return None
        widths = {self.graph.tensors[number].shape[-1:] for number in operator.outputs}
        return source if len(widths) == 1 and None not in widths.pop() else None

    def _columns(self, operator: Operator) -> tuple[int, int] | None:
        """Which of how many parts of its input's last axis, of two, an operator takes."""
        shape = self.graph.tensors[operator.inputs[0]].shape
        places = [self.graph.ints(number) for number in operator.inputs[1:]]
        options, width = operator.options, shape[-1] if len(shape) == 2 else None
        if len(places) != 3 or width is None or any(place is None or len(place) != 2 for place in places):
            return None
        (_, begin), (_, end), strides = (place or (0, 0) for place in places)
        if strides != (1, 1) or any(options[name] for name in _OTHER_MASKS):
            return None
        masks = int(options["begin_mask"]), int(options["end_mask"])
        if not all(mask & 1 for mask in masks):
            return None
        begin, end = 0 if masks[0] & 2 else begin, width if masks[1] & 2 else end
        if not 0 <= begin < end <= width or width % (end - begin) or begin % (end - begin):
            return None
        return begin // (end - begin), width // (end - begin)

    def terms(self, number: int) -> list[int]:
        """What a sum is of; more than a few are one."""
        found: list[int] = []
        left = [number]
        while left and len(found) + len(left) <= _MOST_TERMS:
            one = self.at(left.pop())
            maker = self._makers.get(one)
            if maker is not None and maker.kind == "ADD" and not maker.options["fused_activation_function"]:
                left += maker.inputs
            else:
                found.append(one)
        return found if not left else [number]

    def product(self, number: int) -> tuple[int, int, int] | None:
        """Of a tensor that is one times a kernel, plus a bias or not: the one, the kernel, and the bias or -1."""
        operator = self._makers.get(number)
        if operator is None or operator.kind != "FULLY_CONNECTED" or not 2 <= len(operator.inputs) <= 3:
            return None
        if operator.options["fused_activation_function"] or operator.options["weights_format"]:
            return None
        x, kernel, bias = (*operator.inputs, -1)[:3]
        return self.at(x), self.outside(kernel), self.outside(bias)

    def outside(self, number: int) -> int:
        """The tensor of the main network that an input is in every step; any other tensor as it is."""
        return self._given.get(number, number)

    def limits(self, number: int, times: AbstractSet[int]) -> set[int]:
        """The lengths up to which a condition lets a loop go on; none where it asks for more than that."""
        found: set[int] = set()
        left = [number]
        while left:
            maker = self._makers.get(left.pop())
            if maker is None or len(maker.inputs) != 2 or len(found) + len(left) > _MOST_TERMS:
                return set()
            if maker.kind == "LOGICAL_AND":
                left += maker.inputs
            elif maker.kind == "LESS" and maker.inputs[0] in times:
                found.add(self.outside(maker.inputs[1]))
            else:
                return set()
        return found

    def keeps(self, before: int, after: int, output: int, times: AbstractSet[int]) -> str | None:
        """What a list keeps of a loop's outputs: ``"each"``, the ``"last"``, or something else."""
        maker = self._makers.get(after)
        if self.at(after) == output:
            return "last"
        if maker is None or len(maker.inputs) != 3:
            return None
        first, middle, last = maker.inputs
        if maker.kind == "CUSTOM FlexTensorListSetItem" and first == before and self.at(last) == output:
            return "each" if middle in times else "last" if self.graph.ints(middle) == (0,) else None
        joined = maker.kind == "CONCATENATION" and not maker.options["axis"] and self.at(middle) == output
        return "each" if joined and self._are_around(before, first, last, times) else None

    def _are_around(self, before: int, first: int, last: int, times: AbstractSet[int]) -> bool:
        """Whether two tensors are those items of a list that come before the one at a time, and after it."""
        cuts = [self._makers.get(number) for number in (first, last)]
        if not all(cut and cut.kind == "SLICE" and len(cut.inputs) == 3 and cut.inputs[0] == before for cut in cuts):
            return False
        (_, begin, size), (_, next_begin, rest) = (cut.inputs if cut else () for cut in cuts)
        whole = set(self.graph.ints(begin) or (1,)) == {0} and set(self.graph.ints(rest) or (0,)) == {-1}
        until, since = (self._first_of(number) for number in (size, next_begin))
        return whole and until in times and since is not None and any(self.counts(time, since) for time in times)

    def _first_of(self, number: int) -> int | None:
        """The number that a place or size along several axes begins with, whole along the others."""
        joined = self._makers.get(number)
        if joined is None or joined.kind != "CONCATENATION" or len(joined.inputs) != 2:
            return None
        others = set(self.graph.ints(joined.inputs[1]) or ())
        return self.at(joined.inputs[0]) if others in ({0}, {-1}) else None

    def is_constant(self, number: int) -> bool:
        """Whether a tensor is a constant of floats."""
        tensor = self.graph.tensors[number]
        return tensor.data is not None and tensor.kind in FLOATS


def cell(body: Body, states: Sequence[tuple[int, int]]) -> Found | None:
    """The layer of which a body is one step; `states` are what it takes from the step before and gives to the next."""
    for class_name, pattern in _PATTERNS.items():
        if len(states) != len(pattern):
            continue
        for ordered in permutations(states):
            befores = {name[0]: before for name, (before, _) in zip(pattern, ordered, strict=True)}
            afters = {name: body.at(after) for name, (_, after) in zip(pattern, ordered, strict=True)}
            found: list[Bound] = [{**befores, **afters}]
            for name, one in pattern.items():
                found = [b for bound in found for b in body.match(one, afters[name], bound)]
            for bound in found[:1]:
                return _with_weights(body, class_name, bound)
    return None


def _with_weights(body: Body, class_name: str, bound: Bound) -> Found | None:
    """The cell that a match is, if its sums are what they have to be: the step by a kernel, h by another, biases."""
    numbers = {name: number for name, number in bound.items() if isinstance(number, int)}
    functions = {name: kind for name, kind in bound.items() if isinstance(kind, str)}
    if "one" in numbers and not _is_one(body, numbers["one"]):
        return None
    sums = [_sum(body, numbers[name]) for name in ("sum", "given", "state") if name in numbers]
    products = [product for one in sums if one for product in one.products]
    if None in sums or len(products) != 2 or len({len(one.products) for one in sums if one}) != 1:
        return None
    if len(sums) == 1:
        products.sort(key=lambda product: product[0] == numbers["h"])
    (step, kernel), (again, recurrent) = products
    if again != numbers["h"] or step == again:
        return None
    found = Cell(
        class_name,
        FUNCTIONS[functions["activation"]],
        FUNCTIONS[functions["recurrent_activation"]] if "recurrent_activation" in functions else None,
        (kernel,),
        (recurrent,),
        tuple(one.bias for one in sums if one),
    )
    return Found(found, step, numbers["h'"])


def _sum(body: Body, number: int) -> _Sum | None:
    products, biases = [], []
    for term in body.terms(number):
        product = body.product(term)
        if product is None:
            biases.append(body.outside(term))
        else:
            products.append(product[:2])
            biases += [bias for bias in product[2:] if bias >= 0]
    kernels = [kernel for _, kernel in products]
    if len(biases) > 1 or not all(map(body.is_constant, (*kernels, *biases))):
        return None
    return _Sum(products, biases[0] if biases else -1)


def _is_one(body: Body, number: int) -> bool:
    tensor = body.graph.tensors[number]
    return body.is_constant(number) and tensor.size == 1 and bool(body.graph.floats(tensor)[0] == 1)
