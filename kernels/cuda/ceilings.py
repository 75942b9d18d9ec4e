"""Launches that show what a GPU can do at most: multiply-adds a second, and bytes a second from and to its memory."""

from __future__ import annotations

from ..places import Place
from .boards import Board
from .catalog import CHAINS, COPIES, KERNELS, LINKS
from .launch import Launch

_FACTOR = 0.5
"""x * 0.5 + 0.5 goes to 1: no value grows or vanishes."""

_WAVES = 8
"""Blocks for each that a GPU can hold at once."""


def multiply_adds(board: Board, turns: int) -> tuple[Launch, int, int]:
    """A launch that keeps all lanes of `board` busy for `turns` of the loop.

    Returns:
        the launch, which writes to region 0; its floating-point operations, a multiply-add being two; the bytes it
        writes.
    """
    threads = KERNELS["ceiling_multiply_adds"].threads
    blocks = _WAVES * board.multiprocessors * (board.each.threads // threads)
    launch = Launch("ceiling_multiply_adds", (blocks, 1), (Place(0), turns, _FACTOR))
    return launch, 2 * turns * CHAINS * LINKS * blocks * threads, 4 * blocks * threads


def copy(count: int) -> Launch:
    """A launch that copies `count` floats from region 0 to region 1."""
    each = KERNELS["ceiling_copy"].threads * COPIES
    return Launch("ceiling_copy", (-(-count // each), 1), (Place(0), Place(1), count))
