"""From frames to feature maps."""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastact.errors import InputError, KernelError, UnsupportedError
from fastact.graph import Model, load
from fastact.kernels.cpu import library
from fastact.kernels.cpu.memory import Memory
from fastact.kernels.cpu.threads import MOST, Team
from fastact.kernels.records import dataclass
from fastact.layers import Shape, show
from fastact.maps import FeatureMaps
from fastact.node import Node
from fastact.plan import Further, Plan
from fastact.selection import Layers, select

Array: TypeAlias = npt.NDArray[Any]
Frame: TypeAlias = "Array | Mapping[str, Array]"

_PLANS_KEPT = 4


class Extractor:
    """Computes the feature maps of chosen layers, frame by frame.

        extract = Extractor("pilot.h5")             # every convolution
        maps = extract(frame)                       # uint8 (H, W, 3), or float32 taken as it is
        maps["conv2d_1"]                            # float32 (58, 78, 24)

    Safe to call from several Python threads, one frame at a time; Python's lock is released while it computes.

    Args:
        model: a model, or the path of its file.
        layers: a name, a glob, several of them, a predicate of nodes, "all", or None for every convolution.
        threads: how many compute a frame together, from 1 to 64. The maps are the same to the bit for any number;
            threads beyond the first sleep between frames.
        further: what else is computed from the maps in the same call; its results are among the maps.

    Raises:
        FileError, ModelError, UnsupportedError: from reading the file.
        LayerNotFoundError: `layers` matches nothing.
        UnsupportedError: none of the layers can be computed.
        KernelError: the kernels cannot be compiled or loaded.
    """

    def __init__(
        self,
        model: Model | str | os.PathLike[str],
        layers: Layers = None,
        *,
        threads: int = 1,
        further: Further | None = None,
    ) -> None:
        if type(threads) is not int or not 1 <= threads <= MOST:
            raise InputError(f"threads must be a whole number from 1 to {MOST}, not {threads!r}")
        self.model = model if isinstance(model, Model) else load(model)
        self._wanted = tuple(n.name for n in select(self.model, layers))
        self._further = further
        computable = [n for n in self._wanted if self.model.layers[n].reason is None]
        if not computable:
            node = self.model.layers[self._wanted[0]]
            raise UnsupportedError(
                f"none of the {len(self._wanted)} layers asked for can be computed; {node.name!r} ({node.class_name}): "
                f"{node.reason}"
            )
        try:
            self._library = library.load()
        except library.BuildError as error:
            raise KernelError(str(error)) from error
        self._team = Team(self._library, threads)
        self._lock, self._process = threading.Lock(), os.getpid()
        self._plans: dict[tuple[Any, ...], _Prepared] = {}
        self._latest: _Prepared | None = None

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers asked for, those that cannot be computed among them."""
        return self._wanted

    def __call__(self, frame: Frame, *, out: FeatureMaps | None = None) -> FeatureMaps:
        """The maps of one frame, in memory that is theirs for as long as one of them lives.

        Args:
            frame: for a model with one input the array, else a mapping from input name to array. uint8 (H, W, C) is
                scaled by 1/255, floats are taken as they are (float16 and float64 become float32). Shapes are
                without batch axis and must be the model's; a grey picture may be (H, W).
            out: maps that this extractor gave for a frame of the same shape and type. They are overwritten and given
                back: the quickest way for a loop that is done with a frame's maps when it takes the next.

        Raises:
            InputError: a frame of another shape or type, or not the inputs the model has; `out` is not from here.
        """
        with self._alone():
            prepared, inputs = self._ready(frame)
            maps = prepared.maps() if out is None else prepared.own(out)
            prepared.run(self._team, inputs, maps)
        return maps

    def stream(self, frames: Iterable[Frame]) -> Iterator[FeatureMaps]:
        """The maps of each frame, always in the same memory: `maps.copy()` to keep them past the next frame."""
        last, maps = None, None
        for frame in frames:
            with self._alone():
                prepared, inputs = self._ready(frame)
                if maps is None or prepared is not last:
                    last, maps = prepared, prepared.maps()
                prepared.run(self._team, inputs, maps)
            yield maps

    def _ready(self, frame: Frame) -> tuple[_Prepared, Sequence[Array]]:
        """The plan for a frame, and its inputs in the plan's order; at once where the frame is like the last one."""
        latest = self._latest
        if latest is not None and latest.takes(frame):
            return latest, (frame,)  # type: ignore[return-value]  # takes() has seen that it is an array
        inputs = self._inputs(frame)
        latest = self._latest = self._prepared(inputs)
        return latest, latest.in_order(inputs)

    def _alone(self) -> threading.Lock:
        """Keeps one frame's run from another's; anew in a forked child, where a thread that is gone may hold it."""
        if self._process != os.getpid():
            self._lock, self._process = threading.Lock(), os.getpid()
        return self._lock

    def _inputs(self, frame: Frame) -> dict[str, Array]:
        """The inputs by name, checked, contiguous, uint8 or float32."""
        shapes = self.model.input_shapes
        if not isinstance(frame, Mapping):
            if len(shapes) != 1:
                raise InputError(f"the model has {len(shapes)} inputs, {', '.join(shapes)}: give a mapping from name")
            frame = dict.fromkeys(shapes, frame)
        unknown, absent = [n for n in frame if n not in shapes], [n for n in shapes if n not in frame]
        if unknown or absent:
            wrong = f"does not have {unknown[0]!r}" if unknown else f"also needs {absent[0]!r}"
            raise InputError(f"the model has the inputs {', '.join(shapes)}; it {wrong}")
        return {name: _checked(name, frame[name], shape) for name, shape in shapes.items()}

    def _prepared(self, inputs: Mapping[str, Array]) -> _Prepared:
        """The plan for inputs of these shapes and types, made once."""
        key = tuple((a.shape, a.dtype.char) for a in inputs.values())
        if key not in self._plans:
            if len(self._plans) >= _PLANS_KEPT:
                del self._plans[next(iter(self._plans))]
            self._plans[key] = _Prepared(
                self._sized(inputs), self._wanted, inputs, self._library, self._team.size, self._further
            )
        return self._plans[key]

    def _sized(self, inputs: Mapping[str, Array]) -> tuple[Node, ...]:
        """The model's nodes for these inputs, which decide lengths the file leaves open."""
        if not any(None in shape for shape in self.model.input_shapes.values()):
            return self.model.nodes
        return self.model.at_shapes({name: array.shape for name, array in inputs.items()}).nodes


class _Prepared:
    """A plan with its memory."""

    def __init__(
        self,
        nodes: tuple[Node, ...],
        wanted: tuple[str, ...],
        inputs: Mapping[str, Array],
        kernels: library.Library,
        members: int,
        further: Further | None,
    ) -> None:
        by_name = {n.name: n for n in nodes}
        self._missing = {n: by_name[n].reason or "" for n in wanted if by_name[n].reason is not None}
        computable = [n for n in wanted if n not in self._missing]
        in_bytes = {name: array.dtype == np.uint8 for name, array in inputs.items()}
        self._plan = Plan(nodes, computable, in_bytes, kernels, members, further)
        self._arena = Memory.of(self._plan.arena_bytes)
        self._blocks = _Blocks(self._plan.output_bytes)
        self._alike: tuple[Shape, np.dtype[Any]] | None = None
        if len(inputs) == len(self._plan.inputs) == 1:
            (only,) = inputs.values()
            self._alike = only.shape, only.dtype

    def takes(self, frame: Frame) -> bool:
        """Whether `frame` is an array that can be given to the plan as it is."""
        return (
            type(frame) is np.ndarray and (frame.shape, frame.dtype) == self._alike and bool(frame.flags.c_contiguous)
        )

    def in_order(self, inputs: Mapping[str, Array]) -> Sequence[Array]:
        """The inputs that the plan uses, in its order."""
        return [inputs[name] for name in self._plan.inputs]

    def maps(self) -> FeatureMaps:
        """Maps in a block of their own, not computed yet."""
        block = self._blocks.take()
        arrays = {o.name: np.ndarray(o.shape, np.float32, block.array, o.offset) for o in self._plan.outputs}
        return FeatureMaps(arrays, self._missing, (self, block.address))

    def own(self, maps: FeatureMaps) -> FeatureMaps:
        """`maps`, if they are from here."""
        if maps.home is None or maps.home[0] is not self:
            raise InputError("out must be maps that this extractor gave for a frame of the same shape and type")
        return maps

    def run(self, team: Team, inputs: Sequence[Array], maps: FeatureMaps) -> None:
        """Computes the maps of one frame into `maps`, which are from here."""
        assert maps.home is not None
        self._plan.run(team, [array.ctypes.data for array in inputs], self._arena.address, maps.home[1])


@dataclass(frozen=True)
class _Block:
    """Memory lent out: maps made from `array` keep it alive, and when it dies the memory is free again."""

    array: Array
    address: int


class _Lent(weakref.ref[Array]):
    """A reference to the array through which `memory` is lent out."""

    __slots__ = ("memory",)
    memory: Memory


class _Blocks:
    """Memory for wanted maps. It comes back once no map in it is alive, so that a loop needs two blocks.

    Fresh memory would cost a page fault for every 4 KB of maps, about a tenth of the time of a 640x360 frame.
    """

    _KEPT = 2

    def __init__(self, size: int) -> None:
        self._size = size
        self._free: list[Memory] = []
        self._lent: dict[int, _Lent] = {}

    def take(self) -> _Block:
        """A block that nobody uses."""
        memory = self._free.pop() if self._free else Memory.of(self._size)
        array = np.frombuffer(memory.bytes, np.uint8)
        lent = _Lent(array, self._give_back)
        lent.memory = memory
        self._lent[id(lent)] = lent
        return _Block(array, memory.address)

    def _give_back(self, lent: weakref.ref[Array]) -> None:
        memory = self._lent.pop(id(lent)).memory
        if len(self._free) < self._KEPT:
            self._free.append(memory)


def _checked(name: str, array: object, shape: Shape) -> Array:
    """`array` if it is what input `name` takes, contiguous and uint8 or float32."""
    if not isinstance(array, np.ndarray):
        raise InputError(f"input {name!r} takes a NumPy array, not {type(array).__name__}")
    if array.ndim == 2 and len(shape) == 3 and shape[-1] == 1:
        array = array[..., np.newaxis]
    if array.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True)):
        hint = ", without the batch axis" if array.ndim == len(shape) + 1 else ""
        raise InputError(f"input {name!r} is {show(shape)}{hint}, and the frame is {show(array.shape)}")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind != "f":
        raise InputError(f"input {name!r} takes uint8 or floats, not {array.dtype}")
    return np.ascontiguousarray(array, np.float32)
