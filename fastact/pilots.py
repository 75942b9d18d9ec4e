"""Donkey's pilots: what they are fed frame by frame, and what their outputs mean for steering and throttle.

donkeycar has a class for every type of pilot and is told the type; here the model's outputs say it:

| outputs, without those that are pictures | pilot | steering | throttle |
| --- | --- | --- | --- |
| two of one number | linear, imu, memory, latent | the first | the second |
| two of one number, then N chances | localizer | the first | the second |
| N chances and M chances | categorical, behavior | the likeliest of N places from -1 on | that of M places from 0 on |
| one of two numbers | rnn, 3d | the first | the second |
| one of one number | inferred | it | follows from the steering |

Outputs named after angle (or steering) and throttle, as categorical's are, are taken by name, others in their order.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fastact.errors import InputError, UnsupportedError
from fastact.frames import fit, takes_pictures
from fastact.graph import Model
from fastact.kernels.records import dataclass
from fastact.layers import Shape, show

Array = npt.NDArray[Any]

THROTTLE_RANGE = 0.5
"""donkeycar's MODEL_CATEGORICAL_MAX_THROTTLE_RANGE: throttle at which the M places of a categorical pilot end."""

MEMORY = "mem_in"
"""The input of a memory pilot that takes its own last outputs."""

_STEERING = ("angle", "steering")
_THROTTLE = ("throttle",)


class Command(NamedTuple):
    """What a pilot wants the car to do, as donkeycar has it: steering from -1, left, to 1; throttle up to 1."""

    angle: float
    throttle: float

    @property
    def is_finite(self) -> bool:
        """Whether both are numbers that a car can be steered by."""
        return math.isfinite(self.angle) and math.isfinite(self.throttle)


@dataclass(frozen=True)
class Decoder:
    """Makes a command of a pilot's outputs.

    Attributes:
        layers: the names of the outputs that it needs; an extractor has to be asked for them.
        throttle_range: at which throttle the places of a categorical pilot end.
    """

    layers: tuple[str, ...]
    throttle_range: float = THROTTLE_RANGE

    def __call__(self, maps: Mapping[str, npt.NDArray[np.floating[Any]]]) -> Command:
        """The command that the maps of :attr:`layers` stand for."""
        outputs = [maps[name].reshape(-1) for name in self.layers]
        if len(outputs) == 2:
            return Command(_angle(outputs[0]), _throttle(outputs[1], self.throttle_range))
        (both,) = outputs
        return Command(float(both[0]), float(both[1]) if both.size > 1 else inferred_throttle(float(both[0])))


def decoder(model: Model, throttle_range: float = THROTTLE_RANGE) -> Decoder:
    """The decoder for a model, by its outputs.

    Raises:
        UnsupportedError: its outputs are those of no pilot, or fastact cannot compute them.
    """
    outputs = {name: model.layers[name].known_shape for name in model.outputs}
    numbers = {name: shape for name, shape in outputs.items() if len(shape) == 1}
    angle, throttle = _named(numbers, _STEERING), _named(numbers, _THROTTLE)
    if angle is None or throttle is None or angle == throttle:
        names = sorted(numbers, key=_number) if all(n == (1,) for n in numbers.values()) else list(numbers)
        if len(names) == 1 and numbers[names[0]] in ((1,), (2,)):
            return Decoder((names[0],), throttle_range)
        if len(names) < 2 or any(numbers[name] == (0,) for name in names[:2]):
            listed = ", ".join(f"{name} of {show(shape)}" for name, shape in outputs.items())
            raise UnsupportedError(
                f"{model.source} steers nothing: its outputs, {listed}, are those of no Donkey pilot"
            )
        angle, throttle = names[:2]
    return Decoder((angle, throttle), throttle_range)


def _named(numbers: Mapping[str, Shape], words: Sequence[str]) -> str | None:
    """The one output whose name has one of the words; None for none or several."""
    found = [name for name in numbers if any(word in name.lower() for word in words)]
    return found[0] if len(found) == 1 else None


def _number(name: str) -> int:
    """The number that a name ends with, 0 without: a TensorFlow Lite file may list n_outputs1 first."""
    return int("0" + name[len(name.rstrip("0123456789")) :])


def _angle(output: npt.NDArray[np.floating[Any]]) -> float:
    """Steering: a number as it is; places as donkeycar's `linear_unbin` has them, which counts 15 from -1 to 1."""
    return float(output[0]) if output.size == 1 else int(output.argmax()) * (2.0 / 14) - 1


def _throttle(output: npt.NDArray[np.floating[Any]], end: float) -> float:
    """Throttle: a number as it is; M places from 0 on, in steps of an M-th of the range."""
    return float(output[0]) if output.size == 1 else int(output.argmax()) * (end / output.size)


def inferred_throttle(angle: float) -> float:
    """The throttle that an inferred pilot drives at, as donkeycar's `utils.throttle` has it: it falls from full left
    to full right, since steering is taken from -1 to 1 to stand for 0 to 1."""
    place = (min(max(angle, -1.0), 1.0) + 1) / 2
    return math.exp(-0.5 * place) - 0.05 * place


class Feeding:
    """What a pilot is fed, frame by frame: keeps the run of pictures of an rnn or 3d pilot, and the last commands of
    one with memory, as donkeycar does.

    Args:
        model: the pilot.
        start_speed: the throttle of the commands before the first one, for a pilot with memory.
        arrays: for inputs that get the same with every frame.

    Raises:
        UnsupportedError: no input of the model without an array, or more than one, takes pictures.
    """

    def __init__(self, model: Model, start_speed: float = 0.0, arrays: Mapping[str, Array] | None = None) -> None:
        self._arrays = dict(arrays or {})
        self._shapes = {name: shape for name, shape in model.input_shapes.items() if name not in self._arrays}
        self._model = model
        pictures = [name for name in self._shapes if takes_pictures(model.picture_shape(self._shapes[name]))]
        if not pictures:
            listed = ", ".join(f"{name!r} of {show(shape)}" for name, shape in self._shapes.items())
            raise UnsupportedError(
                f"{model.source} takes no pictures, which are what a camera gives: it takes {listed or 'arrays alone'}"
            )
        if len(pictures) > 1:
            raise UnsupportedError(
                f"{model.source} takes pictures as {', '.join(map(repr, pictures))}, and a camera gives one: "
                "give arrays for the others, on the command line as --input NAME=FILE.npy"
            )
        self.input = pictures[0]
        """The name of the input that takes pictures."""
        self.others = tuple(name for name in self._shapes if name not in (self.input, MEMORY))
        """The names of the inputs that take numbers from other parts, in the model's order."""
        self.latest: Array = np.zeros((0, 0, 3), np.uint8)
        """The last frame as the model got it, uint8 (H, W, C)."""
        self.notes: tuple[str, ...] = ()
        """What had to be done to the last frame, in words."""
        self._run: deque[Array] = deque(maxlen=self._steps)
        length = math.prod(n or 1 for n in self._shapes.get(MEMORY, (0,)))
        self._past: deque[Command] = deque([Command(0.0, start_speed)] * (length // 2), maxlen=length // 2)

    @property
    def size(self) -> tuple[int | None, int | None]:
        """Rows and columns of the pictures; None where any number will do."""
        rows, columns = self._model.picture_shape(self._shapes[self.input])[-3:-1]
        return rows, columns

    def __call__(self, frame: Array, *others: object) -> dict[str, Array]:
        """The inputs for a camera's frame, uint8 (H, W), (H, W, 1) or (H, W, 3), which is brought to the model's size.

        Args:
            frame: the picture.
            others: for each of :attr:`others` its numbers.

        Raises:
            InputError: the frame is no picture, or numbers are missing or not as many as the input takes.
        """
        taken = fit(frame, self._model.picture_shape(self._shapes[self.input])[-3:])
        self.latest, self.notes = taken.frame, taken.notes
        return {self.input: self._as_run(taken.frame)} | self.numbers(*others)

    def numbers(self, *others: object) -> dict[str, Array]:
        """The inputs without that for pictures; `others` and errors as of a call."""
        inputs = dict(self._arrays)
        if MEMORY in self._shapes:
            inputs[MEMORY] = np.array(self._past, np.float32).reshape(self._shapes[MEMORY])
        for i, name in enumerate(self.others):
            inputs[name] = _numbers(name, others[i] if i < len(others) else None, self._shapes[name])
        return inputs

    def remember(self, command: Command) -> None:
        """Notes the command that came of the last frame, which a pilot with memory takes with the next ones."""
        self._past.append(command)

    def _as_run(self, picture: Array) -> Array:
        picture = self._model.as_layers_have(picture)
        if len(self._shapes[self.input]) == 3:
            return picture
        if self._run and self._run[-1].shape != picture.shape:
            self._run.clear()
        self._run.append(np.array(picture))
        while len(self._run) < self._steps:
            self._run.append(picture)
        return np.stack(list(self._run))

    @property
    def memory(self) -> int:
        """How many of the last commands the model takes."""
        return self._past.maxlen or 0

    @property
    def takes_any_number(self) -> bool:
        """Whether the model takes a run of any number of pictures; it is fed runs of one."""
        shape = self._shapes[self.input]
        return len(shape) == 4 and shape[0] is None

    @property
    def _steps(self) -> int:
        shape = self._shapes[self.input]
        return (shape[0] or 1) if len(shape) == 4 else 1


def _numbers(name: str, values: object, shape: Shape) -> Array:
    """Numbers from another part as an input takes them."""
    if values is None:
        raise InputError(
            f"the model also takes {show(shape)} numbers as {name!r}, and nothing gives them: add their channel to the "
            "part's inputs"
        )
    try:
        array = np.asarray(values, np.float32).reshape(-1)
    except (TypeError, ValueError):
        raise InputError(f"the model takes {show(shape)} numbers as {name!r}, not {type(values).__name__}") from None
    if array.size != math.prod(n or array.size for n in shape):
        raise InputError(f"the model takes {show(shape)} numbers as {name!r}, not {array.size}")
    return array.reshape([-1 if n is None else n for n in shape])
