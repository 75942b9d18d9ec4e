"""How a picture is to look: one immutable record that every view takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from fastact.errors import InputError

Normalization = Literal["channel", "layer", "percentile"]

LEAST_PIXELS = 2_000_000


@dataclass(frozen=True)
class Style:
    """How feature maps become colours and pixels.

    Raises `InputError` for a value outside what is said here. The name of the colour map is looked up when
    something is drawn; `color_table(name)` checks it earlier.
    """

    colormap: str = "viridis"
    """A name from cmap's catalogue: viridis, magma, gray, coolwarm, viridis_r, crameri:batlow, ..."""

    normalization: Normalization = "channel"
    """What the ends of the colour scale are: each filter's own minimum and maximum ("channel"), the layer's
    ("layer"), or two percentiles of the layer's values, beyond which values are clipped ("percentile")."""

    percentile: tuple[float, float] = (1.0, 99.0)
    """The two percentiles, 0 to 100, interpolated linearly between values as NumPy does."""

    max_columns: int | None = None
    """The most columns a grid may have; None leaves the choice to the picture's proportions."""

    min_cell: int = 32
    """Pixels that the longer side of a map gets at least, as far as `max_pixels` allows. Enlarging is always
    by a whole number, so every value stays a square of one colour."""

    max_pixels: int = 6_000_000
    """Pixels of a mosaic, margins and text included; at least 2,000,000. Maps that would not fit are shrunk
    by averaging, and the picture says so."""

    def __post_init__(self) -> None:
        if self.normalization not in get_args(Normalization):
            choices = ", ".join(get_args(Normalization))
            raise InputError(f"unknown normalization {self.normalization!r}: choose one of {choices}")
        low, high = self.percentile
        if not 0 <= low < high <= 100:
            raise InputError(f"percentiles {low:g} and {high:g} are not an ascending pair between 0 and 100")
        if self.max_columns is not None and self.max_columns < 1:
            raise InputError(f"a grid needs at least one column, not {self.max_columns}")
        if self.min_cell < 1:
            raise InputError(f"min_cell is {self.min_cell}, but a map needs at least one pixel")
        if self.max_pixels < LEAST_PIXELS:
            raise InputError(f"max_pixels is {self.max_pixels}, but a picture needs {LEAST_PIXELS:,}")
