"""Intrinsics: memory by address, and the convolution's micro-kernel as LLVM vector IR.

Kernels see memory as 64-bit addresses, so that the object code needs nothing of Python: no array structs, no
reference counts, no exceptions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .tiles import Tile

F32, F64, I8, I32, I64 = ir.FloatType(), ir.DoubleType(), ir.IntType(8), ir.IntType(32), ir.IntType(64)


def _loader(element: ir.Type, result: types.Type, widen: Callable[[Any, Any], Any]) -> Any:
    @intrinsic
    def load(typing_context, address, index):
        def emit(context, builder, signature, arguments):
            base = builder.inttoptr(arguments[0], element.as_pointer())
            return widen(builder, builder.load(builder.gep(base, [arguments[1]])))

        return result(types.int64, types.int64), emit

    return load


f32 = _loader(F32, types.float32, lambda builder, value: value)
"""f32(address, i): the float32 at address + 4 i."""
wide = _loader(F32, types.float64, lambda builder, value: builder.fpext(value, F64))
"""wide(address, i): the float32 at address + 4 i, as float64."""
f64 = _loader(F64, types.float64, lambda builder, value: value)
"""f64(address, i): the float64 at address + 8 i."""
i64 = _loader(I64, types.int64, lambda builder, value: value)
"""i64(address, i): the int64 at address + 8 i."""
u8 = _loader(I8, types.int64, lambda builder, value: builder.zext(value, I64))
"""u8(address, i): the byte at address + i, as int64."""


@intrinsic
def set_f32(typing_context, address, index, value):
    """set_f32(address, i, v): writes float32 v to address + 4 i."""

    def emit(context, builder, signature, arguments):
        base = builder.inttoptr(arguments[0], F32.as_pointer())
        builder.store(arguments[2], builder.gep(base, [arguments[1]]))
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float32), emit


@intrinsic
def bits_f32(typing_context, bits):
    """bits_f32(i): the float32 whose bits are the low 32 bits of i."""

    def emit(context, builder, signature, arguments):
        return builder.bitcast(builder.trunc(arguments[0], I32), F32)

    return types.float32(types.int64), emit


_STEP = ir.FunctionType(ir.VoidType(), [I64] * 3)


@intrinsic
def call_step(typing_context, function, step, me, team):
    """call_step(address, step, me, team): calls the kernel whose code lies at `address`."""

    def emit(context, builder, signature, arguments):
        builder.call(builder.inttoptr(arguments[0], _STEP.as_pointer()), arguments[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), emit


def convolution_tile(tile: Tile) -> Any:
    """The micro-kernel for one tile: `tile.pixels` output pixels times its vectors of filters, kept in registers.

    The intrinsic made here is called as

        run(x, first_row, first_column, columns, row_step, column_step,
            segments, segment_count, segment_length,
            weights, weight_step, bias, y, y_step, last, low, high)

    It computes `pixels` consecutive output pixels, the first at (first_row, first_column) of a map `columns` wide;
    rows of the map lie `row_step` bytes apart in the input, columns `column_step`. The receptive field is
    `segment_count` runs of `segment_length` contiguous floats, at the byte offsets in the int64 table `segments`.
    Weights are (segments x length) rows `weight_step` floats apart. Filters lie in vectors of `tile.width`, side by
    side, but the last vector starts at float `last`: it may overlap the one before it, which is how a number of
    filters that is no multiple of the width is computed without masks or packing. `y_step` floats lie between
    output pixels. Accumulators start from the bias and end clipped to low..high, NaN passing through.
    """
    px, count, width = tile.pixels, tile.vectors, tile.width
    vector = ir.VectorType(F32, width)
    cells = [(p, v) for p in range(px) for v in range(count)]

    @intrinsic
    def run(
        typing_context, x, first_row, first_column, columns, row_step, column_step, segments, segment_count,
        segment_length, weights, weight_step, bias, y, y_step, last, low, high,
    ):  # fmt: skip
        def emit(context, builder, signature, arguments):
            (x, first_row, first_column, columns, row_step, column_step, segments, segment_count,
             segment_length, weights, weight_step, bias, y, y_step, last, low, high) = arguments  # fmt: skip
            constant = lambda value: ir.Constant(I64, value)  # noqa: E731
            offsets = [constant(width * v) for v in range(count - 1)] + [last]
            floats = lambda address: builder.inttoptr(address, F32.as_pointer())  # noqa: E731

            def load(pointer):
                return builder.load(builder.bitcast(pointer, vector.as_pointer()), align=4)

            pixels = _pixel_addresses(builder, px, x, first_row, first_column, columns, row_step, column_step)
            start = [load(builder.gep(floats(bias), [o])) for o in offsets]
            first_weights = floats(weights)
            entry, segment, inner, segment_end, done = (
                builder.block,
                *(builder.append_basic_block(n) for n in ("segment", "inner", "segment_end", "done")),
            )
            builder.branch(segment)

            builder.position_at_end(segment)
            s = builder.phi(I64)
            s.add_incoming(constant(0), entry)
            weights_s = builder.phi(F32.as_pointer())
            outer = {c: builder.phi(vector) for c in cells}
            offset_s = builder.load(builder.gep(builder.inttoptr(segments, I64.as_pointer()), [s]))
            sources = [floats(builder.add(p, offset_s)) for p in pixels]
            builder.branch(inner)

            builder.position_at_end(inner)
            k = builder.phi(I64)
            k.add_incoming(constant(0), segment)
            weights_k = builder.phi(F32.as_pointer())
            weights_k.add_incoming(weights_s, segment)
            totals = {c: builder.phi(vector) for c in cells}
            wide = [load(builder.gep(weights_k, [o])) for o in offsets]
            sums = {}
            for p in range(px):
                value = _splat(builder, builder.load(builder.gep(sources[p], [k])), vector)
                for v in range(count):
                    sums[p, v] = _fma(builder, value, wide[v], totals[p, v])
            next_k = builder.add(k, constant(1))
            next_weights = builder.gep(weights_k, [weight_step])
            k.add_incoming(next_k, inner)
            weights_k.add_incoming(next_weights, inner)
            builder.cbranch(builder.icmp_signed("<", next_k, segment_length), inner, segment_end)

            builder.position_at_end(segment_end)
            next_s = builder.add(s, constant(1))
            s.add_incoming(next_s, segment_end)
            weights_s.add_incoming(first_weights, entry)
            weights_s.add_incoming(next_weights, segment_end)
            for c in cells:
                outer[c].add_incoming(start[c[1]], entry)
                outer[c].add_incoming(sums[c], segment_end)
                totals[c].add_incoming(outer[c], segment)
                totals[c].add_incoming(sums[c], inner)
            builder.cbranch(builder.icmp_signed("<", next_s, segment_count), segment, done)

            builder.position_at_end(done)
            lowest, highest = _splat(builder, low, vector), _splat(builder, high, vector)
            for p, v in cells:
                out = sums[p, v]
                out = builder.select(builder.fcmp_ordered("<", out, lowest), lowest, out)
                out = builder.select(builder.fcmp_ordered(">", out, highest), highest, out)
                target = builder.gep(floats(y), [builder.add(builder.mul(constant(p), y_step), offsets[v])])
                builder.store(out, builder.bitcast(target, vector.as_pointer()), align=4)
            return context.get_dummy_value()

        return types.void(*[types.int64] * 15, types.float32, types.float32), emit

    return run


def _pixel_addresses(builder, px, x, row, column, columns, row_step, column_step):
    """The input addresses of `px` consecutive output pixels, wrapping from one row of the map to the next."""
    addresses = []
    for p in range(px):
        offset = builder.add(builder.mul(row, row_step), builder.mul(column, column_step))
        addresses.append(builder.add(x, offset))
        if p + 1 < px:
            column = builder.add(column, ir.Constant(I64, 1))
            wraps = builder.icmp_signed("==", column, columns)
            column = builder.select(wraps, ir.Constant(I64, 0), column)
            row = builder.add(row, builder.zext(wraps, I64))
    return addresses


def _splat(builder, scalar, vector):
    undefined = ir.Constant(vector, ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
    lanes = ir.Constant(ir.VectorType(I32, vector.count), [0] * vector.count)
    return builder.shuffle_vector(first, undefined, lanes)


def _fma(builder, a, b, c):
    name = f"llvm.fma.v{a.type.count}f32"
    function = builder.module.globals.get(name)
    if function is None:
        function = ir.Function(builder.module, ir.FunctionType(a.type, [a.type] * 3), name)
    return builder.call(function, [a, b, c])
