"""Which Keras layer a tensor belongs to, from what the converter left of its name.

A tensor is named after the TensorFlow operations that were fused into the operator that gives it, such as
``linear/conv2d_1/Relu;linear/conv2d_1/BiasAdd;linear/conv2d_1/Conv2D``: the model's scope, then the layer, outer
models and wrappers first, then the operation, perhaps with scopes of its own (``batchnorm/add_1``). Keras 3
enters every layer's scope twice, and TensorFlow makes the second ``conv2d_1_1``. An output of the model has no name of
its own but the signature's, which Keras 2 takes from the layer.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

from ..kernels.records import dataclass
from .tflite_graph import Graph, Operator

__all__ = ["Naming", "Part", "cleaned"]

_LONGEST = 200
_MOST_PARTS, _DEEPEST = 64, 32
"""Operations in a tensor's name, and scopes around one of them: what is beyond is no name that a converter writes."""
_CALL = re.compile(r"(StatefulPartitionedCall|PartitionedCall)(_\d+)?(:\d+)?")
_NUMBER = re.compile(r"\d+$")
_SUFFIX = re.compile(r"_(\d+)$")
_PLACE = re.compile(r":\d+$")
_CALLED = re.compile(r":(\d{1,9})$")
_CALLS = re.compile(r":\d{1,9}(?=/|$)")
_NUMBERED_OUTPUT = re.compile(r"output_\d+")

# Scopes that operations open inside a layer's.
_INNER = re.compile(
    r"(batchnorm|moments|separable_conv\w*|conv\w*_transpose\w*|Conv[123]D\w*|convolution\w*|depthwise\w*|Gelu|Tensordot"
    r"|(Max|Avg)Pool\w*|Repeat|resize|Reshape|BiasAdd|MatMul|Pad|transpose|strided_slice|concat|einsum|while"
    r"|(lstm|gru|simple_rnn)_cell|Read|TensorArrayV2\w*)(_\d+)?"
)
# Of those, what Keras calls layers that are given no name.
_DEFAULT = re.compile(r"(separable_conv[12]d|conv[123]d_transpose|depthwise_conv[12]d)(_\d+)*")
_CELL = re.compile(r"(lstm|gru|simple_rnn)_cell(_\d+)?")
# Operations that are in a layer's own scope, never in one that an operation opens.
_OF_LAYERS = re.compile(r"(BiasAdd|Relu6?)(_?\d+)?")
# Operations that a layer does once when it is called.
_ONCE = ("BiasAdd", "Conv1D", "Conv2D", "Conv3D", "MatMul", "MaxPool", "AvgPool")
_ALONE = frozenset({"Elu", "LeakyRelu", "Relu", "Relu6"})  # of a layer that does nothing else: a PReLU has two
_ACTIVATION = re.compile(r"(Relu|Relu6|ReluN1To1|Tanh|clip_by_value|Minimum|Maximum)(_?\d+)?")
# A batch normalization whose sum went into the next layer's bias, and the first half of a separable convolution whose
# second half went into the normalization after it: not what Keras calls the layer's output.
_UNFINISHED = re.compile(r"batchnorm/(mul|Rsqrt)(_\d+)*|separable_conv\w*/depthwise\d*")
# A mean of several maps whose division went into the next layer's weights. Its name alone tells it from a sum.
_AVERAGE = re.compile(r"(.*/)?average(_\d+)?(:\d+)?")
_SUM = re.compile(r"[Aa]dd(_?\d+)?")


@dataclass(frozen=True)
class Part:
    """One of the operations in a tensor's name."""

    layer: str
    """The layer's name, of layers inside others their path; of its second call with ``:1`` behind it."""
    operation: str

    @property
    def is_activation(self) -> bool:
        """Whether it is a function that operators take in at their end."""
        return _ACTIVATION.fullmatch(self.operation) is not None

    @property
    def is_unfinished(self) -> bool:
        """Whether its layer had more to do after it."""
        return _UNFINISHED.fullmatch(self.operation) is not None or (
            _SUM.fullmatch(self.operation) is not None and _AVERAGE.fullmatch(self.layer) is not None
        )

    def unfinished(self) -> Part:
        """The same layer before its end."""
        return Part(self.layer, "batchnorm/mul")


class _Nested:
    """Which scopes are of layers and which of operations, where operations give theirs the names that layers have.

    A scope is around layers, a nested model's or a wrapper's, if another is in it that no operation opens, or one in
    which a layer adds its bias or ends with its function.
    """

    def __init__(self, splits: Iterable[Sequence[str]]) -> None:
        self._layers: set[tuple[str, ...]] = set()
        self._around: set[tuple[str, ...]] = set()
        for split in splits:
            for place, piece in enumerate(split[1:-1], 1):
                if _INNER.fullmatch(piece):
                    last = place == len(split) - 2 and _OF_LAYERS.fullmatch(split[-1])
                    if not last or _CELL.fullmatch(piece):
                        break
                    self._layers.add(tuple(split[: place + 1]))
                self._around.add(tuple(split[:place]))

    def depth(self, split: Sequence[str]) -> int:
        """How many of the pieces are the layer's path; those behind them are the operation's."""
        for place, piece in enumerate(split[1:-1], 1):
            if _INNER.fullmatch(piece) and not self._is_layer(tuple(split[: place + 1])):
                return place
        return len(split) - 1

    def _is_layer(self, path: tuple[str, ...]) -> bool:
        return path in self._layers or (path[:-1] in self._around and _DEFAULT.fullmatch(path[-1]) is not None)


def _calls_by_scope(paths: Iterable[tuple[Sequence[str], str]]) -> dict[tuple[str, ...], int]:
    """Which call of its layer each scope is: in Keras 3 each call enters one of its own."""
    found: dict[tuple[str, ...], set[int]] = {}
    for layer, _ in paths:
        for place, piece in enumerate(layer):
            named, number = _numbered(piece)
            found.setdefault((*layer[:place], named), set()).add(number)
    return {
        (*path, f"{name}_{number}"): call
        for (*path, name), numbers in found.items()
        for call, number in enumerate(sorted(numbers))
    }


def _calls_by_operation(paths: Iterable[tuple[Sequence[str], str]]) -> dict[tuple[str, ...], int]:
    """Which call of its layer each operation is of, by the layer's path and the operation; by the path alone, the last.

    Keras 2 has one scope for all calls. What a layer does once tells how many there are, and in that order come also
    operations that it does several times.
    """
    found: dict[tuple[str, ...], dict[str, set[int]]] = {}
    for layer, operation in paths:
        named, number = _numbered(operation)
        found.setdefault(tuple(layer), {}).setdefault(named, set()).add(number)
    calls: dict[tuple[str, ...], int] = {}
    for layer, operations in found.items():
        once = operations.keys() if operations.keys() <= _ALONE else _ONCE
        count = max(len(operations.get(name, ())) for name in once)
        if count < 2:
            continue
        calls[layer] = count - 1
        for name, numbers in operations.items():
            times = max(1, len(numbers) // count)
            spelt = [f"{name}_{number}" if number else name for number in sorted(numbers)]
            calls |= {(*layer, one): min(place // times, count - 1) for place, one in enumerate(spelt)}
    return calls


def _with_call(name: str, call: int) -> str:
    """A layer's name with the number of its call, as the rest of fastact has it."""
    return f"{name}:{call}" if call else name


def _numbered(piece: str) -> tuple[str, int]:
    """A piece without the number that makes it different from others of its name; 0 where it has none."""
    found = _SUFFIX.search(piece)
    return (piece[: found.start()], int(found[1][:9])) if found else (piece, 0)


class Naming:
    """The names of one file's tensors, in parts."""

    def __init__(self, graph: Graph) -> None:
        self._graph = graph
        given = _several(graph, (number for operator in graph.operators for number in operator.outputs))
        taken = _several(graph, {number for operator in graph.operators for number in operator.inputs if number >= 0})
        # Where all that layers give are outputs of the network, only weights have names.
        pieces = next((splits for splits in (given, taken) if _scope(splits) is not None), given)
        self._scope = _scope(pieces)
        self._layers_twice = self._is_doubled(pieces)
        within = [[split for split in map(self._within, splits) if split is not None] for splits in (given, taken)]
        self._nested = _Nested([*within[0], *within[1]])
        paths = [(split[: self._nested.depth(split)], split[self._nested.depth(split)]) for split in within[0]]
        self._calls = _calls_by_scope(paths) if self._layers_twice else _calls_by_operation(paths)
        self._takers = Counter(number for operator in graph.operators for number in set(operator.inputs))
        outputs = set(graph.outputs)
        inside = (operator for operator in graph.operators if not outputs.intersection(operator.outputs))
        self._takers_inside = Counter(number for operator in inside for number in set(operator.inputs))

    def _is_doubled(self, pieces: Sequence[Sequence[str]]) -> bool:
        """Whether all layers' scopes are second ones: by Keras 3, whose signatures number the outputs."""
        outputs = self._graph.output_names.values()
        if self._scope is None or not outputs or not all(_NUMBERED_OUTPUT.fullmatch(name) for name in outputs):
            return False
        layers = {split[1] for split in pieces if len(split) > 2 and split[0] == self._scope}
        return all(_SUFFIX.search(name) for name in (self._scope, *layers))

    def of(self, number: int) -> list[Part]:
        """The parts of a tensor's name that name a layer; empty where none does."""
        parts = (self._part(split) for split in _split(self._graph.tensors[number].name))
        return [part for part in parts if part is not None]

    def _part(self, split: Sequence[str]) -> Part | None:
        within = self._within(split)
        if within is None:
            return None
        inner = self._nested.depth(within)
        layer, operation = within[:inner], within[inner:]
        if self._layers_twice:
            names = [self._called(_SUFFIX.sub("", piece), tuple(layer[: i + 1])) for i, piece in enumerate(layer)]
            return Part("/".join(names), "/".join(operation))
        return Part(self._called("/".join(layer), (*layer, operation[0])), "/".join(operation))

    def _called(self, name: str, key: tuple[str, ...]) -> str:
        return _with_call(name, self._calls.get(key, 0))

    def _within(self, split: Sequence[str]) -> Sequence[str] | None:
        """The pieces inside the model's scope; None of what is in another, or in no layer's."""
        if self._scope is not None:
            if split[0] != self._scope:
                return None
            split = split[1:]
        return split if len(split) > 1 else None

    def output_layer(self, number: int) -> str | None:
        """The layer that the signature names a tensor after; Keras 3 only numbers them."""
        name = self._graph.output_names.get(number, "")
        return None if not name or _NUMBERED_OUTPUT.fullmatch(name) else name

    def input_name(self, number: int) -> str:
        """What a network's input is called."""
        stored = _PLACE.sub("", self._graph.tensors[number].name).removeprefix("serving_default_")
        return self._graph.input_names.get(number) or stored

    def result(self, operator: Operator, *, weights: int = -1, bias: int = -1, activated: bool = False) -> Part | None:
        """The layer whose output an operator's first output is.

        Several layers may have gone into one operator, and their order in the name is not always theirs in the
        network. What an operator does last is its activation; a bias is named after the last layer that went into it,
        and weights after the last one that has some.
        """
        number = operator.outputs[0]
        parts = _latest(self.of(number))
        named = self.output_layer(number)
        if named is not None and not parts:
            calls = self._takers_inside[weights] if weights >= 0 else 0
            call = 0 if self._layers_twice else self._calls.get(tuple(named.split("/")), calls)
            return Part(_with_call(named, call), "output")
        layers = {part.layer for part in parts}
        if len(layers) < 2:
            return parts[0] if parts else self._of_weights(weights) or self._of_weights(bias)
        if activated:
            found = next((part for part in parts if part.is_activation), None)
            if found is not None:
                return found
        for stored in (bias, weights):
            for part in self.of(stored) if stored >= 0 else ():
                if part.layer in layers:
                    return part
        return parts[0]

    def _of_weights(self, weights: int) -> Part | None:
        """Of weights that several operators take, they do not tell which call of the layer it is."""
        parts = self.of(weights) if weights >= 0 and self._takers[weights] < 2 else []
        return parts[0] if parts else None


def _latest(parts: Sequence[Part]) -> list[Part]:
    """The parts without those of an earlier call of their layer: what calls share is named after the first."""
    last: dict[str, tuple[int, ...]] = {}
    keys = []
    for part in parts:
        found = [_CALLED.search(piece) for piece in part.layer.split("/")]
        calls = tuple(int(match[1]) if match else 0 for match in found)
        keys.append((_CALLS.sub("", part.layer), calls))
        last[keys[-1][0]] = max(calls, last.get(keys[-1][0], calls))
    return [part for part, (path, calls) in zip(parts, keys, strict=True) if calls == last[path]]


def cleaned(name: str) -> str:
    """A name fit to be a layer's: printable, of bounded length; may be empty."""
    return "".join(c if c.isprintable() else "?" for c in name[:_LONGEST]).strip()


def _scope(pieces: Sequence[Sequence[str]]) -> str | None:
    """The model's scope, in which most names are; None where there is none."""
    firsts = Counter(split[0] for split in pieces)
    scope, count = firsts.most_common(1)[0] if firsts else ("", 0)
    deep = any(split[0] == scope and len(split) > 2 and not _INNER.fullmatch(split[1]) for split in pieces)
    return scope if deep and 2 * count > len(pieces) else None


def _several(graph: Graph, numbers: Iterable[int]) -> list[list[str]]:
    """What `_split` makes of the tensors' names, as far as it is more than one piece."""
    return [split for number in numbers for split in _split(graph.tensors[number].name) if len(split) > 1]


def _split(name: str) -> Iterable[list[str]]:
    """The pieces of every operation in a tensor's name, without what only says how it was called."""
    for one in name.split(";", _MOST_PARTS)[:_MOST_PARTS]:
        pieces = [piece for piece in one.split("/", _DEEPEST) if piece and not _CALL.fullmatch(piece)]
        if len(pieces) <= _DEEPEST and pieces and not one.startswith(("arith.", "tfl.")):
            yield pieces
