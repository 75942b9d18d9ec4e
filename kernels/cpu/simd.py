"""Intrinsics: memory by address.

Kernels see memory as 64-bit addresses, so that the object code needs nothing of Python: no array structs, no
reference counts, no exceptions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

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
u8 = _loader(I8, types.float32, lambda builder, value: builder.uitofp(value, F32))
"""u8(address, i): the byte at address + i, as float32."""


byte = _loader(I8, types.int64, lambda builder, value: builder.zext(value, I64))
"""byte(address, i): the byte at address + i, as int64."""
i32 = _loader(I32, types.int64, lambda builder, value: builder.sext(value, I64))
"""i32(address, i): the int32 at address + 4 i, as int64; of a float32, its bits."""


def _storer(element: ir.Type, kind: types.Type) -> Any:
    @intrinsic
    def store(typing_context, address, index, value):
        def emit(context, builder, signature, arguments):
            base = builder.inttoptr(arguments[0], element.as_pointer())
            builder.store(arguments[2], builder.gep(base, [arguments[1]]))
            return context.get_dummy_value()

        return types.void(types.int64, types.int64, kind), emit

    return store


set_f32 = _storer(F32, types.float32)
"""set_f32(address, i, v): writes float32 v to address + 4 i."""
set_f64 = _storer(F64, types.float64)
"""set_f64(address, i, v): writes float64 v to address + 8 i."""
set_i64 = _storer(I64, types.int64)
"""set_i64(address, i, v): writes int64 v to address + 8 i."""


@intrinsic
def set_u8(typing_context, address, index, value):
    """set_u8(address, i, v): writes float32 v, 0 to 255, to address + i, rounded to the next byte."""

    def emit(context, builder, signature, arguments):
        place = builder.gep(builder.inttoptr(arguments[0], I8.as_pointer()), [arguments[1]])
        whole = builder.fptosi(builder.fadd(arguments[2], ir.Constant(F32, 0.5)), I32)
        builder.store(builder.trunc(whole, I8), place)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.float32), emit


@intrinsic
def bits_f32(typing_context, bits):
    """bits_f32(i): the float32 whose bits are the low 32 bits of i."""

    def emit(context, builder, signature, arguments):
        return builder.bitcast(builder.trunc(arguments[0], I32), F32)

    return types.float32(types.int64), emit


@intrinsic
def fma(typing_context, a, b, c):
    """fma(a, b, c): a * b + c of float32, rounded once."""

    def emit(context, builder, signature, arguments):
        return builder.fma(*arguments)

    return types.float32(types.float32, types.float32, types.float32), emit


@intrinsic
def fma64(typing_context, a, b, c):
    """fma64(a, b, c): a * b + c of float64, rounded once."""

    def emit(context, builder, signature, arguments):
        return builder.fma(*arguments)

    return types.float64(*[types.float64] * 3), emit


@intrinsic
def two_to(typing_context, value):
    """two_to(t): 2^k as float64, where t is the whole number k, from -1022 to 1023, plus 1.5 * 2^52."""

    def emit(context, builder, signature, arguments):
        lowest = builder.shl(builder.bitcast(arguments[0], I64), ir.Constant(I64, 52))
        return builder.bitcast(builder.add(lowest, ir.Constant(I64, 1023 << 52)), F64)

    return types.float64(types.float64), emit


def splat(builder: ir.IRBuilder, scalar: Any, width: int) -> Any:
    """In an intrinsic: a vector of `width` times one value."""
    undefined = ir.Constant(ir.VectorType(scalar.type, width), ir.Undefined)
    first = builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
    return builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(I32, width), [0] * width))


def clipped(builder: ir.IRBuilder, value: Any, lowest: Any, highest: Any) -> Any:
    """In an intrinsic: a vector clipped to lowest..highest, vectors too, NaN passing through."""
    value = builder.select(builder.fcmp_ordered("<", value, lowest), lowest, value)
    return builder.select(builder.fcmp_ordered(">", value, highest), highest, value)


_STEP = ir.FunctionType(ir.VoidType(), [I64] * 3)


@intrinsic
def call_step(typing_context, function, step, me, team):
    """call_step(address, step, me, team): calls the kernel whose code lies at `address`."""

    def emit(context, builder, signature, arguments):
        builder.call(builder.inttoptr(arguments[0], _STEP.as_pointer()), arguments[1:])
        return context.get_dummy_value()

    return types.void(*[types.int64] * 4), emit
