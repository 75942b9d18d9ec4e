"""Donkey's recordings: a tub, format 2, record by record.

A tub is a folder with `manifest.json` (five lines of JSON: the fields, their types, two lines of notes, and where the
records are), catalogs of one record a line, and pictures in `images/`. Nothing in it is believed: names lead nowhere
outside the folder, and a record that is damaged is counted and left out.
"""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from fastact.errors import FileError, InputError
from fastact.frames import decode
from fastact.kernels.records import dataclass

MANIFEST, IMAGES = "manifest.json", "images"
PICTURE_FIELD = "cam/image_array"
LONGEST_LINE = 2**20
"""Bytes of one record, of which a real one has about 200."""
LONGEST_MANIFEST = 64 * 2**20
"""Bytes of the manifest, which lists every deleted record of a tub."""
LARGEST_INDEX = 2**63 - 1
"""The largest number of a record, which is what an int64 holds."""


@dataclass(frozen=True)
class Record:
    """One record: its number in the tub, the file of its picture, and all its fields as the car wrote them."""

    index: int
    image: Path
    fields: Mapping[str, Any]

    def frame(self) -> npt.NDArray[np.uint8]:
        """The picture, uint8 (H, W, 3); raises InputError where there is none that can be read."""
        return decode(self.image)


@dataclass(frozen=True)
class Tub:
    """A tub on disk. Only its manifest is read at once; records are read as they are asked for.

    Attributes:
        path: the folder.
        fields: the types of the records' fields by name, as the manifest has them.
        catalogs: the files of records, in order.
        deleted: numbers of the records that were marked as deleted, which are skipped.
    """

    path: Path
    fields: Mapping[str, str]
    catalogs: tuple[Path, ...]
    deleted: frozenset[int]

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Tub:
        """The tub in a folder.

        Raises:
            FileError: no tub, one of another format, or one whose manifest is damaged or points outside the folder.
        """
        folder = Path(path)
        fields, types, places = _manifest(folder)
        names, deleted = places.get("paths"), places.get("deleted_indexes", [])
        if not isinstance(names, list) or not _is_list_of(str, names) or not _is_list_of(int, deleted):
            raise _damaged(folder)
        catalogs = tuple(_inside(folder, name) for name in names)
        return cls(folder, dict(zip(fields, types, strict=True)), catalogs, frozenset(deleted))

    def records(self, start: int = 0, end: int | None = None) -> Records:
        """A walk over the records, in order, without the deleted and the damaged ones.

        Args:
            start: the lowest number of a record that is given.
            end: numbers from this one on are left out; None for none.
        """
        return Records(self, start, end)

    def inside(self, record: Record) -> str:
        """The path of a record's picture, as seen from the tub's folder."""
        return os.path.relpath(record.image, self.path.resolve())

    def __iter__(self) -> Iterator[Record]:
        """The same as :meth:`records`."""
        return self.records()

    def frames(self) -> Iterator[tuple[Record, npt.NDArray[np.uint8]]]:
        """Each record with its picture, uint8 (H, W, 3); a record whose picture cannot be read is left out."""
        records = self.records()
        for record in records:
            try:
                frame = record.frame()
            except InputError:
                records.damaged += 1
                continue
            yield record, frame

    def run(self, index: int, count: int, further: int = 0) -> list[Record]:
        """`count` records in a row of which record number `index` is the last, as a car has seen them by then, and up
        to `further` before them.

        Raises:
            InputError: there is no such record, or there are not so many up to it.
        """
        run: deque[Record] = deque(maxlen=count + further)
        for record in self.records():
            run.append(record)
            if record.index == index:
                break
        else:
            what = "is marked as deleted" if index in self.deleted else "is not in it, or is damaged"
            raise InputError(
                f"the tub {os.fspath(self.path)!r} cannot give record {index}, which {what}: give another --index"
            )
        if len(run) < count:
            raise InputError(
                f"the tub {os.fspath(self.path)!r} has {len(run)} records up to number {index}, and the model takes a "
                f"run of {count}: give a later --index"
            )
        return list(run)


@dataclass
class Records:
    """A walk over a tub's records; `damaged` counts those left out so far because they could not be understood.

    A line that cannot be understood is taken for the record after that of the line before it, or for record 0, and is
    counted where that one is asked for.
    """

    tub: Tub
    start: int = 0
    end: int | None = None
    damaged: int = 0
    _lines: Iterator[Record] = field(init=False, repr=False)
    _images: Path | None = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._lines = self._walk()
        self._images = _folder_of_images(self.tub.path)

    def __iter__(self) -> Iterator[Record]:
        return self

    def __next__(self) -> Record:
        return next(self._lines)

    def _walk(self) -> Iterator[Record]:
        index = -1
        for catalog in self.tub.catalogs:
            for line in _lines(catalog):
                try:
                    record = self._record(line)
                except (ValueError, RecursionError):
                    index += 1
                    self.damaged += self._wants(index)
                    continue
                index = record.index
                if self._wants(index):
                    yield record

    def _wants(self, index: int) -> bool:
        return self.start <= index and (self.end is None or index < self.end) and index not in self.tub.deleted

    def _record(self, line: bytes) -> Record:
        """One line of a catalog; raises ValueError for one that is no record."""
        fields = json.loads(line)
        if not isinstance(fields, dict):
            raise ValueError("not a record")
        index, name = fields.get("_index"), fields.get(PICTURE_FIELD)
        if type(index) is not int or not 0 <= index <= LARGEST_INDEX or not isinstance(name, str):
            raise ValueError("no number or no picture")
        if self._images is not None and _is_plain(name):
            image = f"{self._images}{os.sep}{name}"  # joining paths as text is ten times as fast
            if not os.path.islink(image):  # noqa: PTH114 - so that it is inside: no folder on the way need be followed
                return Record(index, Path(image), fields)
        try:
            return Record(index, _inside(self.tub.path, f"{IMAGES}/{name}"), fields)
        except FileError as error:
            raise ValueError(str(error)) from None


def _manifest(folder: Path) -> tuple[list[str], list[str], Mapping[str, Any]]:
    """The names of the fields, their types, and the line that says where records are."""
    try:
        with (folder / MANIFEST).open("rb") as file:
            text = file.read(LONGEST_MANIFEST + 1)
    except FileNotFoundError:
        if next(folder.glob("record_*.json"), None) is not None:
            raise FileError(
                f"{os.fspath(folder)!r} is a tub of donkeycar 3 or older: convert it with donkeycar's "
                "convert_to_tub_v2.py"
            ) from None
        raise FileError(
            f"{os.fspath(folder)!r} is no tub: give the folder that has {MANIFEST}, such as mycar/data"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FileError(f"the tub {os.fspath(folder)!r} cannot be read: {reason}") from None
    try:
        parts = [json.loads(line) for line in text.splitlines()[:5]] if len(text) <= LONGEST_MANIFEST else []
    except (ValueError, RecursionError):
        raise _damaged(folder) from None
    if len(parts) < 5 or not isinstance(parts[4], dict):
        raise _damaged(folder)
    fields, types = parts[0], parts[1]
    if not _is_list_of(str, fields) or not _is_list_of(str, types) or len(fields) != len(types):
        raise _damaged(folder)
    return fields, types, parts[4]


def _damaged(folder: Path) -> FileError:
    return FileError(
        f"the tub {os.fspath(folder)!r} is damaged: its {MANIFEST} is not donkeycar's five lines of JSON, so copy it "
        "from the car again"
    )


def _is_list_of(kind: type, value: object) -> bool:
    return isinstance(value, list) and all(type(v) is kind for v in value)


def _inside(folder: Path, name: str) -> Path:
    """A file of the tub; raises FileError for a name that leads out of the folder, links followed."""
    try:
        path = (folder / name).resolve()
        if path.is_relative_to(folder.resolve()):
            return path
    except (OSError, ValueError, RuntimeError):  # a zero byte; a circle of links
        pass
    raise FileError(f"the tub {os.fspath(folder)!r} is damaged: {name[:60]!r} leads out of it, so copy it again")


def _folder_of_images(folder: Path) -> Path | None:
    """The tub's folder of pictures with links followed; None where there is none inside the tub."""
    try:
        return _inside(folder, IMAGES)
    except FileError:
        return None


def _is_plain(name: str) -> bool:
    """Whether it names something in a folder itself."""
    return name not in ("", ".", "..") and "/" not in name and "\\" not in name and "\0" not in name


def _lines(catalog: Path) -> Iterator[bytes]:
    """The lines of a catalog, an empty one for a line too long to be a record; raises FileError."""
    if not os.path.isfile(catalog):  # noqa: PTH113 - a Path's raises for a name that is too long
        raise FileError(f"the tub's catalog {os.fspath(catalog)!r} is not there: copy the whole tub again")
    try:
        with catalog.open("rb") as file:
            while line := file.readline(LONGEST_LINE + 1):
                if len(line) > LONGEST_LINE:
                    while line and not line.endswith(b"\n"):
                        line = file.readline(LONGEST_LINE)
                    yield b""
                elif line.strip():
                    yield line
    except OSError as error:
        raise FileError(f"the tub's catalog {os.fspath(catalog)!r} cannot be read: {error.strerror}") from None
