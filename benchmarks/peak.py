"""The most one core can do: fused multiply-adds on registers, with nothing to load and nothing to wait for.

python -m benchmarks.peak
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from fastact.kernels.cpu.levels import LEVELS, supported
from llvmlite import ir
from numba import float32, int64, njit
from numba.extending import intrinsic

_F32, _I32, _I64 = ir.FloatType(), ir.IntType(32), ir.IntType(64)

_SHAPES = {"avx512": (16, 16), "avx2": (8, 12), "neon": (4, 24)}
"""Floats in a vector, and independent chains: enough of them to hide a multiply-add's latency (4 or 5 cycles times 2
units, 4 on some Arm cores) and few enough to stay in registers."""

_BURST_FLOPS = 2e7


class Peak:
    """Bursts of multiply-adds, compiled for this CPU's widest vectors: what `threads` cores can do together.

    On one core a burst takes about a fifth of a millisecond; on several, each thread takes some milliseconds, so that
    moments in which not all are running count little.
    """

    def __init__(self, threads: int = 1) -> None:
        width, chains = _SHAPES[LEVELS[supported()[0]].registers]
        turns = int((_BURST_FLOPS if threads == 1 else 20 * _BURST_FLOPS) / (2 * width * chains))
        self._turns, self._flops = turns, 2 * width * chains * turns
        self._spin = _compile(width, chains)
        self._spin(1, 0.5)
        self._threads = threads
        self._pool = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def burst(self) -> float:
        """GFLOP/s of the better of two bursts in a row; the largest of many is the peak."""
        return max(self._burst(), self._burst())

    def _burst(self) -> float:
        if self._pool is None:
            return self._one()
        others = [self._pool.submit(self._one) for _ in range(self._threads - 1)]
        return self._one() + sum(other.result() for other in others)

    def _one(self) -> float:
        start = time.perf_counter_ns()
        self._spin(self._turns, 0.5)
        return self._flops / (time.perf_counter_ns() - start)


def _compile(width: int, chains: int) -> Any:
    """spin(turns, s): `turns` times a = s a + s on every chain; the sum of all, so that none can be left out."""
    vector = ir.VectorType(_F32, width)

    @intrinsic
    def spin(_, turns, scalar):  # type: ignore[no-untyped-def]
        def emit(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            turns, scalar = arguments
            name = f"llvm.fma.v{width}f32"
            fma = builder.module.globals.get(name) or ir.Function(
                builder.module, ir.FunctionType(vector, [vector] * 3), name
            )
            s: Any = ir.Constant(vector, ir.Undefined)
            for lane in range(width):
                s = builder.insert_element(s, scalar, ir.Constant(_I32, lane))
            entry, loop, done = builder.block, builder.append_basic_block("loop"), builder.append_basic_block("done")
            builder.branch(loop)

            builder.position_at_end(loop)
            turn = builder.phi(_I64)
            before = [builder.phi(vector) for _ in range(chains)]
            after = [builder.call(fma, [s, a, s]) for a in before]
            next_turn = builder.add(turn, ir.Constant(_I64, 1))
            turn.add_incoming(ir.Constant(_I64, 0), entry)
            turn.add_incoming(next_turn, loop)
            for chain, (old, new) in enumerate(zip(before, after, strict=True)):
                old.add_incoming(ir.Constant(vector, [float(chain)] * width), entry)
                old.add_incoming(new, loop)
            builder.cbranch(builder.icmp_signed("<", next_turn, turns), loop, done)

            builder.position_at_end(done)
            total = after[0]
            for value in after[1:]:
                total = builder.fadd(total, value)
            result: Any = builder.extract_element(total, ir.Constant(_I32, 0))
            for lane in range(1, width):
                result = builder.fadd(result, builder.extract_element(total, ir.Constant(_I32, lane)))
            return result

        return float32(int64, float32), emit

    return njit(float32(int64, float32), nogil=True)(lambda turns, scalar: spin(turns, scalar))


if __name__ == "__main__":
    peak = Peak()
    print(f"{max(peak.burst() for _ in range(1000)):.1f} GFLOP/s")
