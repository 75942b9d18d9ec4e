"""Convolutions and dense layers: tiles of a matrix product, out of shared memory, in registers."""

from __future__ import annotations

import itertools
import math

import numpy as np
from numba import cuda, float32

from ..tiles import TILES, kernel_name
from .base import FOUR_FLOATS, U, part


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
    the other half of `a` and `b`.
    """
    pixels, filters, depth, splits = tile.pixels, tile.filters, tile.depth, tile.splits
    team, block_pixels, block_filters = tile.team, U(tile.block_pixels), U(tile.block_filters)
    a_row, b_row = U(tile.block_pixels + 4), U(tile.block_filters)  # 4 more: stores of a slice meet all banks
    a_half, b_half = U(depth * a_row), U(depth * b_row)
    a_size, b_size = int(2 * splits * a_half), int(2 * splits * b_half)
    a_loads, b_loads = tile.block_pixels * depth // team, -(-tile.block_filters * depth // team)
    a_step, b_cells = U(team // depth), U(tile.block_filters * depth)
    u_depth, u_team, u_splits, u_columns = U(depth), U(team), U(splits), U(tile.columns)
    u_pixels, u_filters, values = U(pixels), U(filters), U(pixels * filters)
    rest_size = max(1, (splits - 1) * team * pixels * filters)
    item = U(2 if padded else 1)
    # These change no index: they tell the compiler that four (or two) floats may be read at once.
    a_whole, b_whole = U(-math.gcd(pixels, 4) & 0xFFFFFFFF), U(-math.gcd(filters, 4) & 0xFFFFFFFF)

    def kernel(
        x, starts, cells, weights, bias, y, all_pixels, frame_pixels, products, all_filters, group_filters,
        group_blocks, group_depth, low, high, height, width, top, left,
        divisor, inverse, x_frame, y_frame,
    ):  # fmt: skip
        a = cuda.shared.array(a_size, float32, alignment=FOUR_FLOATS)
        b = cuda.shared.array(b_size, float32, alignment=FOUR_FLOATS)
        sums = cuda.local.array((pixels, filters), float32)
        a_next, b_next = cuda.local.array(a_loads, float32), cuda.local.array(b_loads, float32)
        begins, places = cuda.local.array(a_loads, np.uint32), cuda.local.array(a_loads, np.uint32)
        a_now, b_now = cuda.local.array(pixels, float32), cuda.local.array(filters, float32)

        split, me = U(cuda.threadIdx.x) // u_team, U(cuda.threadIdx.x) % u_team
        group, first_filter = U(cuda.blockIdx.y) // group_blocks, U(cuda.blockIdx.y) % group_blocks * block_filters
        first_pixel = U(cuda.blockIdx.x) * block_pixels
        a_here, b_here = split * U(2) * a_half, split * U(2) * b_half
        row, column = me // u_columns * u_pixels, me % u_columns * u_filters
        k_mine, m_mine = me % u_depth, me // u_depth

        for i in range(a_loads):
            pixel = min(U(first_pixel + m_mine + U(i) * a_step), U(all_pixels - U(1)))
            frame, pixel = pixel // frame_pixels, pixel % frame_pixels
            begins[i] = U(starts[item * pixel]) + U(frame * x_frame) + group * group_depth
            places[i] = U(starts[item * pixel + U(1)]) if padded else U(0)
        for i in range(pixels):
            for j in range(filters):
                sums[i, j] = float32(0)

        rounds = U((products + u_depth * u_splits - U(1)) // (u_depth * u_splits))
        for n in range(U(0), U(rounds + U(1))):
            half = U(n) % U(2)
            if n < rounds:
                first = U((U(n) * u_splits + split) * u_depth)
                k = U(first + k_mine)
                for i in range(a_loads):
                    a_next[i] = float32(0)
                if k < products:
                    cell = U(cells[item * k])
                    place = U(cells[item * k + U(1)]) if padded else U(0)
                    for i in range(a_loads):
                        there = U(places[i] + place)
                        if not padded or seen(there, height, width, top, left):
                            a_next[i] = float32(x[U(begins[i] + cell)])
                            if in_bytes:
                                a_next[i] = divided(a_next[i], divisor, inverse)
                for i in range(b_loads):
                    e = U(me + U(i) * u_team)
                    k, j = U(first + e // block_filters), U(first_filter + e % block_filters)
                    b_next[i] = float32(0)
                    if e < b_cells and k < products and j < group_filters:
                        b_next[i] = weights[k * all_filters + group * group_filters + j]
            if n > U(0):
                a_at, b_at = a_here + (U(1) - half) * a_half + row, b_here + (U(1) - half) * b_half + column
                for _ in range(depth // 2):
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
            if n < rounds:
                for i in range(a_loads):
                    a[a_here + half * a_half + k_mine * a_row + m_mine + U(i) * a_step] = a_next[i]
                for i in range(b_loads):
                    if U(me + U(i) * u_team) < b_cells:
                        b[b_here + half * b_half + me + U(i) * u_team] = b_next[i]
            cuda.syncthreads()

        if splits > 1:
            rest = cuda.shared.array(rest_size, float32)
            if split > U(0):
                for i in range(pixels):
                    for j in range(filters):
                        rest[((split - U(1)) * values + U(i) * u_filters + U(j)) * u_team + me] = sums[i, j]
            cuda.syncthreads()
            if split > U(0):
                return
            for s in range(splits - 1):
                for i in range(pixels):
                    for j in range(filters):
                        sums[i, j] += rest[(U(s) * values + U(i) * u_filters + U(j)) * u_team + me]

        filter = U(first_filter + column)
        for j in range(filters):
            b_now[j] = bias[group * group_filters + filter + U(j)] if filter + U(j) < group_filters else float32(0)
        for i in range(pixels):
            pixel = U(first_pixel + row + U(i))
            if pixel < all_pixels:
                frame, pixel = pixel // frame_pixels, pixel % frame_pixels
                at = frame * y_frame + pixel * all_filters + group * group_filters + filter
                for j in range(filters):
                    if filter + U(j) < group_filters:
                        total = sums[i, j] + b_now[j]
                        total = low if total < low else total  # NaN stays
                        y[at + U(j)] = high if total > high else total

    return kernel


KERNELS = {
    kernel_name(tile, padded=padded, in_bytes=in_bytes): tiled(tile, padded, in_bytes)
    for tile, padded, in_bytes in itertools.product(TILES, (False, True), (False, True))
}
