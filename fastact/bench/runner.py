"""One model at one size, ready to be timed: whole frames, and layer by layer."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastact.bench.result import Layer
from fastact.bench.times import Times
from fastact.cost import PICTURE_RANKS
from fastact.engines import Task, engine
from fastact.errors import InputError
from fastact.extractor import Extractor
from fastact.frames import read_picture, takes_pictures
from fastact.graph import Model
from fastact.layers import show
from fastact.layout import Stretch
from fastact.selection import Layers, select

Array = npt.NDArray[Any]


def sized(model: Model, size: tuple[int, int], layers: Layers = None) -> Model:
    """The model for pictures of `size`, (rows, columns), if all that can be computed at its own size still can be.

    Raises:
        InputError: a wanted layer cannot be computed at that size; the message names the first that cannot.
    """
    if size == own_size(model):
        return model
    moved = model.at_size(size)
    wanted = {n.name for n in select(model, layers) if n.reason is None}
    if any(moved.layers[name].reason is not None for name in wanted):
        # The layer asked for may only need another that cannot follow: the first of all in order is at fault.
        fault = next(n for n in moved.nodes if n.reason is not None and model.layers[n.name].reason is None)
        raise InputError(
            f"{model.source} cannot take {size[1]}x{size[0]}: layer {fault.name!r} ({fault.class_name}): {fault.reason}"
        )
    return moved


def own_size(model: Model) -> tuple[int, int] | None:
    """Rows and columns of the picture the model takes, the first if several; None where it takes none or any size."""
    pictures = [shape for shape in model.input_shapes.values() if len(shape) in PICTURE_RANKS]
    if not pictures:
        return None
    rows, columns = pictures[0][-2:] if model.channels_first else pictures[0][-3:-1]
    return None if rows is None or columns is None else (rows, columns)


def inputs_of(model: Model, image: Path) -> dict[str, Array]:
    """What the model is fed: `image` where an input takes a picture, and numbers from 0 to 1 elsewhere.

    Raises:
        InputError: an input has an open size; `image` cannot be read.
    """
    rng = np.random.default_rng(0)
    made: dict[str, Array] = {}
    for name, shape in model.input_shapes.items():
        if None in shape:
            raise InputError(f"the input {name!r} is {show(shape)}, of open size: give the size with --sizes")
        known = tuple(n for n in shape if n is not None)
        if takes_pictures(shape):
            frame = read_picture(image, known[-3:]).frame
            made[name] = frame if len(known) == 3 else np.ascontiguousarray(np.broadcast_to(frame, known))
        else:
            made[name] = rng.random(known, np.float32)
    return made


@dataclass(frozen=True)
class _Group:
    """Nodes that share steps, those steps of the table, from, to (exclusive), and the multiply-adds they do."""

    nodes: tuple[str, ...]
    steps: tuple[tuple[int, int], ...]
    multiplied: int


class Runner:
    """A model with what it is fed and memory for its maps.

    Attributes:
        model: as it is at this size.
        inputs: by name.
        groups: what `steps` times, in order.
        profile: what times them.
        device: what computes, "cpu" or "cuda".
    """

    def __init__(
        self, model: Model, layers: Layers, threads: int, inputs: Mapping[str, Array], device: str = "cpu"
    ) -> None:
        self.model, self.inputs = model, inputs
        self._frame = next(iter(inputs.values())) if len(inputs) == 1 else inputs
        self.extract = Extractor(model, layers, threads=threads, device=device)
        self.maps = self.extract(self._frame)
        self.device = self.extract.device
        if device != self.device:  # "auto", which must not change its mind while it is measured
            self.extract = Extractor(model, layers, threads=threads, device=self.device)
            self.maps = self.extract(self._frame)
        task = Task.of(model.nodes, tuple(self.maps), inputs)
        self.profile = engine(self.device, threads).profile(task, inputs)
        self.groups = _grouped(self.profile.stretches)

    def frame(self) -> float:
        """Seconds of one frame."""
        start = time.perf_counter_ns()
        self.extract(self._frame, out=self.maps)
        return (time.perf_counter_ns() - start) / 1e9

    def steps(self) -> list[float]:
        """Seconds of each group of layers, once through the plan, by the profile's clock."""
        order, spent = self._in_order(), [0.0] * len(self.groups)
        seconds = self.profile.seconds([(first, last) for first, last, _ in order])
        for (_, _, group), passed in zip(order, seconds, strict=True):
            spent[group] += passed
        return spent

    def _in_order(self) -> list[tuple[int, int, int]]:
        return sorted((first, last, number) for number, g in enumerate(self.groups) for first, last in g.steps)

    def layers(self, rounds: Sequence[Sequence[float]]) -> tuple[Layer, ...]:
        """What each group is and costs, with the times `steps` gave in every round."""
        return tuple(
            self._layer(group, Times.of([times[number] for times in rounds]))
            for number, group in enumerate(self.groups)
        )

    def _layer(self, group: _Group, times: Times) -> Layer:
        model, names, inside = self.model, group.nodes, set(group.nodes)
        nodes = [model.layers[name] for name in names]
        outside = {i for node in nodes for i in node.inputs if model.nodes[i].name not in inside}
        read = sum(self._bytes(model.nodes[i].name) for i in outside)
        written = sum(node.map_bytes or 0 for node in nodes if not node.is_input)
        weights = sum(4 * node.parameters for node in nodes)
        return Layer(
            names=tuple(n.name for n in nodes if not n.is_input) or names,
            shapes=tuple(tuple(s or 0 for s in n.known_shape) for n in nodes if not n.is_input or len(nodes) == 1),
            multiply_adds=sum(model.costs[name].multiply_adds for name in names),
            multiplied=group.multiplied,
            map_bytes=written,
            traffic=max(1, read + written + weights + sum(self._bytes(n.name) for n in nodes if n.is_input)),
            times=times,
        )

    def _bytes(self, name: str) -> int:
        return int(self.inputs[name].nbytes) if name in self.inputs else self.model.layers[name].map_bytes or 0

    @property
    def multiply_adds(self) -> int:
        """Of all that is computed for the maps asked for."""
        return sum(self.model.costs[name].multiply_adds for group in self.groups for name in group.nodes)

    @property
    def map_bytes(self) -> int:
        """Of the maps asked for."""
        return sum(4 * math.prod(shape) for shape in self.maps.shapes.values())


def _grouped(stretches: Sequence[Stretch]) -> tuple[_Group, ...]:
    """Stretches, those that have a node in common as one; neighbouring steps of a group as one run."""
    groups: list[tuple[set[str], list[tuple[int, int]], int]] = []
    order = list(dict.fromkeys(name for stretch in stretches for name in stretch.nodes))
    for stretch in stretches:
        nodes, steps, multiplied = set(stretch.nodes), [(stretch.first, stretch.last)], stretch.multiplied
        for group in [g for g in groups if g[0] & nodes]:
            groups.remove(group)
            nodes, steps, multiplied = nodes | group[0], group[1] + steps, group[2] + multiplied
        groups.append((nodes, sorted(steps), multiplied))
    made = [_Group(tuple(n for n in order if n in nodes), _joined(steps), done) for nodes, steps, done in groups]
    return tuple(sorted(made, key=lambda group: group.steps[0]))


def _joined(steps: Sequence[tuple[int, int]]) -> tuple[tuple[int, int], ...]:
    joined: list[tuple[int, int]] = []
    for first, last in steps:
        if first == last:
            continue
        if joined and joined[-1][1] == first:
            joined[-1] = (joined[-1][0], last)
        else:
            joined.append((first, last))
    return tuple(joined)
