"""The feature maps of a tub in one HDF5 file, which grows frame by frame and goes on where it stopped.

| in the file | what |
| --- | --- |
| attributes | what `saving.describe` says: model, its SHA-256, layers, version; `input`, `tub`, `format`; `fed_first` |
| `maps/01_conv2d_1`, ... | float32 (frames, H, W, C), one dataset a layer; attributes `layer`, `class` |
| `index`, `timestamp_ms` | int64 (frames,): the record's number in the tub, and when it was taken, -1 for unknown |
| `damaged`, `complete` | int64 (): records left out as unreadable; 1 once all that was asked for is there, else 0 |

`fed_first` is the SHA-256 of what the model was fed first. The last thing written of a frame is its `index`: frames up
to its length are there in every dataset.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastact.errors import InputError, OutputError
from fastact.extractor import Extractor, Frame
from fastact.frames import prefetch
from fastact.growing import GrowingFile, create, growing, inspected
from fastact.lap import Lap, Shot
from fastact.saving import describe, file_names, hdf5_library

FORMAT = "fastact tub maps 1"
MOST_IN_BATCH = 16
"""Frames that are written together."""
_BATCH_BYTES, _CHUNK_BYTES = 32 * 2**20, 2**19
_LEVEL = 1

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Written:
    """What is in the file now: its frames, those of them that were there before, and the records left out."""

    frames: int
    before: int
    damaged: int


def write_tub_maps(
    path: str | os.PathLike[str],
    extract: Extractor,
    lap: Lap,
    *,
    workers: int = 1,
    progress: Callable[[int], None] = lambda frames: None,
) -> Written:
    """Writes the maps of a lap to `path`; a file that has the first of them goes on after those.

    Memory does not grow with the lap. Interrupted, killed or out of disk space, the file is readable and has all
    frames but the last few; calling this again goes on.

    Args:
        path: the file.
        extract: for the lap's model.
        lap: the frames.
        workers: threads that compress.
        progress: called with the number of frames in the file as it grows.

    Raises:
        InputError: no record of the lap can be read; its pictures have several sizes, and the model any.
        OutputError: the file is another model's or tub's, has frames that the lap has not, is not ours at all, in use,
            or cannot be written.
        MissingExtraError: h5py is not installed.
    """
    h5py, target = hdf5_library(), Path(path)
    shots = prefetch(iter(lap), MOST_IN_BATCH)
    first = next(shots, None)
    if first is None:
        raise lap.empty()
    layout = _Layout.of(extract, lap, first)
    if not os.path.exists(target):  # noqa: PTH110 - a Path's raises for a name that is too long
        create(target, h5py, layout.fill)
    layout.check(target, h5py)
    with growing(target, h5py) as file:
        writer = _Writer(file, layout, lap)
        before, shots = writer.go_on(chain([first], shots))
        file.start()
        try:
            writer.write(_batches(extract, shots, layout, target), workers, progress)
        except OutputError as error:
            raise OutputError(
                f"{error}; the file has the maps of {len(writer.index)} frames, and the same command goes on after them"
            ) from error
        return Written(len(writer.index), before, lap.damaged)


@dataclass(frozen=True)
class _Layout:
    """What a file of these maps is like: attributes, and for each layer its dataset's name, shape and chunk."""

    attributes: Mapping[str, str]
    names: Mapping[str, str]
    classes: Mapping[str, str]
    shapes: Mapping[str, tuple[int, ...]]
    batch: int

    @classmethod
    def of(cls, extract: Extractor, lap: Lap, first: Shot) -> _Layout:
        maps = extract(first.frame)
        said = describe(extract.model, maps, "")
        said |= {"format": FORMAT, "input": "0..1: bytes divided by 255", "tub": lap.tub.path.resolve().name}
        said["fed_first"] = _digest(first.frame)
        del said["frame"]
        attributes = {key: value if isinstance(value, str) else json.dumps(value) for key, value in said.items()}
        names = dict(zip(maps, file_names(maps), strict=True))
        size = sum(array.nbytes for array in maps.values())
        return cls(
            attributes,
            names,
            {name: extract.model.layers[name].class_name for name in maps},
            {name: array.shape for name, array in maps.items()},
            _power_of_two(_BATCH_BYTES // size, MOST_IN_BATCH),
        )

    def chunk(self, layer: str) -> tuple[int, ...]:
        """Frames, and the shape of one: as many frames as make half a megabyte, a batch's at most."""
        shape = self.shapes[layer]
        return (_power_of_two(_CHUNK_BYTES // (4 * int(np.prod(shape))), self.batch), *shape)

    def fill(self, file: Any) -> None:
        """Writes everything but frames into a new file."""
        file.attrs.update(self.attributes)
        group = file.create_group("maps")
        for layer, name in self.names.items():
            dataset = group.create_dataset(
                name, (0, *self.shapes[layer]), np.float32, maxshape=(None, *self.shapes[layer]),
                chunks=self.chunk(layer), shuffle=True, compression="gzip", compression_opts=_LEVEL,
            )  # fmt: skip
            dataset.attrs["layer"] = layer
            dataset.attrs["class"] = self.classes[layer]
        for name in ("index", "timestamp_ms"):
            file.create_dataset(name, (0,), np.int64, maxshape=(None,), chunks=(1024,))
        for name in ("damaged", "complete"):
            file.create_dataset(name, data=np.int64(0))

    def check(self, path: Path, h5py: Any) -> None:
        """Raises OutputError for a file that these maps cannot be added to."""
        name = repr(os.fspath(path))
        found: dict[str, Any] = {}
        with inspected(path, h5py) as file:
            try:
                found = {key: file.attrs.get(key) for key in self.attributes}
                (count,), (times,) = file["index"].shape, file["timestamp_ms"].shape
                same = times >= count and file["damaged"].shape == file["complete"].shape == ()
                for layer, entry in self.names.items():
                    dataset = file["maps"][entry]
                    same = same and len(dataset) >= count and dataset.shape[1:] == self.shapes[layer]
                    same = same and dataset.chunks == self.chunk(layer)
            except (OSError, KeyError, AttributeError, RuntimeError, TypeError, ValueError):
                same = False
        if found.get("format") != FORMAT:
            raise OutputError(f"{name} is in the way, and no file of a tub's maps that can go on: choose another file")
        for key, what in (
            ("model_sha256", "another model"),
            ("layers", "other layers"),
            ("fed_first", "another tub, or of one that was fed otherwise"),
        ):
            if found[key] != self.attributes[key]:
                raise OutputError(f"{name} has the maps of {what}, so that it cannot go on: choose another file")
        if not same:
            raise OutputError(f"{name} is damaged: remove it, or choose another file")


class _Writer:
    """Adds frames to the datasets of an open file."""

    def __init__(self, file: GrowingFile, layout: _Layout, lap: Lap) -> None:
        self._file, self._layout, self._lap = file, layout, lap
        self._maps = {layer: file.file["maps"][name] for layer, name in layout.names.items()}
        self.index, self._times = file.file["index"], file.file["timestamp_ms"]

    def go_on(self, shots: Iterator[Shot]) -> tuple[int, Iterator[Shot]]:
        """Brings the file to where it goes on: the number of frames that stay, and the shots that come after them.

        The last few are computed anew, so that batches begin where chunks do. Raises OutputError for a file that has
        frames which the lap has not, and leaves it as it is.
        """
        count, batch = len(self.index), self._layout.batch
        keep = count - count % batch
        there = list(zip(self.index[:].tolist(), self._times[:count].tolist(), strict=True))
        same = 0
        for shot in islice(shots, keep):
            if _identity(shot) != there[same]:
                raise self._other()
            same += 1
        again = list(islice(shots, batch))
        found = [_identity(shot) for shot in again]
        if same + len(found) < count and there[same : same + len(found)] == found:
            raise OutputError(
                f"{self._file.file.filename!r} has {count} frames already, more than the {same + len(found)} asked for"
                ": choose another file, or ask for no fewer records"
            )
        if not set(there[keep:]) <= set(found):  # a record that was damaged may have come between
            raise self._other()
        self._set("complete", 0)
        for dataset in (self.index, self._times, *self._maps.values()):
            dataset.resize(keep, axis=0)
        return keep, chain(again, shots)

    def _other(self) -> OutputError:
        return OutputError(
            f"{self._file.file.filename!r} has the maps of another tub, or records of this one were deleted since: "
            "choose another file"
        )

    def write(self, batches: Iterable[_Batch], workers: int, progress: Callable[[int], None]) -> None:
        """Compresses and writes the batches; one is compressed while the next is computed."""
        with ThreadPoolExecutor(workers, "fastact-compress") as pool:
            waiting: _Packing | None = None
            for batch in batches:
                packing = _Packing.of(batch, self._layout, pool)
                if waiting is not None:
                    self._add(waiting)
                    progress(len(self.index))
                waiting = packing
            if waiting is not None:
                self._add(waiting)
                progress(len(self.index))
        self._set("damaged", self._lap.damaged)
        self._set("complete", 1)

    def _add(self, packing: _Packing) -> None:
        chunks = [(layer, place, job.result()) for layer, place, job in packing.jobs]
        self._file.reserve(sum(len(data) for _, _, data in chunks))
        start, end = len(self.index), len(self.index) + len(packing.numbers)
        for dataset in self._maps.values():
            dataset.resize(end, axis=0)
        for layer, place, data in chunks:
            dataset = self._maps[layer]
            dataset.id.write_direct_chunk((start + place, *[0] * (dataset.ndim - 1)), data)
        for dataset in self._maps.values():
            dataset.flush()
        for dataset, values in ((self._times, packing.times), (self.index, packing.numbers)):
            dataset.resize(end, axis=0)
            dataset[start:] = values
            dataset.flush()
        self._set("damaged", self._lap.damaged)

    def _set(self, name: str, value: int) -> None:
        self._file.file[name][()] = value
        self._file.file[name].flush()


@dataclass(frozen=True)
class _Batch:
    """Frames that are written together: the maps by layer, (frames, H, W, C), and which records they are of."""

    maps: Mapping[str, Array]
    numbers: Sequence[int]
    times: Sequence[int]


def _batches(extract: Extractor, shots: Iterable[Shot], layout: _Layout, path: Path) -> Iterator[_Batch]:
    """Computes; the last batch may be shorter."""
    several = iter(shots)
    while some := list(islice(several, layout.batch)):
        maps = {layer: np.zeros((len(some), *shape), np.float32) for layer, shape in layout.shapes.items()}
        for place, found in enumerate(extract.stream(shot.frame for shot in some)):
            for layer, array in found.items():
                if array.shape != layout.shapes[layer]:
                    raise InputError(
                        f"record {some[place].record.index} has a picture of another size than those before it, and "
                        f"{os.fspath(path)!r} holds maps of one size: give it with --input WIDTHxHEIGHT"
                    )
                maps[layer][place] = array
        yield _Batch(maps, [shot.record.index for shot in some], [_time(shot) for shot in some])


@dataclass(frozen=True)
class _Packing:
    """A batch on its way through the pool: for each chunk its layer, its first frame in the batch, and its bytes."""

    jobs: Sequence[tuple[str, int, Future[bytes]]]
    numbers: Sequence[int]
    times: Sequence[int]

    @classmethod
    def of(cls, batch: _Batch, layout: _Layout, pool: ThreadPoolExecutor) -> _Packing:
        jobs = []
        for layer, maps in batch.maps.items():
            length = layout.chunk(layer)[0]
            for place in range(0, len(maps), length):
                jobs.append((layer, place, pool.submit(_packed, maps[place : place + length], length)))
        return cls(jobs, batch.numbers, batch.times)


def _packed(maps: Array, length: int) -> bytes:
    """A chunk of `length` frames as HDF5's filters shuffle and deflate make it; frames beyond the maps are zeros.

    Not left to HDF5, which compresses one chunk at a time.
    """
    if len(maps) < length:
        maps = np.concatenate([maps, np.zeros((length - len(maps), *maps.shape[1:]), maps.dtype)])
    planes = maps.reshape(-1).view(np.uint8).reshape(-1, maps.itemsize).T
    return zlib.compress(np.ascontiguousarray(planes).data, _LEVEL)


def _digest(frame: Frame) -> str:
    """SHA-256 of what a model is fed: another tub gives another, and so do a car's other transformations."""
    inputs = frame if isinstance(frame, Mapping) else {"": frame}
    digest = hashlib.sha256()
    for name, array in inputs.items():
        digest.update(f"{name} {array.dtype} {array.shape}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def _identity(shot: Shot) -> tuple[int, int]:
    """The number of a record, and when it was taken."""
    return shot.record.index, _time(shot)


def _time(shot: Shot) -> int:
    """When a record was taken, in milliseconds, as the car wrote it; -1 where it did not."""
    value = shot.record.fields.get("_timestamp_ms")
    return value if type(value) is int and 0 <= value < 2**63 else -1


def _power_of_two(wanted: int, most: int) -> int:
    """The largest power of two that is neither above `wanted` nor above `most`, and at least 1."""
    return 1 << max(0, min(wanted, most).bit_length() - 1)
