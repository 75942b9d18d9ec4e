"""A driver without a GPU: the functions of libcuda over memory of the host, as C functions that ctypes calls.

What is begun on a stream runs as late as it may: when something waits for it, and then no more than that needs. An
order that nothing enforces is not kept, so that a missing wait shows as a wrong result.
"""

# ruff: noqa: N802, N815  # methods are called as the functions they stand for

from __future__ import annotations

import ctypes
import re
import threading
from collections import Counter
from collections.abc import Callable
from typing import Any

import fake_symbols as symbols
import numpy as np
from fake_parts import POINTED, Event, Failed, Gpu, Mark, Stream, Work, arguments, simulated
from fake_symbols import CODES, SIGNATURES, STICKY, WITHOUT_CONTEXT

from fastact.kernels.cuda import catalog


class FakeDriver:
    """The library: its functions are attributes.

    Attributes:
        calls: what was called, in order.
        began: what was begun on streams, in order, with the stream's number.
        live: what exists, by kind and handle.
        kernels: what runs in place of kernels, given grid, threads and arguments; others run in Numba's simulator.
        eager: streams whose work runs as soon as it may.
    """

    def __init__(
        self, *gpus: Gpu, version: int = 12040, absent: tuple[str, ...] = (), kernels: dict[str, Any] | None = None
    ) -> None:
        self.gpus, self._version, self.kernels = gpus or (Gpu(),), version, kernels or {}
        self.calls: list[str] = []
        self.began: list[tuple[str, int]] = []
        self.live: dict[str, dict[int, Any]] = {
            kind: {} for kind in ("memory", "pinned", "stream", "event", "module", "graph", "executable", "context")
        }
        self.faults: dict[str, tuple[int, int]] = {}
        self.mistakes: list[BaseException] = []
        self.eager: set[int] = set()
        self.lost = 0
        self.clock = 0.0
        self._next = 0x1000
        self._current = threading.local()
        self._functions: dict[int, str] = {}
        self._words = {code: tuple(map(ctypes.c_char_p, map(str.encode, two))) for code, two in CODES.items()}
        for name, (letters, since) in SIGNATURES.items():
            if since <= version and name not in absent:
                kind = ctypes.CFUNCTYPE(ctypes.c_int, *(symbols.TYPES[letter] for letter in letters))
                setattr(self, name, kind(self._entry(name)))

    def fail(self, name: str, code: int, nth: int = 1) -> None:
        """The `nth` call of a function from now on returns `code` and does nothing."""
        self.faults[name] = code, nth

    def leaks(self) -> dict[str, int]:
        """How many things of each kind exist."""
        return {kind: len(things) for kind, things in self.live.items() if things}

    def counted(self) -> Counter[str]:
        """How often each function was called."""
        return Counter(self.calls)

    def check(self) -> None:
        """Raises what went wrong inside."""
        for mistake in self.mistakes:
            raise mistake

    def _entry(self, name: str) -> Callable[..., int]:
        work = getattr(self, "_" + name.removesuffix("_v2"))

        def call(*arguments: Any) -> int:
            self.calls.append(name)
            try:
                code, nth = self.faults.pop(name, (0, 0))
                if nth == 1:
                    raise Failed(code)
                if nth > 1:
                    self.faults[name] = code, nth - 1
                if not WITHOUT_CONTEXT.match(name) and (self.lost or not self._stack()):
                    raise Failed(self.lost or 201)
                work(*arguments)
            except Failed as failed:
                code = int(failed.args[0])
                self.lost = code if code in STICKY else self.lost
                self._capture_fails(name, arguments)
                return code
            except BaseException as mistake:
                self.mistakes.append(mistake)
                return 999
            return 0

        return call

    def _capture_fails(self, name: str, arguments: tuple[Any, ...]) -> None:
        """A launch that fails makes what is recorded void; an end that fails is one."""
        place = {"cuLaunchKernel": 8, "cuStreamEndCapture": 0}.get(name)
        stream = self.live["stream"].get(arguments[place]) if place is not None else None
        if stream is not None and stream.captured is not None:
            stream.captured, stream.void = None, name == "cuLaunchKernel"

    def _stack(self) -> list[int]:
        if not hasattr(self._current, "stack"):
            self._current.stack = []
        stack: list[int] = self._current.stack
        return stack

    def _new(self, kind: str, thing: Any, out: int, handle: int = 0) -> None:
        if not handle:
            handle = self._next = self._next + 8
        self.live[kind][handle] = thing
        ctypes.c_uint64.from_address(out).value = handle

    def _get(self, kind: str, handle: int) -> Any:
        if handle not in self.live[kind]:
            raise Failed(400)
        return self.live[kind][handle]

    def _end(self, kind: str, handle: int) -> Any:
        thing = self._get(kind, handle)
        del self.live[kind][handle]
        return thing

    # Errors, devices, contexts.

    def _say(self, code: int, which: int, out: int) -> None:
        if code not in self._words:
            raise Failed(1)
        ctypes.c_void_p.from_address(out).value = ctypes.cast(self._words[code][which], ctypes.c_void_p).value

    def _cuGetErrorName(self, code: int, out: int) -> None:
        self._say(code, 0, out)

    def _cuGetErrorString(self, code: int, out: int) -> None:
        self._say(code, 1, out)

    def _cuInit(self, flags: int) -> None:
        assert flags == 0

    def _cuDriverGetVersion(self, out: int) -> None:
        ctypes.c_int.from_address(out).value = self._version

    def _cuDeviceGetCount(self, out: int) -> None:
        ctypes.c_int.from_address(out).value = len(self.gpus)

    def _cuDeviceGet(self, out: int, ordinal: int) -> None:
        ctypes.c_int.from_address(out).value = ordinal

    def _cuDeviceGetName(self, out: int, size: int, device: int) -> None:
        name = self.gpus[device].name.encode()
        assert len(name) < size
        ctypes.memmove(out, name + b"\0", len(name) + 1)

    def _cuDeviceTotalMem(self, out: int, device: int) -> None:
        ctypes.c_size_t.from_address(out).value = self.gpus[device].memory

    def _cuDeviceGetAttribute(self, out: int, attribute: int, device: int) -> None:
        ctypes.c_int.from_address(out).value = self.gpus[device].attribute(attribute)

    def _cuDevicePrimaryCtxRetain(self, out: int, device: int) -> None:
        self._new("context", device, out, 0xC000 + device)

    def _cuDevicePrimaryCtxRelease(self, device: int) -> None:
        self._end("context", 0xC000 + device)
        self.live["module"].clear()  # they end with it

    def _cuCtxPushCurrent(self, context: int) -> None:
        self._get("context", context)
        self._stack().append(context)

    def _cuCtxPopCurrent(self, out: int) -> None:
        ctypes.c_uint64.from_address(out).value = self._stack().pop()

    # Code.

    def _cuModuleLoadDataEx(self, out: int, image: int, count: int, options: int, values: int) -> None:
        ptx = ctypes.string_at(image).decode()
        assert (ctypes.c_int * count).from_address(options)[:] == [5, 6]
        log, size = (ctypes.c_void_p * count).from_address(values)
        entry = re.search(r"\.visible \.entry (\w+)\(", ptx)
        if entry is None:
            said = b"ptxas application ptx input, line 1;\n fatal: no entry\0"
            assert len(said) <= size
            ctypes.memmove(log, said, len(said))
            raise Failed(218)
        self._new("module", entry.group(1), out)

    def _cuModuleUnload(self, module: int) -> None:
        self._end("module", module)

    def _cuModuleGetFunction(self, out: int, module: int, name: int) -> None:
        wanted = ctypes.string_at(name).decode()
        if self._get("module", module) != wanted:
            raise Failed(500)
        self._functions[module + 1] = wanted
        ctypes.c_uint64.from_address(out).value = module + 1

    def _cuFuncGetAttribute(self, out: int, attribute: int, function: int) -> None:
        assert function in self._functions
        ctypes.c_int.from_address(out).value = {1: 4096, 3: 0, 4: 40}[attribute]

    # Memory.

    def _free_bytes(self) -> int:
        return self.gpus[0].memory - sum(len(m) for m in self.live["memory"].values())

    def _cuMemGetInfo(self, free: int, total: int) -> None:
        ctypes.c_size_t.from_address(free).value = self._free_bytes()
        ctypes.c_size_t.from_address(total).value = self.gpus[0].memory

    def _allocate(self, kind: str, size: int, out: int) -> None:
        if size == 0:
            raise Failed(1)
        whole = np.full(size + 256, 0xA5, np.uint8)
        start = -whole.ctypes.data % 256
        memory = whole[start : start + size]
        self._new(kind, memory, out, memory.ctypes.data)

    def _cuMemAlloc(self, out: int, size: int) -> None:
        if size > self._free_bytes():
            raise Failed(2)
        self._allocate("memory", size, out)

    def _cuMemFree(self, address: int) -> None:
        self._unused("memory", address)
        self._end("memory", address)

    def _cuMemHostAlloc(self, out: int, size: int, flags: int) -> None:
        assert flags == 0
        self._allocate("pinned", size, out)

    def _cuMemFreeHost(self, address: int) -> None:
        self._unused("pinned", address)
        self._end("pinned", address)

    def _bytes(self, address: int, size: int | None = None) -> Any:
        """The device's memory at an address: `size` bytes, or all that follow in its allocation."""
        for start, memory in self.live["memory"].items():
            if start <= address < start + len(memory):
                found = memory[address - start :]
                assert size is None or size <= len(found), "beyond an allocation"
                return found[:size]
        raise Failed(700)

    def _cuMemcpyHtoDAsync(self, device: int, host: int, size: int, stream: int) -> None:
        def work() -> None:
            ctypes.memmove(self._bytes(device, size).ctypes.data, host, size)

        self._copy("copy in", stream, work, device, host)

    def _cuMemcpyDtoHAsync(self, host: int, device: int, size: int, stream: int) -> None:
        def work() -> None:
            ctypes.memmove(host, self._bytes(device, size).ctypes.data, size)

        self._copy("copy out", stream, work, device, host)

    def _cuMemcpy2DAsync(self, parameters: int, stream: int) -> None:
        fields = [int(v) for v in (ctypes.c_uint64 * 16).from_address(parameters)]
        assert fields[2] & 0xFFFFFFFF == 2, "from the device"
        assert fields[9] & 0xFFFFFFFF == 1, "to the host"
        device, pitch, host, target_pitch, width, height = (fields[i] for i in (4, 6, 10, 13, 14, 15))
        assert [fields[i] for i in (0, 1, 3, 5, 7, 8, 11, 12)] == [0] * 8

        def work() -> None:
            for row in range(height):
                ctypes.memmove(host + row * target_pitch, self._bytes(device + row * pitch, width).ctypes.data, width)

        self._copy("copy out", stream, work, device, host)

    def _copy(self, what: str, stream: int, work: Callable[[], None], device: int, host: int) -> None:
        """What is not pinned is copied before the driver comes back."""
        pinned = any(start <= host < start + len(m) for start, m in self.live["pinned"].items())
        self._begin(what, stream, Work(work, (device, host)), at_once=not pinned)

    # Streams and events.

    def _begin(self, what: str, handle: int, work: Work, at_once: bool = False) -> None:
        stream = self._get("stream", handle)
        if stream.captured is not None or stream.void:
            if what != "launch" or stream.captured is None:
                raise Failed(900)
            stream.captured.append(work)
            return
        self.began.append((what, handle))
        stream.work.append(work)
        if at_once or handle in self.eager:
            stream.run(len(stream.work))

    def _unused(self, kind: str, address: int) -> None:
        """cuMemFree may wait for what runs, says cuda.h: so it may not, and memory in use is not to be freed."""
        end = address + len(self._get(kind, address))
        for stream in self.live["stream"].values():
            for work in stream.work[stream.done :]:
                assert not any(address <= used < end for used in work.uses), "memory is freed that is still to be used"

    def _cuStreamCreate(self, out: int, flags: int) -> None:
        assert flags == 1
        self._new("stream", Stream(), out)

    def _cuStreamDestroy(self, handle: int) -> None:
        stream = self._end("stream", handle)
        stream.run(len(stream.work))

    def _cuStreamSynchronize(self, handle: int) -> None:
        stream = self._get("stream", handle)
        stream.run(len(stream.work))

    def _cuStreamWaitEvent(self, handle: int, event: int, flags: int) -> None:
        mark = self._get("event", event).mark
        assert flags == 0
        self._begin("wait", handle, Work(lambda: mark and mark.stream.run(mark.position)))

    def _cuEventCreate(self, out: int, flags: int) -> None:
        assert flags in (0, 2)
        self._new("event", Event(flags == 0), out)

    def _cuEventDestroy(self, handle: int) -> None:
        self._end("event", handle)

    def _cuEventRecord(self, handle: int, stream: int) -> None:
        mark = Mark(self._get("stream", stream), 0)

        def work() -> None:
            self.clock += 0.25
            mark.time = self.clock

        self._begin("record", stream, Work(work))
        mark.position = len(mark.stream.work)
        self._get("event", handle).mark = mark

    def _cuEventSynchronize(self, handle: int) -> None:
        mark = self._get("event", handle).mark
        if mark is not None:
            mark.stream.run(mark.position)

    def _cuEventElapsedTime(self, out: int, start: int, end: int) -> None:
        marks = [self._get("event", handle) for handle in (start, end)]
        assert all(event.timing for event in marks)
        times = [event.mark.time if event.mark else None for event in marks]
        if None in times:
            raise Failed(600)
        ctypes.c_float.from_address(out).value = times[1] - times[0]

    # Launches and graphs.

    def _cuLaunchKernel(self, function: int, *rest: Any) -> None:
        *grid, threads, one, another, shared, stream, parameters, extra = rest
        assert (one, another, shared, extra) == (1, 1, 0, None)
        name = self._functions[function]
        if not (1 <= grid[0] < 2**31 and 1 <= grid[1] < 2**16 and 1 <= grid[2] < 2**16):
            raise Failed(1)
        given = arguments(catalog.KERNELS[name].parameters, parameters)

        def work() -> None:
            self.clock += 1
            values = [
                self._bytes(value).view(POINTED[letter]) if letter in POINTED else value for letter, value in given
            ]
            (self.kernels.get(name) or simulated(name))(tuple(grid), threads, *values)

        self._begin("launch", stream, Work(work, tuple(int(value) for letter, value in given if letter in POINTED)))

    def _cuStreamBeginCapture(self, handle: int, mode: int) -> None:
        assert mode == 2
        self._get("stream", handle).captured = []

    def _cuStreamEndCapture(self, handle: int, out: int) -> None:
        stream = self._get("stream", handle)
        if stream.void:
            stream.void = False
            raise Failed(901)
        if stream.captured is None:
            raise Failed(400)
        work, stream.captured = stream.captured, None
        self._new("graph", work, out)

    def _cuGraphInstantiate(self, out: int, graph: int, *rest: object) -> None:
        assert rest in ((None, None, 0), (0,))
        self._new("executable", self._get("graph", graph), out)

    _cuGraphInstantiateWithFlags = _cuGraphInstantiate

    def _cuGraphLaunch(self, executable: int, stream: int) -> None:
        launches = self._get("executable", executable)
        uses = tuple(used for work in launches for used in work.uses)
        self._begin("graph", stream, Work(lambda: [work.do() for work in launches] and None, uses))

    def _cuGraphDestroy(self, graph: int) -> None:
        self._end("graph", graph)

    def _cuGraphExecDestroy(self, executable: int) -> None:
        self._end("executable", executable)
