"""Maps as bytes that a browser unpacks: exact float32, or fewer bits where a page would grow too large.

Values are laid out map by map, (maps, rows, columns). Of a number of several bytes, all first bytes come first, then
all second ones, which lets deflate find more, and the whole is deflated. Where a map is quantised, code 0 is the number
0, codes 1 to `STEPS[bits]` run from the map's least to its largest finite value in equal steps, and the three codes
after them are NaN, minus infinity and infinity.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fastact.kernels.ops import Floats

EXACT = 32
STEPS = {16: 2**16 - 4, 8: 2**8 - 4}
"""The code of a map's largest value, for each number of bits that quantised values may have."""

_TYPES: dict[int, type[np.generic]] = {16: np.uint16, 8: np.uint8}
_FEWER = {32: 16, 16: 8}


@dataclass(frozen=True)
class Packed:
    """A layer's maps: `bits` of each value, the deflated `data`, and each map's ends where they are quantised."""

    bits: int
    data: bytes
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


def pack(planes: Floats, bits: int = EXACT) -> Packed:
    """(maps, rows, columns) float32, packed with 32 bits (exact), 16 or 8 a value."""
    if bits == EXACT:
        return Packed(bits, _deflated(planes))
    low, high = _ends(planes)
    codes = _codes(planes, low, high, STEPS[bits]).astype(_TYPES[bits])
    return Packed(bits, _deflated(codes), tuple(low.tolist()), tuple(high.tolist()))


def pack_within(layers: Iterable[Floats], most: int) -> list[Packed]:
    """Each layer's maps, exact if all fit into `most` bytes together; else the largest with fewer bits until they do.

    Where even 8 bits are too many, all have 8 bits, and the sum is larger than `most`.
    """
    planes = list(layers)
    packed = [pack(p) for p in planes]
    while sum(len(p.data) for p in packed) > most:
        able = [n for n, p in enumerate(packed) if p.bits in _FEWER]
        if not able:
            break
        largest = max(able, key=lambda n: len(packed[n].data))
        packed[largest] = pack(planes[largest], _FEWER[packed[largest].bits])
    return packed


def _ends(planes: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Each map's least and largest finite value; 0 where it has none."""
    finite = np.isfinite(planes)
    low = np.where(finite, planes, np.inf).min(axis=(1, 2)).astype(np.float64)
    high = np.where(finite, planes, -np.inf).max(axis=(1, 2)).astype(np.float64)
    nothing = low > high
    return np.where(nothing, 0, low), np.where(nothing, 0, high)


def _codes(
    planes: Floats, low: npt.NDArray[np.float64], high: npt.NDArray[np.float64], steps: int
) -> npt.NDArray[np.float64]:
    """1 for a map's least value, `steps` for its largest, evenly between; 0 for zero; the last three: no numbers."""
    span = np.where(high > low, high - low, 1)[:, None, None]
    with np.errstate(invalid="ignore"):
        codes = 1 + np.rint((planes - low[:, None, None]) / span * (steps - 1))
    codes[planes == 0] = 0
    codes[np.isnan(planes)] = steps + 1
    codes[np.isneginf(planes)] = steps + 2
    codes[np.isposinf(planes)] = steps + 3
    return codes


def _deflated(values: npt.NDArray[np.generic]) -> bytes:
    plain = np.ascontiguousarray(values)
    little = plain.astype(plain.dtype.newbyteorder("<"), copy=False)
    of_each = little.view(np.uint8).reshape(-1, little.dtype.itemsize)
    return zlib.compress(np.ascontiguousarray(of_each.T).tobytes(), 6)
