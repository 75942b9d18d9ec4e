"""A tub as a model sees it: record by record, the camera's picture and what the model is fed."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from fastact.errors import InputError, UnsupportedError
from fastact.extractor import Frame
from fastact.frames import Picture
from fastact.graph import Model
from fastact.kernels.records import dataclass
from fastact.layers import Shape, show
from fastact.pilots import Command, Feeding
from fastact.tub import Record, Tub

Array = npt.NDArray[Any]

ANGLE, THROTTLE = "user/angle", "user/throttle"

_FIELDS: Mapping[str, tuple[str, ...]] = {
    "imu_in": ("imu/acl_x", "imu/acl_y", "imu/acl_z", "imu/gyr_x", "imu/gyr_y", "imu/gyr_z"),
    "xbehavior_in": ("behavior/one_hot_state_array",),
}
"""The fields of a record that donkeycar trains its pilots' other inputs on."""


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

    A picture of another size is resized as donkeycar does it, and runs of pictures are made as it makes them. Other
    inputs are fed what donkeycar trains them on: imu_in and xbehavior_in fields of the record, mem_in the recorded
    commands before it. Deleted and damaged records are left out.

    Args:
        tub: the recording.
        model: decides what is fed.
        arrays: for inputs other than the picture, arrays that they get with every record, instead of its fields.
        start: the number of the first record, as the tub numbers them.
        end: the number of the record to stop before, as in a range of Python; None for all.
        limit: at most so many shots; None for all.
        prepare: what is done to each picture before it is fed, such as what a car's `Camera` does: takes the picture
            and the shape that the model takes, (rows, columns, channels), None for any length.

    Raises:
        InputError: an input that neither an array nor the tub has; or `prepare` makes pictures the model cannot take.
        UnsupportedError: no input of the model, or more than one, takes pictures; or one takes any number in a row.

    Attributes:
        damaged: records left out of the latest loop so far because they, or their pictures, cannot be read.
        notes: what had to be done to pictures of the latest loop so far, in words, and to how many.
    """

    def __init__(
        self,
        tub: Tub,
        model: Model,
        *,
        arrays: Mapping[str, Array] | None = None,
        start: int = 0,
        end: int | None = None,
        limit: int | None = None,
        prepare: Callable[[npt.NDArray[np.uint8], Shape], Picture] | None = None,
    ) -> None:
        self.tub, self.model, self.damaged, self.notes = tub, model, 0, Counter[str]()
        self.start, self.end, self.limit = start, end, limit
        self._prepare = prepare
        self._arrays = dict(arrays or {})
        feed = self._feeding()
        if feed.takes_any_number:
            raise UnsupportedError(
                f"the input {feed.input!r} of {model.source} takes any number of pictures in a row, and a tub does not "
                "say how many: give them to `fastact extract` with --image"
            )
        for name in feed.others:
            fields = _FIELDS.get(name, ())
            if not fields or any(field not in tub.fields for field in fields):
                raise InputError(
                    f"the input {name!r} of {model.source}, which is {show(model.input_shapes[name])}, is not in the "
                    f"tub {os.fspath(tub.path)!r}: add --input {name}=FILE.npy"
                )
        self._prepared(np.zeros((1, 1, 3), np.uint8), feed)  # refused here, and not as a record that is damaged

    def empty(self) -> InputError:
        """What to raise where a loop gave no shot."""
        among = f" from record {self.start} on" if self.start or self.end is not None else ""
        among += "" if self.end is None else f" and before record {self.end}"
        return InputError(f"the tub {os.fspath(self.tub.path)!r} has no picture that can be read{among}")

    def count(self) -> int:
        """How many shots there are if every picture can be read; reads all records, and no picture."""
        return sum(1 for _ in islice(self.tub.records(self.start, self.end), self.limit))

    def __iter__(self) -> Iterator[Shot]:
        return self.every(1)

    def every(self, stride: int) -> Iterator[Shot]:
        """The first shot and each `stride`-th after it, damaged ones counted in.

        The pictures between are not decoded, so that a model that takes runs gets others than in a whole loop.
        """
        feed = self._feeding()
        records = self.tub.records(self.start, self.end)
        unread = given = self.damaged = 0
        self.notes = Counter()
        for place, record in enumerate(records):
            if given == self.limit:
                return
            shot = None
            if place % stride == 0:
                try:
                    shot = self._shot(record, feed)
                except InputError:
                    unread += 1
            self.damaged = records.damaged + unread
            if shot is not None:
                yield shot
                given += 1
            feed.remember(command(record) or Command(0.0, 0.0))
        self.damaged = records.damaged + unread

    def numbers(self, records: Sequence[Record]) -> dict[str, Array]:
        """The inputs without that for pictures, as the model gets them with the last of some records in a row.

        Raises:
            InputError: something in the record is not what the model takes.
        """
        feed = self._feeding()
        *before, last = records
        for record in before:
            feed.remember(command(record) or Command(0.0, 0.0))
        return feed.numbers(*(_numbers(last, name) for name in feed.others))

    def runs(self, pictures: int) -> Iterator[tuple[list[Record], dict[str, Array]]]:
        """Each record with as many before it as make `pictures`, or as the model remembers; and its :meth:`numbers`.

        Records without a picture, or without the numbers that the model takes, are left out.
        """
        latest: deque[Record] = deque(maxlen=pictures + self.further(pictures))
        for record in self.tub.records(self.start, self.end):
            if not os.path.isfile(record.image):  # noqa: PTH113 - a Path's raises for a name that is too long
                continue
            latest.append(record)
            if len(latest) >= pictures:
                try:
                    yield list(latest), self.numbers(latest)
                except InputError:
                    continue

    def further(self, pictures: int) -> int:
        """How many records before `pictures` in a row the model remembers."""
        return max(0, self._feeding().memory + 1 - pictures)

    def _feeding(self) -> Feeding:
        return Feeding(self.model, arrays=self._arrays)

    def _shot(self, record: Record, feed: Feeding) -> Shot:
        """A record's shot; raises InputError where something in the record cannot be read."""
        picture = record.frame()
        others = [_numbers(record, name) for name in feed.others]
        prepared = self._prepared(picture, feed)
        inputs = feed(prepared.frame, *others)
        self.notes.update((*prepared.notes, *feed.notes))
        return Shot(record, picture, inputs if len(inputs) > 1 else inputs[feed.input])

    def _prepared(self, picture: npt.NDArray[np.uint8], feed: Feeding) -> Picture:
        """What `prepare` makes of a picture."""
        if self._prepare is None:
            return Picture(picture, ())
        return self._prepare(picture, self.model.picture_shape(self.model.input_shapes[feed.input])[-3:])


def command(record: Record) -> Command | None:
    """What the driver wanted, as the record has it; None where it does not."""
    angle, throttle = (_number(record.fields.get(name)) for name in (ANGLE, THROTTLE))
    return None if angle is None or throttle is None else Command(angle, throttle)


def _numbers(record: Record, name: str) -> Sequence[float]:
    """The numbers for an input from a record's fields; raises InputError where they are no numbers."""
    numbers: list[float] = []
    for field in _FIELDS[name]:
        value = record.fields.get(field)
        for one in value if isinstance(value, list) else [value]:
            if (number := _number(one)) is None:
                raise InputError(f"record {record.index} has no numbers in {field!r}")
            numbers.append(number)
    return numbers


def _number(value: object) -> float | None:
    """A finite number as a record has it; None for anything else, and for one that is too large for a float."""
    if type(value) not in (int, float):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except OverflowError:
        return None
    return number if isfinite(number) else None
