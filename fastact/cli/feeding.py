"""What a command feeds a model: pictures, runs of pictures, records of a tub, arrays from files."""

from __future__ import annotations

import math
import os
import stat
from collections.abc import Callable, Mapping, Sequence
from dataclasses import field
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click
import numpy as np
import numpy.typing as npt

from fastact.cli.options import Size
from fastact.errors import InputError
from fastact.frames import read_picture, takes_pictures
from fastact.graph import Model
from fastact.kernels.records import dataclass
from fastact.layers import Shape, show
from fastact.writing import folder_name

if TYPE_CHECKING:
    from fastact.donkey.camera import Camera

Array = npt.NDArray[Any]
F = TypeVar("F", bound=Callable[..., Any])


@dataclass(frozen=True)
class NamedFile:
    """NAME=FILE.npy on the command line."""

    name: str
    path: str


class Input(Size):
    """WIDTHxHEIGHT as (rows, columns), or NAME=FILE, which a size never is since it has no =."""

    name = "WIDTHxHEIGHT | NAME=FILE.npy"

    def convert(  # type: ignore[override]
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int] | NamedFile:
        """(rows, columns) for "640x360", or the file of an input's array."""
        if isinstance(value, NamedFile):
            return value
        name, equals, path = str(value).partition("=") if isinstance(value, str) else ("", "", "")
        if not equals:
            return super().convert(value, param, ctx)
        if not name or not path:
            self.fail(f"{value!r} is not NAME=FILE.npy, the name of an input and the file of its array", param, ctx)
        return NamedFile(name, path)


class NamedFileType(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # generic from click 8.2 on
    """NAME=FILE alone."""

    name = "NAME=FILE.npy"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> NamedFile:
        """The named file; fails for what has no name or no file."""
        if isinstance(value, NamedFile):
            return value
        name, _, path = str(value).partition("=")
        if not name or not path:
            self.fail(f"{value!r} is not NAME=FILE.npy, the name of an input and the file of its array", param, ctx)
        return NamedFile(name, path)


@dataclass(frozen=True)
class Sources:
    """What the command line gives to feed: files of pictures, arrays by input, records of a tub, another size."""

    images: tuple[str, ...]
    arrays: Mapping[str, str]
    tub: str | None
    indexes: tuple[int, ...]
    size: tuple[int, int] | None
    most: int | None = None
    """Of a tub without indexes: at most so many runs of its pictures; None for all."""

    @property
    def has_pictures(self) -> bool:
        """Whether any picture is given."""
        return bool(self.images) or self.tub is not None

    @classmethod
    def of(
        cls,
        images: Sequence[str],
        inputs: Sequence[tuple[int, int] | NamedFile],
        tub: str | None,
        indexes: Sequence[int],
    ) -> Sources:
        """From the options' values; raises BadParameter for those that do not go together."""
        sizes = [i for i in inputs if not isinstance(i, NamedFile)]
        files = [i for i in inputs if isinstance(i, NamedFile)]
        if len(sizes) > 1:
            raise click.BadParameter("give one size", param_hint="--input")
        if len({f.name for f in files}) < len(files):
            raise click.BadParameter("an input is given twice", param_hint="--input")
        if (tub is None) != (not indexes):
            raise click.BadParameter(
                "a tub's records are given as --tub DIR --index N; `extract` takes a whole tub with --out FILE.h5",
                param_hint="--tub",
            )
        if images and tub is not None:
            raise click.BadParameter("give pictures as files or from a tub, not both", param_hint="--image")
        return cls(tuple(images), {f.name: f.path for f in files}, tub, tuple(indexes), sizes[0] if sizes else None)


def input_option(function: F) -> F:
    """The option that gives arrays for inputs, and another size for pictures."""
    return click.option(
        "--input", "inputs", type=Input(), multiple=True,
        help="NAME=FILE.npy: an array for the input of that name, floats as they are, uint8 scaled by 1/255; "
        "repeatable. WIDTHxHEIGHT, such as 640x360: run the same weights at another input size."
    )(function)  # fmt: skip


def feeding_options(function: F) -> F:
    """The options that say what to feed, the same for every command."""
    return picture_options(input_option(function))


def picture_options(function: F) -> F:
    """Those of them that give pictures."""
    for option in reversed((
        click.option(
            "--image", "-i", "images", multiple=True, metavar="FILE",
            help="A picture; repeatable. A model that takes a run of T pictures gets T in the order given, and each "
            "picture after them makes the next run with those before it."
        ),
        click.option(
            "--tub", metavar="DIR", help="A Donkey tub to take pictures from, instead of --image."
        ),
        click.option(
            "--index", "indexes", type=click.IntRange(0), multiple=True, metavar="N",
            help="A record of the tub, by its number; repeatable. A run of pictures ends with it."
        ),
    )):  # fmt: skip
        function = option(function)
    return function


@dataclass(frozen=True)
class Feed:
    """One thing to compute maps of.

    Attributes:
        name: of the last picture or of the first array, for folders.
        files: the names of what is fed, for titles and metadata.
        inputs: by name, as the extractor takes them.
        shown: what a sheet shows beside the maps: uint8 or floats, (H, W, C) or (T, H, W, C); None for no picture.
        notes: sentences on what was done to a picture.
    """

    name: str
    files: tuple[str, ...]
    inputs: Mapping[str, Array]
    shown: Array | None
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Run:
    """What a feed is made of: files of pictures, and numbers that a tub has for other inputs, by input."""

    pictures: tuple[Path, ...]
    numbers: Mapping[str, Array] = field(default_factory=dict)


class Feeder:
    """Makes feeds of what was given, for one model; `made_up` are arrays for inputs that were not, and
    pictures are as the pilot of a car with that `camera` gets them.

    Raises InputError, saying what is missing or does not fit, before a picture is decoded.
    """

    def __init__(
        self,
        model: Model,
        sources: Sources,
        made_up: Mapping[str, Array] | None = None,
        *,
        camera: Camera | None = None,
    ) -> None:
        self._model, self._shapes = model, model.input_shapes
        self._read = camera.read if camera else read_picture
        self._files = tuple(os.path.basename(path) for path in sources.arrays.values())  # noqa: PTH119
        self._arrays = read_arrays(model, sources.arrays) | dict(made_up or {})
        self._pictures = self._input_of_pictures(sources)
        self.runs = self._runs_of_tub(sources, sources.tub) if sources.tub is not None else self._runs(sources)

    def _input_of_pictures(self, sources: Sources) -> str | None:
        """The input that pictures go to; None where there are arrays for all."""
        given = sources.has_pictures
        absent = {name: shape for name, shape in self._shapes.items() if name not in self._arrays}
        able = [name for name, shape in absent.items() if takes_pictures(self._model.picture_shape(shape))]
        if given and not absent:
            raise InputError("pictures and arrays for all inputs are given: leave out one of them")
        if given and not able:
            name, shape = next(iter(absent.items()))
            raise InputError(f"the input {name!r} is {show(shape)}, which no picture is: give --input {name}=FILE.npy")
        if given and len(able) > 1:
            raise InputError(
                f"the inputs {_listed(able)} all take pictures: give all but one of them as --input NAME=FILE.npy"
            )
        for name, shape in absent.items():
            if (not given or name not in able) and sources.tub is None:
                how = "--image FILE or " if name in able and not given else ""
                raise InputError(
                    f"the input {name!r} of {self._model.source}, which is {show(shape)}, is not given: "
                    f"add {how}--input {name}=FILE.npy"
                )
        return able[0] if absent else None

    def _runs_of_tub(self, sources: Sources, path: str) -> list[Run]:
        """The feeds of a tub's records: of those chosen, or of all that have a picture."""
        from fastact.lap import Lap  # as in laps.py: pictures need none of it
        from fastact.tub import Tub

        lap = Lap(Tub.open(path), self._model, arrays=self._arrays)
        shape = self._shapes[str(self._pictures)]
        steps = (shape[0] or 1) if len(shape) == 4 else 1
        chosen = [lap.tub.run(index, steps, lap.further(steps)) for index in sources.indexes]
        found = [(r, lap.numbers(r)) for r in chosen] if chosen else islice(lap.runs(steps), sources.most)
        runs = [Run(tuple(r.image for r in records[-steps:]), numbers) for records, numbers in found]
        if not runs:
            needed = "no picture that can be shown" if steps == 1 else f"no {steps} pictures, which the model takes"
            raise InputError(f"the tub {path!r} has {needed}")
        return runs

    def _runs(self, sources: Sources) -> list[Run]:
        """The feeds of the pictures given as files: T in each for a model that takes T, else one."""
        if self._pictures is None:
            return [Run(())]
        shape = self._shapes[self._pictures]
        steps = shape[0] if len(shape) == 4 else 1
        images = tuple(map(Path, sources.images))
        for image in images:
            _check_picture(image)
        steps = len(images) if steps is None else steps
        if len(images) < steps:
            raise InputError(
                f"the input {self._pictures!r} takes a run of {steps} pictures, and {len(images)} are given: "
                "add --image, in order of time"
            )
        return [Run(images[end - steps : end]) for end in range(steps, len(images) + 1)]

    def name(self, run: Run) -> str:
        """The name for the results of a run, which a stranger's file may have chosen: safe as that of a folder."""
        return folder_name(run.pictures[-1].stem if run.pictures else Path((*self._files, "inputs")[0]).stem)

    def feed(self, run: Run) -> Feed:
        """What to compute for one of :attr:`runs`; decodes its pictures."""
        inputs, notes = self._arrays | dict(run.numbers), dict[str, None]()
        files = (*(p.name for p in run.pictures), *self._files)
        if self._pictures is not None:
            shape = self._model.picture_shape(self._shapes[self._pictures])
            pictures = [self._read(path, shape[-3:]) for path in run.pictures]
            if len({p.frame.shape for p in pictures}) > 1:
                raise InputError(
                    f"the pictures of the run that ends with {run.pictures[-1].name!r} have different sizes, and the "
                    "model takes any: make them one size, or give it with --input WIDTHxHEIGHT"
                )
            notes = dict.fromkeys(note for p in pictures for note in p.notes)
            frames = np.stack([p.frame for p in pictures])
            inputs[self._pictures] = self._model.as_layers_have(frames if len(shape) == 4 else frames[0])
        able = (n for n in inputs if takes_pictures(self._model.picture_shape(self._shapes[n])))
        first = self._pictures or next(able, None)
        shown = None if first is None else self._model.as_pictures_have(inputs[first])
        if shown is not None and shown.shape[-1] == 4:  # transparency is not shown
            shown = shown[..., :3]
        return Feed(self.name(run), files, inputs, shown, tuple(notes))

    def raw(self, feed: Feed) -> dict[str, Array]:
        """The inputs of a feed with the values of pictures as they are, 0 to 255."""
        name = self._pictures
        return {n: a.astype(np.float32) if n == name else a for n, a in feed.inputs.items()}


def read_arrays(model: Model, files: Mapping[str, str]) -> dict[str, Array]:
    """The arrays of .npy files for a model's inputs, by the inputs' names; raises InputError as `read_array` does, and
    for a name that no input has."""
    shapes = model.input_shapes
    for name in files:
        if name not in shapes:
            raise InputError(f"{model.source} has no input {name!r}: its inputs are {_listed(shapes)}")
    return {name: read_array(path, name, shapes[name]) for name, path in files.items()}


def read_array(path: str, name: str, shape: Shape) -> Array:
    """An array for input `name` from an .npy file; raises InputError for one that does not fit or cannot be read.

    Its header is checked before anything is allocated, and nothing in it is unpickled.
    """
    try:
        with Path(path).open("rb") as file:
            found, dtype = _read_header(file)
            if dtype.hasobject or dtype.kind not in "fu":
                raise InputError(f"{path!r} holds {dtype}: the input {name!r} takes uint8 or floats")
            if len(found) != len(shape) or any(n not in (None, m) for n, m in zip(shape, found, strict=True)):
                hint = ", without the batch axis" if len(found) == len(shape) + 1 else ""
                raise InputError(f"{path!r} is {show(found)}, and the input {name!r} is {show(shape)}{hint}")
            if file.tell() + dtype.itemsize * math.prod(found) > Path(path).stat().st_size:
                raise InputError(f"{path!r} is damaged: it has fewer values than it says, so save it again")
            file.seek(0)
            return np.asarray(np.lib.format.read_array(file, allow_pickle=False))
    except FileNotFoundError:
        raise InputError(f"there is no file {path!r} for the input {name!r}") from None
    except (OSError, ValueError, EOFError) as error:
        reason = getattr(error, "strerror", None) or "it is not an .npy file, as numpy.save writes one"
        raise InputError(f"{path!r} cannot be read: {reason}") from None


def _read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and dtype in an .npy file's header; raises OSError, or ValueError for no header."""
    try:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        found, _, dtype = read(file)
    except OSError:
        raise
    except Exception as error:  # it is an expression to NumPy, which raises whatever Python's parser does
        raise ValueError("no header") from error
    return found, dtype


def _check_picture(path: Path) -> None:
    """Raises InputError for what is no file, or cannot be asked for."""
    try:
        if stat.S_ISREG(path.stat().st_mode):
            return
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # ValueError: a path with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"the picture {os.fspath(path)!r} cannot be read: {reason}") from None
    raise InputError(f"there is no picture {os.fspath(path)!r}")


def _listed(names: object) -> str:
    return ", ".join(map(repr, names))  # type: ignore[call-overload]
