"""SHA-256 without OpenSSL.

`hashlib` loads OpenSSL, which is 3.6 MB of memory in a process that has 50. CPython has the same function in a module
of its own, under a name that changed with 3.12; where it has neither, hashlib serves.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Protocol

__all__ = ["sha256"]


class Hash(Protocol):
    """What every hash of Python's does."""

    def update(self, data: bytes, /) -> None:
        """Takes more data in."""

    def hexdigest(self) -> str:
        """The hash so far, in hexadecimal."""
        ...


def _find() -> Callable[[bytes], Hash]:
    for module in ("_sha2", "_sha256"):
        try:
            found: Callable[[bytes], Hash] = importlib.import_module(module).sha256
            return found
        except ImportError:
            continue
    import hashlib

    return hashlib.sha256


def sha256(data: bytes = b"") -> Hash:
    """A hash that has taken in `data`."""
    return _find()(data)
