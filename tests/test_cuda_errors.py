"""What an error of the driver's leaves behind, whichever call it comes from, and what goes on after it."""

from __future__ import annotations

import gc
import os
import re
from collections.abc import Callable
from pathlib import Path

import cuda_runs
import numpy as np
import pytest
from cuda_runs import (
    ARENA,
    COUNT,
    IN_NUMPY,
    INPUT,
    OUTPUT,
    STRIDES,
    agrees,
    archive,
    begin,
    catalog,
    device,
    frames,
    launches,
    runner,
)
from fake_driver import FakeDriver
from fake_symbols import SIGNATURES

from fastact.kernels.cuda.errors import CallError, CudaError
from fastact.kernels.cuda.launch import Launch, Stride
from fastact.kernels.cuda.packing import Resident
from fastact.kernels.cuda.runner import Lanes, Runner
from fastact.kernels.places import Place

kernels, fake, gpu = cuda_runs.kernels, cuda_runs.fake, cuda_runs.gpu  # fixtures: ruff takes imported ones for unused


# Arguments.


@pytest.mark.parametrize(
    ("position", "argument"),
    [
        (0, 5),
        (0, np.arange(3.0)),
        (0, np.zeros((4, 4), np.float32).T),
        (3, Place(ARENA)),
        (3, np.int32(5)),
        (3, 2.0),
        (4, 5),
        (5, 5),
        (6, Stride(ARENA, 7)),
    ],
    ids=repr,
)
def test_an_argument_that_the_kernel_does_not_take(fake, gpu, position: int, argument: object) -> None:
    good = launches()[1]
    wrong = (*good.arguments[:position], argument, *good.arguments[position + 1 :])
    with pytest.raises(TypeError):
        Runner(gpu, [Launch("shift", (1, 1), wrong)], STRIDES, 1, inputs=[INPUT], output=OUTPUT)
    gc.collect()
    assert "memory" not in fake.leaks()


def test_arguments_that_are_too_few(gpu) -> None:
    with pytest.raises(ValueError, match="zip"):
        Runner(gpu, [Launch("shift", (1, 1), ())], STRIDES, 1, inputs=[INPUT], output=OUTPUT)


# Calls.


def everything(fake: FakeDriver, folder: Path) -> None:
    """Uses every function that a device and its runner use, as one would."""
    gpu = device(fake, archive(folder))
    resident = Resident(gpu)
    run = runner(gpu, 2, lanes=Lanes.overlapping(gpu), resident=resident)
    for seed in range(3):
        x = frames(seed, 2)
        batch = begin(run, x)
        assert agrees(batch, x)
        batch.wait()
        batch.read(0, 8)
        if seed == 2:
            batch.measure()
            batch.measure_launches()
        del batch
    gpu.resources("shift")
    run.wait()


UNHEARD = {
    "cuMemFree_v2": "memory",
    "cuMemFreeHost": "pinned",
    "cuStreamDestroy_v2": "stream",
    "cuEventDestroy_v2": "event",
    "cuGraphExecDestroy": "executable",
    "cuDevicePrimaryCtxRelease_v2": "context module",
    "cuCtxPopCurrent_v2": "",
}
"""What is called when nobody is there to be told of an error, and what it then leaves."""

SOMETIMES = {"cuCtxPushCurrent_v2": "memory pinned stream event executable", "cuStreamSynchronize": ""}
"""What is called then, too, but not only."""

LEAVES = UNHEARD | SOMETIMES | {"cuGraphDestroy": "graph"}
NOT_CALLED = {
    "cuModuleUnload": "only after an error",
    "cuDevicePrimaryCtxRelease": "of older drivers",
    "cuGraphInstantiate": "of older drivers",
    "cuGetErrorName": "only after an error",
    "cuGetErrorString": "only after an error",
}


@pytest.fixture(scope="module")
def counts(tmp_path_factory) -> dict[str, int]:
    """How often each function is called for everything."""
    fake = FakeDriver(kernels=IN_NUMPY)
    with catalog():
        everything(fake, tmp_path_factory.mktemp("counts"))
    fake.check()
    gc.collect()
    assert fake.leaks() == {}
    return dict(fake.counted())


def test_everything_is_called(counts) -> None:
    assert sorted(counts) == CALLED


CALLED = sorted(set(SIGNATURES) - set(NOT_CALLED))
TAKING = [name for name in CALLED if re.search("Alloc|Retain|Create|Load|Instantiate", name)]
"""What may find too little memory."""


@pytest.mark.parametrize(
    ("name", "code"), [(name, code) for name in CALLED for code in (1, 700)] + [(name, 2) for name in TAKING]
)
def test_each_call_that_fails_is_an_error_that_leaves_nothing(tmp_path, counts, name: str, code: int) -> None:
    often = counts[name]
    for nth in sorted({1, (often + 1) // 2, often}):
        fake = FakeDriver(kernels=IN_NUMPY)
        fake.fail(name, code, nth)
        said = complaint(lambda: everything(fake, tmp_path))  # noqa: B023
        assert "\n" not in (said or "")
        fake.check()
        gc.collect()
        if name not in SOMETIMES and (name not in UNHEARD or code != 700):  # which what comes next may meet with
            assert (said is not None) == (name not in UNHEARD)
        left = {kind: n for kind, n in fake.leaks().items() if kind not in LEAVES.get(name, "")}
        assert left == {} or code == 700, "a device that is lost is left alone"


@pytest.mark.parametrize(
    "name",
    [
        "cuMemcpyHtoDAsync_v2",
        "cuEventRecord",
        "cuLaunchKernel",
        "cuMemcpyDtoHAsync_v2",
        "cuGraphLaunch",
        "cuStreamBeginCapture_v2",
        "cuStreamEndCapture",
        "cuGraphInstantiateWithFlags",
        "cuEventSynchronize",
        "cuMemHostAlloc",
    ],
)
@pytest.mark.parametrize("nth", [1, 2, 3, 5])
def test_after_an_error_that_passes_the_same_runner_goes_on(fake, gpu, name: str, nth: int) -> None:
    run = runner(gpu)
    fake.fail(name, 1, nth)
    errors = []
    for seed in range(6):
        said = complaint(lambda: one_more(run, frames(seed, 3)))  # noqa: B023
        errors += [said] if said else []
    seldom = name in ("cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags", "cuMemHostAlloc")
    assert len(errors) == int(nth == 1 or not seldom)
    assert all(name in said for said in errors)


def one_more(run: Runner, x: np.ndarray) -> None:
    batch = run.batch()
    batch.inputs[0][:, :COUNT] = x
    try:
        batch.start()
    except CudaError:
        with pytest.raises(ValueError, match="not started"):
            batch.wait()
        raise
    assert agrees(batch, x)


def complaint(use: Callable[[], object]) -> str | None:
    """What an error says that comes of it."""
    try:
        use()
    except CudaError as error:
        return str(error)
    return None


def test_a_kernel_that_fails_costs_the_device(fake, gpu) -> None:
    good = launches()[0]
    beyond = Launch(good.kernel, good.blocks, (*good.arguments[:1], Place(ARENA, 1 << 20), *good.arguments[2:]))
    run = Runner(gpu, [beyond], STRIDES, 1, inputs=[INPUT], output=OUTPUT)
    batch = begin(run, frames(1, 1))
    with pytest.raises(CallError, match="CUDA_ERROR_ILLEGAL_ADDRESS, from cuEventSynchronize") as caught:
        batch.wait()
    assert caught.value.sticky
    calls = len(fake.calls)
    for use in (batch.result, batch.start, run.batch, lambda: runner(gpu)):
        with pytest.raises(CallError, match="ILLEGAL_ADDRESS"):
            use()
    del batch, run
    gc.collect()
    assert len(fake.calls) == calls


def test_a_batch_in_a_forked_child(fake, gpu) -> None:
    run = runner(gpu)
    x = frames(1, 3)
    batch = begin(run, x)
    calls = len(fake.calls)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            status = 0
            for use in (batch.result, batch.start, run.batch, run.wait):
                try:
                    use()
                    status = 2
                except CudaError as error:
                    status = status if "before this process was forked" in str(error) else 3
            del batch, run
            gc.collect()
            if len(fake.calls) != calls:
                status = 4
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert agrees(batch, x)
