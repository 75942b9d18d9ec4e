"""What an engine is: what computes plans on one device."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastact.errors import InputError
from fastact.kernels.records import dataclass
from fastact.layers import Shape
from fastact.layout import Stretch
from fastact.maps import FeatureMaps
from fastact.node import Node
from fastact.recording import Further, Recording

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Task:
    """What is to be computed of inputs of certain shapes and types.

    Attributes:
        nodes: of the model, their shapes inferred for these inputs.
        wanted: the layers asked for, those that cannot be computed among them.
        shapes: of the model's inputs by name, without the batch axis.
        in_bytes: which inputs come as uint8; the others are float32.
        further: what is computed from the maps.
    """

    nodes: tuple[Node, ...]
    wanted: tuple[str, ...]
    shapes: Mapping[str, Shape]
    in_bytes: Mapping[str, bool]
    further: Further | None = None

    @classmethod
    def of(
        cls,
        nodes: tuple[Node, ...],
        wanted: tuple[str, ...],
        inputs: Mapping[str, Array],
        further: Further | None = None,
    ) -> Task:
        """For inputs such as these: uint8 or float32."""
        shapes = {name: array.shape for name, array in inputs.items()}
        return cls(nodes, wanted, shapes, {n: a.dtype == np.uint8 for n, a in inputs.items()}, further)

    @property
    def missing(self) -> dict[str, str]:
        """The layers asked for that cannot be computed, each with the reason."""
        reasons = {node.name: node.reason for node in self.nodes}
        return {name: reason for name in self.wanted if (reason := reasons[name]) is not None}

    def recorded(self) -> Recording:
        """The operations that do it."""
        missing = self.missing
        return Recording.of(self.nodes, [n for n in self.wanted if n not in missing], self.in_bytes, self.further)


class Prepared(ABC):
    """A plan for one task, with its memory. One run at a time: the caller sees to that.

    Attributes:
        inputs: the names of the inputs that are used, in the order in which they are given to `run`.
    """

    inputs: tuple[str, ...]

    def __init__(self, task: Task, inputs: tuple[str, ...]) -> None:
        self.inputs = inputs
        self._alike: tuple[Shape, np.dtype[Any]] | None = None
        if len(task.shapes) == len(inputs) == 1:
            (name,) = inputs
            self._alike = task.shapes[name], np.dtype(np.uint8 if task.in_bytes[name] else np.float32)

    def takes(self, frame: object) -> bool:
        """Whether `frame` is an array that can be given as it is, being the only input."""
        return (
            type(frame) is np.ndarray
            and (frame.shape, frame.dtype) == self._alike
            and (flags := frame.flags).c_contiguous
            and flags.aligned
        )

    def own(self, maps: FeatureMaps) -> FeatureMaps:
        """`maps`, if they are from here."""
        if maps.home is None or maps.home[0] is not self:
            raise InputError("out must be maps that this extractor gave for a frame of the same shape and type")
        return maps

    @abstractmethod
    def maps(self) -> FeatureMaps:
        """Maps in memory of their own, not computed yet."""

    def stream_maps(self) -> FeatureMaps:
        """The same for `start` and `finish`."""
        return self.maps()

    @abstractmethod
    def run(self, inputs: Sequence[Array], maps: FeatureMaps) -> None:
        """Computes the maps of one frame into `maps`, which are from here; they are there when it returns."""

    def start(self, inputs: Sequence[Array], maps: FeatureMaps) -> None:
        """Begins what `run` does; the inputs may be overwritten when it returns, `maps` are there after `finish`."""
        self.run(inputs, maps)

    def finish(self, maps: FeatureMaps) -> FeatureMaps:
        """Waits for the maps that `start` began, and gives them."""
        return maps

    @abstractmethod
    def batch(self, inputs: Sequence[Sequence[Array]]) -> FeatureMaps:
        """The maps of several frames, with an axis of frames in front; for each of `inputs` its array of each frame."""


class Profile(ABC):
    """A plan that can be timed a stretch at a time, on inputs it was given once.

    Attributes:
        stretches: what can be told one from another, in order.
        clock: what times are told by: "cpu" for the thread's CPU time, "wall" for the time that passes, "device" for
            the GPU's own events.
    """

    stretches: tuple[Stretch, ...]
    clock: str

    @abstractmethod
    def seconds(self, runs: Sequence[tuple[int, int]]) -> list[float]:
        """Seconds of each of `runs`, steps from first to last (exclusive), which together are the whole plan in order.
        """  # fmt: skip

    def copies(self) -> tuple[float, float] | None:
        """Seconds that copying takes, of a frame to the device and of all maps from it; None where nothing is copied.
        """  # fmt: skip
        return None


class Engine(ABC):
    """A device with what computes on it.

    Attributes:
        device: "cpu" or "cuda".
        ahead: how many frames of a stream are best begun before the maps of one are given.
    """

    device: str
    ahead: int = 0

    @abstractmethod
    def prepare(self, task: Task) -> Prepared:
        """The plan for a task.

        Raises:
            ModelError: it needs more memory than there is.
            KernelError: the device cannot do it.
        """

    @abstractmethod
    def profile(self, task: Task, inputs: Mapping[str, Array]) -> Profile:
        """The plan for a task, to be timed on `inputs`, which must stay as they are; errors as from `prepare`."""
