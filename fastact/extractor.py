"""From frames to feature maps."""

from __future__ import annotations

import os
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, cast

import numpy as np

from fastact.engines import Array, Prepared, Task, engine
from fastact.errors import InputError, UnsupportedError
from fastact.graph import Model, load
from fastact.kernels.cpu.threads import MOST
from fastact.layers import Shape, show
from fastact.maps import FeatureMaps
from fastact.node import Node
from fastact.recording import Further
from fastact.selection import Layers, select

Frame: TypeAlias = "Array | Mapping[str, Array]"
Frames: TypeAlias = "Array | Sequence[Array] | Mapping[str, Array | Sequence[Array]]"

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
        device: "cpu"; "cuda" for NVIDIA's GPUs; or "auto": a GPU if it can be used, else the CPU, with a warning in
            the log that says why. A GPU that fails later is left for the CPU, with the frame it failed at. The maps
            of a GPU stay there until they are asked for, and differ from the CPU's by rounding.

    Raises:
        FileError, ModelError, UnsupportedError: from reading the file.
        LayerNotFoundError: `layers` matches nothing.
        UnsupportedError: none of the layers can be computed.
        KernelError: the kernels cannot be compiled or loaded, or the device cannot be used.
    """

    def __init__(
        self,
        model: Model | str | os.PathLike[str],
        layers: Layers = None,
        *,
        threads: int = 1,
        further: Further | None = None,
        device: str = "cpu",
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
        self._engine = engine(device, threads)
        self._lock, self._process = threading.Lock(), os.getpid()
        self._plans: dict[tuple[Any, ...], Prepared] = {}
        self._latest: Prepared | None = None

    @property
    def layers(self) -> tuple[str, ...]:
        """The names of the layers asked for, those that cannot be computed among them."""
        return self._wanted

    @property
    def device(self) -> str:
        """What computes just now, "cpu" or "cuda"."""
        return self._engine.device

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
            KernelError: the GPU has too little memory, or fails.
        """
        with self._alone():
            prepared, inputs = self._ready(frame)
            maps = prepared.maps() if out is None else prepared.own(out)
            prepared.run(inputs, maps)
        return maps

    def batch(self, frames: Frames) -> FeatureMaps:
        """The maps of several frames of one shape and type, each float32 with an axis of frames in front, (N, H, W, C).

        On the CPU frames are computed one after the other, on a GPU together. A layer's maps of one frame are
        contiguous; those of the next lie beyond the frame's other maps.

        Args:
            frames: an array with an axis of frames in front, or a sequence of frames; for a model with several inputs
                a mapping from input name to such.

        Raises:
            InputError: no frame; frames that are unlike each other; as from a call.
            KernelError: as from a call.
        """
        inputs = self._batch_inputs(frames)
        with self._alone():
            prepared = self._prepared({name: arrays[0] for name, arrays in inputs.items()})
            return prepared.batch([inputs[name] for name in prepared.inputs])

    def stream(self, frames: Iterable[Frame]) -> Iterator[FeatureMaps]:
        """The maps of each frame, always in the same memory: `maps.copy()` to keep them past the next frame.

        A GPU computes the next frame while the maps of one are looked at, for which that frame is taken from `frames`
        before they are given.
        """
        return self._ahead(iter(frames)) if self._engine.ahead else self._in_turn(frames)

    def _in_turn(self, frames: Iterable[Frame]) -> Iterator[FeatureMaps]:
        last, maps = None, None
        for frame in frames:
            with self._alone():
                prepared, inputs = self._ready(frame)
                if maps is None or prepared is not last:
                    last, maps = prepared, prepared.maps()
                prepared.run(inputs, maps)
            yield maps

    def _ahead(self, frames: Iterator[Frame]) -> Iterator[FeatureMaps]:
        begun, homes = deque[tuple[Prepared, FeatureMaps]](), _Homes(self._engine.ahead + 1)
        while True:
            try:
                begun.append(self._begin(next(frames), homes))
            except StopIteration:
                break
            except Exception:  # of a frame after those that were begun, which come first
                yield from map(self._finished, begun)
                raise
            if len(begun) > self._engine.ahead:
                yield self._finished(begun.popleft())
        yield from map(self._finished, begun)

    def _begin(self, frame: Frame, homes: _Homes) -> tuple[Prepared, FeatureMaps]:
        with self._alone():
            prepared, inputs = self._ready(frame)
            maps = homes.next(prepared)
            prepared.start(inputs, maps)
        return prepared, maps

    def _finished(self, begun: tuple[Prepared, FeatureMaps]) -> FeatureMaps:
        prepared, maps = begun
        with self._alone():
            return prepared.finish(maps)

    def _ready(self, frame: Frame) -> tuple[Prepared, Sequence[Array]]:
        """The plan for a frame, and its inputs in the plan's order; at once where the frame is like the last one."""
        latest = self._latest
        if latest is not None and latest.takes(frame):
            return latest, (frame,)  # type: ignore[return-value]  # takes() has seen that it is an array
        inputs = self._inputs(frame)
        latest = self._latest = self._prepared(inputs)
        return latest, [inputs[name] for name in latest.inputs]

    def _alone(self) -> threading.Lock:
        """Keeps one frame's run from another's; anew in a forked child, where a thread that is gone may hold it."""
        if self._process != os.getpid():
            self._lock, self._process = threading.Lock(), os.getpid()
        return self._lock

    def _inputs(self, frame: Frame) -> dict[str, Array]:
        """The inputs by name, checked, contiguous, uint8 or float32."""
        return {name: _checked(name, array, shape) for name, (array, shape) in self._by_name(frame).items()}

    def _batch_inputs(self, frames: Frames) -> dict[str, Sequence[Array]]:
        """The same for every frame of a batch."""
        inputs = {
            name: _checked_batch(name, several, shape) for name, (several, shape) in self._by_name(frames).items()
        }
        if len({len(several) for several in inputs.values()}) > 1:
            counts = ", ".join(f"{len(several)} for {name}" for name, several in inputs.items())
            raise InputError(f"a batch has as many frames for every input, not {counts}")
        return inputs

    def _by_name(self, given: object) -> dict[str, tuple[object, Shape]]:
        """What is given for each input, and the input's shape."""
        shapes = self.model.input_shapes
        if not isinstance(given, Mapping):
            if len(shapes) != 1:
                raise InputError(f"the model has {len(shapes)} inputs, {', '.join(shapes)}: give a mapping from name")
            given = dict.fromkeys(shapes, given)
        unknown, absent = [n for n in given if n not in shapes], [n for n in shapes if n not in given]
        if unknown or absent:
            wrong = f"does not have {unknown[0]!r}" if unknown else f"also needs {absent[0]!r}"
            raise InputError(f"the model has the inputs {', '.join(shapes)}; it {wrong}")
        return {name: (given[name], shape) for name, shape in shapes.items()}

    def _prepared(self, inputs: Mapping[str, Array]) -> Prepared:
        """The plan for inputs of these shapes and types, made once."""
        key = tuple((a.shape, a.dtype.char) for a in inputs.values())
        if key not in self._plans:
            if len(self._plans) >= _PLANS_KEPT:
                del self._plans[next(iter(self._plans))]
            task = Task.of(self._sized(inputs), self._wanted, inputs, self._further)
            self._plans[key] = self._engine.prepare(task)
        return self._plans[key]

    def _sized(self, inputs: Mapping[str, Array]) -> tuple[Node, ...]:
        """The model's nodes for these inputs, which decide lengths the file leaves open."""
        if not any(None in shape for shape in self.model.input_shapes.values()):
            return self.model.nodes
        return self.model.at_shapes({name: array.shape for name, array in inputs.items()}).nodes


class _Homes:
    """Maps that a stream computes into by turns, so many that none is overwritten while it is being looked at."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._of: Prepared | None = None
        self._maps: deque[FeatureMaps] = deque()

    def next(self, prepared: Prepared) -> FeatureMaps:
        """Those given longest ago, or new ones where they are not of this plan."""
        if self._of is not prepared:
            self._of, self._maps = prepared, deque()
        maps = self._maps.popleft() if len(self._maps) == self._count else prepared.stream_maps()
        self._maps.append(maps)
        return maps


def _checked(name: str, array: object, shape: Shape) -> Array:
    """`array` if it is what input `name` takes, contiguous, aligned, and uint8 or float32."""
    if not isinstance(array, np.ndarray):
        raise InputError(f"input {name!r} takes a NumPy array, not {type(array).__name__}")
    if array.ndim == 2 and len(shape) == 3 and shape[-1] == 1:
        array = array[..., np.newaxis]
    if array.ndim != len(shape) or any(n not in (None, m) for n, m in zip(shape, array.shape, strict=True)):
        hint = ", without the batch axis" if array.ndim == len(shape) + 1 else ""
        raise InputError(f"input {name!r} is {show(shape)}{hint}, and the frame is {show(array.shape)}")
    if not array.size:  # where lengths are open
        raise InputError(f"input {name!r} needs a frame with values in it, and this one is {show(array.shape)}")
    if array.dtype == np.uint8:
        return np.ascontiguousarray(array)
    if array.dtype.kind != "f":
        raise InputError(f"input {name!r} takes uint8 or floats, not {array.dtype}")
    return _in_order(array, np.dtype(np.float32))


def _in_order(array: Array, dtype: np.dtype[Any]) -> Array:
    """`array` as it is, or a copy: of this type, contiguous, and where such values may lie."""
    with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, in Keras too
        return np.require(array, dtype, ["C", "A"])


def _checked_batch(name: str, several: object, shape: Shape) -> Sequence[Array]:
    """The frames of a batch, each as `_checked` gives it, all alike; an array where they are given as one."""
    if isinstance(several, np.ndarray) and several.ndim and len(several):
        if several.dtype.kind == "O":  # a sequence of frames in the form of an array
            return _checked_batch(name, list(several), shape)
        first = _checked(name, several[0], shape)
        whole = _in_order(several, first.dtype).reshape(len(several), *first.shape)
        return cast("Sequence[Array]", whole)
    if not isinstance(several, Sequence) or not several:
        raise InputError(f"a batch takes one frame or more for input {name!r}, in a sequence or an array")
    frames = [_checked(name, frame, shape) for frame in several]
    first = frames[0]
    for frame in frames:
        if (frame.shape, frame.dtype) != (first.shape, first.dtype):
            raise InputError(
                f"the frames of a batch are alike, and input {name!r} gets {show(first.shape)} {first.dtype} and "
                f"{show(frame.shape)} {frame.dtype}"
            )
    return frames
