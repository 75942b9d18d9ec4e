"""Every error fastact raises on purpose.

    FastactError
    ├── FileError             the file cannot be read as what it claims to be, or is not safe to read
    ├── ModelError            the configuration in the file does not describe a network
    ├── UnsupportedError      fastact does not know this layer, argument or format; the message says which
    ├── InputError            the frame does not fit the model
    ├── LayerNotFoundError    a layer name or pattern that matches nothing; the message lists what exists
    ├── KernelError           the compiled kernels cannot be built or loaded
    ├── OutputError           a result cannot be written
    └── MissingExtraError     an optional package is absent; the message names the extra to install

Each message is one sentence that says what is wrong, where, and what to do about it.
"""

from __future__ import annotations

__all__ = [
    "FastactError",
    "FileError",
    "InputError",
    "KernelError",
    "LayerNotFoundError",
    "MissingExtraError",
    "ModelError",
    "OutputError",
    "UnsupportedError",
]


class FastactError(Exception):
    """The root of fastact's errors."""


class FileError(FastactError):
    """The file cannot be read as what it claims to be, or is not safe to read."""


class ModelError(FastactError):
    """The configuration in the file does not describe a network."""


class UnsupportedError(FastactError):
    """fastact does not know this layer, argument or format."""


class InputError(FastactError):
    """The frame does not fit the model."""


class LayerNotFoundError(FastactError):
    """A layer name or pattern matches nothing in the model."""


class KernelError(FastactError):
    """The compiled kernels cannot be built or loaded."""


class OutputError(FastactError):
    """A result cannot be written."""


class MissingExtraError(FastactError):
    """An optional package is absent."""

    def __init__(self, purpose: str, package: str, extra: str) -> None:
        super().__init__(f"{purpose} needs {package}, which is not installed: pip install 'fastact[{extra}]'")
