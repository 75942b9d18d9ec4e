"""NVIDIA's driver, called through ctypes: its library is all that a machine needs beside NumPy.

A Jetson Nano has CUDA 10.2 for good, which no binding package of today serves, and the packages would take 48 MB. So
the functions that are needed are declared in :mod:`.symbols` and called here.

The library is given to :class:`Driver`, so that tests can put another one in its place. Handles are plain integers.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from ctypes import byref, c_char_p, c_float, c_int, c_size_t, c_uint64, c_void_p
from typing import Any

from .errors import NO_DEVICE, NOT_INITIALIZED, STUB_LIBRARY, CallError, UnavailableError
from .symbols import EITHER, FUNCTIONS, Copy2D

LIBRARY = "libcuda.so.1"

LEAST_VERSION = (10, 2)
"""The least CUDA version that a driver has to be for: JetPack 4's."""

_LOG_BYTES = 4096
_JIT_ERROR_LOG, _JIT_ERROR_LOG_BYTES = 5, 6
_CAPTURE_RELAXED = 2
_STREAM_NON_BLOCKING = 1
_EVENT_WITHOUT_TIMING = 2


def open_driver() -> Driver:
    """The driver of this machine, started.

    Raises:
        UnavailableError: there is none, it is too old, or it finds no GPU.
    """
    try:
        library = ctypes.CDLL(LIBRARY)
    except OSError as error:
        raise UnavailableError(
            f"there is no NVIDIA driver on this machine ({error}): install one, or compute on the CPU"
        ) from error
    return Driver(library).start()


class Driver:
    """The functions of the driver's library, typed; each raises :class:`CallError` where the driver does not succeed.

    Handles (contexts, modules, functions, streams, events, graphs) and addresses are integers. All but those that
    say otherwise need a current context. An error may come from what an earlier call began.
    """

    def __init__(self, library: Any) -> None:
        """`library` has the functions as attributes, as ctypes.CDLL does."""
        self._functions: dict[str, Any] = {}
        for name, takes in (FUNCTIONS | EITHER).items():
            function = getattr(library, name, None)
            if function is None:
                if name in FUNCTIONS:
                    raise UnavailableError(f"the NVIDIA driver is too old: it has no {name}; {_NEEDED}")
                continue
            function.argtypes, function.restype = takes, c_int
            self._functions[name] = function

    def start(self) -> Driver:
        """Makes the driver ready, which has to come first; needs no context.

        Raises:
            UnavailableError: it is too old, or it cannot start, or it finds no GPU.
        """
        version = self.version
        if version < LEAST_VERSION:
            raise UnavailableError(f"the NVIDIA driver is too old: it is for CUDA {show(version)}; {_NEEDED}")
        try:
            self._call("cuInit", 0)
        except CallError as error:
            raise UnavailableError(_WHY_NOT.get(error.code, f"the NVIDIA driver cannot start: {error}")) from error
        return self

    @property
    def version(self) -> tuple[int, int]:
        """The latest CUDA version that the driver is for, such as (12, 4); needs no context."""
        number = self._number("cuDriverGetVersion")
        return number // 1000, number % 1000 // 10

    # Devices need no context.

    def devices(self) -> int:
        """How many there are."""
        return self._number("cuDeviceGetCount")

    def device(self, ordinal: int) -> int:
        """The handle of number `ordinal`."""
        return self._number("cuDeviceGet", ordinal)

    def device_name(self, device: int) -> str:
        """What it is sold as."""
        name = ctypes.create_string_buffer(256)
        self._call("cuDeviceGetName", name, len(name), device)
        return name.value.decode(errors="replace")

    def device_memory(self, device: int) -> int:
        """All its memory, in bytes."""
        return self._size("cuDeviceTotalMem_v2", device)

    def device_attribute(self, attribute: int, device: int) -> int:
        """One of CU_DEVICE_ATTRIBUTE's."""
        return self._number("cuDeviceGetAttribute", attribute, device)

    # Contexts.

    def retain(self, device: int) -> int:
        """The device's primary context, which other libraries in this process use, too."""
        return self._handle("cuDevicePrimaryCtxRetain", device)

    def release(self, device: int) -> None:
        """Gives it back: the last to do so ends it."""
        self._call(self._either("cuDevicePrimaryCtxRelease_v2", "cuDevicePrimaryCtxRelease"), device)

    def push(self, context: int) -> None:
        """Makes `context` this thread's current one."""
        self._call("cuCtxPushCurrent_v2", context)

    def pop(self) -> None:
        """Makes the one before it current again."""
        self._handle("cuCtxPopCurrent_v2")

    # Code.

    def load(self, ptx: bytes) -> int:
        """A module compiled from PTX; what the compiler has to say is in the error."""
        log = ctypes.create_string_buffer(_LOG_BYTES)
        options = (c_int * 2)(_JIT_ERROR_LOG, _JIT_ERROR_LOG_BYTES)
        values = (c_void_p * 2)(ctypes.addressof(log), _LOG_BYTES)
        module = c_void_p()
        name = "cuModuleLoadDataEx"
        code = self._functions[name](byref(module), ptx, 2, options, values)
        if code:
            raise self._error(name, code, " ".join(log.value.decode(errors="replace").split()))
        return module.value or 0

    def unload(self, module: int) -> None:
        """Frees a module."""
        self._call("cuModuleUnload", module)

    def function(self, module: int, name: str) -> int:
        """A module's kernel."""
        return self._handle("cuModuleGetFunction", module, name.encode())

    def function_attribute(self, attribute: int, function: int) -> int:
        """One of CU_FUNC_ATTRIBUTE's."""
        return self._number("cuFuncGetAttribute", attribute, function)

    # Memory.

    def memory(self) -> tuple[int, int]:
        """Bytes that are free, and in all."""
        free, total = c_size_t(), c_size_t()
        self._call("cuMemGetInfo_v2", byref(free), byref(total))
        return free.value, total.value

    def allocate(self, size: int) -> int:
        """The address of `size` bytes on the device, which must not be none; a multiple of 256."""
        address = c_uint64()
        self._call("cuMemAlloc_v2", byref(address), size)
        return address.value

    def free(self, address: int) -> None:
        """Frees memory of the device; waits for what runs."""
        self._call("cuMemFree_v2", address)

    def allocate_pinned(self, size: int) -> int:
        """The address of `size` bytes of the host that are never paged out: copies of them overlap with the rest."""
        return self._handle("cuMemHostAlloc", size, 0)

    def free_pinned(self, address: int) -> None:
        """Frees such memory."""
        self._call("cuMemFreeHost", address)

    def copy_in(self, device: int, host: int, size: int, stream: int) -> None:
        """Begins to copy to the device."""
        self._call("cuMemcpyHtoDAsync_v2", device, host, size, stream)

    def copy_out(self, host: int, device: int, size: int, stream: int) -> None:
        """Begins to copy from the device."""
        self._call("cuMemcpyDtoHAsync_v2", host, device, size, stream)

    def copy_rows(self, copy: Copy2D, stream: int) -> None:
        """Begins to copy rows that lie apart."""
        self._call("cuMemcpy2DAsync_v2", byref(copy), stream)

    # Streams and events.

    def create_stream(self) -> int:
        """A stream: what is begun on it runs in order. It does not wait for the default stream."""
        return self._handle("cuStreamCreate", _STREAM_NON_BLOCKING)

    def destroy_stream(self, stream: int) -> None:
        """Ends a stream once its work is done; does not wait for that."""
        self._call("cuStreamDestroy_v2", stream)

    def synchronize(self, stream: int) -> None:
        """Waits until all is done that was begun on `stream`."""
        self._call("cuStreamSynchronize", stream)

    def wait(self, stream: int, event: int) -> None:
        """Lets what is begun on `stream` from now on wait for `event`."""
        self._call("cuStreamWaitEvent", stream, event, 0)

    def create_event(self, *, timing: bool) -> int:
        """An event, which knows its time if asked to."""
        return self._handle("cuEventCreate", 0 if timing else _EVENT_WITHOUT_TIMING)

    def destroy_event(self, event: int) -> None:
        """Ends an event."""
        self._call("cuEventDestroy_v2", event)

    def record(self, event: int, stream: int) -> None:
        """Lets `event` happen when all is done that was begun on `stream` before."""
        self._call("cuEventRecord", event, stream)

    def synchronize_event(self, event: int) -> None:
        """Waits for an event; one that was never recorded counts as happened."""
        self._call("cuEventSynchronize", event)

    def elapsed(self, start: int, end: int) -> float:
        """Milliseconds between two events that have happened; the resolution is about half a microsecond."""
        time = c_float()
        self._call("cuEventElapsedTime", byref(time), start, end)
        return time.value

    # Launches.

    def launch(self, function: int, grid: Sequence[int], threads: int, stream: int, parameters: Any) -> None:
        """Begins a kernel on `grid` blocks of `threads`; `parameters` is an array of pointers to its arguments."""
        self._call("cuLaunchKernel", function, *grid, threads, 1, 1, 0, stream, parameters, None)

    def begin_capture(self, stream: int) -> None:
        """What is begun on `stream` from now on is recorded, and does not run.

        In the relaxed mode: the garbage collector may free memory meanwhile, which the others would not bear.
        """
        self._call("cuStreamBeginCapture_v2", stream, _CAPTURE_RELAXED)

    def end_capture(self, stream: int) -> int:
        """What was recorded, as a graph."""
        graph = c_void_p()
        self._call("cuStreamEndCapture", stream, byref(graph))
        return graph.value or 0

    def instantiate(self, graph: int) -> int:
        """A graph that can be launched."""
        name = self._either("cuGraphInstantiateWithFlags", "cuGraphInstantiate")
        if name == "cuGraphInstantiate":
            return self._handle(name, graph, None, None, 0)
        return self._handle(name, graph, 0)

    def launch_graph(self, executable: int, stream: int) -> None:
        """Begins all that a graph holds."""
        self._call("cuGraphLaunch", executable, stream)

    def destroy_graph(self, graph: int) -> None:
        """Frees a graph, but not what was instantiated from it."""
        self._call("cuGraphDestroy", graph)

    def destroy_executable(self, executable: int) -> None:
        """Frees what was instantiated, once it has run."""
        self._call("cuGraphExecDestroy", executable)

    def _call(self, name: str, *arguments: Any) -> None:
        code = self._functions[name](*arguments)
        if code:
            raise self._error(name, code)

    def _number(self, name: str, *arguments: Any) -> int:
        """Calls a function that first takes where to put an int."""
        value = c_int()
        self._call(name, byref(value), *arguments)
        return value.value

    def _size(self, name: str, *arguments: Any) -> int:
        value = c_size_t()
        self._call(name, byref(value), *arguments)
        return value.value

    def _handle(self, name: str, *arguments: Any) -> int:
        value = c_void_p()
        self._call(name, byref(value), *arguments)
        return value.value or 0

    def _either(self, newer: str, older: str) -> str:
        return newer if newer in self._functions else older

    def _error(self, call: str, code: int, log: str = "") -> CallError:
        name, text = (self._words(f, code) for f in ("cuGetErrorName", "cuGetErrorString"))
        return CallError(call, code, name or f"error {code}", text or "unknown error", log)

    def _words(self, function: str, code: int) -> str:
        words = c_char_p()
        if self._functions[function](code, byref(words)) or words.value is None:
            return ""
        return words.value.decode(errors="replace")


def show(version: tuple[int, int]) -> str:
    """A version or a capability as users write it."""
    return f"{version[0]}.{version[1]}"


_NEEDED = f"fastact needs one for CUDA {show(LEAST_VERSION)} or later: update it, or compute on the CPU"

_WHY_NOT = {
    NO_DEVICE: "there is no GPU on this machine that the NVIDIA driver can use (CUDA_VISIBLE_DEVICES may hide it): "
    "compute on the CPU",
    STUB_LIBRARY: f"{LIBRARY} is the CUDA toolkit's stub and no driver: take its folder out of LD_LIBRARY_PATH",
    NOT_INITIALIZED: "a process that was forked after its parent had used the GPU cannot use it: start it with the "
    "method 'spawn' of multiprocessing, or use the GPU first in the child",
}
"""What a code of cuInit's means."""
