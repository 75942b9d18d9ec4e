"""The convolutions' micro-kernels, as LLVM vector IR emitted through a Numba intrinsic.

A tile of output pixels times vectors of filters stays in registers while the receptive field is walked. This is
the inner loop that nearly all time goes into. What a convolution and a depthwise one do with a value of the input is
the only difference between them: a value is multiplied with a row of filters, or a row of channels with its own.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .simd import F32, I32, I64, clipped, splat
from .tiles import Tile


def convolution_tile(tile: Tile) -> Any:
    """The micro-kernel for one tile, as an intrinsic called as

        run(x, first_row, first_column, columns, row_step, column_step,
            segments, segment_count, segment_step, together,
            weights, weight_step, bias, y, y_step, last, low, high)

    It computes `tile.pixels` consecutive output pixels, the first at (first_row, first_column) of a map `columns` wide;
    rows of the map lie `row_step` bytes apart in the input, columns `column_step`. The receptive field is
    `segment_count` runs of contiguous floats, each from and to an offset (in floats) in the int64 table
    `segments`. Weights are as many rows as all runs have floats, `weight_step` floats apart. `y_step` floats lie
    between output pixels. Results are clipped to low..high, NaN passing through.

    Products are added up in registers over `together` runs, and these sums to the bias: a few sums of a hundred
    products each are several times as exact as one of thousands.

    Filters lie in vectors of `tile.width`, side by side, but the last vector starts at float `last`: it may overlap
    the one before it, which is how a number of filters that is no multiple of the width is computed without
    masks or packing. Where `tile.cluster` pixels share their vectors instead, weights and bias are repeated
    `cluster` times in each row, and `last` is not looked at.
    """
    return _intrinsic(_Convolution, tile)


def depthwise_tile(tile: Tile) -> Any:
    """The micro-kernel of a convolution of each channel by itself, called as the one above.

    Filters are channels here. Runs are of cells `segment_step` floats apart, and name the offsets of
    their first channels.
    """
    return _intrinsic(_Depthwise, tile)


def _intrinsic(emitter: type[_Emitter], tile: Tile) -> Any:
    @intrinsic
    def run(
        typing_context, x, first_row, first_column, columns, row_step, column_step, segments, segment_count,
        segment_step, together, weights, weight_step, bias, y, y_step, last, low, high,
    ):  # fmt: skip
        def emit(context, builder, signature, arguments):
            emitter(builder, tile, *arguments).emit()
            return context.get_dummy_value()

        return types.void(*[types.int64] * 16, types.float32, types.float32), emit

    return run


class _Emitter:
    """Writes a micro-kernel. A cell is an accumulator: (cluster of pixels, vector)."""

    def __init__(
        self, builder, tile, x, first_row, first_column, columns, row_step, column_step, segments, segment_count,
        segment_step, together, weights, weight_step, bias, y, y_step, last, low, high,
    ):  # fmt: skip
        self.builder, self.tile, self.vector = builder, tile, ir.VectorType(F32, tile.width)
        self.segments, self.segment_count, self.segment_step = segments, segment_count, segment_step
        self.together = together
        self.weights, self.weight_step, self.bias = weights, weight_step, bias
        self.y, self.y_step, self.low, self.high = y, y_step, low, high
        self.cells = [(c, v) for c in range(tile.pixels // tile.cluster) for v in range(tile.vectors)]
        self.offsets = [self.constant(tile.width * v) for v in range(tile.vectors)]
        if tile.cluster == 1:
            self.offsets[-1] = last
        self.pixels = self._pixel_addresses(x, first_row, first_column, columns, row_step, column_step)

    def emit(self):
        """entry -> segment -> inner (a loop over one run) -> segment_end -> latch (a loop over runs) -> done.

        From segment_end to latch the way goes through flush after every `together` runs.
        """
        builder, zero = self.builder, ir.Constant(self.vector, [0.0] * self.tile.width)
        totals = self._totals()
        first_weights = self.floats(self.weights)
        entry = builder.block
        segment, inner, segment_end, flush, latch, done = (
            builder.append_basic_block(name) for name in ("segment", "inner", "segment_end", "flush", "latch", "done")
        )
        builder.branch(segment)

        builder.position_at_end(segment)
        s, left, weights_s = builder.phi(I64), builder.phi(I64), builder.phi(F32.as_pointer())
        outer = {cell: builder.phi(self.vector) for cell in self.cells}
        bounds = builder.gep(builder.inttoptr(self.segments, I64.as_pointer()), [builder.mul(s, self.constant(2))])
        first_k, end_k = builder.load(bounds), builder.load(builder.gep(bounds, [self.constant(1)]))
        builder.branch(inner)

        builder.position_at_end(inner)
        k, weights_k = builder.phi(I64), builder.phi(F32.as_pointer())
        running = {cell: builder.phi(self.vector) for cell in self.cells}
        sums = self._multiply_add(k, weights_k, running)
        next_k = builder.add(k, self._step())
        next_weights = builder.gep(weights_k, [self.weight_step])
        builder.cbranch(builder.icmp_signed("<", next_k, end_k), inner, segment_end)

        builder.position_at_end(segment_end)
        next_left = builder.sub(left, self.constant(1))
        builder.cbranch(builder.icmp_signed("==", next_left, self.constant(0)), flush, latch)

        builder.position_at_end(flush)
        for cell in self.cells:
            builder.store(builder.fadd(builder.load(totals[cell]), sums[cell]), totals[cell])
        builder.branch(latch)

        builder.position_at_end(latch)
        left_over, rest = builder.phi(I64), {cell: builder.phi(self.vector) for cell in self.cells}
        next_s = builder.add(s, self.constant(1))
        builder.cbranch(builder.icmp_signed("<", next_s, self.segment_count), segment, done)

        _meet(s, (entry, self.constant(0)), (latch, next_s))
        _meet(left, (entry, self.together), (latch, left_over))
        _meet(left_over, (segment_end, next_left), (flush, self.together))
        _meet(weights_s, (entry, first_weights), (latch, next_weights))
        _meet(k, (segment, first_k), (inner, next_k))
        _meet(weights_k, (segment, weights_s), (inner, next_weights))
        for cell in self.cells:
            _meet(outer[cell], (entry, zero), (latch, rest[cell]))
            _meet(running[cell], (segment, outer[cell]), (inner, sums[cell]))
            _meet(rest[cell], (segment_end, sums[cell]), (flush, zero))

        builder.position_at_end(done)
        self._store({cell: builder.fadd(builder.load(totals[cell]), rest[cell]) for cell in self.cells})

    def _totals(self):
        """Places on the stack for what has been added up, with the bias in them."""
        builder, bias = self.builder, self.floats(self.bias)
        start = [self.load(builder.gep(bias, [offset])) for offset in self.offsets]
        with builder.goto_entry_block():
            totals = {cell: builder.alloca(self.vector) for cell in self.cells}
        for cell in self.cells:
            builder.store(start[cell[1]], totals[cell])
        return totals

    def constant(self, value):
        """An int64."""
        return ir.Constant(I64, value)

    def floats(self, address):
        """An address as a pointer to floats."""
        return self.builder.inttoptr(address, F32.as_pointer())

    def load(self, pointer):
        """A vector from a pointer to floats, at any alignment."""
        return self.builder.load(self.builder.bitcast(pointer, self.vector.as_pointer()), align=4)

    def splat(self, scalar):
        """A vector of one value."""
        return splat(self.builder, scalar, self.tile.width)

    def _lanes(self, lanes):
        return ir.Constant(ir.VectorType(I32, len(lanes)), lanes)

    def _pixel_addresses(self, x, row, column, columns, row_step, column_step):
        """The input addresses of consecutive output pixels, wrapping from one row of the map to the next."""
        builder = self.builder
        address = builder.add(x, builder.add(builder.mul(row, row_step), builder.mul(column, column_step)))
        last_column = builder.sub(columns, self.constant(1))
        wrap_step = builder.sub(row_step, builder.mul(last_column, column_step))
        addresses = [self.floats(address)]
        for _ in range(self.tile.pixels - 1):
            wraps = builder.icmp_signed("==", column, last_column)
            address = builder.add(address, builder.select(wraps, wrap_step, column_step))
            column = builder.select(wraps, self.constant(0), builder.add(column, self.constant(1)))
            addresses.append(self.floats(address))
        return addresses

    def _multiply_add(self, k, weights, totals):
        """What lies `k` floats into every pixel's receptive field times one row of weights, added to `totals`."""
        raise NotImplementedError

    def _step(self):
        """How many floats further the next value of a run lies."""
        raise NotImplementedError

    def _cluster_lanes(self, v):
        """Where the lanes of vector `v` stand among all lanes of a cluster: pixel by pixel, filter by filter."""
        if self.tile.cluster == 1:
            return [0] * self.tile.width
        return range(v * self.tile.width, (v + 1) * self.tile.width)

    def _fma(self, a, b, c):
        name, module = f"llvm.fma.v{self.tile.width}f32", self.builder.module
        function = module.globals.get(name)
        if function is None:
            function = ir.Function(module, ir.FunctionType(self.vector, [self.vector] * 3), name)
        return self.builder.call(function, [a, b, c])

    def _store(self, sums):
        """Clips and stores every cell; a vector that two pixels share goes to memory in two parts."""
        builder, tile = self.builder, self.tile
        lowest, highest = self.splat(self.low), self.splat(self.high)
        for cluster, v in self.cells:
            out = clipped(builder, sums[cluster, v], lowest, highest)
            lanes = list(self._cluster_lanes(v))
            for owner in sorted({lane // tile.filters for lane in lanes}):
                own = [i for i, lane in enumerate(lanes) if lane // tile.filters == owner]
                pixel = self.constant(cluster * tile.cluster + owner)
                start = self.offsets[v] if tile.cluster == 1 else self.constant(lanes[own[0]] % tile.filters)
                part = out if len(own) == tile.width else builder.shuffle_vector(out, out, self._lanes(own))
                target = builder.gep(self.floats(self.y), [builder.add(builder.mul(pixel, self.y_step), start)])
                builder.store(part, builder.bitcast(target, part.type.as_pointer()), align=4)


class _Convolution(_Emitter):
    """One value of every pixel is multiplied with all filters."""

    def _step(self):
        return self.constant(1)  # which takes no register

    def _multiply_add(self, k, weights, totals):
        builder, tile = self.builder, self.tile
        rows = [self.load(builder.gep(weights, [offset])) for offset in self.offsets]
        sums = {}
        for cluster in range(tile.pixels // tile.cluster):
            first = cluster * tile.cluster
            values = [
                self.splat(builder.load(builder.gep(pixel, [k]))) for pixel in self.pixels[first : first + tile.cluster]
            ]
            for v in range(tile.vectors):
                sums[cluster, v] = self._fma(self._mixed(values, v), rows[v], totals[cluster, v])
        return sums

    def _mixed(self, values, v):
        """For each lane of vector `v` of a cluster the value of the pixel that the lane belongs to."""
        owners = [lane // self.tile.filters for lane in self._cluster_lanes(v)]
        first, last = owners[0], owners[-1]
        if first == last:
            return values[first]
        assert last == first + 1, "a vector is shared by two pixels at most"
        lanes = [lane + (self.tile.width if owner == last else 0) for lane, owner in enumerate(owners)]
        return self.builder.shuffle_vector(values[first], values[last], self._lanes(lanes))


class _Depthwise(_Emitter):
    """Each channel of every pixel is multiplied with its own filter."""

    def _step(self):
        return self.segment_step

    def _multiply_add(self, k, weights, totals):
        builder = self.builder
        rows = [self.load(builder.gep(weights, [offset])) for offset in self.offsets]
        sums = {}
        places = [builder.add(k, offset) for offset in self.offsets]
        for pixel, start in enumerate(self.pixels):
            for v, place in enumerate(places):
                sums[pixel, v] = self._fma(self.load(builder.gep(start, [place])), rows[v], totals[pixel, v])
        return sums


def _meet(phi, *incoming):
    for block, value in incoming:
        phi.add_incoming(value, block)
