"""What can go wrong with a GPU, said to users."""

from __future__ import annotations

OUT_OF_MEMORY, NOT_INITIALIZED, STUB_LIBRARY, NO_DEVICE, UNSUPPORTED_PTX = 2, 3, 34, 100, 222

_LOST = frozenset({214, 220, 226, 700, 702, 709, 710, *range(714, 720), 721, 810, 911})
"""Codes after which a process cannot use the GPU again, so says cuda.h; ECC and NVLink errors are counted in."""


class CudaError(Exception):
    """The GPU cannot be used, or not for this; the message says why and what to do."""


class UnavailableError(CudaError):
    """There is no GPU that fastact can use, or no driver for it."""


class OutOfMemoryError(CudaError):
    """The GPU has too little memory."""


class CallError(CudaError):
    """A function of the driver failed.

    Attributes:
        call: the function's symbol.
        code: what it returned.
        name: the driver's name for that.
        sticky: the process has lost the GPU: every later call would fail, and memory on it is gone.
    """

    def __init__(self, call: str, code: int, name: str, text: str, log: str = "") -> None:
        self.call, self.code, self.name, self.sticky = call, code, name, code in _LOST
        self._said = call, code, name, text, log
        after = ": this process cannot use the GPU any more, start it anew" if self.sticky else ""
        log = f" ({log})" if log else ""
        super().__init__(f"the GPU's driver says {text!r} ({name}, from {call}){log}{after}")

    def again(self) -> CallError:
        """The same error, to be raised where it still stands in the way."""
        return CallError(*self._said)
