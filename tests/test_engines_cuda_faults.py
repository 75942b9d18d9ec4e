"""A GPU that is not there, that cannot compute what is asked for, or that fails: errors that say so, or the CPU."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import cuda_device
import cuda_maps
import numpy as np
import pytest
from configurations import conv, image, model, on
from cuda_maps import LAYERS, near, pilot
from fake_driver import FakeDriver, Gpu
from oracles import handmade

from fastact import Extractor
from fastact.engines import auto, cuda, cuda_plan
from fastact.errors import InputError, KernelError
from fastact.kernels.cuda import device as devices
from fastact.kernels.cuda import encode, search
from fastact.kernels.cuda.device import Device
from fastact.kernels.cuda.errors import UnavailableError
from fastact.kernels.cuda.fusion import Conv2DFromBytes

fake, frames = cuda_maps.fake, cuda_maps.frames  # fixtures: ruff takes imported ones for unused


def test_no_driver(monkeypatch, caplog, frames: np.ndarray):
    def none() -> Device:
        raise UnavailableError("there is no NVIDIA driver on this machine: compute on the CPU")

    monkeypatch.setattr(cuda, "open_device", none)
    auto._say.cache_clear()
    with pytest.raises(KernelError, match="no NVIDIA driver"):
        Extractor(pilot(), device="cuda")
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            extract = Extractor(pilot(), device="auto")
            assert extract.device == "cpu"
            assert near(extract(frames[0]), Extractor(pilot())(frames[0]))
    assert len([r for r in caplog.records if "no NVIDIA driver" in r.getMessage()]) == 1


def test_no_code_for_the_gpu(fake: FakeDriver, monkeypatch, frames: np.ndarray):
    def none(capability: tuple[int, int]) -> None:
        raise search.BuildError("numba-cuda, which compiles them, is not installed: pip install 'fastact[cuda]'")

    gpu = cuda.open_device()
    monkeypatch.setattr(cuda, "open_device", lambda: Device(gpu.driver, gpu.card))
    monkeypatch.setattr(devices.search, "find", none)
    with pytest.raises(KernelError, match=r"fastact\[cuda\]"):
        Extractor(pilot(), device="cuda")(frames[0])
    assert near(Extractor(pilot(), device="auto")(frames[0]), Extractor(pilot())(frames[0]))


def test_an_operation_without_a_kernel_names_its_layer(fake: FakeDriver, monkeypatch, frames: np.ndarray):
    kernels = {kind: made for kind, made in encode.base._ENCODERS.items() if kind.__name__ != "Dense"}
    monkeypatch.setattr(encode.base, "_ENCODERS", kernels)
    with pytest.raises(KernelError, match=r"Dense, which layer 'out' needs.*--device cpu"):
        Extractor(pilot(), "out", device="cuda")(frames[0])
    assert near(Extractor(pilot(), "c1", device="cuda")(frames[0]), Extractor(pilot(), "c1")(frames[0]))


def test_what_an_encoder_refuses_names_the_layer(fake: FakeDriver, monkeypatch, frames: np.ndarray):
    def refuse(*_: object) -> None:
        raise ValueError("a convolution of 70000 x 3 cells is too large")

    monkeypatch.setitem(encode.base._ENCODERS, Conv2DFromBytes, refuse)
    with pytest.raises(KernelError, match=r"layer 'c1' cannot be computed on a GPU: .*too large; compute on the CPU"):
        Extractor(pilot(), "c1", device="cuda")(frames[0])
    assert near(Extractor(pilot(), "c1", device="auto")(frames[0]), Extractor(pilot(), "c1")(frames[0]))


def test_too_little_memory(tmp_path, monkeypatch, frames: np.ndarray):
    _, gpu = cuda_device.fake_device(tmp_path, Gpu(memory=2000))
    monkeypatch.setattr(cuda, "open_device", lambda: gpu)
    with pytest.raises(KernelError, match=r"of memory|free"):
        Extractor(pilot(), LAYERS, device="cuda")(frames[0])


def test_maps_beyond_all_kernels_are_refused_before_anything_is_made_for_them(fake: FakeDriver, monkeypatch):
    def too_late(*_: object) -> None:
        pytest.fail("launches were made")

    monkeypatch.setattr(cuda_plan, "encode", too_late)
    layers = [image("img", (20_000, 20_000, 3)), conv("c1", [on("img")])]
    built = handmade(model(layers, [["img", 0, 0]], [["c1", 0, 0]]))
    frame = np.zeros((20_000, 20_000, 3), np.uint8)  # which no memory has been taken for yet
    with pytest.raises(KernelError, match=r"need 6[.]0 GiB, and the kernels for GPUs count up to 4"):
        Extractor(built, "c1", device="cuda")(frame)


def test_a_fault_of_a_kernel(fake: FakeDriver, frames: np.ndarray):
    extract = Extractor(pilot(), LAYERS, device="cuda")
    extract(frames[0])
    fake.fail("cuEventSynchronize", 700)
    for _ in range(2):  # the process has lost the GPU
        with pytest.raises(KernelError, match="illegal memory access"):
            extract(frames[0])


def test_a_fault_in_mid_run_leaves_the_gpu_for_the_cpu(fake: FakeDriver, caplog, frames: np.ndarray):
    extract, plain = Extractor(pilot(), LAYERS, device="auto"), Extractor(pilot(), LAYERS)
    kept = extract(frames[0])
    assert extract.device == "cuda"
    assert near(kept, plain(frames[0]))
    fake.fail("cuEventSynchronize", 700)
    with caplog.at_level(logging.WARNING):
        maps = extract(frames[1])
        assert near(maps, plain(frames[1]))
        assert extract.device == "cpu"
        with pytest.raises(InputError, match="the GPU failed"):
            maps.on_device("c1")
        assert near(extract(frames[2], out=maps), plain(frames[2]))
        assert near(extract(frames[2], out=kept), plain(frames[2]))
        assert near(extract(frames[0]), plain(frames[0]))
        assert near(extract.batch(frames), plain.batch(frames))
        for streamed, frame in zip(extract.stream(frames), frames, strict=True):
            assert near(streamed, plain(frame))
    assert len(caplog.records) == 1
    assert "illegal memory access" in caplog.records[0].getMessage()


@pytest.mark.parametrize("call", ["cuMemcpyHtoDAsync_v2", "cuLaunchKernel", "cuEventSynchronize"])
def test_a_fault_in_a_stream(fake: FakeDriver, call: str, frames: np.ndarray):
    """Frames that were begun are computed anew, though the caller has overwritten them since."""
    extract, plain, camera = Extractor(pilot(), LAYERS, device="auto"), Extractor(pilot(), LAYERS), frames[0].copy()

    def source() -> Iterator[np.ndarray]:
        for i in (0, 1, 2, 1):
            camera[...] = frames[i]
            if i == 2:
                fake.fail(call, 719)
            yield camera

    for maps, i in zip(extract.stream(source()), (0, 1, 2, 1), strict=True):
        assert near(maps, plain(frames[i]))
    assert extract.device == "cpu"


def test_a_forked_child(fake: FakeDriver, frames: np.ndarray):
    sure, free = (Extractor(pilot(), LAYERS, device=d) for d in ("cuda", "auto"))
    maps = sure(frames[0])
    free(frames[0])
    cuda.open_device()._process = -1  # as it looks from a child
    with pytest.raises(KernelError, match="forked"):
        sure(frames[0])
    with pytest.raises(KernelError, match="forked"):
        maps["c1"]
    assert near(free(frames[0]), Extractor(pilot(), LAYERS)(frames[0]))
