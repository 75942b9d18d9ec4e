"""Pictures as frames: read, brought to the model's size and channels as Donkey does, with a word on what was done."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Iterable, Iterator
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from fastact.errors import InputError
from fastact.kernels.records import dataclass
from fastact.layers import Shape, show

_EIGHT_BIT_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")
_MODE_FOR_CHANNELS = {1: "L", 3: "RGB", 4: "RGBA"}
_MOST_AHEAD = 1024

T = TypeVar("T")


def takes_pictures(shape: Shape) -> bool:
    """Whether an input of this shape can be fed a picture, (H, W, C), or a run of pictures, (T, H, W, C)."""
    return len(shape) in (3, 4) and shape[-1] in _MODE_FOR_CHANNELS


@dataclass(frozen=True)
class Picture:
    """A frame and what was done to the file's picture to make it: uint8 (H, W, C), and sentences."""

    frame: npt.NDArray[np.uint8]
    notes: tuple[str, ...]


def read_picture(path: str | os.PathLike[str], shape: Shape) -> Picture:
    """A picture file as a frame of `shape`, (rows, columns, channels), None where its own size will do.

    A picture of another size is resized as donkeycar's load_image does it: Pillow's `resize` with its default filter,
    before a conversion to grey.

    Raises:
        InputError: not a picture that can be read, grey of more than 8 bits, or no picture fits `shape`.
    """
    if len(shape) != 3 or shape[-1] not in _MODE_FOR_CHANNELS:
        raise InputError(f"the model takes {show(shape)}, which no picture is: give it arrays, --input NAME=FILE.npy")
    return _fitted(_eight_bit(path), shape)


def fit(frame: npt.NDArray[Any], shape: Shape) -> Picture:
    """A camera's frame as a frame of `shape`, where None takes any length: made grey or coloured, and resized, as
    :func:`read_picture` does it.

    Raises:
        InputError: it is not uint8 (H, W), (H, W, 1) or (H, W, 3).
    """
    if not isinstance(frame, np.ndarray) or frame.dtype != np.uint8 or frame.ndim not in (2, 3) or not frame.size:
        kind = f"{frame.dtype} {show(frame.shape)}" if isinstance(frame, np.ndarray) else type(frame).__name__
        raise InputError(f"a frame is uint8 of height x width x 3, or x 1, and this one is {kind}")
    frame = frame if frame.ndim == 3 else frame[..., np.newaxis]
    rows, columns, channels = (wanted or found for wanted, found in zip(shape, frame.shape, strict=True))
    if frame.shape == (rows, columns, channels):
        return Picture(frame, ())
    if frame.shape[2] not in (1, 3) or channels not in _MODE_FOR_CHANNELS:
        raise InputError(f"a frame is uint8 of height x width x 3, or x 1, and this one is {show(frame.shape)}")
    return _fitted(Image.fromarray(frame[..., 0] if frame.shape[2] == 1 else frame), (rows, columns, channels))


def _fitted(image: Image.Image, shape: Shape) -> Picture:
    """The picture as a frame of `shape`, whose last entry is a number of channels that pictures have."""
    mode, notes = _MODE_FOR_CHANNELS[shape[-1] or 0], []
    if image.mode != mode:
        notes.append(f"converted from {_words(image.mode)} to {_words(mode)}")
    if mode != "L" or image.mode not in ("L", "RGB"):
        image = image.convert("RGB" if mode == "L" else mode)
    size = (shape[1] or image.width, shape[0] or image.height)
    if image.size != size:
        notes.append(f"resized from {image.width}x{image.height} to {size[0]}x{size[1]}")
        image = image.resize(size)
    frame = np.asarray(image.convert(mode), np.uint8)
    return Picture(np.ascontiguousarray(frame.reshape(*frame.shape[:2], -1)), tuple(notes))


def decode(path: str | os.PathLike[str]) -> npt.NDArray[np.uint8]:
    """A picture file as it is, uint8 (H, W, 3), RGB; raises InputError as `read_picture` does."""
    if not os.path.isfile(path):  # noqa: PTH113 - a third of the time of a Path's
        raise InputError(f"there is no picture {os.fspath(path)!r}")
    image = _eight_bit(path)
    return np.ascontiguousarray(np.asarray(image if image.mode == "RGB" else image.convert("RGB"), np.uint8))


def _eight_bit(path: str | os.PathLike[str]) -> Image.Image:
    """The decoded picture, which has at most 8 bits a channel."""
    image = _open(path)
    if image.mode not in _EIGHT_BIT_MODES:
        raise InputError(f"{os.fspath(path)!r} has more than 8 bits a channel ({image.mode}): save it as 8-bit RGB")
    return image


def _open(path: str | os.PathLike[str]) -> Image.Image:
    """The decoded picture."""
    name = repr(os.fspath(path))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            image = Image.open(path)
            image.load()
    except UnidentifiedImageError:
        raise InputError(f"{name} is not a picture fastact can read: give a JPEG or PNG file") from None
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(f"{name} has more pixels than a camera's frame: resize it first") from None
    except FileNotFoundError:
        raise InputError(f"there is no picture {name}") from None
    except IsADirectoryError:
        raise InputError(f"{name} is a folder, not a picture: give a file in it") from None
    except (OSError, SyntaxError, ValueError, EOFError) as error:
        raise InputError(f"the picture {name} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    return image


def _words(mode: str) -> str:
    return {"L": "grey", "1": "black and white", "P": "a palette", "LA": "grey with alpha"}.get(mode, mode)


def prefetch(items: Iterable[T], count: int = 8) -> Iterator[T]:
    """The items in order, each made by a thread of its own up to `count` items before it is asked for.

    Pictures are decoded while maps are computed, since both leave Python's lock for most of their time:

        for maps in extract.stream(prefetch(frame for record, frame in tub.frames())): ...

    An exception among the items comes up where the item would have come. The thread ends with the last item, or soon
    after the loop over them is left.

    Raises:
        InputError: `count` is not a whole number from 1 to 1024.
    """
    if type(count) is not int or not 1 <= count <= _MOST_AHEAD:
        raise InputError(f"the number of items to fetch ahead is from 1 to {_MOST_AHEAD}, not {count!r}")
    return _fetched(items, count)


def _fetched(items: Iterable[T], count: int) -> Iterator[T]:
    made: SimpleQueue[tuple[T] | BaseException | None] = SimpleQueue()
    places: SimpleQueue[bool] = SimpleQueue()

    def make() -> None:
        try:
            for item in items:
                made.put((item,))
                if not places.get():
                    return
            made.put(None)
        except BaseException as error:
            made.put(error)

    for _ in range(count - 1):
        places.put(True)
    threading.Thread(target=make, name="fastact-prefetch", daemon=True).start()
    try:
        while (item := made.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            places.put(True)
            yield item[0]
    finally:
        places.put(False)
