"""Steps that are one Keras layer put together again, and names for all of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .tflite_graph import Graph
from .tflite_layers import ACTIVATED
from .tflite_names import Naming, Part, cleaned
from .tflite_steps import Step

__all__ = ["merged", "named"]

_WORD = re.compile(r"(?<=[a-z])(?=[A-Z])|[^A-Za-z0-9]+")
_MOST_BIASES = 2**16
_LESS_TELLING = ("FULLY_CONNECTED", "UNIDIRECTIONAL_SEQUENCE_LSTM", "WHILE")
"""Operators that are not named as their layers are."""


def merged(graph: Graph, steps: Sequence[Step], outputs: Iterable[int]) -> list[Step]:
    """The steps, those of one Keras layer made one where it can say both.

    Nothing else may take what the first of them gives. An activation at an output of the network whose name the
    file has lost is taken to be that of the layer before it, if layers of its kind have one.
    """
    uses = Counter(value for step in steps for value in set(step.inputs))
    ends = set(outputs)
    uses.update(ends)
    steps = _adopted(steps, ends)
    kept: list[Step] = []
    places: dict[int, int] = {}
    for step in steps:
        step = _swish(step, kept, places, uses)
        place = places.get(step.inputs[0]) if len(step.inputs) == 1 and uses[step.inputs[0]] == 1 else None
        both = None if place is None else _both(graph, kept[place], step)
        if both is None or place is None:
            places[step.value] = len(kept)
            kept.append(step)
        else:
            del places[kept[place].value]
            places[both.value], kept[place] = place, both
    return [step for step in kept if step.class_name]


def _adopted(steps: Sequence[Step], ends: set[int]) -> list[Step]:
    """The steps, an unnamed function at an output given to the layer that alone it takes from.

    Or, as the last of a function's operators, to the layer of those before it: x * sigmoid(x), x * tanh(softplus(x)).
    """
    makers = {step.value: step for step in steps}
    activated = {step.layer for step in steps if _inner(step)["class_name"] in ACTIVATED}
    takers: dict[int, set[str | None]] = {}
    for step in steps:
        for value in step.inputs:
            takers.setdefault(value, set()).add(step.layer)
    found = []
    for step in steps:
        function = step.class_name in ("Activation", "Multiply") and step.part is None and step.value in ends
        gate = _gate(step, makers) if function else None
        if gate is not None and gate.part is not None and gate.layer not in activated and gate.value not in ends:
            step = replace(step, part=Part(gate.part.layer, "output"))
        elif function and (layer := _alone(step, makers, takers, activated)) and not ends.intersection(step.inputs):
            step = replace(step, part=Part(layer, "output"))
        found.append(step)
    return found


def _gate(step: Step, makers: Mapping[int, Step]) -> Step | None:
    """What gives the product's other factor, if only functions of one layer are between that and the first."""
    if step.class_name != "Multiply" or len(step.inputs) != 2:
        return None
    for x, other in (step.inputs, step.inputs[::-1]):
        gate = makers.get(other)
        before = gate
        while before is not None and gate is not None and before.class_name == "Activation":
            if before.layer != gate.layer:
                break
            if before.inputs == (x,):
                return gate
            before = makers.get(before.inputs[0])
    return None


def _alone(
    step: Step, makers: Mapping[int, Step], takers: Mapping[int, set[str | None]], activated: set[str | None]
) -> str | None:
    """The layer that all of the step's inputs are of, if it has an activation and no other takes them."""
    before = [makers.get(value) for value in step.inputs]
    layer = before[0].layer if before and before[0] else None
    layers = {maker.layer if maker else None for maker in before}
    outside = {one for value in step.inputs for one in takers[value]} - {None, layer}
    return layer if layer in activated and layers == {layer} and not outside else None


def _both(graph: Graph, first: Step, second: Step) -> Step | None:
    """One layer that does what both do, if they are of one Keras layer."""
    if first.layer is None or first.layer != second.layer:
        return None
    config = _with_activation(first, second) or _with_bias(graph, first, second) or _affine(first, second)
    if config is None:
        return None
    return replace(config, value=second.value, part=second.part)


def _with_activation(first: Step, second: Step) -> Step | None:
    inner = _inner(first)
    if second.class_name != "Activation" or inner["class_name"] not in ACTIVATED or "activation" in inner["config"]:
        return None
    return _with(first, activation=second.config["activation"])


def _with_bias(graph: Graph, first: Step, second: Step) -> Step | None:
    """A convolution or dense layer whose bias is added apart; the converter may have left zeros in its place."""
    inner = _inner(first)
    if inner["class_name"] not in ACTIVATED or "activation" in inner["config"] or set(second.weights) - _SUM:
        return None
    if second.class_name != "BatchNormalization" or "beta" not in second.weights or not _is_zero(graph, first):
        return None
    step = _with(first, use_bias=True)
    return replace(step, weights={**first.weights, "bias": second.weights["beta"]})


_SUM = {"beta", "moving_mean", "moving_variance"}


def _is_zero(graph: Graph, step: Step) -> bool:
    bias = step.weights.get("bias")
    if bias is None:
        return True
    small = bias.tensor is not None and bias.tensor.size <= _MOST_BIASES
    return small and bias.tensor is not None and not np.any(graph.floats(bias.tensor))


def _affine(first: Step, second: Step) -> Step | None:
    """A product and then a sum."""
    if first.class_name != second.class_name:
        return None
    if first.class_name == "Rescaling" and first.config["offset"] == 0 and second.config["scale"] == 1:
        return _with(first, offset=second.config["offset"])
    if first.class_name == "BatchNormalization" and "beta" not in first.weights and "gamma" not in second.weights:
        return replace(_with(first, center=True), weights={**first.weights, **second.weights})
    return None


def _inner(step: Step) -> Mapping[str, Any]:
    """The layer's class and configuration, inside a TimeDistributed the inner one's."""
    if step.class_name == "TimeDistributed":
        inner: Mapping[str, Any] = step.config["layer"]
        return inner
    return {"class_name": step.class_name, "config": step.config}


def _with(step: Step, **entries: object) -> Step:
    inner = _inner(step)
    config = {**inner["config"], **entries}
    if step.class_name == "TimeDistributed":
        return replace(step, config={**step.config, "layer": {**inner, "config": config}})
    return replace(step, config=config)


def _swish(step: Step, kept: list[Step], places: Mapping[int, int], uses: Counter[int]) -> Step:
    """x * sigmoid(x) of one Keras layer as the activation that it is; the sigmoid's step is left without a class."""
    if step.class_name != "Multiply" or len(step.inputs) != 2:
        return step
    for x, gate in (step.inputs, step.inputs[::-1]):
        place = places.get(gate)
        found = None if place is None else kept[place]
        if found is None or place is None or found.inputs != (x,) or uses[gate] != 1 or found.layer != step.layer:
            continue
        if found.class_name == "Activation" and found.config["activation"] == "sigmoid" and step.layer is not None:
            kept[place] = replace(found, class_name="")
            uses[x] -= 1
            return replace(step, class_name="Activation", config={"activation": "silu"}, inputs=(x,))
    return step


def named(graph: Graph, naming: Naming, steps: Sequence[Step]) -> tuple[dict[int, str], list[str]]:
    """Names of the inputs, by tensor, and of the steps: all different.

    The last step of a Keras layer, which gives what that layer gives, has its name; those before it have their
    operator's added. What belongs to no layer is named after the operator.
    """
    taken: set[str] = set()
    counts: Counter[str] = Counter()
    inputs = {number: _free(cleaned(naming.input_name(number)) or "input", taken, counts) for number in graph.inputs}
    last = {step.layer: place for place, step in enumerate(steps) if step.part and not step.part.is_unfinished}
    names: list[str] = [""] * len(steps)
    for layer, place in last.items():
        if layer and cleaned(layer):
            names[place] = _free(cleaned(layer), taken, counts)
    for place, step in enumerate(steps):
        if not names[place]:
            own = _snake(step.class_name if step.operator in _LESS_TELLING else step.operator)
            names[place] = _free(cleaned(f"{step.layer}_{own}" if step.layer else own), taken, counts)
    return inputs, names


def _snake(name: str) -> str:
    """``CONV_2D`` as ``conv_2d``, ``CUSTOM FlexErf`` as ``custom_flex_erf``: a word that can be typed."""
    return _WORD.sub("_", name).strip("_").lower() or "operator"


def _free(name: str, taken: set[str], counts: Counter[str]) -> str:
    """`name`, with a number where it is taken."""
    free = name
    while free in taken:
        counts[name] += 1
        free = f"{name}_{counts[name]}"
    taken.add(free)
    return free
