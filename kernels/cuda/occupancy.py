"""How many blocks of a kernel a multiprocessor holds at once, from what the assembler says they need.

The rules are those of NVIDIA's occupancy calculator, as `cuda_occupancy.h` of the CUDA toolkit 12.9 has them: registers
are given to a warp, 256 at a time, from the quarter of the multiprocessor it belongs to; shared memory to a block, 256
bytes at a time or, from capability 8.0 on, 128, when the driver keeps 1 KB of each block's for itself.
"""

from __future__ import annotations

from dataclasses import dataclass

from .boards import WARP, multiprocessor

_REGISTERS = 256
"""Registers are given to a warp in whole multiples of these."""

_PER_THREAD = 255
"""Registers a thread can name."""

_THREADS = 1024
"""Threads of a block at most."""


@dataclass(frozen=True)
class Occupancy:
    """Blocks and warps resident on one multiprocessor, and what keeps a further block out.

    Attributes:
        limit: "threads", "blocks", "registers" or "shared memory", the first of them where several do.
    """

    blocks: int
    warps: int
    limit: str


def occupancy(capability: tuple[int, int], threads: int, registers: int, shared: int = 0) -> Occupancy:
    """What a multiprocessor of this capability holds of blocks of `threads`.

    Args:
        capability: the GPU's compute capability.
        threads: of a block.
        registers: of a thread, as `ptxas -v` prints them.
        shared: bytes of static shared memory of a block, as `ptxas -v` prints them.

    Returns:
        no block at all where one needs more than a block can have.
    """
    each = multiprocessor(capability)
    warps = -(-threads // WARP)
    limits = {
        "threads": each.warps // warps if threads <= _THREADS else 0,
        "blocks": each.blocks,
        "registers": _by_registers(capability, warps, registers),
        "shared memory": _by_shared(capability, shared),
    }
    limit = min(limits, key=lambda name: limits[name])
    return Occupancy(limits[limit], limits[limit] * warps, limit)


def _by_registers(capability: tuple[int, int], warps: int, registers: int) -> int:
    each, parts = multiprocessor(capability), _parts(capability)
    per_warp = _up(max(registers, 1) * WARP, _REGISTERS)
    # A block is judged as if it lay in four parts, each with as many of its warps as the fullest.
    if registers > _PER_THREAD or per_warp * _up(warps, 4) > each.registers_per_block:
        return 0
    return each.registers // parts // per_warp * parts // warps


def _by_shared(capability: tuple[int, int], shared: int) -> int:
    each = multiprocessor(capability)
    unit, reserved = (128, 1024) if capability >= (8, 0) else (256, 0)
    if shared > each.shared_per_block:
        return 0
    taken = _up(shared + reserved, unit)
    return each.shared // taken if taken else each.blocks


def _parts(capability: tuple[int, int]) -> int:
    """Parts of a multiprocessor, each with registers of its own."""
    return 2 if capability == (6, 0) else 4


def _up(count: int, unit: int) -> int:
    return -(-count // unit) * unit
