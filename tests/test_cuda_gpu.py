"""The driver, a device and a runner on a real GPU; skipped where there is none.

python -m pytest tests/test_cuda_gpu.py -rs
"""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from fastact.kernels import ops
from fastact.kernels.cuda import search
from fastact.kernels.cuda.device import Device, open_device
from fastact.kernels.cuda.encode import encode
from fastact.kernels.cuda.errors import OutOfMemoryError, UnavailableError
from fastact.kernels.cuda.runner import Lanes, Runner
from fastact.kernels.places import Buffer, Place

SHAPE = (37, 53, 3)
COUNT = 37 * 53 * 3
STRIDES = (0, 4 * COUNT + 4, COUNT + 5)


@pytest.fixture(scope="module")
def gpu() -> Device:
    try:
        return open_device()
    except UnavailableError as error:
        pytest.skip(str(error))


def runner(gpu: Device, frames: int, lanes: Lanes | None = None) -> Runner:
    launches = encode(ops.FromBytes(255.0), [Buffer(Place(2), SHAPE)], Buffer(Place(1), SHAPE), gpu.board)
    return Runner(gpu, launches, STRIDES, frames, inputs=[2], output=1, lanes=lanes)


def pictures(seed: int, frames: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (frames, COUNT), np.uint8)


def agrees(rows: np.ndarray, x: np.ndarray) -> bool:
    return np.array_equal(rows[:, : 4 * COUNT].view(np.float32), x.astype(np.float32) / np.float32(255))


def test_what_the_driver_says_of_it(gpu) -> None:
    card = gpu.card
    assert card.name
    assert card.capability >= search.LEAST
    assert card.multiprocessors > 0
    assert card.shared_per_block >= 48 << 10
    assert card.registers_per_block >= 32768
    assert card.clock > 1e8
    assert 0 < gpu.free_memory() <= card.memory


@pytest.mark.parametrize("frames", [1, 3, 300])
def test_batches_one_after_another(gpu, frames: int) -> None:
    run = runner(gpu, frames)
    for seed in range(4):
        batch = run.batch()
        x = pictures(seed, frames)
        batch.inputs[0][:, :COUNT] = x
        batch.start()
        assert agrees(batch.result(), x)
        assert batch.read(8, 4).view(np.float32)[:, 0].tolist() == (x[:, 2] / np.float32(255)).tolist()
        assert batch.graphed in ((None,) if seed == 0 else (True,))
        del batch


def test_a_stream_of_batches_with_copies_beside_it(gpu) -> None:
    run = runner(gpu, 64, Lanes.overlapping(gpu))
    under_way = []
    for seed in range(30):
        batch = run.batch()
        x = pictures(seed, 64)
        batch.inputs[0][:, :COUNT] = x
        batch.start()
        batch.request()
        under_way.append((batch, x))
        del batch
        if len(under_way) == 2:
            done, x = under_way.pop(0)
            assert agrees(done.result(), x)
            del done
    assert agrees(under_way[0][0].result(), under_way[0][1])


def test_times(gpu) -> None:
    batch = runner(gpu, 64).batch()
    batch.inputs[0][:] = 1
    for _ in range(3):
        times = batch.measure()
        assert all(0 < t < 1000 for t in (times.upload, times.compute, times.download))
    (launch,) = batch.measure_launches()
    assert 0 < launch < 1000


def test_what_the_driver_s_compiler_made_of_a_kernel(gpu) -> None:
    made = gpu.resources("u8_f32_scale")
    assert 0 < made.registers <= 64
    assert made.local == 0


def test_too_little_memory(gpu) -> None:
    with pytest.raises(OutOfMemoryError, match="a frame needs"):
        Runner(gpu, [], (1 << 40, 16, 16), 1, inputs=[2], output=1)
    with pytest.raises(OutOfMemoryError, match="memory left"):
        gpu.allocate(1 << 45)
    assert gpu.usable


FAULT = """
import numpy as np
from fastact.kernels.cuda.device import open_device
from fastact.kernels.cuda.errors import CallError
from fastact.kernels.cuda.launch import Launch, Stride
from fastact.kernels.cuda.runner import Runner
from fastact.kernels.places import Place
gpu = open_device()
beyond = (Place(2), Place(1, 1 << 44), 100, 1.0, Stride(2, 1), Stride(1))
batch = Runner(gpu, [Launch("u8_f32_scale", (1, 1), beyond)], (16, 400, 100), 1, inputs=[2], output=1).batch()
batch.start()
try:
    batch.wait()
except CallError as error:
    assert error.sticky, error
try:
    gpu.allocate(1)
except CallError as error:
    print(error.name)
"""


def test_a_kernel_that_fails(gpu) -> None:
    done = subprocess.run([sys.executable, "-c", FAULT], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("CUDA_ERROR_ILLEGAL_ADDRESS", "CUDA_ERROR_LAUNCH_FAILED")
