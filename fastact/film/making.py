"""A film of a lap: decoding, computing, drawing and encoding run side by side."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

from fastact.film.files import check_film, film_file, load_ahead
from fastact.film.scenes import Look, scene_for
from fastact.film.watching import Film
from fastact.frames import prefetch
from fastact.lap import Lap

_FEWEST, _MOST = 2, 16
"""Frames that wait at least and at most between decoding, computing, drawing and encoding."""
_BYTES = 8 * 2**20
"""What those that wait in one place may take, as far as there may be more than the fewest."""


@dataclass(frozen=True)
class Made:
    """A film's frames, its width and height, and how many records were left out as damaged."""

    frames: int
    size: tuple[int, int]
    damaged: int


def make_film(
    film: Film,
    lap: Lap,
    path: str | os.PathLike[str],
    *,
    look: Look | None = None,
    progress: Callable[[int, int], None] = lambda done, count: None,
) -> Made:
    """Writes a film of a lap, one frame a record. Memory does not grow with its length.

    First the scales of colours are found from a few dozen records, so that they are the same for all frames. The film
    is at `path` once it is whole; interrupted, nothing of it is left.

    Args:
        film: what is shown.
        lap: the frames, for the same model.
        path: ending with .mp4 (H.264, needs the extra `movie`), .gif or .webp.
        look: size, speed and colours.
        progress: called with the number of frames done and how many there are.

    Raises:
        InputError: the name is no film's; a GIF of more than 50 frames a second; no record can be read; the film would
            be too large; an unknown colour map.
        OutputError: it cannot be written.
        MissingExtraError: PyAV is not installed.
    """
    look = look or Look()
    check_film(path, look.fps)
    load_ahead(path)
    count = lap.count()
    scales = film.scales(lap, count) if count else None
    first = next(film.watch(lap), None)
    if first is None or scales is None:
        raise lap.empty()
    title = os.path.basename(film.model.source)  # noqa: PTH119
    scene = scene_for(film, look, first, scales, title)
    size, frames = (scene.width, scene.height), 0
    with film_file(path, size, look.fps) as file:
        seen = prefetch(film.watch(prefetch(lap, _waiting(first.shot.picture.nbytes))), _waiting(first.nbytes))
        for frame in prefetch(map(scene.draw, seen), _waiting(3 * scene.width * scene.height)):
            file.add(frame)
            frames += 1
            progress(frames, count)
    return Made(frames, size, lap.damaged)


def _waiting(size: int) -> int:
    """How many frames of so many bytes wait for the next step: the more, the less the steps wait for each other."""
    return max(_FEWEST, min(_MOST, _BYTES // size))
