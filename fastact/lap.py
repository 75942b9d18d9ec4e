"""A tub as a model sees it: record by record, the camera's picture and what the model is fed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fastact.errors import InputError
from fastact.extractor import Frame
from fastact.frames import fit, takes_pictures
from fastact.graph import Model
from fastact.layers import Shape, show
from fastact.tub import Record, Tub

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Shot:
    """One record on its way to the model.

    Attributes:
        record: the record.
        picture: its picture as the camera took it, uint8 (H, W, 3).
        frame: what the extractor takes: the picture in the model's size, or a mapping with all inputs.
    """

    record: Record
    picture: npt.NDArray[np.uint8]
    frame: Frame


class Lap:
    """A model's walk over a tub, or over a part of it; every loop over it begins anew.

        lap = Lap(Tub.open("data"), model)
        for shot in prefetch(lap): ...

    A picture of another size is resized as donkeycar does it. A model that takes a run of T pictures gets each record's
    with the T - 1 before it, so that its first shot is that of record number T. Deleted and damaged records are skipped.

    Args:
        tub: the recording.
        model: decides the shape of frames.
        arrays: for a model with more inputs than the picture: the others' arrays, the same for every record.
        start: the lowest number of a record.
        end: records from this number on are left out; None for none.

    Raises:
        InputError: the model takes no picture, or several, or has inputs that are not given.

    Attributes:
        damaged: records left out of the latest loop so far because they, or their pictures, cannot be read.
    """

    def __init__(
        self, tub: Tub, model: Model, *, arrays: Mapping[str, Array] | None = None, start: int = 0, end: int | None = None
    ) -> None:
        self.tub, self.model, self.damaged = tub, model, 0
        self._range = start, end
        self._arrays = dict(arrays or {})
        self._input = _input_of_pictures(model, self._arrays)
        shape = model.input_shapes[self._input]
        self._first = model.channels_first
        self._shape: Shape = (*shape[:-3], *shape[-2:], shape[-3]) if self._first else shape
        self._steps = self._shape[0] if len(self._shape) == 4 else 1
        if self._steps is None:
            raise InputError(f"the input {self._input!r} takes any number of pictures, so that a tub has no frames for it")

    @property
    def steps(self) -> int:
        """How many pictures in a row make a frame."""
        assert self._steps is not None
        return self._steps

    def count(self) -> int:
        """How many shots there are if every picture can be read; reads all records, and no picture."""
        return max(0, sum(1 for _ in self.tub.records(*self._range)) - self.steps + 1)

    def __iter__(self) -> Iterator[Shot]:
        return self.every(1)

    def every(self, stride: int) -> Iterator[Shot]:
        """The first shot and each `stride`-th after it, damaged ones counted in; others are not decoded if they need not."""
        records = self.tub.records(*self._range)
        run: deque[Array] = deque(maxlen=self.steps)
        unread = self.damaged = 0
        for place, record in enumerate(records, 1 - self.steps):
            if self.steps > 1 or place % stride == 0:
                try:
                    picture = record.frame()
                except InputError:
                    unread += 1
                else:
                    run.append(fit(picture, self._shape[-3:]).frame)
                    if len(run) == self.steps and place % stride == 0:
                        yield Shot(record, picture, self._frame(run))
            self.damaged = records.damaged + unread
        self.damaged = records.damaged + unread

    def _frame(self, run: deque[Array]) -> Frame:
        """What the extractor takes for a run of pictures, of which a model of one picture has one."""
        frame = run[-1] if len(self._shape) == 3 else np.stack(run)
        if self._first:
            frame = np.ascontiguousarray(np.moveaxis(frame, -1, -3))
        return {**self._arrays, self._input: frame} if self._arrays else frame


def _input_of_pictures(model: Model, arrays: Mapping[str, Array]) -> str:
    """The one input that has no array, if pictures can be fed to it; raises InputError."""
    absent = {name: shape for name, shape in model.input_shapes.items() if name not in arrays}
    if len(absent) == 1:
        ((name, shape),) = absent.items()
        channels_last = (*shape[:-3], *shape[-2:], shape[-3]) if model.channels_first and len(shape) > 2 else shape
        if takes_pictures(channels_last):
            return name
        raise InputError(f"the input {name!r} is {show(shape)}, which no picture of a tub is")
    names = ", ".join(map(repr, absent)) or "none"
    raise InputError(f"a tub's pictures go to one input, and {names} of {model.source} are without an array")
