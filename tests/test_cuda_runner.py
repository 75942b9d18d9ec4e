"""Launches run batch after batch: what lies where, in which order it is done, and what an error leaves behind."""

from __future__ import annotations

import gc
from collections.abc import Callable

import cuda_runs
import numpy as np
import pytest
from cuda_runs import (
    COUNT,
    IN_NUMPY,
    INPUT,
    OUTPUT,
    STRIDES,
    WEIGHTS,
    agrees,
    archive,
    begin,
    device,
    expected,
    floats,
    frames,
    launches,
    runner,
)
from fake_driver import FakeDriver
from fake_parts import Gpu, simulated

from fastact.kernels.cuda.device import Device
from fastact.kernels.cuda.errors import OutOfMemoryError
from fastact.kernels.cuda.launch import Count, Launch
from fastact.kernels.cuda.packing import Resident
from fastact.kernels.cuda.runner import Batch, Lanes, Runner, most_frames
from fastact.kernels.places import Place

kernels, fake, gpu = cuda_runs.kernels, cuda_runs.fake, cuda_runs.gpu  # fixtures: ruff takes imported ones for unused


# What comes out.


@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_batch(fake, gpu, count: int) -> None:
    run = runner(gpu, count)
    x = frames(1, count)
    batch = begin(run, x)
    assert batch.inputs[0].shape == (count, STRIDES[INPUT])
    assert batch.result().shape == (count, STRIDES[OUTPUT])
    assert agrees(batch, x)


def test_a_kernel_of_the_catalog_in_the_simulator(tmp_path) -> None:
    fake = FakeDriver(kernels=IN_NUMPY | {"u8_f32_scale": simulated("u8_f32_scale")})
    run = runner(device(fake, archive(tmp_path)), 2)
    x = frames(2, 2)
    assert agrees(begin(run, x), x)
    fake.check()


def test_launches_are_recorded_the_second_time_and_replayed(fake, gpu) -> None:
    run = runner(gpu)
    graphed, launched = [], []
    for seed in range(4):
        x = frames(seed, 3)
        batch = begin(run, x)
        assert agrees(batch, x), "a graph's launches give what they give one by one"
        graphed.append(batch.graphed)
        launched.append(fake.counted()["cuLaunchKernel"])
        del batch
    assert graphed == [None, True, True, True]
    assert launched == [3, 6, 6, 6]
    assert fake.counted()["cuGraphLaunch"] == 3
    assert fake.leaks()["executable"] == 1
    assert "graph" not in fake.leaks(), "only what was instantiated is kept"


@pytest.mark.parametrize(("call", "code"), [("cuStreamBeginCapture_v2", 801), ("cuStreamEndCapture", 900)])
def test_a_driver_that_does_not_record_launches_one_by_one(fake, gpu, call: str, code: int) -> None:
    run = runner(gpu)
    for seed in range(3):
        fake.fail(call, code)
        x = frames(seed, 3)
        batch = begin(run, x)
        assert agrees(batch, x)
        del batch
    assert fake.counted()["cuGraphLaunch"] == 0
    assert fake.counted()[call] == 1, "it is tried once"


def test_a_driver_of_cuda_10_2(tmp_path) -> None:
    fake = FakeDriver(Gpu("NVIDIA Tegra X1", (5, 3), 1, integrated=True), version=10020, kernels=IN_NUMPY)
    run = runner(device(fake, archive(tmp_path)))
    for seed in range(3):
        x = frames(seed, 3)
        batch = begin(run, x)
        assert agrees(batch, x)
        assert agrees(batch, x), "results are asked for once, and can be had twice"
        del batch
    assert fake.counted()["cuGraphLaunch"] == 2
    assert len(fake.live["pinned"]) == 1, "the frames; results lie where the CPU caches them"
    fake.check()


def test_part_of_the_outputs(fake, gpu) -> None:
    x = frames(3, 3)
    batch = begin(runner(gpu), x)
    part = batch.read(4 * COUNT, 4 * COUNT)
    assert np.array_equal(part.view(np.float32), expected(x)[:, COUNT:])
    assert np.array_equal(batch.read(8, 4).view(np.float32), expected(x)[:, 2:3])
    assert batch.read(8, 0).shape == (3, 0)
    assert len(fake.live["pinned"]) == 1, "nothing is pinned for it"
    for offset, size in ((-1, 4), (0, 513), (512, 1)):
        with pytest.raises(ValueError, match="a frame's outputs have 512"):
            batch.read(offset, size)


def test_outputs_stay_on_the_device(fake, gpu) -> None:
    x = frames(4, 3)
    batch = begin(runner(gpu), x)
    batch.wait()
    assert "copy out" not in [what for what, _ in fake.began]
    on_device = fake._bytes(batch.outputs.address, batch.outputs.size).reshape(3, -1)
    assert np.array_equal(floats(on_device), expected(x))
    assert batch.stream in fake.live["stream"]


def test_a_batch_has_to_be_started(gpu) -> None:
    batch = runner(gpu).batch()
    for use in (batch.result, batch.wait, batch.request, lambda: batch.read(0, 4), batch.measure_launches):
        with pytest.raises(ValueError, match=r"^the batch was not started$"):
            use()


def test_a_program_without_launches(fake, gpu) -> None:
    batch = Runner(gpu, [], (0, 0, 0), 2, inputs=[2], output=1).batch()
    batch.start()
    assert batch.result().shape == (2, 0)


def test_launches_for_values_of_all_frames(fake, gpu) -> None:
    """A grid without an axis of frames, and a number that grows with them."""
    given = (Place(INPUT), Place(OUTPUT), Count(COUNT), 2.0, 0, 0)
    strides = (0, 4 * COUNT, COUNT)
    run = Runner(gpu, [Launch("u8_f32_scale", (COUNT, 1), given, 256)], strides, 7, inputs=[2], output=1)
    (packed,) = run.batch()._slot.packed
    assert packed.grid == (2, 1, 1)
    x = frames(1, 7)
    assert np.array_equal(begin(run, x).result().view(np.float32), x.astype(np.float32) / 2)


# What is shared and what is a batch's own.


def test_arrays_are_copied_once(fake, gpu) -> None:
    run = runner(gpu)
    assert [what for what, _ in fake.began] == ["copy in"], "two launches have the same array"
    assert run.resident.size == 256
    second = runner(gpu, 1, resident=run.resident)
    other = Runner(gpu, launches(WEIGHTS.copy()), STRIDES, 1, inputs=[INPUT], output=OUTPUT, resident=run.resident)
    assert [what for what, _ in fake.began] == ["copy in"] * 2, "one that is as large is another"
    for each, count in ((run, 3), (second, 1), (other, 1)):
        x = frames(count, count)
        assert agrees(begin(each, x), x)


def test_arrays_go_with_the_last_that_uses_them(fake, gpu) -> None:
    resident = Resident(gpu)
    weights, shared = WEIGHTS.copy(), launches()
    first = runner(gpu, 1, resident=resident)
    more = Launch(shared[1].kernel, (1, 1), (*shared[1].arguments[:1], weights, *shared[1].arguments[2:]))
    second = Runner(gpu, [*shared, more], STRIDES, 1, inputs=[INPUT], output=OUTPUT, resident=resident)
    assert resident.size == 512
    del first
    gc.collect()
    assert resident.size == 512, "the second uses both"
    assert resident.missing([*shared, more]) == 0
    rows = begin(second, frames(1, 1)).result()
    del second
    gc.collect()
    assert resident.size == 512, "a batch that is alive may run again"
    del rows
    gc.collect()
    assert resident.size == 0
    assert resident.missing([*shared, more]) == 512
    assert fake.leaks()["module"] == 2
    assert "memory" not in fake.leaks()


def test_a_result_keeps_its_memory(gpu) -> None:
    run = runner(gpu)
    xs = [frames(seed, 3) for seed in range(5)]
    rows = [begin(run, x).result() for x in xs]
    assert len({r.ctypes.data for r in rows}) == 5
    for x, row in zip(xs, rows, strict=True):
        assert np.array_equal(floats(row), expected(x))


def test_buffers_are_used_again_and_few_are_kept(fake, gpu) -> None:
    run = runner(gpu)
    for seed in range(10):
        begin(run, frames(seed, 3)).result()
    fixed = len(fake.live["memory"])
    batches = [begin(run, frames(seed, 3)) for seed in range(6)]
    assert len(fake.live["memory"]) == fixed + 2 * 5
    del batches
    assert len(fake.live["memory"]) == fixed + 2
    x = frames(1, 3)
    assert agrees(begin(run, x), x)


def test_a_runner_takes_all_with_it(fake, tmp_path) -> None:
    gpu = device(fake, archive(tmp_path))
    run = runner(gpu, lanes=Lanes.overlapping(gpu))
    rows = begin(run, frames(1, 3)).result()
    begin(run, frames(2, 3))  # under way when all else is gone
    del run, gpu
    gc.collect()
    assert fake.leaks()["memory"] > 0
    del rows
    gc.collect()
    assert fake.leaks() == {}


# Order.


def test_one_stream_waits_for_nothing(fake, gpu) -> None:
    run = runner(gpu)
    fake.began.clear()
    begin(run, frames(1, 3)).result()
    assert [what for what, _ in fake.began] == ["copy in", "record", *["launch"] * 3, "record", "copy out", "record"]
    assert len({stream for _, stream in fake.began}) == 1


def test_three_streams_wait_for_each_other(fake, gpu) -> None:
    lanes = Lanes.overlapping(gpu)
    run = runner(gpu, lanes=lanes)
    fake.began.clear()
    begin(run, frames(1, 3)).result()
    names = {lanes.upload.value: "up", lanes.compute.value: "run", lanes.download.value: "down"}
    assert [(names[stream], what) for what, stream in fake.began] == [
        ("up", "wait"),
        ("up", "copy in"),
        ("up", "record"),
        ("run", "wait"),
        ("run", "wait"),
        *[("run", "launch")] * 3,
        ("run", "record"),
        ("down", "wait"),
        ("down", "copy out"),
        ("down", "record"),
    ]


@pytest.mark.parametrize("eager", [(), (0,), (1,), (2,), (0, 2), (0, 1, 2)], ids=str)
def test_a_stream_of_batches_with_copies_beside_it(fake, gpu, eager: tuple[int, ...]) -> None:
    """Whichever stream is ahead of the others."""
    lanes = Lanes.overlapping(gpu)
    order = [lanes.upload.value, lanes.compute.value, lanes.download.value]
    fake.eager = {order[i] for i in eager}
    run = runner(gpu, lanes=lanes)
    under_way: list[tuple[np.ndarray, Batch]] = []
    for seed in range(8):
        x = frames(seed, 3)
        batch = begin(run, x)
        batch.request()
        under_way.append((x, batch))
        del batch
        if len(under_way) == 2:
            earlier, done = under_way.pop(0)
            assert agrees(done, earlier)
            del done
    assert agrees(under_way[0][1], under_way[0][0])
    assert len(fake.live["executable"]) == 2, "two sets of buffers, and a graph for each"


def test_a_batch_that_nobody_waited_for_is_followed_by_another(fake, gpu) -> None:
    run = runner(gpu, lanes=Lanes.overlapping(gpu))
    begin(run, frames(1, 3)).request()
    x = frames(2, 3)
    assert agrees(begin(run, x), x)


def test_a_batch_can_be_started_again(gpu) -> None:
    batch = begin(runner(gpu), frames(1, 3))
    batch.result()
    x = frames(2, 3)
    batch.inputs[0][:, :COUNT] = x
    batch.start()
    assert agrees(batch, x)


# Times.


@pytest.mark.parametrize("lanes", [Lanes.one, Lanes.overlapping])
def test_times_of_stages(fake, gpu, lanes: Callable[[Device], Lanes]) -> None:
    run = runner(gpu, lanes=lanes(gpu))
    x = frames(1, 3)
    batch = run.batch()
    batch.inputs[0][:, :COUNT] = x
    for _ in range(2):
        times = batch.measure()
        # By the fake's clock a launch takes 1 ms and an event 0.25: one within the stage, and the one at its end.
        assert times.upload == pytest.approx(0.5)
        assert times.compute == pytest.approx(3.5)
        assert times.download == pytest.approx(0.5)
    assert batch.graphed
    assert agrees(batch, x)


def test_times_of_launches(fake, gpu) -> None:
    x = frames(1, 3)
    batch = begin(runner(gpu), x)
    assert batch.measure_launches() == pytest.approx([1.25] * 3)
    assert agrees(batch, x)
    gc.collect()
    assert len(fake.live["event"]) == 3


# Memory.


def test_too_little_memory_is_said_before_it_is_taken(fake, gpu) -> None:
    before = fake.leaks().get("memory", 0)
    with pytest.raises(
        OutOfMemoryError, match=r"^a batch of 60000 frames needs 47\.6 MiB on H200, and 16\.0 MiB of its"
    ):
        runner(gpu, 60000)
    with pytest.raises(OutOfMemoryError, match=r"^a frame needs 24\.0 MiB on H200"):
        Runner(gpu, [], (8 << 20, 8 << 20, 8 << 20), 1, inputs=[2], output=1)
    assert fake.leaks().get("memory", 0) == before
    assert "cuMemAlloc_v2" not in fake.calls


def test_too_little_memory_for_one_more_batch(gpu) -> None:
    run = Runner(gpu, [], (2 << 20, 4 << 20, 2 << 20), 1, inputs=[2], output=1)
    keep = [run.batch()]
    keep.append(run.batch())
    with pytest.raises(OutOfMemoryError, match="a frame needs 6"):
        run.batch()
    del keep[0]
    run.batch()


def test_an_integrated_gpu_s_memory_is_the_host_s_too(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("fastact.kernels.cuda.device._available", lambda: 0)
    gpu = device(FakeDriver(Gpu("Orin", (8, 7), 8, integrated=True)), archive(tmp_path))
    with pytest.raises(OutOfMemoryError, match=r"^a frame needs 18\.0 MiB on Orin"):
        Runner(gpu, [], (2 << 20, 4 << 20, 4 << 20), 1, inputs=[2], output=1)


@pytest.mark.parametrize("count", [0, -1, 65536])
def test_frames_that_a_grid_cannot_have(gpu, count: int) -> None:
    with pytest.raises(ValueError, match=f"^a batch has 1 to 65535 frames, not {count}$"):
        runner(gpu, count)


# What kernels can count.


def test_frames_of_a_batch_are_as_many_as_kernels_can_count() -> None:
    assert most_frames((256, 4096)) == 65535
    assert most_frames((2**20, 300 * 2**20)) == 2**32 // (300 * 2**20) == 13
    assert most_frames((2**32,)) == 1
    with pytest.raises(
        OutOfMemoryError,
        match=r"^the maps of one frame need 4[.]5 GiB, and the kernels for GPUs count up to 4: choose fewer",
    ):
        most_frames((256, 9 * 2**29))
