"""The binding of NVIDIA's driver: its signatures against NVIDIA's headers, and every error it can give."""

from __future__ import annotations

import ctypes
import re
import sysconfig
from pathlib import Path

import pytest
from fake_driver import FakeDriver
from fake_parts import Gpu
from fake_symbols import CODES, SIGNATURES

from fastact.kernels.cuda import driver as binding
from fastact.kernels.cuda.driver import Driver
from fastact.kernels.cuda.errors import CallError, UnavailableError
from fastact.kernels.cuda.symbols import EITHER, FUNCTIONS, Copy2D

HEADERS = Path(sysconfig.get_path("purelib")) / "nvidia/cuda_runtime/include"
"""Where numba-cuda's dependencies have NVIDIA's headers; they are of CUDA 12 or later."""

needs_headers = pytest.mark.skipif(
    not (HEADERS / "cudaTypedefs.h").is_file(), reason="NVIDIA's headers come with the extra cuda, for CUDA 12"
)


def letter(kind: object) -> str:
    """A ctypes type in the letters of SIGNATURES."""
    plain = {ctypes.c_int: "i", ctypes.c_uint: "u", ctypes.c_size_t: "z", ctypes.c_uint64: "q"}
    # size_t and unsigned long are one type for ctypes; both have 64 bits wherever CUDA is.
    return plain.get(kind, "p")  # type: ignore[call-overload]


@pytest.mark.parametrize("name", [*FUNCTIONS, *EITHER])
def test_a_function_is_declared_as_written_down_from_the_documentation(name: str) -> None:
    declared = "".join(map(letter, (FUNCTIONS | EITHER)[name]))
    assert declared.replace("q", "z") == SIGNATURES[name][0].replace("q", "z")
    assert (SIGNATURES[name][1] <= 10020) == (
        name not in ("cuDevicePrimaryCtxRelease_v2", "cuGraphInstantiateWithFlags")
    )


def test_nothing_is_written_down_that_is_not_used() -> None:
    assert {*FUNCTIONS, *EITHER} == set(SIGNATURES)


def header_signatures() -> dict[tuple[str, int], str]:
    """NVIDIA's own: by name without `_v2`, and the version that brought it."""
    kinds = {
        "int": "i",
        "unsigned int": "u",
        "size_t": "z",
        "unsigned long long": "q",
        "CUdeviceptr_v2": "q",
        "CUdevice_v1": "i",
    }
    found = {}
    text = (HEADERS / "cudaTypedefs.h").read_text()
    for name, version, takes in re.findall(r"\(CUDAAPI \*PFN_(\w+)_v(\d+)\)\((.*?)\);", text):
        letters = ""
        for parameter in takes.split(","):
            kind = parameter.replace("const ", "").strip().rpartition(" ")
            if "*" in parameter:
                letters += "p"
            elif kind[0] in kinds:
                letters += kinds[kind[0]]
            else:  # a handle, which is a pointer, or an enumeration
                letters += "p" if kind[2].startswith(("h", "ctx", "f")) else "i"
        found[name, int(version)] = letters
    return found


@needs_headers
def test_signatures_are_those_of_nvidia_s_headers() -> None:
    headers = header_signatures()
    for name, (letters, since) in SIGNATURES.items():
        assert headers[name.removesuffix("_v2"), since] == letters, name


@needs_headers
def test_symbols_are_those_of_nvidia_s_headers() -> None:
    """cuda.h gives a function the name of its latest symbol."""
    renamed = dict(
        re.findall(r"#define (cu\w+) +(?:__CUDA_API_PT[DS][SZ]\()?(cu\w+)", (HEADERS / "cuda.h").read_text())
    )
    for name in FUNCTIONS:
        plain = name.removesuffix("_v2")
        assert renamed.get(plain, plain) == name
    assert renamed["cuDevicePrimaryCtxRelease"] == "cuDevicePrimaryCtxRelease_v2"
    assert renamed["cuGraphInstantiate"] == "cuGraphInstantiateWithFlags"


@needs_headers
def test_codes_are_those_of_nvidia_s_headers() -> None:
    text = (HEADERS / "cuda.h").read_text()
    codes = {int(n): name for name, n in re.findall(r"(CUDA_ERROR_\w+) += (\d+)", text)}
    assert {code: name for code, (name, _) in CODES.items()}.items() <= codes.items()
    lost = re.findall(r"terminated[\s*]+and[\s*]+relaunched\.[\s*]+/\s+CUDA_ERROR_\w+ += (\d+)", text)
    assert len(lost) > 10
    for code in lost:
        assert CallError("cuX", int(code), "", "").sticky, codes[int(code)]
    for code in (1, 2, 201, 222, 400, 701, 801, 900):
        assert not CallError("cuX", code, "", "").sticky


@needs_headers
def test_the_structure_of_a_copy_is_that_of_nvidia_s_headers() -> None:
    text = (HEADERS / "cuda.h").read_text()
    (body,) = re.findall(r"typedef struct CUDA_MEMCPY2D_st \{([^}]*)\} CUDA_MEMCPY2D_v2;", text)
    kinds = re.findall(r"^    (?:const )?(\w+) \*?\w+;", body, re.MULTILINE)
    sizes = {"size_t": 8, "CUmemorytype": 4, "void": 8, "CUdeviceptr": 8, "CUarray": 8}
    assert [ctypes.sizeof(kind) for _, kind in Copy2D._fields_] == [sizes[kind] for kind in kinds]
    assert ctypes.sizeof(Copy2D) == 128


def test_no_driver(monkeypatch) -> None:
    monkeypatch.setattr(binding, "LIBRARY", "libcuda-that-is-not-there.so.1")
    with pytest.raises(
        UnavailableError, match=r"^there is no NVIDIA driver on this machine \(libcuda-that-.*\): install"
    ):
        binding.open_driver()


@pytest.mark.parametrize("version", [2020, 9000, 10010])
def test_a_driver_that_is_too_old(version: int) -> None:
    with pytest.raises(
        UnavailableError, match=r"^the NVIDIA driver is too old: .*fastact needs one for CUDA 10\.2 or later"
    ):
        Driver(FakeDriver(version=version)).start()


def test_a_driver_without_a_function() -> None:
    fake = FakeDriver(absent=("cuGraphLaunch",))
    with pytest.raises(UnavailableError, match=r"^the NVIDIA driver is too old: it has no cuGraphLaunch; "):
        Driver(fake)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (100, r"^there is no GPU on this machine .*CUDA_VISIBLE_DEVICES may hide it"),
        (34, r"^libcuda.so.1 is the CUDA toolkit's stub and no driver"),
        (3, r"^a process that was forked after its parent had used the GPU cannot use it: .*'spawn'"),
        (803, r"^the NVIDIA driver cannot start: .*CUDA_ERROR_SYSTEM_DRIVER_MISMATCH"),
        (12345, r"^the NVIDIA driver cannot start: .*error 12345"),
    ],
)
def test_a_driver_that_does_not_start(code: int, said: str) -> None:
    fake = FakeDriver()
    fake.fail("cuInit", code)
    with pytest.raises(UnavailableError, match=said):
        Driver(fake).start()


def test_the_version() -> None:
    assert Driver(FakeDriver(version=12040)).start().version == (12, 4)
    assert Driver(FakeDriver(version=10020)).start().version == (10, 2)


def test_an_error_says_which_call_and_what_the_driver_says() -> None:
    fake = FakeDriver()
    driver = Driver(fake).start()
    fake.fail("cuDeviceGetCount", 1)
    with pytest.raises(CallError) as caught:
        driver.devices()
    error = caught.value
    assert (error.call, error.code, error.name, error.sticky) == (
        "cuDeviceGetCount",
        1,
        "CUDA_ERROR_INVALID_VALUE",
        False,
    )
    assert str(error) == ("the GPU's driver says 'invalid argument' (CUDA_ERROR_INVALID_VALUE, from cuDeviceGetCount)")


def test_an_error_after_which_nothing_goes() -> None:
    fake = FakeDriver()
    driver = Driver(fake).start()
    fake.fail("cuDeviceGetCount", 700)
    with pytest.raises(CallError, match=r"this process cannot use the GPU any more, start it anew$") as caught:
        driver.devices()
    assert caught.value.sticky


def test_a_call_without_a_context_is_refused() -> None:
    """The fake holds the binding to what the driver holds it to."""
    with pytest.raises(CallError, match="CUDA_ERROR_INVALID_CONTEXT"):
        Driver(FakeDriver()).start().create_stream()


@pytest.mark.parametrize(
    ("version", "newer"), [(10020, False), (11000, False), (11030, False), (11040, True), (13000, True)]
)
def test_a_graph_is_made_as_the_driver_s_version_wants(version: int, newer: bool) -> None:
    fake = FakeDriver(version=version)
    driver = Driver(fake).start()
    driver.push(driver.retain(0))
    stream = driver.create_stream()
    driver.begin_capture(stream)
    graph = driver.end_capture(stream)
    executable = driver.instantiate(graph)
    driver.destroy_graph(graph)
    driver.launch_graph(executable, stream)
    driver.destroy_executable(executable)
    driver.destroy_stream(stream)
    driver.pop()
    driver.release(0)
    fake.check()
    assert fake.leaks() == {}
    assert ("cuGraphInstantiateWithFlags" in fake.calls) == newer
    assert ("cuGraphInstantiate" in fake.calls) != newer
    assert ("cuDevicePrimaryCtxRelease_v2" in fake.calls) == (version >= 11000)


def test_what_the_compiler_says_is_in_the_error() -> None:
    driver = Driver(FakeDriver()).start()
    driver.push(driver.retain(0))
    with pytest.raises(
        CallError, match=r"CUDA_ERROR_INVALID_PTX, from cuModuleLoadDataEx\) \(ptxas .* fatal: no entry\)$"
    ):
        driver.load(b"nothing")


def test_names_are_read_whole() -> None:
    name = "NVIDIA " + "x" * 240
    driver = Driver(FakeDriver(Gpu(name=name))).start()
    assert driver.device_name(driver.device(0)) == name
