"""CRC-32C (Castagnoli), the check sum in TensorFlow's files, fast enough for weights without compiled code.

A check sum goes from byte to byte, which no array can do; but it is linear. So the data is cut into lanes of 512
bytes, NumPy takes all lanes four bytes further at a time, and the lanes' sums are put together one after the other:
the sum of A followed by B is that of A taken over as many zeros as B has bytes, XOR that of B. This takes some 5 ns
a byte, and keeps half a megabyte of tables.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bytes", "crc32c", "masked"]

_POLYNOMIAL = 0x82F63B78
_LANE = 512
_MOST_LANES = 4096
_MASK_DELTA = 0xA282EAD8

_Table = NDArray[np.uint32]

Bytes: TypeAlias = "bytes | bytearray | memoryview"


def crc32c(data: Bytes, before: int = 0) -> int:
    """The CRC-32C of `data`; of what came before and `data`, given the sum of what came before."""
    state = before ^ 0xFFFFFFFF
    at = 0
    while len(data) - at >= _LANE:
        lanes = min(_MOST_LANES, (len(data) - at) // _LANE)
        words = np.frombuffer(data, "<u4", lanes * _LANE // 4, at).reshape(lanes, -1)
        for lane in _lane_states(np.ascontiguousarray(words.T)):
            state = _over_a_lane(state) ^ lane
        at += lanes * _LANE
    table = _byte_table()
    for byte in data[at:]:
        state = table[(state ^ byte) & 0xFF] ^ (state >> 8)
    return state ^ 0xFFFFFFFF


def masked(crc: int) -> int:
    """The check sum as it is stored: turned and moved, so that a sum over data with sums in it stays a good one."""
    return (((crc >> 15) | (crc << 17)) + _MASK_DELTA) & 0xFFFFFFFF


def _lane_states(words: NDArray[np.uint32]) -> list[int]:
    """The states after each column of `words`, shape (words of a lane, lanes), from state 0."""
    low, high = _word_tables()
    states: _Table = np.zeros(words.shape[1], np.uint32)
    for row in words:
        mixed = states ^ row
        states = low[mixed & 0xFFFF] ^ high[mixed >> 16]
    return [int(state) for state in states]


def _over_a_lane(state: int) -> int:
    """The state after as many zeros as a lane has bytes."""
    tables = _lane_tables()
    return (
        tables[0][state & 0xFF] ^ tables[1][state >> 8 & 0xFF] ^ tables[2][state >> 16 & 0xFF] ^ tables[3][state >> 24]
    )


@lru_cache(maxsize=1)
def _byte_table() -> tuple[int, ...]:
    """The state after one byte, from state 0."""
    table = []
    for value in range(256):
        for _ in range(8):
            value = value >> 1 ^ (_POLYNOMIAL if value & 1 else 0)
        table.append(value)
    return tuple(table)


@lru_cache(maxsize=1)
def _word_tables() -> tuple[_Table, _Table]:
    """The state after the two low bytes of a word, and after the two high ones, with zeros for the rest."""
    last = np.array(_byte_table(), np.uint32)  # a byte with no byte after it in its word
    by_place = [last]
    for _ in range(3):
        before = by_place[0]
        by_place.insert(0, last[before & 0xFF] ^ (before >> 8))
    first, second, third, fourth = by_place
    low = (second[:, np.newaxis] ^ first).reshape(-1)
    high = (fourth[:, np.newaxis] ^ third).reshape(-1)
    return low, high


@lru_cache(maxsize=1)
def _lane_tables() -> tuple[tuple[int, ...], ...]:
    """What each value of each byte of a state becomes over a lane of zeros."""
    low, high = _word_tables()
    states = (np.arange(256, dtype=np.uint32) << np.arange(0, 32, 8, dtype=np.uint32)[:, np.newaxis]).reshape(-1)
    for _ in range(_LANE // 4):
        states = low[states & 0xFFFF] ^ high[states >> 16]
    return tuple(tuple(int(state) for state in row) for row in states.reshape(4, 256))
