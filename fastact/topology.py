"""The configuration in a file as a graph of calls, whatever Keras wrote it.

Keras 2 and Keras 3 spell the same thing differently, and a Sequential has no calls at all: here all become one
:class:`Topology`, with nothing computed and nothing believed: names are unique, references point to something, and
there is no cycle.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import field, replace
from typing import Any, TypeAlias

from fastact.errors import ModelError
from fastact.files.model import MODEL_CLASSES
from fastact.kernels.records import dataclass
from fastact.layers import Arguments, Given

MOST_LAYERS = 20_000
LONGEST_NAME = 1000
_DISTRIBUTED = "TimeDistributed"

Json: TypeAlias = "Mapping[str, Any]"


@dataclass(frozen=True)
class Reference:
    """Output number `output` of the `call`-th use of layer `layer`."""

    layer: str
    call: int
    output: int = 0


@dataclass(frozen=True)
class Call:
    """One use of a layer."""

    inputs: tuple[Reference, ...]
    arguments: Arguments = field(default_factory=Arguments)


@dataclass(frozen=True)
class LayerEntry:
    """A layer as configured, its calls in order, and its inside where it is a model itself."""

    name: str
    class_name: str
    config: Json
    calls: tuple[Call, ...]
    inside: Topology | None
    module: str | None = None


@dataclass(frozen=True)
class Topology:
    """A model: its layers in the file's order, and what goes in and comes out, in the file's order."""

    name: str
    layers: Mapping[str, LayerEntry]
    inputs: tuple[Reference, ...]
    outputs: tuple[Reference, ...]

    def in_order(self) -> Iterable[tuple[LayerEntry, int]]:
        """Every call, after those it takes inputs from; in the file's order where that is free."""
        return _sorted_calls(self)


def parse(config: Json) -> Topology:
    """The topology of a model's configuration.

    Raises:
        ModelError: it is none, names a layer twice, points to nothing, goes round in a circle or is too large.
    """
    class_name, inner = config.get("class_name"), config.get("config")
    if class_name not in MODEL_CLASSES:
        raise ModelError(
            f"the configuration is of a {str(class_name)[:60]!r}, not of a functional or Sequential model: "
            "a subclassed model keeps its network in Python code, which no file holds, so build it as one of those"
        )
    if class_name == "Sequential":
        return _sequential(inner)
    if not isinstance(inner, Mapping) or not isinstance(inner.get("layers"), list):
        raise ModelError("the configuration lists no layers")
    return _functional(inner)


def _sequential(inner: Any) -> Topology:
    """A chain; a bare list of layers before late 2018, a dict since."""
    described = inner.get("layers") if isinstance(inner, Mapping) else inner
    if not isinstance(described, list):
        raise ModelError("the configuration lists no layers")
    name = str(inner.get("name", "sequential")) if isinstance(inner, Mapping) else "sequential"
    listed = [_entry(item) for item in described]
    if not listed:
        raise ModelError(f"the Sequential model {name!r} has no layers")
    if listed[0].class_name != "InputLayer":
        listed.insert(0, _implied_input(inner, listed[0]))
    chained = [replace(listed[0], calls=(Call(()),))]
    for before, entry in itertools.pairwise(listed):
        chained.append(replace(entry, calls=(Call((Reference(before.name, 0),)),)))
    ends = Reference(chained[0].name, 0), Reference(chained[-1].name, 0)
    return Topology(name, _by_name(chained), (ends[0],), (ends[1],))


def _implied_input(inner: Any, first: LayerEntry) -> LayerEntry:
    """The input of a Sequential without InputLayer: in the first layer, or in what the model was built with."""
    shape = first.config.get("batch_input_shape", first.config.get("batch_shape"))
    if shape is None and isinstance(inner, Mapping):
        shape = inner.get("build_input_shape")
    if shape is None and first.inside is not None and first.class_name != _DISTRIBUTED:
        inside = first.inside
        shape = inside.layers[inside.inputs[0].layer].config.get("batch_input_shape")
        shape = shape or inside.layers[inside.inputs[0].layer].config.get("batch_shape")
    if shape is None:
        raise ModelError("the Sequential model does not say what shape its input has: it was saved before it was built")
    return LayerEntry(f"{first.name}_input", "InputLayer", {"batch_shape": shape}, (), None)


def _functional(inner: Json) -> Topology:
    name = str(inner.get("name", "model"))
    listed = _by_name([_entry(item) for item in inner["layers"]])
    layers = {}
    for item, entry in zip(inner["layers"], listed.values(), strict=True):
        nodes = item.get("inbound_nodes", [])
        if not isinstance(nodes, list):
            raise ModelError(f"layer {entry.name!r} has inbound_nodes that are no list")
        calls = tuple(_call(node, listed) for node in nodes) or ((Call(()),) if _is_input(entry) else ())
        if _is_input(entry) and (len(calls) > 1 or calls[0].inputs):
            raise ModelError(f"input {entry.name!r} is called like a layer")
        layers[entry.name] = replace(entry, calls=calls)
    inputs, outputs = (_ends(inner, key, listed) for key in ("input_layers", "output_layers"))
    if sorted(r.layer for r in inputs) != sorted(e.name for e in listed.values() if _is_input(e)):
        raise ModelError(f"the input_layers of model {name[:60]!r} are not its layers of class InputLayer, each once")
    return _renumbered(Topology(name, layers, inputs, outputs))


def _entry(item: Any) -> LayerEntry:
    if not isinstance(item, Mapping) or not isinstance(item.get("config"), Mapping | list):
        raise ModelError("the configuration lists a layer without a configuration of its own")
    class_name, config = item.get("class_name"), item["config"]
    inside = parse(item) if class_name in MODEL_CLASSES else _inside_of_each_step(class_name, config)
    name = item.get("name") or (config.get("name") if isinstance(config, Mapping) else inside and inside.name)
    if not isinstance(name, str) or not isinstance(class_name, str) or not name:
        raise ModelError(f"the configuration lists a layer of class {str(class_name)[:60]!r} without a name")
    if len(name) > LONGEST_NAME:  # names of nested layers are made of those around them, thousands of times over
        raise ModelError(f"the configuration lists a layer whose name has {len(name)} characters: {name[:60]!r}")
    if not (name + class_name).isprintable():  # they are shown in terminals
        raise ModelError(f"the configuration lists a layer with control characters in its name or class: {name[:60]!r}")
    module = item.get("module") if isinstance(item.get("module"), str) else None
    return LayerEntry(name, class_name, config if isinstance(config, Mapping) else {}, (), inside, module)


def _inside_of_each_step(class_name: object, config: Any) -> Topology | None:
    """The model inside a TimeDistributed layer, each of its layers distributed on its own; None in any other."""
    inner = config.get("layer") if class_name == _DISTRIBUTED and isinstance(config, Mapping) else None
    if not isinstance(inner, Mapping) or inner.get("class_name") not in MODEL_CLASSES:
        return None
    return _distributed(parse(inner))


def _distributed(topology: Topology) -> Topology:
    def distribute(entry: LayerEntry) -> LayerEntry:
        around = {"layer": {"class_name": entry.class_name, "config": entry.config, "module": entry.module}}
        inside = None if entry.inside is None else _distributed(entry.inside)
        return replace(entry, class_name=_DISTRIBUTED, config=around, inside=inside)

    layers = {name: e if _is_input(e) else distribute(e) for name, e in topology.layers.items()}
    return replace(topology, layers=layers)


def _shown(value: object) -> str:
    """A value from the file in one short line."""
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_input(entry: LayerEntry) -> bool:
    return entry.class_name == "InputLayer"


def _by_name(entries: Iterable[LayerEntry]) -> dict[str, LayerEntry]:
    layers: dict[str, LayerEntry] = {}
    for entry in entries:
        if entry.name in layers:
            raise ModelError(f"the configuration names two layers {entry.name!r}")
        layers[entry.name] = entry
        if len(layers) > MOST_LAYERS:
            raise ModelError(f"the configuration lists more than {MOST_LAYERS} layers")
    return layers


def _ends(inner: Json, key: str, layers: Json) -> tuple[Reference, ...]:
    """input_layers or output_layers: a list of triples, or one bare triple from Keras 3.11 on."""
    value = inner.get(key)
    triples = [value] if _is_triple(value, layers) else value
    if isinstance(triples, Mapping):  # a model made from a dict of tensors
        triples = list(triples.values())
    if not isinstance(triples, list) or not triples:
        raise ModelError(f"the configuration has no {key}")
    return tuple(_reference(t, layers) for t in triples)


def _is_triple(value: Any, layers: Json) -> bool:
    """Whether `value` is ["layer", call, output], Keras's way to name a tensor."""
    return (
        isinstance(value, list)
        and len(value) in (3, 4)
        and isinstance(value[0], str)
        and value[0] in layers
        and all(isinstance(n, int) and not isinstance(n, bool) for n in value[1:3])
    )


def _reference(triple: Any, layers: Json) -> Reference:
    if not _is_triple(triple, layers):
        raise ModelError(f"the configuration points to {_shown(triple)}, which is no output of a layer in it")
    if triple[1] < 0 or triple[2] < 0:
        raise ModelError(f"the configuration points to output {triple[2]} of call {triple[1]} of {triple[0]!r}")
    return Reference(triple[0], triple[1], triple[2])


def _call(node: Any, layers: Json) -> Call:
    if isinstance(node, Mapping):
        return _keras3_call(node, layers)
    if not isinstance(node, list):
        raise ModelError(f"the configuration has a call that fastact cannot read: {_shown(node)}")
    return _keras2_call([node] if node and isinstance(node[0], str) else node, layers)


def _keras2_call(tensors: list[Any], layers: Json) -> Call:
    """[["x", 0, 0, {}], ...]: the keywords repeat at every tensor and may hold tensors themselves."""
    inputs: list[Reference] = []
    first: list[object] = []
    keywords: dict[str, object] = {}
    for tensor in tensors:
        if isinstance(tensor, list) and len(tensor) > 3 and isinstance(tensor[3], Mapping):
            keywords.update(tensor[3])
        if isinstance(tensor, list) and len(tensor) > 2 and tensor[0] == "_CONSTANT_VALUE":
            first.append(tensor[2])
        else:
            first.append(_given(_reference(tensor, layers), inputs))
    placed = {k: _keras2_placed(v, layers, inputs) for k, v in keywords.items() if v is not None}
    return Call(tuple(inputs), Arguments((first[0] if len(first) == 1 else first,) if first else (), placed))


def _given(reference: Reference, inputs: list[Reference]) -> Given:
    """Appends a tensor to `inputs`; returns what stands for it among the arguments."""
    inputs.append(reference)
    return Given(len(inputs) - 1)


def _keras2_placed(value: Any, layers: Json, inputs: list[Reference]) -> object:
    """A keyword's value with its tensors, which are appended to `inputs`, as Given."""
    if _is_triple(value, layers):
        return _given(_reference(value, layers), inputs)
    return [_keras2_placed(v, layers, inputs) for v in value] if isinstance(value, list) else value


def _keras3_call(node: Json, layers: Json) -> Call:
    """{"args": [...], "kwargs": {...}}, tensors wherever they stand in them."""
    inputs: list[Reference] = []
    args, kwargs = node.get("args", []), node.get("kwargs", {})
    if not isinstance(args, list) or not isinstance(kwargs, Mapping):
        raise ModelError(f"the configuration has a call that fastact cannot read: {_shown(node)}")
    positional = tuple(_keras3_placed(a, layers, inputs) for a in args)
    keywords = {k: _keras3_placed(v, layers, inputs) for k, v in kwargs.items() if v is not None}
    return Call(tuple(inputs), Arguments(positional, keywords))


def _keras3_placed(value: Any, layers: Json, inputs: list[Reference]) -> object:
    """An argument with its tensors, which are appended to `inputs`, as Given."""
    if isinstance(value, list):
        return [_keras3_placed(v, layers, inputs) for v in value]
    if not isinstance(value, Mapping) or value.get("class_name") != "__keras_tensor__":
        return value
    config = value.get("config")
    history = config.get("keras_history") if isinstance(config, Mapping) else None
    return _given(_reference(history, layers), inputs)


def _renumbered(topology: Topology) -> Topology:
    """Keras 2 counts a nested model's calls from 1, its own making being call 0: from 0 here."""
    used: dict[str, set[int]] = {}
    for reference in _all_references(topology):
        used.setdefault(reference.layer, set()).add(reference.call)
    shifted = {
        name
        for name, calls in used.items()
        if topology.layers[name].inside is not None
        and min(calls) >= 1
        and max(calls) == len(topology.layers[name].calls)
    }

    def renumber(references: Iterable[Reference]) -> tuple[Reference, ...]:
        return tuple(replace(r, call=r.call - 1) if r.layer in shifted else r for r in references)

    layers = {
        e.name: replace(e, calls=tuple(Call(renumber(c.inputs), c.arguments) for c in e.calls))
        for e in topology.layers.values()
    }
    result = Topology(topology.name, layers, renumber(topology.inputs), renumber(topology.outputs))
    for reference in _all_references(result):
        if reference.call >= len(layers[reference.layer].calls):
            raise ModelError(
                f"the configuration points to call {reference.call} of layer {reference.layer!r}, "
                f"which is called {len(layers[reference.layer].calls)} times"
            )
        inside = layers[reference.layer].inside
        if inside is not None and reference.output >= len(inside.outputs):
            raise ModelError(
                f"the configuration points to output {reference.output} of model {reference.layer!r}, "
                f"which has {len(inside.outputs)}"
            )
    return result


def _all_references(topology: Topology) -> Iterable[Reference]:
    yield from topology.inputs
    yield from topology.outputs
    for entry in topology.layers.values():
        for call in entry.calls:
            yield from call.inputs


def _sorted_calls(topology: Topology) -> Iterable[tuple[LayerEntry, int]]:
    """Depth first without recursion, so that a long chain in the wrong order costs no stack."""
    done: set[tuple[str, int]] = set()
    waiting: set[tuple[str, int]] = set()
    for entry in topology.layers.values():
        for number in range(len(entry.calls)):
            stack = [(entry.name, number)]
            while stack:
                top = stack[-1]
                current = topology.layers[top[0]]
                needed = ((r.layer, r.call) for r in current.calls[top[1]].inputs)
                missing = [n for n in needed if n not in done]
                if top in done:
                    stack.pop()
                elif not missing:
                    stack.pop()
                    waiting.discard(top)
                    done.add(top)
                    yield current, top[1]
                elif top in waiting:
                    raise ModelError(f"the configuration goes round in a circle at layer {top[0]!r}")
                else:
                    waiting.add(top)
                    stack.extend(reversed(missing))
