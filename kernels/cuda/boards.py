"""What a GPU has: as its driver says, or, for boards that are not at hand, as NVIDIA's data sheets do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Multiprocessor:
    """What one multiprocessor (SM) of a compute capability has.

    Threads, blocks, registers and shared memory are those of the table "Technical Specifications per Compute
    Capability" in NVIDIA's CUDA C++ Programming Guide, 12.9; lanes those of its table of arithmetic throughput.

    Attributes:
        lanes: fp32 multiply-adds it begins in a cycle.
        threads: threads resident at once at most.
        blocks: blocks resident at once at most.
        registers_per_block: 32-bit registers that one block can have; a multiprocessor has `registers` of them.
        shared: bytes of shared memory for all resident blocks together.
    """

    lanes: int
    threads: int
    blocks: int
    registers_per_block: int
    shared: int
    registers: int = 65536

    @property
    def shared_per_block(self) -> int:
        """Bytes of shared memory that a block can have without asking the driver for more."""
        return 49152

    @property
    def warps(self) -> int:
        """Warps resident at once at most."""
        return self.threads // WARP


WARP = 32
"""Threads that run in step."""

_MULTIPROCESSORS = {
    (5, 0): Multiprocessor(128, 2048, 32, 65536, 64 << 10),
    (5, 2): Multiprocessor(128, 2048, 32, 65536, 96 << 10),
    (5, 3): Multiprocessor(128, 2048, 32, 32768, 64 << 10),
    (6, 0): Multiprocessor(64, 2048, 32, 65536, 64 << 10),
    (6, 1): Multiprocessor(128, 2048, 32, 65536, 96 << 10),
    (6, 2): Multiprocessor(128, 2048, 32, 32768, 64 << 10),
    (7, 0): Multiprocessor(64, 2048, 32, 65536, 96 << 10),
    (7, 2): Multiprocessor(64, 2048, 32, 65536, 96 << 10),
    (7, 5): Multiprocessor(64, 1024, 16, 65536, 64 << 10),
    (8, 0): Multiprocessor(64, 2048, 32, 65536, 164 << 10),
    (8, 6): Multiprocessor(128, 1536, 16, 65536, 100 << 10),
    (8, 7): Multiprocessor(128, 1536, 16, 65536, 164 << 10),
    (8, 9): Multiprocessor(128, 1536, 24, 65536, 100 << 10),
    (9, 0): Multiprocessor(128, 2048, 32, 65536, 228 << 10),
}


def multiprocessor(capability: tuple[int, int]) -> Multiprocessor:
    """What a multiprocessor of this capability has; for one that is not listed, of the highest listed below it.

    Raises:
        ValueError: the capability is below 5.0, the least that there is code for.
    """
    known = [listed for listed in _MULTIPROCESSORS if listed <= capability]
    if not known:
        raise ValueError(
            f"compute capability {capability[0]}.{capability[1]} is below 5.0, the least there is code for"
        )
    return _MULTIPROCESSORS[max(known)]


@dataclass(frozen=True)
class Board:
    """A GPU.

    Attributes:
        capability: its compute capability, such as (5, 3).
        multiprocessors: how many there are.
        clock: cycles a second at most; 0 where nobody has said.
        bandwidth: bytes a second from and to its memory at most; 0 where nobody has said.
    """

    name: str
    capability: tuple[int, int]
    multiprocessors: int
    clock: float = 0.0
    bandwidth: float = 0.0

    @property
    def each(self) -> Multiprocessor:
        """What each multiprocessor has."""
        return multiprocessor(self.capability)

    @property
    def peak(self) -> float:
        """fp32 operations a second at most, a multiply-add being two; 0 where the clock is not known."""
        return 2 * self.each.lanes * self.multiprocessors * self.clock

    @property
    def gflops(self) -> float:
        """The peak in GFLOP/s."""
        return self.peak / 1e9


NANO = Board("Jetson Nano", (5, 3), 1, 921.6e6, 25.6e9)
XAVIER_NX = Board("Jetson Xavier NX", (7, 2), 6, 1.1e9, 59.7e9)
ORIN_NANO = Board("Jetson Orin Nano", (8, 7), 8, 625e6, 68e9)
H200 = Board("H200", (9, 0), 132, 1.98e9, 4.8e12)

BOARDS = (NANO, XAVIER_NX, ORIN_NANO, H200)
