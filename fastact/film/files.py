"""Films as files, written frame by frame: MP4 through PyAV, animated GIF and WebP through Pillow.

Pillow's own way to save an animation keeps all of it in memory until the end; here each frame is encoded by Pillow and
written at once, so that memory does not grow with the film.
"""

from __future__ import annotations

import importlib.util
import os
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from types import MappingProxyType
from typing import IO, Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import GifImagePlugin, Image

from fastact.errors import InputError, MissingExtraError, OutputError
from fastact.film.pixels import to_planes
from fastact.film.steering import DRIVER, PILOT
from fastact.views.colors import PAGE, TEXT
from fastact.writing import whole_file

Pixels = npt.NDArray[np.uint8]

X264: Mapping[str, str] = MappingProxyType(
    {"preset": "ultrafast", "crf": "22", "x264-params": "bframes=3:b-adapt=0:deblock=0,0"}
)
"""With these two tools, which its fastest preset is without, x264 makes files as good and as large as with its preset
superfast at a constant rate factor of 20, in half the time (docs/movie.md)."""
_BT709 = 1
_MOST_IN_GIF = 50
"""Frames a second: browsers show one that is to last less than two hundredths of a second for ten."""
_MOST_RIFF = 2**32 - 2**20


class FilmFile(Protocol):
    """A film being written."""

    def add(self, frame: Pixels) -> None:
        """The next frame, uint8 (H, W, 3), all of one size with even sides."""

    def finish(self) -> None:
        """Writes what is left after the last frame."""

    def close(self) -> None:
        """Lets go of the file, finished or not."""


@contextmanager
def film_file(path: str | os.PathLike[str], size: tuple[int, int], fps: Fraction) -> Iterator[FilmFile]:
    """A film to write frames to, which is at `path` once the block ends well; else nothing of it is left.

    Args:
        path: ending with .mp4, .gif or .webp.
        size: width and height in pixels, even numbers.
        fps: frames a second.

    Raises:
        OutputError: the operating system refuses it, or the film is too long for the format.
    """
    kind = _kind(path)
    with whole_file(path) as beside:
        file = kind(beside, size, fps)
        try:
            yield file
            file.finish()
        finally:
            file.close()


def check_film(path: str | os.PathLike[str], fps: Fraction) -> None:
    """Raises InputError for a name that ends with no format of films, or for one that has not so many frames a second;
    MissingExtraError where its package is absent."""
    kind = _kind(path)
    if kind is _Gif and fps > _MOST_IN_GIF:
        raise InputError(f"a GIF shows {_MOST_IN_GIF} frames a second at most: give --fps {_MOST_IN_GIF} or less")
    if kind is _Mp4 and importlib.util.find_spec("av") is None:
        raise _no_video_library()


def load_ahead(path: str | os.PathLike[str]) -> None:
    """Begins to load what writes such a film, in a thread: it takes as long as finding the scales of colours."""

    def load() -> None:
        with suppress(MissingExtraError):  # `film_file` will raise it
            _video_library()

    if _kind(path) is _Mp4:
        threading.Thread(target=load, name="fastact-film", daemon=True).start()


def _kind(path: str | os.PathLike[str]) -> Callable[[Path, tuple[int, int], Fraction], FilmFile]:
    kind = _KINDS.get(Path(path).suffix.lower())
    if kind is None:
        raise InputError(f"{os.fspath(path)!r} is no name for a film: end it with {', '.join(_KINDS)}")
    return kind


def _video_library() -> Any:
    """PyAV, whose wheels have FFmpeg's libraries and x264 in them; raises MissingExtraError."""
    try:
        import av
    except ImportError as error:
        raise _no_video_library() from error
    return av


def _no_video_library() -> MissingExtraError:
    return MissingExtraError("writing MP4", "av", "movie")


class _Mp4:
    """H.264 in planes of 4:2:0, which every player shows, its index first so that it plays while it loads."""

    def __init__(self, path: Path, size: tuple[int, int], fps: Fraction) -> None:
        self._av = _video_library()
        self._container = self._av.open(os.fspath(path), "w", format="mp4", options={"movflags": "+faststart"})
        self._stream = self._container.add_stream("libx264", rate=fps, options=dict(X264))
        self._stream.width, self._stream.height = size
        self._stream.pix_fmt = "yuv420p"
        context = self._stream.codec_context
        context.thread_count = max(1, _cores() - 1)  # one is for what makes the frames
        context.thread_type = "FRAME"
        context.colorspace = context.color_primaries = context.color_trc = _BT709
        context.color_range = 1  # of television, 16 to 235, which players expect
        self._finished = False

    def add(self, frame: Pixels) -> None:
        picture = self._av.VideoFrame(self._stream.width, self._stream.height, "yuv420p")
        luma, blue, red = (np.frombuffer(p, np.uint8).reshape(p.height, p.line_size) for p in picture.planes)
        to_planes(frame, luma, blue, red)
        self._mux(picture)

    def finish(self) -> None:
        self._mux(None)
        self._container.close()
        self._finished = True

    def close(self) -> None:
        if not self._finished:
            with suppress(OSError):  # the file goes anyway, and what went wrong with it is being raised
                self._container.close()

    def _mux(self, picture: Any) -> None:
        for packet in self._stream.encode(picture):
            self._container.mux(packet)


class _Gif:
    """256 colours: those of the steering, and others that the first frame chooses. Frames are shown for hundredths of a
    second that add up to the film's time."""

    def __init__(self, path: Path, size: tuple[int, int], fps: Fraction) -> None:
        self._file: IO[bytes] = path.open("wb")
        self._fps, self._count = fps, 0
        self._palette: Image.Image | None = None

    def add(self, frame: Pixels) -> None:
        image = Image.fromarray(frame)
        if self._palette is None:
            self._palette = _palette(image)
        image = image.quantize(palette=self._palette, dither=Image.Dither.NONE)
        if self._count == 0:
            for block in GifImagePlugin.getheader(image, info={"loop": 0, "duration": 1})[0]:
                self._file.write(block)
        shown = _share(self._count, 100 / self._fps) * 10
        for block in GifImagePlugin.getdata(image, duration=shown, include_color_table=False):
            self._file.write(block)
        self._count += 1

    def finish(self) -> None:
        self._file.write(b";")
        self._file.flush()

    def close(self) -> None:
        self._file.close()


def _palette(image: Image.Image) -> Image.Image:
    """A picture with a palette of 256 colours for a film that begins with `image`."""
    kept = [part for color in (DRIVER, PILOT, TEXT, PAGE) for part in color]
    found = image.quantize(256 - len(kept) // 3, dither=Image.Dither.NONE).getpalette() or []
    palette = Image.new("P", (1, 1))
    palette.putpalette([*kept, *found[: 768 - len(kept)]])
    return palette


class _WebP:
    """Animated WebP as its container specification has it: each frame is a still one in a chunk of its own."""

    def __init__(self, path: Path, size: tuple[int, int], fps: Fraction) -> None:
        self._file: IO[bytes] = path.open("wb")
        self._fps, self._count = fps, 0
        self._canvas = _three_bytes(size[0] - 1) + _three_bytes(size[1] - 1)
        self._file.write(b"RIFF\0\0\0\0WEBP")
        self._chunk(b"VP8X", b"\x02\0\0\0" + self._canvas)  # the bit says that it is animated
        self._chunk(b"ANIM", b"\xff\xff\xff\xff\0\0")  # white behind it, repeated without end

    def add(self, frame: Pixels) -> None:
        buffer = BytesIO()
        Image.fromarray(frame).save(buffer, "WEBP", quality=80, method=2)
        still = buffer.getvalue()[12:]
        if self._file.tell() + len(still) > _MOST_RIFF:
            raise OutputError("a WebP film has 4 GB at most: choose a shorter part, a smaller scale, or .mp4")
        shown = _three_bytes(_share(self._count, 1000 / self._fps))
        self._chunk(b"ANMF", bytes(6) + self._canvas + shown + b"\x02" + still)  # at 0, 0; not blended
        self._count += 1

    def finish(self) -> None:
        size = self._file.tell() - 8
        self._file.seek(4)
        self._file.write(struct.pack("<I", size))
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def _chunk(self, name: bytes, data: bytes) -> None:
        self._file.write(name + struct.pack("<I", len(data)) + data + bytes(len(data) % 2))


_KINDS: Mapping[str, Callable[[Path, tuple[int, int], Fraction], FilmFile]] = {
    ".mp4": _Mp4,
    ".gif": _Gif,
    ".webp": _WebP,
}


def _cores() -> int:
    """How many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _share(number: int, length: Fraction) -> int:
    """Whole units of time for frame `number`, each `length` long, so that their sum stays within one unit of exact."""
    return round(length * (number + 1)) - round(length * number)


def _three_bytes(number: int) -> bytes:
    return number.to_bytes(3, "little")
