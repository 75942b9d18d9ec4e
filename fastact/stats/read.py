"""A tub's pictures as frames for a model."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from fastact.errors import InputError
from fastact.frames import read_picture, takes_pictures
from fastact.graph import Model
from fastact.layers import Shape, show
from fastact.tub import Record, Tub

Array: TypeAlias = npt.NDArray[Any]


@dataclass(frozen=True)
class Source:
    """One frame: its record's number, its picture's path in the tub, and the inputs as an extractor takes them."""

    record: int
    image: str
    inputs: Mapping[str, Array]


@dataclass
class TubFrames:
    """The frames of a tub from record `start` to `end`, both included, `limit` at most.

    A model that takes a run of pictures gets each picture with those before it, and stands under the number of the
    last one. Pictures of another size are resized as Donkey does it.

    Attributes:
        damaged: records left out so far because they, or their pictures, could not be read.
        notes: what had to be done to pictures so far, and to how many.

    Raises:
        InputError: the model does not take pictures alone, besides what `arrays` gives it.
    """

    model: Model
    tub: Tub
    start: int = 0
    end: int | None = None
    limit: int | None = None
    arrays: Mapping[str, Array] = field(default_factory=dict)
    damaged: int = field(default=0, init=False)
    notes: dict[str, int] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._name, self._shape = _pictures_input(self.model, self.arrays)

    def __iter__(self) -> Iterator[Source]:
        records = self.tub.records()
        unreadable, given = 0, 0
        steps = self._shape[0] if len(self._shape) == 4 else 1
        run: deque[npt.NDArray[np.uint8]] = deque(maxlen=steps)
        for record in records:
            if not self._wanted(record):
                continue
            try:
                run.append(self._picture(record.image))
            except InputError:
                unreadable += 1
                continue
            finally:
                self.damaged = records.damaged + unreadable
            if len(run) == steps:
                image = os.path.relpath(record.image, self.tub.path.resolve())
                yield Source(record.index, image, {**self.arrays, self._name: self._array(run)})
                given += 1
                if given == self.limit:
                    return
        self.damaged = records.damaged + unreadable

    def count(self) -> int:
        """How many records there are to look at, of which some may be damaged; reads them, and no picture."""
        found = sum(map(self._wanted, self.tub.records()))
        return found if self.limit is None else min(found, self.limit)

    def _wanted(self, record: Record) -> bool:
        return self.start <= record.index and (self.end is None or record.index <= self.end)

    def _picture(self, image: os.PathLike[str]) -> npt.NDArray[np.uint8]:
        picture = read_picture(image, self._shape[-3:])
        for note in picture.notes:
            self.notes[note] = self.notes.get(note, 0) + 1
        return picture.frame

    def _array(self, run: deque[npt.NDArray[np.uint8]]) -> Array:
        frames = run[0] if len(self._shape) == 3 else np.stack(run)
        return np.ascontiguousarray(self.model.as_layers_have(frames))


def _pictures_input(model: Model, arrays: Mapping[str, Array]) -> tuple[str, Shape]:
    """The one input for pictures, and its shape with the channels last."""
    absent = {name: shape for name, shape in model.input_shapes.items() if name not in arrays}
    able = {name: model.picture_shape(shape) for name, shape in absent.items()}
    able = {name: shape for name, shape in able.items() if takes_pictures(shape)}
    if not able:
        raise InputError(f"{model.source} takes no pictures, which are all that a tub is asked for")
    if len(absent) > 1:
        others = [f"{name!r}, which is {show(shape)}" for name, shape in absent.items() if name != next(iter(able))]
        raise InputError(
            f"{model.source} also takes {', '.join(others)}: a tub gives pictures for one input, so add "
            f"--input NAME=FILE.npy for the others"
        )
    ((name, shape),) = able.items()
    if len(shape) == 4 and shape[0] is None:
        raise InputError(f"the input {name!r} takes any number of pictures in a row: a tub has no frames for it")
    return name, shape
