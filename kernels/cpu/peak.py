"""The most a core can do: fused multiply-adds on registers, with nothing to load and nothing to wait for.

It computes nothing anybody wants; reports measure with it what share of the machine's peak a layer reaches.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .fields import COUNT, PARAMETERS, Y
from .simd import F32, I32, I64, bits_f32, i64, set_f32
from .tiles import PEAK


def kernels(registers: str) -> dict[str, Callable[..., Any]]:
    """The one kernel, for the widest vectors of `registers`."""
    return {"f32_multiply_add": multiply_add(*PEAK[registers])}


def multiply_add(width: int, chains: int) -> Callable[..., Any]:
    """The kernel in which every member turns COUNT times: a = s s + a on `chains` vectors of `width` floats.

    s is the float32 of the bits PARAMETERS; a member's sum of all lanes goes to Y + 64 times its number, so that no
    turn can be left out.
    """
    spin = _spin(width, chains)

    def run(step, me, team):
        set_f32(i64(step, Y), 16 * me, spin(i64(step, COUNT), bits_f32(i64(step, PARAMETERS))))

    return run


def _spin(width: int, chains: int) -> Any:
    vector = ir.VectorType(F32, width)

    @intrinsic
    def spin(typing_context, turns, scalar):
        def emit(context, builder, signature, arguments):
            turns, scalar = arguments
            name = f"llvm.fma.v{width}f32"
            fma = builder.module.globals.get(name) or ir.Function(
                builder.module, ir.FunctionType(vector, [vector] * 3), name
            )
            undefined = ir.Constant(vector, ir.Undefined)
            first = builder.insert_element(undefined, scalar, ir.Constant(I32, 0))
            s = builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(I32, width), [0] * width))
            entry, loop, done = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("done")
            builder.branch(loop)

            builder.position_at_end(loop)
            turn = builder.phi(I64)
            before = [builder.phi(vector) for _ in range(chains)]
            # NEON adds to its third operand in place: with any other order each turn would copy registers, too.
            after = [builder.call(fma, [s, s, a]) for a in before]
            next_turn = builder.add(turn, ir.Constant(I64, 1))
            turn.add_incoming(ir.Constant(I64, 0), entry)
            turn.add_incoming(next_turn, loop)
            for chain, (old, new) in enumerate(zip(before, after, strict=True)):
                old.add_incoming(ir.Constant(vector, [float(chain)] * width), entry)
                old.add_incoming(new, loop)
            builder.cbranch(builder.icmp_signed("<", next_turn, turns), loop, done)

            builder.position_at_end(done)
            total = after[0]
            for value in after[1:]:
                total = builder.fadd(total, value)
            result = builder.extract_element(total, ir.Constant(I32, 0))
            for lane in range(1, width):
                result = builder.fadd(result, builder.extract_element(total, ir.Constant(I32, lane)))
            return result

        return types.float32(types.int64, types.float32), emit

    return spin
