"""Blocks that a multiprocessor holds, against NVIDIA's own calculator and examples."""

from __future__ import annotations

import pytest

from fastact.kernels.cuda import boards
from fastact.kernels.cuda.occupancy import Occupancy, occupancy

# Capability, threads of a block, registers of a thread, bytes of shared memory of a block, and the blocks that
# cudaOccMaxActiveBlocksPerMultiprocessor of CUDA 12.9's cuda_occupancy.h gives: for every capability one row for each
# thing that can be the limit, and where it matters that memory is given out in units.
CALCULATED = (
    ((5, 0), 192, 54, 0, 6),
    ((5, 0), 32, 38, 27652, 2),
    ((5, 0), 32, 227, 0, 8),
    ((5, 0), 1024, 165, 0, 0),
    ((5, 0), 128, 27, 0, 16),
    ((5, 0), 32, 19, 0, 32),
    ((5, 0), 160, 127, 21824, 2),
    ((5, 2), 512, 219, 26040, 0),
    ((5, 2), 64, 82, 0, 10),
    ((5, 2), 64, 82, 0, 10),
    ((5, 2), 32, 132, 10912, 8),
    ((5, 2), 32, 132, 10912, 8),
    ((5, 2), 32, 23, 0, 32),
    ((5, 2), 1024, 18, 41912, 2),
    ((5, 3), 96, 104, 0, 5),
    ((5, 3), 96, 104, 0, 5),
    ((5, 3), 128, 107, 47616, 1),
    ((5, 3), 256, 140, 0, 0),
    ((5, 3), 1024, 18, 15872, 2),
    ((5, 3), 32, 44, 0, 32),
    ((5, 3), 96, 45, 9300, 6),
    ((6, 0), 512, 177, 0, 0),
    ((6, 0), 128, 172, 40672, 1),
    ((6, 0), 256, 147, 0, 1),
    ((6, 0), 32, 210, 0, 8),
    ((6, 0), 96, 22, 0, 21),
    ((6, 0), 32, 19, 0, 32),
    ((6, 0), 96, 25, 3348, 18),
    ((6, 1), 32, 160, 48608, 2),
    ((6, 1), 64, 180, 5828, 4),
    ((6, 1), 64, 180, 5828, 4),
    ((6, 1), 1024, 99, 0, 0),
    ((6, 1), 32, 22, 0, 32),
    ((6, 1), 160, 27, 0, 12),
    ((6, 1), 192, 50, 19468, 4),
    ((6, 2), 160, 124, 7688, 3),
    ((6, 2), 96, 41, 36332, 1),
    ((6, 2), 256, 49, 0, 4),
    ((6, 2), 512, 209, 0, 0),
    ((6, 2), 192, 26, 6076, 10),
    ((6, 2), 32, 32, 0, 32),
    ((6, 2), 160, 69, 21824, 2),
    ((7, 0), 160, 27, 10912, 8),
    ((7, 0), 160, 27, 10912, 8),
    ((7, 0), 96, 33, 0, 16),
    ((7, 0), 96, 33, 0, 16),
    ((7, 0), 1024, 136, 0, 0),
    ((7, 0), 256, 32, 0, 8),
    ((7, 0), 32, 54, 0, 32),
    ((7, 2), 64, 202, 28892, 3),
    ((7, 2), 1024, 195, 0, 0),
    ((7, 2), 320, 138, 0, 1),
    ((7, 2), 512, 28, 0, 4),
    ((7, 2), 96, 181, 0, 2),
    ((7, 2), 32, 67, 10912, 8),
    ((7, 2), 32, 16, 0, 32),
    ((7, 5), 64, 213, 43896, 1),
    ((7, 5), 1024, 31, 24180, 1),
    ((7, 5), 320, 104, 0, 1),
    ((7, 5), 320, 213, 0, 0),
    ((7, 5), 64, 136, 0, 6),
    ((7, 5), 32, 111, 0, 16),
    ((7, 5), 64, 70, 6448, 9),
    ((8, 0), 128, 191, 0, 2),
    ((8, 0), 320, 18, 0, 6),
    ((8, 0), 1024, 211, 43896, 0),
    ((8, 0), 32, 209, 31000, 5),
    ((8, 0), 32, 35, 9548, 15),
    ((8, 0), 96, 92, 0, 6),
    ((8, 0), 32, 47, 0, 32),
    ((8, 6), 1024, 88, 32488, 0),
    ((8, 6), 64, 50, 26288, 3),
    ((8, 6), 256, 107, 0, 2),
    ((8, 6), 64, 85, 0, 10),
    ((8, 6), 512, 31, 0, 3),
    ((8, 6), 32, 121, 0, 16),
    ((8, 6), 32, 189, 16740, 5),
    ((8, 7), 320, 17, 35340, 4),
    ((8, 7), 96, 142, 41540, 3),
    ((8, 7), 96, 142, 41540, 3),
    ((8, 7), 32, 35, 0, 16),
    ((8, 7), 512, 181, 0, 0),
    ((8, 7), 320, 151, 31620, 1),
    ((8, 7), 96, 206, 0, 2),
    ((8, 9), 256, 134, 0, 1),
    ((8, 9), 32, 18, 36704, 2),
    ((8, 9), 320, 194, 37076, 0),
    ((8, 9), 32, 25, 0, 24),
    ((8, 9), 64, 76, 0, 12),
    ((8, 9), 256, 34, 6324, 6),
    ((8, 9), 32, 124, 14260, 6),
    ((9, 0), 1024, 56, 0, 1),
    ((9, 0), 32, 245, 29512, 7),
    ((9, 0), 512, 30, 0, 4),
    ((9, 0), 32, 86, 0, 20),
    ((9, 0), 320, 210, 0, 0),
    ((9, 0), 32, 25, 0, 32),
    ((9, 0), 192, 40, 46004, 4),
)


@pytest.mark.parametrize(("capability", "threads", "registers", "shared", "blocks"), CALCULATED)
def test_as_nvidias_calculator(capability, threads, registers, shared, blocks):
    made = occupancy(capability, threads, registers, shared)
    assert (made.blocks, made.warps) == (blocks, blocks * threads // 32)


def test_the_best_practices_guides_examples():
    """CUDA C++ Best Practices Guide 12.9, 10.1.1, on capability 7.0: 75 %, 63 %."""
    assert occupancy((7, 0), 128, 37) == Occupancy(12, 48, "registers")
    assert occupancy((7, 0), 320, 37) == Occupancy(4, 40, "registers")
    assert occupancy((7, 0), 256, 32).warps == boards.multiprocessor((7, 0)).warps


def test_a_nano_has_half_the_registers_for_a_block():
    assert occupancy((5, 3), 512, 65).blocks == 0
    assert occupancy((5, 0), 512, 65).blocks == 1


def test_what_limits():
    assert occupancy((5, 3), 256, 32).limit == "threads"
    assert occupancy((8, 7), 32, 16) == Occupancy(16, 16, "blocks")
    assert occupancy((9, 0), 256, 128) == Occupancy(2, 16, "registers")
    assert occupancy((5, 3), 64, 32, 20_000) == Occupancy(3, 6, "shared memory")
    assert occupancy((9, 0), 64, 32, 49_153).blocks == 0


def test_capabilities_not_listed():
    assert boards.multiprocessor((12, 0)) == boards.multiprocessor((9, 0))
    with pytest.raises(ValueError, match=r"3\.5 is below 5\.0"):
        boards.multiprocessor((3, 5))


@pytest.mark.parametrize(
    ("board", "gflops"), [(boards.NANO, 236), (boards.XAVIER_NX, 845), (boards.ORIN_NANO, 1280), (boards.H200, 66_900)]
)
def test_peaks_are_those_of_the_data_sheets(board, gflops):
    assert board.gflops == pytest.approx(gflops, rel=0.002)
