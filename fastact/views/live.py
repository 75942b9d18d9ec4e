"""Feature maps as a moving picture: laid out once, then drawn frame by frame in a few milliseconds.

Every layer is a band over the whole width: a line with its name, and below it all its filters as tiles. The layout
depends on the layers' shapes alone, so that every frame of a film has the same size and each filter keeps its place.
Colours belong to a layer, not to a filter, and their scale does not follow single frames: what is brighter is larger,
beside it and a moment ago.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from math import ceil, isfinite, prod

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from fastact.errors import InputError
from fastact.views.colors import BAD, COLORS, DIM, FAINT, PAGE, Pixels, color_table
from fastact.views.levels import Maps, as_maps
from fastact.views.style import Style
from fastact.views.text import count, line_height, shorten, text_width, write

Range = tuple[float, float]

LEAST_WIDTH, LARGEST_SIDE = 160, 8192
_MARGIN = 8
_GAP = 2
_NAME = 12
_HEAD = line_height(_NAME) + 2
_LEAST_CELL = 8
_FIRST_SIDE, _LARGEST_SIDE = 24, 240
_ASPECT = 4 / 3
_PAGE_ENTRY, _BAD_ENTRY = COLORS - 2, COLORS - 1
_SAMPLES = 4096
_PERCENTILES = (0.5, 99.5)
_FORGET = 0.02


class Mosaic:
    """All filters of some layers as one picture, for frame after frame.

        mosaic = Mosaic({name: array.shape for name, array in maps.items()}, width=640)
        picture = mosaic(maps)                      # uint8 (mosaic.height, 640, 3)

    Layers that have no height and width (dense layers) are left out. Of a layer with time steps, (T, H, W, C), the last
    step is drawn. Where there is no room for all filters, a layer shows its first ones and says so; where there is
    no room for all layers, the last line says how many are missing.

    Args:
        shapes: each layer's shape, channels last and without batch axis, in the order to show.
        width: pixels of the picture.
        height: pixels of the picture; None lets the tiles take what they need, up to three quarters of the width, and
            `height` is then what they take, an even number.
        colormap: a name from cmap's catalogue.
        ranges: for each layer the values at the two ends of the colours, such as `span` gives for a sample of frames.
            For layers without one, the scale runs: it widens at once to what `span` finds in a frame, and where
            frames need less it narrows by a fiftieth of the difference a frame, in two or three seconds at 20 Hz.

    Attributes:
        layers: the names of the layers that are drawn.
        width, height: pixels of every picture.

    Raises:
        InputError: no layer has maps, the picture is smaller than 160 x 60 pixels or larger than 8192, the colour map
            is unknown, or a range is not a pair of ascending numbers.
    """

    def __init__(
        self,
        shapes: Mapping[str, tuple[int, ...]],
        *,
        width: int,
        height: int | None = None,
        colormap: str = Style.colormap,
        ranges: Mapping[str, Range] | None = None,
    ) -> None:
        if not LEAST_WIDTH <= width <= LARGEST_SIDE or not 60 <= (height or 60) <= LARGEST_SIDE:
            size = f"{width}x{height}" if height else f"{width} wide"
            raise InputError(f"a mosaic of {size} pixels is outside 160x60 to {LARGEST_SIDE}x{LARGEST_SIDE}")
        with_maps = {name: shape[-3:] for name, shape in shapes.items() if is_map(shape)}
        if not with_maps:
            raise InputError("a mosaic needs a layer with maps, which have a height, a width and channels")
        limit = height or max(60, round(width / _ASPECT))
        bands, missing = _arranged(with_maps, width, limit)
        used = _height(bands, missing)
        self.width, self.height = width, height or used + used % 2
        self.layers = tuple(band.name for band in bands)
        self._shapes = {band.name: tuple(shapes[band.name]) for band in bands}
        self._bands = [
            _Drawn.of(band, top, width) for band, top in zip(bands, _tops(bands, self.height - used), strict=True)
        ]
        self._page = _page(self._bands, missing, width, self.height)
        self._scales = {name: Scale.of(name, (ranges or {}).get(name)) for name in self.layers}
        self._table = _table(colormap)

    @property
    def ranges(self) -> dict[str, Range]:
        """The values at the two ends of each layer's colours, as they are now; NaN before the first frame."""
        return {name: (scale.low, scale.high) for name, scale in self._scales.items()}

    def __call__(self, maps: Mapping[str, NDArray[np.generic]]) -> Pixels:
        """The picture of one frame's maps, uint8 (height, width, 3), in memory of its own.

        Raises:
            InputError: a layer is missing, or its shape is another than was given.
        """
        picture: Pixels = self._page.copy()
        for drawn in self._bands:
            name = drawn.band.name
            if name not in maps or np.shape(maps[name]) != self._shapes[name]:
                raise InputError(f"the mosaic was laid out for {name!r} of shape {self._shapes[name]}")
            values = as_maps(maps[name]).reshape(-1, *self._shapes[name][-3:])[-1]
            entries = self._scales[name].entries(drawn.shrunk(values))
            into = picture[drawn.top : drawn.top + drawn.height]
            np.take(self._table, drawn.colors(entries), axis=0, out=into, mode="clip")
        return picture


def is_map(shape: Sequence[int | None]) -> bool:
    """Whether a layer of this shape has maps to draw: (..., H, W, C) with more than one position."""
    known = [n for n in shape if n is not None]
    return len(known) == len(shape) >= 3 and all(n > 0 for n in known) and prod(known[-3:-1]) > 1


def span(values: NDArray[np.generic]) -> Range:
    """The values at the two ends of a layer's colours for one frame: from the 0.5th to the 99.5th percentile of its
    finite values, judged by about 4096 of them, and from 0 where the lower end is above it (relu's maps); (nan, nan)
    where no value is finite."""
    flat = np.asarray(values).reshape(-1)
    # An odd step, so that a sample of channels-last values does not always meet the same channels.
    sample = flat[:: len(flat) // _SAMPLES | 1]
    sample = sample[np.isfinite(sample)]
    if not len(sample):
        return np.nan, np.nan
    ranks = [round(percent / 100 * (len(sample) - 1)) for percent in _PERCENTILES]
    low, high = np.partition(sample, ranks)[ranks]  # np.percentile takes three times as long
    return min(float(low), 0.0), float(high)


@dataclass
class Scale:
    """The ends of a layer's colours, `low` and `high`, and how they follow the frames where they are not `fixed`."""

    low: float
    high: float
    fixed: bool

    @classmethod
    def of(cls, name: str, ends: Range | None = None) -> Scale:
        """A scale between two values, or a running one; raises InputError for a pair that is not ascending."""
        if ends is None:
            return cls(np.nan, np.nan, fixed=False)
        low, high = ends
        if not (isfinite(low) and isfinite(high) and low <= high):
            raise InputError(f"the range of {name!r} is {low:g} to {high:g}, which is no pair of ascending numbers")
        return cls(float(low), float(high), fixed=True)

    def entries(self, values: Maps) -> Pixels:
        """The values' places in the colour table, uint8, flat, with the page's entry behind the last."""
        self.follow(values)
        places: Pixels = np.empty(values.size + 1, np.uint8)
        places[-1] = _PAGE_ENTRY
        width = self.high - self.low
        scale = (_PAGE_ENTRY - 1) / width if width > 0 and isfinite(width) else 0.0
        with np.errstate(invalid="ignore", over="ignore"):
            whole = np.subtract(values.reshape(-1), np.float32(self.low if isfinite(self.low) else 0.0))
            whole *= np.float32(scale)
            np.clip(whole, 0, _PAGE_ENTRY - 1, out=whole)
            places[:-1] = whole
            if not np.isfinite(values.sum()):
                places[:-1][~np.isfinite(values.reshape(-1))] = _BAD_ENTRY
        return places

    def fractions(self, values: Maps) -> Maps:
        """The values' places between the ends, float32 from 0 to 1; 0 for what is not a number."""
        self.follow(values)
        width = self.high - self.low
        if not (width > 0 and isfinite(width)):
            return np.zeros(values.shape, np.float32)
        with np.errstate(invalid="ignore", over="ignore"):
            places: Maps = np.nan_to_num((values - np.float32(self.low)) / np.float32(width), nan=0.0)
        return np.clip(places, 0, 1)

    def follow(self, values: NDArray[np.generic]) -> None:
        """Widens a running scale at once to what a frame needs, and narrows it slowly."""
        if self.fixed:
            return
        low, high = span(values)
        if not isfinite(low):
            return
        if not isfinite(self.low):
            self.low, self.high = low, high
            return
        self.low = min(low, self.low + (low - self.low) * _FORGET)
        self.high = max(high, self.high + (high - self.high) * _FORGET)


@dataclass(frozen=True)
class _Band:
    """A layer over the picture's width: `shown` of its `filters` in `lines` lines of tiles, which are as wide as a
    line takes, but have no side longer than `side`."""

    name: str
    rows: int
    columns: int
    filters: int
    room: int
    lines: int = 1
    side: int = _FIRST_SIDE

    @property
    def most_across(self) -> int:
        """How many of the smallest tiles are side by side at most."""
        return max(1, (self.room + _GAP) // (_LEAST_CELL + _GAP))

    @property
    def shown(self) -> int:
        """How many filters there is room for."""
        return min(self.filters, self.lines * self.most_across)

    @property
    def across(self) -> int:
        """Tiles in a line."""
        return ceil(self.shown / self.lines)

    @property
    def cell(self) -> tuple[int, int]:
        """Rows and columns of pixels of a tile, in the map's proportions."""
        longest = max(self.rows, self.columns)
        if self.capped:
            return max(1, round(self.side * self.rows / longest)), max(1, round(self.side * self.columns / longest))
        wide = self._pitch - _GAP
        return max(1, round(wide * self.rows / self.columns)), wide

    @property
    def capped(self) -> bool:
        """Whether it is `side` that keeps the tiles from being larger."""
        return (self._pitch - _GAP) * max(self.rows, self.columns) > self.side * self.columns

    def left(self, place: int) -> int:
        """Where in its line a tile begins; lines reach from margin to margin where the tiles are not capped."""
        step = place * (self.cell[1] + _GAP) if self.capped else place * (self.room + _GAP) // self.across
        return _MARGIN + step

    @property
    def _pitch(self) -> int:
        return (self.room + _GAP) // self.across

    @property
    def height(self) -> int:
        """Pixels of the band, its name included."""
        return _HEAD + self.lines * (self.cell[0] + _GAP) - _GAP

    @property
    def need(self) -> float:
        """Low for a layer whose tiles are small for what is in them. Larger maps deserve larger tiles, though not quite
        as many pixels a value, since of a small map nothing is seen otherwise."""
        deserved: float = max(self.rows, self.columns) ** 0.8
        return max(self.cell) / deserved * (self.shown / self.filters)

    def larger(self) -> _Band | None:
        """The same with larger tiles, or more of them; None where there is nothing to gain."""
        if self.capped:
            side = min(self.side + self.side // 8, _LARGEST_SIDE)
            return replace(self, side=side) if side > self.side else None
        for lines in range(self.lines + 1, self.filters + 1):
            found = replace(self, lines=lines, side=_LARGEST_SIDE)
            if found.shown > self.shown or max(found.cell) > max(self.cell):
                return found
        return None


def _arranged(shapes: Mapping[str, tuple[int, ...]], width: int, limit: int) -> tuple[list[_Band], int]:
    """The bands, and how many layers have no room. The neediest layer is enlarged as long as all fit the limit."""
    bands = [_Band(name, rows, columns, n, width - 2 * _MARGIN) for name, (rows, columns, n) in shapes.items()]
    while len(bands) > 1 and _height(bands, len(shapes) - len(bands)) > limit:
        bands.pop()
    missing = len(shapes) - len(bands)
    free = limit - _height(bands, missing)
    while True:
        for i in sorted(range(len(bands)), key=lambda i: bands[i].need):
            larger = bands[i].larger()
            if larger is not None and larger.height - bands[i].height <= free:
                free -= larger.height - bands[i].height
                bands[i] = larger
                break
        else:
            return bands, missing


def _height(bands: Sequence[_Band], missing: int) -> int:
    """Pixels that the bands take with the margins around them."""
    return sum(band.height for band in bands) + (len(bands) + 1) * _MARGIN + (_HEAD if missing else 0)


def _tops(bands: Sequence[_Band], slack: int) -> list[int]:
    """Where each band begins; what is left over lies between them."""
    tops, top = [], _MARGIN
    for i, band in enumerate(bands):
        tops.append(top + slack * i // len(bands))
        top += band.height + _MARGIN
    return tops


@dataclass(frozen=True)
class _Drawn:
    """A band with its place: `top` is the first row of its tiles, `index` says for each pixel of those rows which
    value it shows: (height, width) places in the flat values, the place behind the last one for the page."""

    band: _Band
    top: int
    shrink: tuple[int, int]
    index: NDArray[np.int32]

    @property
    def height(self) -> int:
        """Rows of pixels of the tiles."""
        return len(self.index)

    @classmethod
    def of(cls, band: _Band, top: int, width: int) -> _Drawn:
        high, wide = band.cell
        down, across = max(1, band.rows // high), max(1, band.columns // wide)
        rows, columns = band.rows // down, band.columns // across
        y = np.arange(high) * rows // high
        x = np.arange(wide) * columns // wide
        one = (y[:, None] * columns + x) * band.filters
        index = np.full((band.lines * (high + _GAP) - _GAP, width), rows * columns * band.filters, np.int32)
        for number in range(band.shown):
            line, place = divmod(number, band.across)
            left = band.left(place)
            at = line * (high + _GAP)
            index[at : at + high, left : left + wide] = one + number
        return cls(band, top + _HEAD, (down, across), index)

    def shrunk(self, values: Maps) -> Maps:
        """(H, W, C) values averaged over blocks where several share a pixel; the rest at the edges is left out."""
        down, across = self.shrink
        if down == across == 1:
            return values
        rows, columns = self.band.rows // down, self.band.columns // across
        total = np.zeros((rows, columns, self.band.filters), np.float32)
        with np.errstate(over="ignore", invalid="ignore"):
            for dy in range(down):
                for dx in range(across):
                    total += values[dy : rows * down : down, dx : columns * across : across]
            total /= np.float32(down * across)
        return total

    def colors(self, entries: Pixels) -> Pixels:
        """Each pixel's entry of the colour table: uint8 (height, width)."""
        colors: Pixels = entries.take(self.index, mode="clip")
        return colors


def _page(bands: Sequence[_Drawn], missing: int, width: int, height: int) -> Pixels:
    """The picture without tiles: the layers' names."""
    image = Image.new("RGB", (width, height), PAGE)
    draw = ImageDraw.Draw(image)
    for drawn in bands:
        band, y = drawn.band, drawn.top - _HEAD
        number = count(band.filters, "filter")
        if band.shown < band.filters:
            number = f"{band.shown} of {number}"
        facts = f"{number}, {band.columns} x {band.rows}"
        room = band.room - text_width(facts, _NAME) - 12
        name = shorten(band.name, _NAME, max(room, band.room // 3))
        write(draw, (_MARGIN, y), name, _NAME, DIM)
        if text_width(name, _NAME) <= room:
            write(draw, (width - _MARGIN, y), facts, _NAME, FAINT, "ra")
    if missing:
        write(draw, (_MARGIN, height - _HEAD - 2), f"{count(missing, 'more layer')} without room", _NAME, FAINT)
    return np.array(image)


def _table(colormap: str) -> Pixels:
    """The colour map in the first 254 of 256 entries, then the page's colour and that of NaN and infinity."""
    colors = color_table(colormap)[np.arange(_PAGE_ENTRY) * COLORS // _PAGE_ENTRY]
    table: Pixels = np.concatenate([colors, np.array([PAGE, BAD], np.uint8)])
    return table
