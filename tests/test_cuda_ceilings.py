"""The kernels that show what a GPU can do at most, in the simulator: they do what is counted."""

from __future__ import annotations

import numpy as np
import pytest
from cuda_simulation import Region, simulate

from fastact.kernels.cuda import ceilings
from fastact.kernels.cuda.boards import NANO
from fastact.kernels.cuda.catalog import KERNELS
from fastact.kernels.cuda.launch import Launch


def test_multiply_adds():
    launch, flops, size = ceilings.multiply_adds(NANO, 3)
    threads, blocks = KERNELS[launch.kernel].threads, launch.blocks[0]
    assert flops == 2 * 3 * ceilings.CHAINS * ceilings.LINKS * threads * blocks
    assert size == 4 * threads * blocks
    made = Region(np.full((1, threads), np.nan, np.float32))
    simulate(Launch(launch.kernel, (1, 1), launch.arguments), [made], 1)
    made.check()
    values = np.arange(threads)[:, None] + np.arange(ceilings.CHAINS).astype(np.float32)
    for _ in range(3 * ceilings.LINKS):
        values = values * np.float32(0.5) + np.float32(0.5)
    assert np.allclose(made.frames[0], values.sum(axis=1), rtol=1e-6)


@pytest.mark.parametrize("count", [1, 2047, 2048, 2049])
def test_copy(count: int):
    given = np.random.default_rng(1).standard_normal((1, count)).astype(np.float32)
    regions = [Region(given), Region(np.full((1, count), np.nan, np.float32))]
    simulate(ceilings.copy(count), regions, 1)
    for region in regions:
        region.check()
        assert np.array_equal(region.frames, given)
