"""CRC-32C against its definition, at every length where the lanes come out otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from fastact.files.tf_crc import crc32c, masked


def bit_by_bit(data: bytes) -> int:
    state = 0xFFFFFFFF
    for byte in data:
        state ^= byte
        for _ in range(8):
            state = state >> 1 ^ (0x82F63B78 if state & 1 else 0)
    return state ^ 0xFFFFFFFF


def test_the_value_in_every_table() -> None:
    assert crc32c(b"123456789") == 0xE3069283
    assert crc32c(bytes(32)) == 0x8A9136AA  # RFC 3720, B.4
    assert crc32c(b"\xff" * 32) == 0x62A8AB43


@pytest.mark.parametrize("length", [0, 1, 3, 511, 512, 513, 1023, 1024, 1536, 5000, 20_000])
def test_lengths(random: np.random.Generator, length: int) -> None:
    data = random.bytes(length)
    assert crc32c(data) == bit_by_bit(data)
    assert crc32c(bytearray(data)) == crc32c(memoryview(data)) == crc32c(data)


def test_more_than_the_lanes_of_one_turn(random: np.random.Generator) -> None:
    """Data of several turns has the sum of its halves, one taken on from the other."""
    data = random.bytes(5_000_001)
    for cut in (0, 1, 777, 2_097_152, 4_999_999):
        assert crc32c(data[cut:], crc32c(data[:cut])) == crc32c(data)


def test_masking() -> None:
    assert masked(0) == 0xA282EAD8
    assert masked(0x00008000) == 0xA282EAD9  # turned right by 15 bits
    assert masked(0x00000001) == 0xA284EAD8
