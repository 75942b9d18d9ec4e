"""Convolutions and dense layers: tiles of a matrix product, out of shared memory, in registers."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numba import cuda, float32

from ..tiles import TILES, kernel_name
from .base import FOUR_FLOATS, U, clipped, part


@part
def seen(place, height, width, top, left):
    """Whether a place of the padded input lies in the input itself."""
    return U((place >> U(16)) - top) < height and U((place & U(65535)) - left) < width


@part
def divided(value, divisor, inverse):
    """A byte's value / divisor, correctly rounded, without a division (the encoder has tried all of them)."""
    quotient = value * inverse
    return cuda.fma(cuda.fma(-quotient, divisor, value), inverse, quotient)


def tiled(tile, padded, in_bytes):
    """The convolution with one tile.

    Block (i, j, 0) makes the values of its pixels, counted over all frames, and of its filters. Cell k of pixel p's
    receptive field lies at starts[p] + cells[k], both as the encoder has laid them out; where the input is `padded`,
    each comes with its row and column (the row in the upper 16 bits), and what lies outside counts as zero. An input
    `in_bytes` is divided by `divisor`. While a slice is multiplied the next one is on its way from memory: it goes to
    the other half of `a` (pixels) and `b` (filters).
    """
    pixels, filters, depth, splits = tile.pixels, tile.filters, tile.depth, tile.splits
    a_row, b_row = U(tile.block_pixels + 4), U(tile.block_filters)  # 4 more: stores of a slice meet all banks
    a_half, b_half = U(depth * a_row), U(depth * b_row)
    a_size, b_size = int(2 * splits * a_half), int(2 * splits * b_half)
    a_loads, b_loads = tile.block_pixels * depth // tile.team, -(-tile.block_filters * depth // tile.team)
    block_pixels, block_filters = U(tile.block_pixels), U(tile.block_filters)
    team, u_depth, u_splits, u_columns = U(tile.team), U(depth), U(splits), U(tile.columns)
    a_step, u_pixels, u_filters = U(tile.team // depth), U(pixels), U(filters)
    item = U(2 if padded else 1)
    load_pixels, load_filters = _load_pixels(a_loads, padded, in_bytes), _load_filters(b_loads, tile)
    multiply, add_up, give = _multiply(tile, a_row, b_row), _add_up(tile), _give(tile)

    def kernel(
        x, starts, cells, weights, bias, y, all_pixels, frame_pixels, products, all_filters, group_filters,
        group_blocks, group_depth, low, high, height, width, top, left, divisor, inverse, x_frame, y_frame,
    ):  # fmt: skip
        a = cuda.shared.array(a_size, float32, alignment=FOUR_FLOATS)
        b = cuda.shared.array(b_size, float32, alignment=FOUR_FLOATS)
        a_next, b_next = cuda.local.array(a_loads, float32), cuda.local.array(b_loads, float32)
        begins, places = cuda.local.array(a_loads, np.uint32), cuda.local.array(a_loads, np.uint32)
        sums = cuda.local.array((pixels, filters), float32)
        for i in range(pixels):
            for j in range(filters):
                sums[i, j] = float32(0)

        split, me = U(cuda.threadIdx.x) // team, U(cuda.threadIdx.x) % team
        group, first_filter = U(cuda.blockIdx.y) // group_blocks, U(cuda.blockIdx.y) % group_blocks * block_filters
        group_first, first_pixel = group * group_filters, U(cuda.blockIdx.x) * block_pixels
        row, column = me // u_columns * u_pixels, me % u_columns * u_filters
        k_mine, m_mine = me % u_depth, me // u_depth
        a_here, b_here = split * U(2) * a_half, split * U(2) * b_half
        for i in range(a_loads):
            pixel = min(U(first_pixel + m_mine + U(i) * a_step), U(all_pixels - U(1)))
            frame, pixel = pixel // frame_pixels, pixel % frame_pixels
            begins[i] = U(starts[item * pixel]) + U(frame * x_frame) + group * group_depth
            places[i] = U(starts[item * pixel + U(1)]) if padded else U(0)

        rounds = U((products + u_depth * u_splits - U(1)) // (u_depth * u_splits))
        for n in range(U(0), U(rounds + U(1))):
            half, first = U(n) % U(2), U((U(n) * u_splits + split) * u_depth)
            if n < rounds:
                load_pixels(
                    a_next, x, cells, U(first + k_mine), products, begins, places, height, width, top, left,
                    divisor, inverse,
                )  # fmt: skip
                load_filters(
                    b_next, weights, me, first, products, first_filter, group_filters, group_first, all_filters
                )
            if n > U(0):
                multiply(a, b, a_here + (U(1) - half) * a_half + row, b_here + (U(1) - half) * b_half + column, sums)
            if n < rounds:
                for i in range(a_loads):
                    a[a_here + half * a_half + k_mine * a_row + m_mine + U(i) * a_step] = a_next[i]
                for i in range(b_loads):
                    if U(me + U(i) * team) < b_half:
                        b[b_here + half * b_half + me + U(i) * team] = b_next[i]
            cuda.syncthreads()
        if splits > 1:
            add_up(sums, split, me)
        if split == U(0):
            give(
                y, sums, bias, U(first_pixel + row), all_pixels, frame_pixels, U(first_filter + column), group_filters,
                group_first, all_filters, low, high, y_frame,
            )  # fmt: skip

    return kernel


def _load_pixels(loads, padded, in_bytes):
    """A thread's part of a slice of receptive fields: their cell k, zero where there is none."""
    item = U(2 if padded else 1)

    @part
    def load(found, x, cells, k, products, begins, places, height, width, top, left, divisor, inverse):
        for i in range(loads):
            found[i] = float32(0)
        if k < products:
            cell = U(cells[item * k])
            place = U(cells[item * k + U(1)]) if padded else U(0)
            for i in range(loads):
                if not padded or seen(U(places[i] + place), height, width, top, left):
                    found[i] = float32(x[U(begins[i] + cell)])
                    if in_bytes:
                        found[i] = divided(found[i], divisor, inverse)

    return load


def _load_filters(loads, tile):
    """A thread's part of a slice of weights, zero where there are none."""
    team, block_filters, slice_size = U(tile.team), U(tile.block_filters), U(tile.block_filters * tile.depth)

    @part
    def load(found, weights, me, first, products, first_filter, group_filters, group_first, all_filters):
        for i in range(loads):
            e = U(me + U(i) * team)
            k, filter = U(first + e // block_filters), U(first_filter + e % block_filters)
            found[i] = float32(0)
            if e < slice_size and k < products and filter < group_filters:
                found[i] = weights[k * all_filters + group_first + filter]

    return load


def _multiply(tile, a_row, b_row):
    """The products of a slice, added to a thread's sums: the hot loop."""
    pixels, filters, half_depth = tile.pixels, tile.filters, tile.depth // 2
    # These change no index: they tell the compiler that four (or two) floats may be read at once.
    a_whole, b_whole = U(-math.gcd(pixels, 4) & 0xFFFFFFFF), U(-math.gcd(filters, 4) & 0xFFFFFFFF)

    @part
    def multiply(a, b, a_at, b_at, sums):
        a_now, b_now = cuda.local.array(pixels, float32), cuda.local.array(filters, float32)
        for _ in range(half_depth):
            a_at, b_at = a_at & a_whole, b_at & b_whole
            for k in range(2):
                for i in range(pixels):
                    a_now[i] = a[a_at + U(k) * a_row + U(i)]
                for j in range(filters):
                    b_now[j] = b[b_at + U(k) * b_row + U(j)]
                for i in range(pixels):
                    for j in range(filters):
                        sums[i, j] = cuda.fma(a_now[i], b_now[j], sums[i, j])
            a_at, b_at = a_at + U(2) * a_row, b_at + U(2) * b_row

    return multiply


def _add_up(tile):
    """The sums of all teams of a block, added to those of the first, in the order of the teams."""
    pixels, filters, splits, team = tile.pixels, tile.filters, tile.splits, U(tile.team)
    u_filters, values = U(filters), U(pixels * filters)
    size = max(1, (splits - 1) * tile.team * pixels * filters)

    @part
    def add_up(sums, split, me):
        rest = cuda.shared.array(size, float32)
        if split > U(0):
            for i in range(pixels):
                for j in range(filters):
                    rest[((split - U(1)) * values + U(i) * u_filters + U(j)) * team + me] = sums[i, j]
        cuda.syncthreads()
        if split == U(0):
            for s in range(splits - 1):
                for i in range(pixels):
                    for j in range(filters):
                        sums[i, j] += rest[(U(s) * values + U(i) * u_filters + U(j)) * team + me]

    return add_up


def _give(tile):
    """A thread's sums with their bias, clipped, as values of the map."""
    pixels, filters = tile.pixels, tile.filters

    @part
    def give(
        y, sums, bias, first, all_pixels, frame_pixels, filter, group_filters, group_first, all_filters, low, high,
        y_frame,
    ):  # fmt: skip
        biases = cuda.local.array(filters, float32)  # read first: for all the compiler knows, y might be the bias
        for j in range(filters):
            biases[j] = bias[group_first + filter + U(j)] if filter + U(j) < group_filters else float32(0)
        for i in range(pixels):
            pixel = U(first + U(i))
            if pixel < all_pixels:
                frame, pixel = pixel // frame_pixels, pixel % frame_pixels
                at = frame * y_frame + pixel * all_filters + group_first + filter
                for j in range(filters):
                    if filter + U(j) < group_filters:
                        y[at + U(j)] = clipped(sums[i, j] + biases[j], low, high)

    return give


KERNELS = {
    kernel_name(tile, padded=padded, in_bytes=in_bytes): tiled(tile, padded, in_bytes)
    for tile, padded, in_bytes in itertools.product(TILES, (False, True), (False, True))
}
