"""What a GPU has: as its driver says, or, for boards that are not at hand, as NVIDIA's data sheets do."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Board:
    """A GPU.

    Attributes:
        capability: its compute capability, such as (5, 3).
        multiprocessors: how many there are.
    """

    name: str
    capability: tuple[int, int]
    multiprocessors: int


NANO = Board("Jetson Nano", (5, 3), 1)
XAVIER_NX = Board("Jetson Xavier NX", (7, 2), 6)
ORIN_NANO = Board("Jetson Orin Nano", (8, 7), 8)
H200 = Board("H200", (9, 0), 132)

BOARDS = (NANO, XAVIER_NX, ORIN_NANO, H200)
