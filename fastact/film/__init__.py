"""Films of a tub: what the network saw and made of it, record by record.

| module | what |
| --- | --- |
| `watching.py` | from a record to what is drawn: maps, mask, command; the scales that hold for the whole film |
| `scenes.py` | from that to a frame of the film, for each style |
| `steering.py` | what the driver and the network steered, as bars, lines and a graph |
| `pixels.py` | pictures covered, enlarged and split into planes by compiled kernels |
| `files.py` | frames into MP4, GIF and WebP files, one after the other |
| `making.py` | all of it, each in a thread of its own |

    from fastact.film import Film, make_film

    make_film(Film(model, style="overlay"), Lap(Tub.open("data"), model), "film.mp4")
"""

from __future__ import annotations

from fastact.film.making import Made, make_film
from fastact.film.scenes import STYLES
from fastact.film.watching import Film

__all__ = ["STYLES", "Film", "Made", "make_film"]
