"""GPUs as the driver describes them, their contexts, and what is owned on them, with a driver that is none."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import cuda_runs
import numpy as np
import pytest
from cuda_runs import archive, catalog, device
from fake_driver import FakeDriver
from fake_parts import Gpu
from python_threads import together

from fastact.kernels.cuda import device as devices
from fastact.kernels.cuda.device import choose
from fastact.kernels.cuda.driver import Driver
from fastact.kernels.cuda.errors import CallError, CudaError, OutOfMemoryError, UnavailableError
from fastact.kernels.cuda.modules import Resources

NANO = Gpu("NVIDIA Tegra X1", (5, 3), 1, integrated=True)
ORIN = Gpu("Orin", (8, 7), 8, integrated=True)


@pytest.fixture
def fake() -> Iterator[FakeDriver]:
    made = FakeDriver()
    yield made
    made.check()


gpu = cuda_runs.gpu  # a fixture: ruff takes an imported one for unused


def test_what_a_card_has() -> None:
    fake = FakeDriver(Gpu("H200", (9, 0), 132, 1 << 37), NANO, version=12080)
    first, second = devices.cards(Driver(fake).start())
    assert (first.ordinal, first.name, first.capability, first.driver) == (0, "H200", (9, 0), (12, 8))
    assert (first.multiprocessors, first.memory, first.integrated) == (132, 1 << 37, False)
    assert (first.shared_per_block, first.shared_per_multiprocessor) == (49152, 233472)
    assert (first.registers_per_block, first.registers_per_multiprocessor) == (65536, 65536)
    assert first.threads_per_multiprocessor == 2048
    assert first.clock == 1.98e9
    assert first.bandwidth == pytest.approx(4.9e12, rel=0.01)
    assert (second.ordinal, second.capability, second.integrated) == (1, (5, 3), True)
    assert (second.board.name, second.board.capability, second.board.multiprocessors) == ("NVIDIA Tegra X1", (5, 3), 1)
    assert fake.leaks() == {}, "to describe a GPU opens none"


def test_the_first_that_can_be_used_is_taken() -> None:
    old, new = Gpu("GeForce GT 640", (3, 0)), Gpu("GTX 750", (5, 0))
    driver = Driver(FakeDriver(old, new)).start()
    assert choose(driver).name == "GTX 750"
    assert choose(driver, 1).name == "GTX 750"
    old_one = (
        r"^GPU 0 \(GeForce GT 640\) has compute capability 3\.0, and fastact needs 5\.0 or later: compute on the CPU$"
    )
    with pytest.raises(UnavailableError, match=old_one):
        choose(driver, 0)
    with pytest.raises(UnavailableError, match=old_one):
        choose(Driver(FakeDriver(old)).start())


@pytest.mark.parametrize("ordinal", [2, -1])
def test_a_gpu_that_is_not_there(ordinal: int) -> None:
    driver = Driver(FakeDriver(Gpu(), Gpu())).start()
    with pytest.raises(UnavailableError, match=f"^there is no GPU {ordinal}: the driver finds 2, counted from 0$"):
        choose(driver, ordinal)


def test_no_gpu_is_shown() -> None:
    fake = FakeDriver()
    fake.gpus = ()
    with pytest.raises(UnavailableError, match=r"^the NVIDIA driver finds no GPU \(CUDA_VISIBLE_DEVICES may hide it\)"):
        choose(Driver(fake).start())


def test_a_device_is_opened_when_it_is_needed(fake, tmp_path) -> None:
    gpu = device(fake, archive(tmp_path))
    assert "cuDevicePrimaryCtxRetain" not in fake.calls
    assert (gpu.name, gpu.board.capability) == ("H200", (9, 0))
    assert fake.leaks() == {}
    with gpu, gpu:
        assert fake.counted()["cuDevicePrimaryCtxRetain"] == 1
        assert len(fake._stack()) == 2
    assert fake._stack() == [], "the context that was current before is so again"
    assert fake.leaks() == {"context": 1}
    del gpu
    assert fake.leaks() == {}


def test_threads_open_it_once(fake, gpu) -> None:
    def use() -> None:
        for _ in range(20):
            gpu.allocate(100).close()

    together([use] * 4)
    assert fake.counted()["cuDevicePrimaryCtxRetain"] == 1
    assert fake.leaks() == {"context": 1}


def test_a_device_without_memory_for_a_context(fake, gpu) -> None:
    fake.fail("cuDevicePrimaryCtxRetain", 2)
    with pytest.raises(
        OutOfMemoryError, match=r"^H200 has too little free memory to be used at all: end other programs"
    ):
        gpu.allocate(1)
    gpu.allocate(1)


def test_memory_frees_itself(fake, gpu) -> None:
    memory, pinned = gpu.allocate(1000), gpu.pinned(1000)
    assert memory.address % 256 == 0
    assert fake.leaks() == {"context": 1, "memory": 1, "pinned": 1}
    array = pinned.array
    array[:] = 7
    del pinned
    gc.collect()
    assert fake.leaks()["pinned"] == 1, "an array keeps it"
    assert array.sum() == 7000
    del array, memory
    gc.collect()
    assert fake.leaks() == {"context": 1}
    stream, event = gpu.stream(), gpu.event(timing=True)
    stream.close()
    stream.close()
    event.close()
    assert fake.leaks() == {"context": 1}


def test_what_is_owned_keeps_its_device(fake, tmp_path) -> None:
    gpu = device(fake, archive(tmp_path))
    memory = gpu.allocate(10)
    del gpu
    gc.collect()
    assert fake.leaks() == {"context": 1, "memory": 1}
    del memory
    assert fake.leaks() == {}


def test_nothing_is_a_size_too(fake, gpu) -> None:
    memory, pinned = gpu.allocate(0), gpu.pinned(0)
    assert memory.address
    assert pinned.array.shape == (0,)


def test_memory_runs_out(fake, gpu) -> None:
    with pytest.raises(
        OutOfMemoryError, match=r"^the GPU has no 2\.0 GiB of memory left for H200: choose fewer layers"
    ):
        gpu.allocate(2 << 30)
    fake.fail("cuMemHostAlloc", 2)
    with pytest.raises(OutOfMemoryError, match=r"^the machine has no 3\.0 MiB of memory left for H200"):
        gpu.pinned(3 << 20)
    assert fake.leaks() == {"context": 1}


def test_memory_is_asked_for_before(fake, gpu) -> None:
    keep = gpu.allocate(14 << 20)
    said = r"^a frame needs 3\.0 MiB on H200, and 2\.0 MiB of its 16\.0 MiB are free: choose fewer layers"
    with pytest.raises(OutOfMemoryError, match=said):
        gpu.require(3 << 20, "a frame")
    del keep
    gpu.require(3 << 20, "a frame")


def test_an_integrated_gpu_has_what_linux_would_give(tmp_path, monkeypatch) -> None:
    fake = FakeDriver(ORIN)
    gpu = device(fake, archive(tmp_path))
    monkeypatch.setattr(devices, "_available", lambda: 5 << 30)
    assert gpu.free_memory() == 5 << 30
    monkeypatch.setattr(devices, "_available", lambda: 5)
    assert gpu.free_memory() == 16 << 20
    fake.check()


def test_what_linux_would_give() -> None:
    assert 1 << 20 < devices._available() < 1 << 50


@pytest.mark.parametrize(("card", "pinned"), [(NANO, 0), (ORIN, 1), (Gpu(), 1)], ids=["Nano", "Orin", "H200"])
def test_results_lie_where_the_cpu_caches_them(tmp_path, card: Gpu, pinned: int) -> None:
    fake = FakeDriver(card)
    array = device(fake, archive(tmp_path)).readable(100)
    assert len(fake.live["pinned"]) == pinned
    array[:] = 1
    assert array.shape == (100,)


def test_kernels_are_loaded_when_they_are_needed(fake, gpu) -> None:
    with catalog():
        first = gpu.kernel("shift")
        assert fake.leaks() == {"context": 1, "module": 1}
        assert gpu.kernel("shift") == first != gpu.kernel("u8_f32_scale")
        assert fake.counted()["cuModuleLoadDataEx"] == 2
        assert gpu.resources("shift") == Resources(registers=40, local=0, shared=4096)


def test_a_kernel_that_the_archive_does_not_have(gpu, tmp_path) -> None:
    with pytest.raises(CudaError, match=r"kernels\.zip has no kernel nothing that can be read"):
        gpu.kernel("nothing")
    (tmp_path / "kernels.zip").write_bytes(b"no archive")
    with pytest.raises(CudaError, match=r"kernels\.zip has no kernel shift that can be read"):
        gpu.kernel("shift")


def test_ptx_that_the_driver_does_not_take(fake, tmp_path) -> None:
    gpu = device(fake, archive(tmp_path, shift="rubbish"))
    with pytest.raises(CallError, match="CUDA_ERROR_INVALID_PTX"):
        gpu.kernel("shift")
    fake.fail("cuModuleLoadDataEx", 222)
    with pytest.raises(UnavailableError, match=r"^the NVIDIA driver, for CUDA 12\.4, is too old for this GPU's code"):
        gpu.kernel("u8_f32_scale")
    fake.fail("cuModuleGetFunction", 500)
    with pytest.raises(CallError, match="CUDA_ERROR_NOT_FOUND"):
        gpu.kernel("u8_f32_scale")
    assert fake.leaks() == {"context": 1}, "a module without its kernel is unloaded"


def test_after_a_fault_nothing_goes(fake, gpu) -> None:
    memory, stream = gpu.allocate(10), gpu.stream()
    fake.fail("cuStreamSynchronize", 700)
    with pytest.raises(CallError, match="CUDA_ERROR_ILLEGAL_ADDRESS") as first, gpu:
        gpu.driver.synchronize(stream.value)
    assert first.value.sticky
    assert not gpu.usable
    calls = len(fake.calls)
    for use in (lambda: gpu.allocate(1), gpu.stream, gpu.free_memory, lambda: gpu.kernel("shift")):
        with pytest.raises(CallError, match="CUDA_ERROR_ILLEGAL_ADDRESS, from cuStreamSynchronize") as later:
            use()
        assert later.value.sticky
        assert later.value is not first.value
    memory.close()
    del memory, stream
    gc.collect()
    assert len(fake.calls) == calls, "the driver is not asked again, not even to free"


def test_an_error_that_passes_does_not_cost_the_device(fake, gpu) -> None:
    fake.fail("cuMemAlloc_v2", 1)
    with pytest.raises(CallError, match="CUDA_ERROR_INVALID_VALUE"):
        gpu.allocate(10)
    assert gpu.usable
    gpu.allocate(10)


def test_what_cannot_be_freed_is_left(fake, gpu) -> None:
    memory = gpu.allocate(10)
    fake.fail("cuMemFree_v2", 4)
    del memory
    gc.collect()
    assert gpu.usable
    fake.fail("cuDevicePrimaryCtxRelease_v2", 4)
    del gpu
    gc.collect()


def test_a_forked_child_says_that_it_cannot(fake, gpu) -> None:
    memory = gpu.allocate(10)
    calls = len(fake.calls)
    child = os.fork()
    if child == 0:  # pytest must not come to an end here
        status = 1
        try:
            memory.close()
            try:
                gpu.allocate(10)
            except CudaError as error:
                said = "H200 was opened before this process was forked, and cannot be used here"
                status = 0 if said in str(error) and "'spawn'" in str(error) else 2
            del memory, gpu
            gc.collect()
            if len(fake.calls) != calls:
                status = 3
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert fake.leaks() == {"context": 1, "memory": 1}
    memory.close()
    assert fake.leaks() == {"context": 1}


AT_EXIT = """
import sys
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from cuda_runs import archive, catalog, device, launches, STRIDES, INPUT, OUTPUT, IN_NUMPY
from fake_driver import FakeDriver
from fastact.kernels.cuda.runner import Runner
import atexit
atexit.register(lambda: print("exit", rows.shape, len(fake.calls) == calls))  # the first comes last
fake = FakeDriver(kernels=IN_NUMPY)
gpu = device(fake, archive(Path(sys.argv[2])))
with catalog():
    runner = Runner(gpu, launches(), STRIDES, 2, inputs=[INPUT], output=OUTPUT)
    batch = runner.batch()
    batch.start()
    rows = batch.result()
    other = runner.batch()
    other.start()
calls = len(fake.calls)
"""
"""Ends with a device open, a batch under way, and arrays of another."""


def test_the_interpreter_ends_quietly(tmp_path) -> None:
    command = [sys.executable, "-c", AT_EXIT, str(Path(__file__).parent), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.stderr == ""
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["exit (2, 512) True"]


def test_open_device_gives_the_same_one(monkeypatch) -> None:
    fake = FakeDriver()
    monkeypatch.setattr(devices, "open_driver", lambda: Driver(fake).start())
    devices.open_device.cache_clear()
    try:
        assert devices.open_device() is devices.open_device()
        with pytest.raises(UnavailableError):
            devices.open_device(1)
    finally:
        devices.open_device.cache_clear()


def test_an_array_of_pinned_memory_is_writable(gpu) -> None:
    array = gpu.pinned(8).array
    array.view(np.float32)[:] = 1.5
    assert array.view(np.float32).tolist() == [1.5, 1.5]
